"""The engine never asks: it says what it would like to know, is told, and answers.

``plan`` and ``decide`` are pure and total: the same snapshot, answers and time give the same decision.
"""

import math
from dataclasses import replace

from canary_operator.engine import acting, baking, hearing, memory, policy, telling, writing
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
from canary_operator.model.pause import Hold
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import Question, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, Verdict, verdict_of


def listens(snapshot: Snapshot, now: float) -> bool:
    """Whether anything is asked at ``now``: a release is in progress, and nothing must be written first."""
    at = situate(snapshot, now)
    if snapshot.status.pending is not None or hearing.decided_by_a_person(snapshot, now) is not None:
        return False
    if isinstance(at, AtPause):
        return not acting.must_hold_first(snapshot, at)
    return isinstance(at, Underway | ArgoUndecided) or (isinstance(at, Ended) and baking.is_under_way(snapshot, now))


def plan(snapshot: Snapshot, now: float) -> tuple[Question, ...]:
    """The questions that are due at ``now``."""
    if not listens(snapshot, now):
        return ()
    at = situate(snapshot, now)
    try:
        found = hearing.looks(baking.to_judge(snapshot, now), at if isinstance(at, AtPause) else None, now)
    except ConfigurationError:
        return ()
    return tuple(question for look in found.looks for question in look.questions())


def decide(snapshot: Snapshot, samples: Samples, now: float) -> Decision:
    """What to do about one Rollout, why, and what to remember.

    Args:

        samples: the answers to what ``plan`` asked for; a missing answer holds.
    """
    if snapshot.status.pending is not None:
        return _conclude(snapshot, now)
    match situate(snapshot, now):
        case NotGated(message, keeps_hold):
            return _let_go(snapshot, message, keeps_hold, now)
        case Ended(promoted):
            return _end(snapshot, promoted, samples, now)
        case Unseen():
            return writing.until_seen(snapshot, now)
        case Underway(message):
            return _watch(snapshot, Finding(HoldReason.COLLECTING, message), samples, now)
        case ArgoUndecided(message):
            return _watch(snapshot, Finding(HoldReason.INCONCLUSIVE, message), samples, now)
        case Unpausing():
            decision = _watch(snapshot, Finding(HoldReason.COLLECTING, "promoted; Argo moves on"), {}, now)
            if decision.action is not None:
                return decision
            return writing.until_taken_up(snapshot, decision, (ActionKind.PROMOTE, ActionKind.RELEASE), now)
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


def _let_go(snapshot: Snapshot, message: str, keeps_hold: bool, now: float) -> Decision:
    """Outside a gated release nothing is judged, and what the gate still holds is released."""
    status = memory.left(snapshot.status, snapshot.rollout)
    if status != snapshot.status:
        return Decision(None, message, (), None, status, next_look=now)
    decision = Decision(None, message, (), None, memory.idle(snapshot, message), next_look=math.inf)
    if keeps_hold:
        return decision
    kind = _release_of_ours(snapshot, now)
    if kind is None and snapshot.rollout.pauses and not _was_nudged(snapshot):
        return writing.with_nudge(snapshot, decision, (ActionKind.RELEASE,), now)
    return writing.with_action(snapshot, decision, kind, now)


def _was_nudged(snapshot: Snapshot) -> bool:
    last = snapshot.status.last_action
    return last is not None and last.nudged_at is not None


def _release_of_ours(snapshot: Snapshot, now: float) -> ActionKind | None:
    pause = held_pause(snapshot.rollout)
    held = pause is not None and pause.hold(now) is not Hold.NONE
    # What Argo has not seen yet cannot be fenced; its next status makes us look again.
    return ActionKind.RELEASE if held and snapshot.rollout.in_sync else None


def _end(snapshot: Snapshot, promoted: bool, samples: Samples, now: float) -> Decision:
    status = memory.ended(snapshot, promoted, now)
    decision = Decision(None, status.message, (), None, status, next_look=math.inf)
    rollout = snapshot.rollout
    if baking.is_under_way(snapshot, now):
        return _bake(snapshot, decision, samples, now)
    if not (rollout.abort_seen or (promoted and not (rollout.fence.promote_full and rollout.pauses))):
        return writing.until_taken_up(snapshot, decision, (ActionKind.ABORT,), now)
    if baking.until(memory.remembering(snapshot, status)) > now:
        # The release has just ended; the next look is the first of the promoted version.
        return replace(decision, next_look=now + snapshot.evaluation_interval)
    return decision


