"""The engine never asks: it says what it would like to know, is told, and answers.

``plan`` and ``decide`` are pure and total: the same snapshot, answers and time give the same decision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from canary_operator.engine import acting, memory, policy, tables, telling
from canary_operator.engine.gates import conditions
from canary_operator.engine.judged import judged_metrics
from canary_operator.engine.memory import Judgement
from canary_operator.engine.situation import (
    ArgoUndecided,
    AtPause,
    Ended,
    NotGated,
    Underway,
    Unpausing,
    Unseen,
    held_pause,
    is_about,
    situate,
)
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import ActionKind, Decision, Snapshot
from canary_operator.model.gate import Evidence, GateStatus, LastAction
from canary_operator.model.pause import Hold
from canary_operator.model.policy import Override, SLOPolicySpec
from canary_operator.model.rollout import Rollout
from canary_operator.model.samples import Query, Samples
from canary_operator.model.verdict import Finding, HoldReason, Verdict, verdict_of


def plan(snapshot: Snapshot, now: float) -> tuple[Query, ...]:
    """The questions that are due at ``now``; none while something must be written first."""
    at = situate(snapshot, now)
    if not isinstance(at, AtPause) or snapshot.status.pending is not None:
        return ()
    if acting.must_hold_first(snapshot, at) or snapshot.rollout.replicas == 0:
        return ()
    if _decided_by_a_person(snapshot, now) is not None:
        return ()
    try:
        looks = _looks(snapshot, at, now)
    except ConfigurationError:
        return ()
    queries = (look.query(now) for look in looks)
    return tuple(query for query in queries if query is not None)


def decide(snapshot: Snapshot, samples: Samples, now: float) -> Decision:
    """What to do about one Rollout, why, and what to remember.

    Args:

        samples: the answers to what ``plan`` asked for; a missing answer holds.
    """
    if snapshot.status.pending is not None:
        return _conclude(snapshot, now)
    match situate(snapshot, now):
        case NotGated(message):
            return _let_go(snapshot, message, now)
        case Ended(promoted):
            return _end(snapshot, promoted, now)
        case Unseen():
            return _wait_until_seen(snapshot, now)
        case Underway(message):
            return _watch(snapshot, Finding(HoldReason.COLLECTING, message), now)
        case ArgoUndecided(message):
            return _watch(snapshot, Finding(HoldReason.INCONCLUSIVE, message), now)
        case Unpausing():
            decision = _watch(snapshot, Finding(HoldReason.COLLECTING, "promoted; Argo moves on"), now)
            if decision.action is not None:
                return decision
            return _until_taken_up(snapshot, decision, (ActionKind.PROMOTE, ActionKind.RELEASE), now)
        case AtPause() as at if _another_pause_is_open(snapshot, at):
            return _leave(snapshot, now)
        case AtPause() as at if acting.must_hold_first(snapshot, at):
            return _hold_first(snapshot, at, now)
        case AtPause() as at:
            return _judge(snapshot, at, samples, now)


def _conclude(snapshot: Snapshot, now: float) -> Decision:
    """An action was begun and its reply is not known: the Rollout tells."""
    pending = snapshot.status.pending
    assert pending is not None
    status = memory.concluded(snapshot.status, memory.outcome_of(pending, snapshot, now))
    return Decision(None, status.message, (), None, status, next_look=now, concluded=True)


def _let_go(snapshot: Snapshot, message: str, now: float) -> Decision:
    """Outside a gated release nothing is judged, and what the gate still holds is released."""
    status = memory.left(snapshot.status, snapshot.rollout)
    if status != snapshot.status:
        return Decision(None, message, (), None, status, next_look=now)
    decision = Decision(None, message, (), None, memory.idle(snapshot, message), next_look=math.inf)
    kind = _release_of_ours(snapshot, now)
    if kind is None and snapshot.rollout.pauses and not _was_nudged(snapshot):
        return _with_nudge(snapshot, decision, (ActionKind.RELEASE,), now)
    return _with_action(snapshot, decision, kind, now)


def _was_nudged(snapshot: Snapshot) -> bool:
    last = snapshot.status.last_action
    return last is not None and last.nudged_at is not None


def _release_of_ours(snapshot: Snapshot, now: float) -> ActionKind | None:
    pause = held_pause(snapshot.rollout)
    held = pause is not None and pause.hold(now) is not Hold.NONE
    # What Argo has not seen yet cannot be fenced; its next status makes us look again.
    return ActionKind.RELEASE if held and snapshot.rollout.in_sync else None


def _end(snapshot: Snapshot, promoted: bool, now: float) -> Decision:
    status = memory.ended(snapshot, promoted, now)
    decision = Decision(None, status.message, (), None, status, next_look=math.inf)
    rollout = snapshot.rollout
    if rollout.abort_seen or (promoted and not (rollout.fence.promote_full and rollout.pauses)):
        return decision
    return _until_taken_up(snapshot, decision, (ActionKind.ABORT,), now)


def _watch(snapshot: Snapshot, finding: Finding, now: float) -> Decision:
    """Between pauses: only a person's override or a mistake has a say; an abort can come at any time."""
    if snapshot.status.pause is not None and snapshot.status.pause.left_by is None:
        return _leave(snapshot, now)
    finding = _overridden(snapshot, _mistaken(snapshot) or finding, now)
    status = memory.judging(_of_this_release(snapshot), Judgement(finding), now)
    decision = Decision(
        finding.reason, finding.message, (finding,), None, status, next_look=now + snapshot.evaluation_interval
    )
    if verdict_of(finding.reason) is Verdict.ABORT and memory.enforcing(snapshot):
        return _with_action(snapshot, decision, ActionKind.ABORT, now)
    return decision


