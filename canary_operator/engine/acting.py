"""From a verdict to at most one write.

Law: pure. The tables say which action a verdict asks for; nothing here looks at evidence.
"""

import hashlib
import math
from dataclasses import dataclass

from canary_operator.engine.situation import AtPause, held_pause
from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind, Snapshot
from canary_operator.model.gate import LastAction
from canary_operator.model.pause import FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS, Hold, PauseReason
from canary_operator.model.policy import Mode
from canary_operator.model.verdict import Verdict

# Argo can lose a write that lands while it writes itself, so a hold is written again after this long.
CONFIRM_AFTER_SECONDS = 1.5
# An action that Argo has not taken up after this long makes the operator nudge it.
NUDGE_AFTER_SECONDS = 5.0
# Argo can say that it has seen a new generation a moment before it says which version that is. What must hit the
# judged version and no other, therefore, waits this long after a change of the spec.
GENERATION_SETTLES_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Will:
    """What is wanted at a pause: the verdict, and whether a promotion may come before the user's end."""

    verdict: Verdict
    early: bool = False
    ends_as_ungated: bool = False


def must_hold_first(snapshot: Snapshot, at: AtPause) -> bool:
    """Whether this is a timed pause whose hold is not written twice yet: nothing else may happen before."""
    if snapshot.opt_in.mode is not Mode.ENFORCE or at.user_end is None:
        return False
    # A hold that a verdict released is not taken up again.
    return at.hold is Hold.WRITTEN or (at.hold is Hold.NONE and not _released(snapshot, at))


def hold_at(snapshot: Snapshot, at: AtPause, now: float) -> float:
    """When the hold is to be written, for the first or the second time: now, or a little after the last try."""
    last = snapshot.status.last_action
    if last is None or last.action != ActionKind.HOLD.value or not _is_about(last, at):
        return now
    match last.outcome:
        case "Applied":
            # Either it is time for the second write, or what the watch has told is older than the first.
            return durations.parse_time(last.at) + CONFIRM_AFTER_SECONDS
        case "Refused":
            return durations.parse_time(last.at) + snapshot.evaluation_interval
        case _:
            return now


def at_pause(at: AtPause, will: Will, now: float) -> ActionKind | None:
    """The action at a pause under an enforcing gate."""
    over = at.user_end is not None and now >= at.user_end
    held = at.hold is not Hold.NONE
    if will.ends_as_ungated:
        return ActionKind.RELEASE if held else None
    if at.pause is None:
        # Argo's own analysis lets the release go on once it is told so.
        return ActionKind.ABORT if will.verdict is Verdict.ABORT else None
    match will.verdict:
        case Verdict.ABORT:
            return ActionKind.ABORT
        case Verdict.HOLD:
            return None
        case Verdict.PROMOTE if at.user_end is None:
            return ActionKind.PROMOTE
        case Verdict.PROMOTE if over and held:
            return ActionKind.RELEASE
        case Verdict.PROMOTE if will.early and not over and at.pause.reason is PauseReason.CANARY_STEP:
            # Before a blue/green promotion Argo 1.9 pauses anew when a pause with an end is taken away.
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
    if last is None or last.action != ActionKind.RELEASE.value:
        return False
    return last.verdict != "" and _is_about(last, at)


def _is_about(last: LastAction, at: AtPause) -> bool:
    return last.pause_start is not None and durations.parse_time(last.pause_start) == at.user_start


def settles_at(snapshot: Snapshot, kind: ActionKind, generation_since: str) -> float:
    """Before when an action must not be done: the spec has just changed, or its own echo may not be seen yet."""
    fresh = -math.inf
    if kind in {ActionKind.PROMOTE, ActionKind.ABORT}:
        fresh = durations.parse_time(generation_since) + GENERATION_SETTLES_SECONDS
    return max(fresh, _echoes_until(snapshot, kind))


def _echoes_until(snapshot: Snapshot, kind: ActionKind) -> float:
    last, rollout, pause = snapshot.status.last_action, snapshot.rollout, snapshot.status.pause
    if last is None or last.outcome != "Applied" or last.action != kind.value or kind is ActionKind.HOLD:
        return -math.inf
    start = pause.start_time if pause is not None and pause.left_by is None else None
    same = (last.pod_hash, last.step_index, last.pause_start) == (rollout.pod_hash, rollout.step_index, start)
    return durations.parse_time(last.at) + NUDGE_AFTER_SECONDS if same else -math.inf


def nudge_due(snapshot: Snapshot, kinds: tuple[ActionKind, ...], now: float) -> bool:
    """Whether the last applied action is one of ``kinds`` and Argo has not taken it up for some seconds."""
    last = snapshot.status.last_action
    if last is None or last.outcome != "Applied" or last.action not in {kind.value for kind in kinds}:
        return False
    return now - durations.parse_time(last.nudged_at or last.at) >= NUDGE_AFTER_SECONDS
