"""From a decision to at most one write: the action, or a nudge where Argo has missed one.

Law: pure. An action waits for its own echo, and for a change of the spec to settle.
"""

from dataclasses import replace

from canary_operator.engine import acting, memory, policy
from canary_operator.engine.situation import AtPause
from canary_operator.model import durations
from canary_operator.model.decision import ActionKind, Decision, Snapshot
from canary_operator.model.gate import GateStatus, LastAction
from canary_operator.model.rollout import Rollout
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason, Reason, verdict_of


def with_action(
    snapshot: Snapshot, decision: Decision, kind: ActionKind | None, now: float, at: AtPause | None = None
) -> Decision:
    """The decision with its action, as soon as that may be done; without one, with the nudge that is due."""
    if kind is None:
        kinds = (ActionKind.RELEASE,) if at is not None and at.user_end is not None and now > at.user_end else ()
        return with_nudge(snapshot, decision, kinds, now)
    # A release because the gate only observes follows from the annotation, as one because it is off.
    ruling = decision.reason if memory.enforcing(snapshot) else None
    verdict = None if ruling is None else verdict_of(ruling)
    settled = acting.settles_at(snapshot, kind, memory.generation_since(snapshot, now))
    if now < settled:
        return replace(decision, next_look=min(decision.next_look, settled))
    action = acting.action(snapshot, kind, now)
    status: GateStatus = memory.intended(decision.status, action, now, verdict, _requested_by(snapshot, ruling, now))
    again = min(decision.next_look, now + snapshot.evaluation_interval)
    return replace(decision, action=action, status=status, next_look=again)


def _requested_by(snapshot: Snapshot, ruling: Reason | None, now: float) -> str:
    override = policy.override_of(snapshot, now)
    is_theirs = ruling in {PromoteReason.OVERRIDE, HoldReason.OVERRIDE, AbortReason.OVERRIDE}
    return override.requested_by if override is not None and is_theirs else ""


def until_taken_up(snapshot: Snapshot, decision: Decision, ours: tuple[ActionKind, ...], now: float) -> Decision:
    """Argo can miss a change that lands while it writes itself; a harmless change makes it look again.

    Args:

        ours: actions of the gate that may be what Argo has missed; whatever else it is, a person has done it.
    """
    if _is_last(snapshot, ours):
        return with_nudge(snapshot, decision, ours, now)
    since = snapshot.status.unseen_since
    begun = now if since is None else durations.parse_time(since)
    due = begun + acting.NUDGE_AFTER_SECONDS
    if memory.enforcing(snapshot) and now >= due:
        action = acting.action(snapshot, ActionKind.NUDGE, now)
        again = min(decision.next_look, now + acting.NUDGE_AFTER_SECONDS)
        return replace(decision, action=action, status=memory.unseen(decision.status, now), next_look=again)
    waiting = replace(decision, status=memory.unseen(decision.status, begun))
    return replace(waiting, next_look=min(decision.next_look, due)) if memory.enforcing(snapshot) else waiting


def with_nudge(snapshot: Snapshot, decision: Decision, kinds: tuple[ActionKind, ...], now: float) -> Decision:
    """Argo can miss a write that lands while it writes itself; a harmless change makes it look again."""
    if not _is_last(snapshot, kinds):
        return decision
    if acting.nudge_due(snapshot, kinds, now) and _unconsumed(snapshot):
        action = acting.action(snapshot, ActionKind.NUDGE, now)
        return replace(decision, action=action, status=memory.nudged(decision.status, now))
    soon = min(decision.next_look, now + acting.NUDGE_AFTER_SECONDS) if _unconsumed(snapshot) else decision.next_look
    return replace(decision, next_look=soon)


def until_seen(snapshot: Snapshot, now: float) -> Decision:
    """A scale-up in the middle of a pause is no new pause: what is known stays, and nothing is judged."""
    known = snapshot.status
    decision = Decision(None, known.message, (), None, known, next_look=now + snapshot.evaluation_interval)
    return until_taken_up(snapshot, decision, (), now)


def _is_last(snapshot: Snapshot, kinds: tuple[ActionKind, ...]) -> bool:
    last = snapshot.status.last_action
    if last is None or last.action not in {kind.value for kind in kinds} or last.outcome != "Applied":
        return False
    return last.pod_hash == snapshot.rollout.pod_hash and _is_at_step_of(last, snapshot.rollout)


def _is_at_step_of(last: LastAction, rollout: Rollout) -> bool:
    # An abort goes back to the first step, a promotion that was consumed to the next one.
    return last.action == ActionKind.ABORT.value or last.step_index == rollout.step_index


def _unconsumed(snapshot: Snapshot) -> bool:
    rollout = snapshot.rollout
    if rollout.aborted:
        return not rollout.abort_seen
    return rollout.controller_pause