def _another_pause_is_open(snapshot: Snapshot, at: AtPause) -> bool:
    pause = snapshot.status.pause
    if pause is None or pause.left_by is not None:
        return False
    same = memory.is_same_pause(pause, snapshot.rollout, at) and is_about(snapshot.status, snapshot.rollout)
    return not same


def _wait_until_seen(snapshot: Snapshot, now: float) -> Decision:
    """A scale-up in the middle of a pause is no new pause: what is known stays, and nothing is judged."""
    known = snapshot.status
    decision = Decision(None, known.message, (), None, known, next_look=now + snapshot.evaluation_interval)
    return _until_taken_up(snapshot, decision, (), now)


def _until_taken_up(snapshot: Snapshot, decision: Decision, ours: tuple[ActionKind, ...], now: float) -> Decision:
    """Argo can miss a change that lands while it writes itself; a harmless change makes it look again.

    Args:

        ours: actions of the gate that may be what Argo has missed; whatever else it is, a person has done it.
    """
    if _is_last(snapshot, ours):
        return _with_nudge(snapshot, decision, ours, now)
    since = snapshot.status.unseen_since
    begun = now if since is None else durations.parse_time(since)
    due = begun + acting.NUDGE_AFTER_SECONDS
    if memory.enforcing(snapshot) and now >= due:
        action = acting.action(snapshot, ActionKind.NUDGE, now)
        again = min(decision.next_look, now + acting.NUDGE_AFTER_SECONDS)
        return replace(decision, action=action, status=memory.unseen(decision.status, now), next_look=again)
    waiting = replace(decision, status=memory.unseen(decision.status, begun))
    return replace(waiting, next_look=min(decision.next_look, due)) if memory.enforcing(snapshot) else waiting


def _leave(snapshot: Snapshot, now: float) -> Decision:
    """The pause that was judged is over: say who ended it before anything else is remembered."""
    status = memory.left(snapshot.status, snapshot.rollout)
    return Decision(None, status.message, (), None, status, next_look=now)


