"""From a verdict to at most one write.

Law: pure. The tables say which action a verdict asks for; nothing here looks at evidence.
"""

import hashlib
from dataclasses import dataclass

from canary_operator.engine.situation import AtPause, held_pause
from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind, Snapshot
from canary_operator.model.pause import FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS, Hold
from canary_operator.model.policy import Mode
from canary_operator.model.verdict import Verdict

# Argo can lose a write that lands while it writes itself, so a hold is written again after this long.
CONFIRM_AFTER_SECONDS = 1.5
# An action that Argo has not taken up after this long makes the operator nudge it.
NUDGE_AFTER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Will:
    """What is wanted at a pause: the verdict, and whether a promotion may come before the user's end."""

    verdict: Verdict
    early: bool = False
    ends_as_ungated: bool = False


def first_of_all(snapshot: Snapshot, at: AtPause, now: float) -> ActionKind | None:
    """The hold of a timed pause, which cannot wait for evidence: written at once, and again a little later."""
    if snapshot.opt_in.mode is not Mode.ENFORCE or at.user_end is None:
        return None
    match at.hold:
        case Hold.NONE:
            # A hold that a verdict released is not taken up again.
            return None if _released(snapshot, at) else ActionKind.HOLD
        case Hold.WRITTEN:
            return ActionKind.HOLD if now >= confirm_at(snapshot, now) else None
        case Hold.CONFIRMED:
            return None


def confirm_at(snapshot: Snapshot, now: float) -> float:
    """When the second write of a hold is due, at once if nobody remembers the first."""
    last = snapshot.status.last_action
    if last is None or last.action != ActionKind.HOLD.value:
        return now
    return durations.parse_time(last.at) + CONFIRM_AFTER_SECONDS


def at_pause(at: AtPause, will: Will, now: float) -> ActionKind | None:
    """The action at a pause under an enforcing gate."""
    over = at.user_end is not None and now >= at.user_end
    held = at.hold is not Hold.NONE
    if will.ends_as_ungated:
        return ActionKind.RELEASE if held else None
    match will.verdict:
        case Verdict.ABORT:
            return ActionKind.ABORT
        case Verdict.HOLD:
            return None
        case Verdict.PROMOTE if at.user_end is None:
            return ActionKind.PROMOTE
        case Verdict.PROMOTE if over and held:
            return ActionKind.RELEASE
        case Verdict.PROMOTE if will.early and not over:
            return ActionKind.PROMOTE
        case Verdict.PROMOTE:
            return None


def action(snapshot: Snapshot, kind: ActionKind, now: float) -> Action:
    """The write of an action, bound to the object that was judged."""
    rollout = snapshot.rollout
    return Action(
        kind=kind,
        decision_id=_decision_id(snapshot, kind, now),
        ref=rollout.ref,
        fence=rollout.fence,
        start_time=_start_time(snapshot, kind, now),
    )


def _start_time(snapshot: Snapshot, kind: ActionKind, now: float) -> float | None:
    pause = held_pause(snapshot.rollout)
    if pause is None:
        return None
    match kind:
        case ActionKind.RELEASE:
            return pause.user_start(now)
        case ActionKind.HOLD if pause.hold(now) is Hold.NONE:
            return pause.user_start(now) + FIRST_SHIFT_SECONDS
        case ActionKind.HOLD:
            return pause.user_start(now) + SECOND_SHIFT_SECONDS
        case _:
            return None


def _decision_id(snapshot: Snapshot, kind: ActionKind, now: float) -> str:
    pause, last = held_pause(snapshot.rollout), snapshot.status.last_action
    second = kind is ActionKind.HOLD and pause is not None and pause.hold(now) is not Hold.NONE
    if second and last is not None and last.action == kind.value:
        # Both writes of a hold are one decision.
        return last.decision_id
    fence, start = snapshot.rollout.fence, pause.user_start(now) if pause else None
    judged = (fence.uid, fence.pod_hash, fence.step_index, start, kind.value, snapshot.status.sequence)
    return hashlib.sha256(repr(judged).encode()).hexdigest()[:16]


def _released(snapshot: Snapshot, at: AtPause) -> bool:
    last = snapshot.status.last_action
    if last is None or last.action != ActionKind.RELEASE.value or last.pause_start is None:
        return False
    return last.verdict != "" and durations.parse_time(last.pause_start) == at.user_start


def nudge_due(snapshot: Snapshot, kinds: tuple[ActionKind, ...], now: float) -> bool:
    """Whether the last applied action is one of ``kinds`` and Argo has not taken it up for some seconds."""
    last = snapshot.status.last_action
    if last is None or last.outcome != "Applied" or last.action not in {kind.value for kind in kinds}:
        return False
    return now - durations.parse_time(last.nudged_at or last.at) >= NUDGE_AFTER_SECONDS
