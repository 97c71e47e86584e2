"""Where a Rollout is, seen by the gate.

The order of the rules in ``situate`` is the order in which they apply; the first that fits wins.

Law: pure. Reads the snapshot, says one noun.
"""

import math
from dataclasses import dataclass

from canary_operator.engine import native
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.pause import Hold, Pause, PauseReason
from canary_operator.model.policy import CanaryGateSpec, Mode
from canary_operator.model.rollout import Rollout, StepKind, Strategy


@dataclass(frozen=True, slots=True)
class NotGated:
    """There is nothing to judge, and why. ``keeps_hold`` is true where what is held stays held."""

    message: str
    keeps_hold: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A judged release is over: promoted in full or gone back to stable."""

    promoted: bool


@dataclass(frozen=True, slots=True)
class Underway:
    """A gated release between two pauses, and what it waits for."""

    message: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """Argo has not seen the latest change of the Rollout: its status tells of an older one."""


@dataclass(frozen=True, slots=True)
class ArgoUndecided:
    """Argo's own analysis was inconclusive: a person decides, the gate only watches."""

    message: str


@dataclass(frozen=True, slots=True)
class Unpausing:
    """Somebody promoted and Argo has not consumed it yet. Promoting again would skip a gate."""


@dataclass(frozen=True, slots=True)
class AtPause:
    """A pause that the gate judges. ``user_end`` is None where the pause has no end of its own.

    An analysis of Argo's is one too where it asks for the verdict: then there is no ``pause`` to write to. ``asked_by``
    names the run that lasts until it has an answer; it is None where the one that asks runs beside the steps.
    """

    pause: Pause | None
    hold: Hold
    user_start: float
    user_end: float | None
    asked_by: str | None = None


Situation = NotGated | Ended | Unseen | Underway | ArgoUndecided | Unpausing | AtPause


def situate(snapshot: Snapshot, now: float) -> Situation:
    """Where the Rollout is at ``now`` (Unix seconds)."""
    rollout = snapshot.rollout
    reason = _not_gated(snapshot)
    if reason:
        return NotGated(reason)
    if rollout.aborted or rollout.pod_hash == rollout.stable_hash or rollout.fence.promote_full:
        return _finished(snapshot)
    if rollout.replicas == 0:
        # Argo lets a release without pods run through. What is held already was held for a reason, and a hold that
        # is let go now would end as a promotion of a version that nobody has seen serving.
        return NotGated("scaled to zero: nothing serves requests; a hold stays until it serves again", keeps_hold=True)
    if not rollout.in_sync:
        return Unseen()
    if any(pause.reason in _ARGO_UNDECIDED for pause in rollout.pauses):
        return ArgoUndecided("Argo's own analysis is inconclusive; a person decides: promote or abort")
    pause = held_pause(rollout)
    if pause is not None:
        return _at_pause(rollout, pause, now)
    if rollout.controller_pause and not rollout.pauses:
        return Unpausing()
    run = native.asked_by(snapshot)
    if run or native.is_watched(snapshot):
        return _asked(snapshot, run or None, now)
    return Underway(_waiting_for(rollout))


_ARGO_UNDECIDED = (PauseReason.INCONCLUSIVE_ANALYSIS, PauseReason.INCONCLUSIVE_EXPERIMENT)


def was_judged(snapshot: Snapshot) -> bool:
    """Whether the gate's memory is about this very release."""
    return is_about(snapshot.status, snapshot.rollout)


def is_about(status: GateStatus, rollout: Rollout) -> bool:
    """Whether a gate's status is about the version that the Rollout is releasing."""
    judged = status.rollout
    if judged is None or status.phase == "Idle":
        return False
    return (judged.uid, judged.pod_hash) == (rollout.fence.uid, rollout.pod_hash)


def held_pause(rollout: Rollout) -> Pause | None:
    """The pause that a gate may hold: of a canary pause step, or before a blue/green promotion."""
    for pause in rollout.pauses:
        if pause.reason is PauseReason.BLUE_GREEN:
            return pause
        step = rollout.step
        if pause.reason is PauseReason.CANARY_STEP and step is not None and step.kind is StepKind.PAUSE:
            return pause
    return None


def _not_gated(snapshot: Snapshot) -> str:
    rollout = snapshot.rollout
    if snapshot.opt_in.mode is Mode.OFF:
        return "the gate is off: no annotation canary-operator.io/gate, or its value is off"
    if isinstance(snapshot.gate_spec, CanaryGateSpec) and snapshot.gate_spec.suspend:
        return "suspended by spec.suspend of the CanaryGate"
    if not rollout.stable_hash:
        return "first deploy: there is no stable version to go back to"
    if rollout.rolls_back:
        return "rollback inside spec.rollbackWindow: Argo promotes it without pauses"
    return "" if native.asks(snapshot) else _nothing_to_hold(rollout)


def _nothing_to_hold(rollout: Rollout) -> str:
    if rollout.strategy is Strategy.BLUE_GREEN:
        if rollout.blue_green_pause:
            return ""
        return "no pause before the promotion: set autoPromotionEnabled: false or autoPromotionSeconds"
    if any(step.kind is StepKind.PAUSE for step in rollout.steps):
        return ""
    return "the strategy has no pause step to hold at"


def _finished(snapshot: Snapshot) -> Situation:
    rollout = snapshot.rollout
    if was_judged(snapshot):
        return Ended(promoted=not rollout.aborted)
    if rollout.aborted:
        return NotGated("aborted before the gate judged it")
    if rollout.fence.promote_full:
        return NotGated("promoted in full by a person")
    return NotGated("no release in progress")


def _at_pause(rollout: Rollout, pause: Pause, now: float) -> AtPause:
    start = pause.user_start(now)
    duration = rollout.auto_promotion_seconds
    if pause.reason is PauseReason.CANARY_STEP:
        duration = rollout.step.duration if rollout.step else None
    end = None if duration is None else start + duration
    return AtPause(pause=pause, hold=pause.hold(now), user_start=start, user_end=end)


def _asked(snapshot: Snapshot, run: str | None, now: float) -> AtPause:
    """Argo does not say when an analysis began: it is when the gate first saw it, which it remembers."""
    pause, here = snapshot.status.pause, snapshot.rollout.step_index
    known = pause is not None and pause.left_by is None and (pause.asked_by, pause.step_index) == (run, here)
    start = float(math.floor(now))
    if pause is not None and known and was_judged(snapshot):
        start = durations.parse_time(pause.start_time)
    return AtPause(pause=None, hold=Hold.NONE, user_start=start, user_end=None, asked_by=run)


def _waiting_for(rollout: Rollout) -> str:
    step = rollout.step
    if rollout.strategy is Strategy.BLUE_GREEN:
        return "waiting for Argo to bring up the new version"
    if step is None:
        return "all steps are done, Argo finishes the release"
    match step.kind:
        case StepKind.SET_WEIGHT:
            return f"Argo is setting the weight to {step.weight} %"
        case StepKind.PAUSE:
            return "a pause is about to begin"
        case StepKind.ANALYSIS | StepKind.EXPERIMENT:
            return f"Argo's own {step.kind.value} step is running"
        case _:
            return f"Argo is working on a {step.kind.value} step"