def _hold_first(snapshot: Snapshot, at: AtPause, now: float) -> Decision:
    """A timed pause is held before anything is asked: evidence may take longer than the pause."""
    known = _begun(snapshot, at)
    finding = Finding(HoldReason.COLLECTING, f"held at {memory.place(snapshot.rollout)}: the pause has just begun")
    status = memory.judging(known, Judgement(finding), now)
    write_at = acting.hold_at(snapshot, at, now)
    kind = ActionKind.HOLD if now >= write_at else None
    # What was just written comes back by the watch; until then there is nothing to see.
    next_look = write_at if kind is None else now + acting.CONFIRM_AFTER_SECONDS
    decision = Decision(finding.reason, finding.message, (finding,), None, status, next_look=next_look)
    return decision if kind is None else _with_action(snapshot, decision, kind, now)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What the gates said at a pause, under which policy, when the next look is due, and if all have measured."""

    policy: SLOPolicySpec
    judgement: Judgement
    next_due: float
    measured: bool


def _judge(snapshot: Snapshot, at: AtPause, samples: Samples, now: float) -> Decision:
    known = _begun(snapshot, at)
    heard = _hear(known, at, samples, now)
    finding = _ruled(known, at, heard, now)
    told = telling.sentence(snapshot, at, heard.policy, finding, now)
    told += telling.next_look(verdict_of(finding.reason), heard.next_due - now)
    judgement = replace(heard.judgement, finding=replace(finding, message=told))
    lost = heard.judgement.finding.reason is HoldReason.TELEMETRY_UNAVAILABLE
    status = memory.noted(memory.judging(known, judgement, now), now, telemetry_lost=lost)
    decision = Decision(
        finding.reason,
        judgement.finding.message,
        heard.judgement.findings,
        None,
        status,
        next_look=_next_look(snapshot, at, heard, now),
    )
    return _with_action(snapshot, decision, _action_at(snapshot, at, heard.policy, finding, now), now, at)


def _hear(snapshot: Snapshot, at: AtPause, samples: Samples, now: float) -> _Heard:
    """All findings at this pause. A mistake of a person is one of them and keeps the evidence so far."""
    rules = SLOPolicySpec()
    try:
        rules = policy.effective_policy(snapshot)
        if (override := _decided_by_a_person(snapshot, now)) is not None:
            return _unheard(snapshot, rules, policy.overridden(override))
        looks = _looks(snapshot, at, now)
    except ConfigurationError as error:
        return _unheard(snapshot, rules, Finding(HoldReason.CONFIGURATION_ERROR, str(error)))
    if snapshot.rollout.replicas == 0:
        # A hold that is let go now would end as a promotion that nobody has seen serving.
        return _unheard(snapshot, rules, Finding(HoldReason.NO_TRAFFIC, "scaled to zero: nothing serves requests"))
    return _listened(rules, looks, at, samples, now)


def _unheard(snapshot: Snapshot, rules: SLOPolicySpec, finding: Finding) -> _Heard:
    return _Heard(rules, Judgement(finding, (finding,), snapshot.status.evidence), math.inf, measured=False)


def _listened(
    rules: SLOPolicySpec, looks: Sequence[conditions.Look], at: AtPause, samples: Samples, now: float
) -> _Heard:
    judged = [conditions.judge(look, samples, now, rules.timing.min_measurements) for look in looks]
    findings = [finding for look, (_, finding) in zip(looks, judged, strict=True) if look.metric.counts]
    evidence = tuple(item for item, _ in judged)
    warm_until = at.user_start + rules.timing.warm_up
    if now < warm_until:
        findings = [Finding(HoldReason.WARM_UP, f"warming up for {durations.format_duration(warm_until - now)} more")]
    due = [after.due for after in conditions.looks([look.metric for look in looks], evidence, warm_until, now)]
    # What was not answered stays due and is asked again with the next look, not at once.
    answered = [finding.reason is not HoldReason.TELEMETRY_UNAVAILABLE for _, finding in judged]
    next_due = min(
        (each for each, known in zip(due, answered, strict=True) if each is not None and known), default=math.inf
    )
    counted = [item for look, (item, _) in zip(looks, judged, strict=True) if look.metric.counts]
    judgement = Judgement(tables.strongest(findings), tuple(findings), evidence)
    return _Heard(rules, judgement, next_due, measured=_has_measurements(counted))


def _looks(snapshot: Snapshot, at: AtPause, now: float) -> list[conditions.Look]:
    if (mistake := _mistaken(snapshot)) is not None:
        raise ConfigurationError(mistake.message)
    start = at.user_start + policy.effective_policy(snapshot).timing.warm_up
    known = _begun(snapshot, at).status.evidence
    return conditions.looks(judged_metrics(snapshot), known, start, now)


def _ruled(snapshot: Snapshot, at: AtPause, heard: _Heard, now: float) -> Finding:
    """The finding after the policy: lost telemetry, maxHold, failAction, and above all a person."""
    rules, finding = heard.policy, heard.judgement.finding
    pause = snapshot.status.pause
    if pause is not None and pause.telemetry_lost_since is not None:
        lost_for = now - durations.parse_time(pause.telemetry_lost_since)
        finding = policy.escalated(finding, rules, lost_for)
    if now >= at.user_start + rules.timing.max_hold:
        finding = policy.at_max_hold(finding, rules, heard.measured)
    return _overridden(snapshot, policy.softened(finding, rules), now)


def _has_measurements(evidence: Sequence[Evidence]) -> bool:
    return bool(evidence) and all(
        item.measurements is not None and item.measurements.successful > 0 for item in evidence
    )


def _overridden(snapshot: Snapshot, finding: Finding, now: float) -> Finding:
    override = policy.override_of(snapshot, now)
    return finding if override is None else policy.overridden(override)


def _decided_by_a_person(snapshot: Snapshot, now: float) -> Override | None:
    """An override that ends the pause at once: it needs no evidence, and waits for none that hangs."""
    override = policy.override_of(snapshot, now)
    ends = override is not None and override.action != "Hold" and memory.enforcing(snapshot)
    return override if ends else None


def _mistaken(snapshot: Snapshot) -> Finding | None:
    mistake = snapshot.opt_in.mistake or (snapshot.gate_spec if isinstance(snapshot.gate_spec, str) else "")
    return Finding(HoldReason.CONFIGURATION_ERROR, mistake) if mistake else None


def _action_at(
    snapshot: Snapshot, at: AtPause, rules: SLOPolicySpec, finding: Finding, now: float
) -> ActionKind | None:
    if not memory.enforcing(snapshot):
        return _release_of_ours(snapshot, now)
    verdict, override = verdict_of(finding.reason), policy.override_of(snapshot, now)
    if snapshot.rollout.paused and verdict is not Verdict.ABORT:
        # A person paused the Rollout itself: it is theirs to let go.
        return None
    will = acting.Will(
        verdict,
        early=rules.timing.promote_early or override is not None,
        ends_as_ungated=verdict is Verdict.ABORT and rules.fail_action == "Notify" and override is None,
    )
    return acting.at_pause(at, will, now)


def _next_look(snapshot: Snapshot, at: AtPause, heard: _Heard, now: float) -> float:
    soonest = min(now + snapshot.evaluation_interval, heard.next_due)
    moments = [at.user_end or math.inf, at.user_start + heard.policy.timing.max_hold]
    override = policy.override_of(snapshot, now)
    if override is not None:
        moments.append(durations.parse_time(override.expires_at))
    return min([soonest, *(moment for moment in moments if moment > now)])


def _begun(snapshot: Snapshot, at: AtPause) -> Snapshot:
    known = _of_this_release(snapshot)
    return memory.remembering(known, memory.begun(known.status, known, at))


def _of_this_release(snapshot: Snapshot) -> Snapshot:
    """A new release, or one that is retried, does not remember the pause or the evidence of the one before it."""
    if is_about(snapshot.status, snapshot.rollout) and snapshot.status.phase != "Ended":
        return snapshot
    fresh = snapshot.status.model_copy(update={"pause": None, "evidence": (), "requests": None, "phase": "Idle"})
    return memory.remembering(snapshot, fresh)


def _with_action(
    snapshot: Snapshot, decision: Decision, kind: ActionKind | None, now: float, at: AtPause | None = None
) -> Decision:
    if kind is None:
        kinds = (ActionKind.RELEASE,) if at is not None and at.user_end is not None and now > at.user_end else ()
        return _with_nudge(snapshot, decision, kinds, now)
    # A release because the gate only observes follows from the annotation, as one because it is off.
    ruling = decision.reason if memory.enforcing(snapshot) else None
    verdict = None if ruling is None else verdict_of(ruling)
    settled = acting.settles_at(snapshot, kind, memory.generation_since(snapshot, now))
    if now < settled:
        return replace(decision, next_look=min(decision.next_look, settled))
    action = acting.action(snapshot, kind, now)
    status: GateStatus = memory.intended(decision.status, action, now, verdict)
    again = min(decision.next_look, now + snapshot.evaluation_interval)
    return replace(decision, action=action, status=status, next_look=again)


def _with_nudge(snapshot: Snapshot, decision: Decision, kinds: tuple[ActionKind, ...], now: float) -> Decision:
    """Argo can miss a write that lands while it writes itself; a harmless change makes it look again."""
    if not _is_last(snapshot, kinds):
        return decision
    if acting.nudge_due(snapshot, kinds, now) and _unconsumed(snapshot):
        action = acting.action(snapshot, ActionKind.NUDGE, now)
        return replace(decision, action=action, status=memory.nudged(decision.status, now))
    soon = min(decision.next_look, now + acting.NUDGE_AFTER_SECONDS) if _unconsumed(snapshot) else decision.next_look
    return replace(decision, next_look=soon)


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