def _bake(snapshot: Snapshot, decision: Decision, samples: Samples, now: float) -> Decision:
    """The promoted version is looked at for a while: what is found is said, and a person undoes it."""
    heard = hearing.hear(baking.as_release(snapshot), None, samples, now)
    status = baking.told(decision.status, heard.judgement.finding, snapshot, now)
    found = heard.judgement.evidence
    if found is not None:
        status = status.model_copy(update={"evidence": found, "requests": memory.requests_in(found)})
    return baking.looked(
        decision, status, min(heard.next_due, now + snapshot.evaluation_interval), baking.until(snapshot)
    )


def _watch(snapshot: Snapshot, waiting: Finding, samples: Samples, now: float) -> Decision:
    """Between pauses the gate cannot hold: an abort, a person's override or a mistake has a say, and nothing else."""
    if snapshot.status.pause is not None and snapshot.status.pause.left_by is None:
        return _leave(snapshot, now)
    known = memory.of_this_release(snapshot)
    heard = hearing.hear(known, None, samples, now)
    bad = isinstance(heard.judgement.finding.reason, AbortReason) and bool(heard.judgement.evidence)
    finding = policy.softened(heard.judgement.finding, heard.policy) if bad else waiting
    if bad:
        finding = replace(finding, message=telling.between(snapshot, heard.policy, finding))
    finding = hearing.overridden(snapshot, hearing.mistaken(snapshot) or finding, now)
    status = memory.judging(known, replace(heard.judgement, finding=finding), now)
    decision = Decision(
        finding.reason,
        finding.message,
        (finding,),
        None,
        status,
        next_look=min(now + snapshot.evaluation_interval, heard.next_due),
    )
    told_only = heard.policy.fail_action == "Notify" and policy.override_of(snapshot, now) is None
    if verdict_of(finding.reason) is Verdict.ABORT and memory.enforcing(snapshot) and not told_only:
        return writing.with_action(snapshot, decision, ActionKind.ABORT, now)
    return decision


def _another_pause_is_open(snapshot: Snapshot, at: AtPause) -> bool:
    pause = snapshot.status.pause
    if pause is None or pause.left_by is not None:
        return False
    same = memory.is_same_pause(pause, snapshot.rollout, at) and is_about(snapshot.status, snapshot.rollout)
    return not same


def _leave(snapshot: Snapshot, now: float) -> Decision:
    """The pause that was judged is over: say who ended it before anything else is remembered."""
    status = memory.left(snapshot.status, snapshot.rollout)
    return Decision(None, status.message, (), None, status, next_look=now)


def _hold_first(snapshot: Snapshot, at: AtPause, now: float) -> Decision:
    """A timed pause is held before anything is asked: evidence may take longer than the pause."""
    known = memory.begun_at(snapshot, at)
    finding = Finding(HoldReason.COLLECTING, f"held at {memory.place(snapshot.rollout)}: the pause has just begun")
    status = memory.judging(known, Judgement(finding), now)
    write_at = acting.hold_at(snapshot, at, now)
    kind = ActionKind.HOLD if now >= write_at else None
    # What was just written comes back by the watch; until then there is nothing to see.
    next_look = write_at if kind is None else now + acting.CONFIRM_AFTER_SECONDS
    decision = Decision(finding.reason, finding.message, (finding,), None, status, next_look=next_look)
    return decision if kind is None else writing.with_action(snapshot, decision, kind, now)


def _judge(snapshot: Snapshot, at: AtPause, samples: Samples, now: float) -> Decision:
    """Hear the gates, apply the policy, say it, and act on it."""
    known = memory.begun_at(snapshot, at)
    heard = hearing.hear(known, at, samples, now)
    finding = hearing.ruled(known, at, heard, now)
    told = telling.sentence(snapshot, at, heard.policy, finding, now)
    told += telling.next_look(verdict_of(finding.reason), heard.next_due - now)
    judgement = replace(heard.judgement, finding=replace(finding, message=told))
    status = memory.noted(memory.judging(known, judgement, now), now, telemetry_lost=heard.telemetry_lost)
    decision = Decision(
        finding.reason,
        judgement.finding.message,
        (*heard.judgement.findings, *(delay.finding for delay in heard.delays)),
        None,
        status,
        next_look=_next_look(snapshot, at, heard, now),
    )
    return writing.with_action(snapshot, decision, _action_at(snapshot, at, heard.policy, finding, now), now, at)


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


def _next_look(snapshot: Snapshot, at: AtPause, heard: hearing.Heard, now: float) -> float:
    soonest = min(now + snapshot.evaluation_interval, heard.next_due)
    moments = [at.user_end or math.inf, at.user_start + heard.policy.timing.max_hold]
    moments += [delay.until for delay in heard.delays]
    override = policy.override_of(snapshot, now)
    if override is not None:
        moments.append(durations.parse_time(override.expires_at))
    return min([soonest, *(moment for moment in moments if moment > now)])
