"""What the gate remembers: the next status of a CanaryGate.

Law: pure. A status is only ever made from the one before it; nothing is read from anywhere else.
"""

from dataclasses import dataclass, replace

from canary_operator.engine import running, tables
from canary_operator.engine.situation import AtPause, is_about
from canary_operator.model import durations
from canary_operator.model.caution import Caution, Matter
from canary_operator.model.decision import Action, ActionKind, Applied, Outcome, Snapshot
from canary_operator.model.gate import (
    HISTORY_LENGTH,
    Condition,
    Evidence,
    GateStatus,
    HistoryEntry,
    LastAbort,
    LastAction,
    PauseStatus,
    Pending,
    RolloutStatus,
    StepStatus,
)
from canary_operator.model.pause import Hold
from canary_operator.model.policy import Mode
from canary_operator.model.rollout import Rollout, StepKind, Strategy
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, Verdict, verdict_of

PRE_PROMOTION = "prePromotion"
POST_PROMOTION = "postPromotion"

# Characters of a sentence in a status; a record refuses more than eight times that.
MESSAGE_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a cycle found out: the finding that decides, all findings, the evidence behind them.

    ``cautions`` is None where nobody looked.
    """

    finding: Finding
    findings: tuple[Finding, ...] = ()
    evidence: tuple[Evidence, ...] | None = None
    cautions: tuple[Caution, ...] | None = None


def idle(snapshot: Snapshot, message: str) -> GateStatus:
    """The status outside a gated release: what is remembered of an earlier one goes."""
    kept = snapshot.status
    fresh = GateStatus(
        mode=snapshot.opt_in.mode.value,
        message=message,
        history=kept.history,
        last_action=kept.last_action,
        last_abort=kept.last_abort,
        pending=kept.pending,
        sequence=kept.sequence,
        record_hash=kept.record_hash,
        retired=kept.retired,
        observed_generation=snapshot.gate_generation,
    )
    return fresh.model_copy(update=where(snapshot.rollout))


def judging(snapshot: Snapshot, judgement: Judgement, now: float) -> GateStatus:
    """The status of a gated release in progress."""
    status, finding = snapshot.status, judgement.finding
    verdict = verdict_of(finding.reason)
    since = status.since if _stands(status, finding) else durations.format_micro_time(now)
    update: dict[str, object] = {
        "phase": "Judging",
        "mode": snapshot.opt_in.mode.value,
        "verdict": verdict.value,
        "reason": finding.reason.value,
        "message": _bounded(finding.message),
        "since": since,
        "ended_by": None,
        "ended_at": None,
        "baseline": "",
        "unseen_since": None,
        "in_progress_since": _in_progress_since(snapshot, finding, now),
        "images": running.seen(snapshot),
        "generation_since": generation_since(snapshot, now),
        "observed_generation": snapshot.gate_generation,
        **where(snapshot.rollout),
    }
    if judgement.evidence is not None:
        update |= {"evidence": judgement.evidence, "requests": requests_in(judgement.evidence)}
    judged = status.model_copy(update=update)
    told = judged if judged.since == status.since else in_history(judged, now)
    return _with_conditions(told, judgement, now)


def _in_progress_since(snapshot: Snapshot, finding: Finding, now: float) -> str | None:
    """A release that waits for a person loses its place, and takes a new one when it goes on."""
    if finding.reason in tables.PARKED or snapshot.rollout.paused:
        return None
    return snapshot.status.in_progress_since or durations.format_micro_time(now)


def generation_since(snapshot: Snapshot, now: float) -> str:
    """Since when this generation of the Rollout is known; now for one that was never seen."""
    status, fence = snapshot.status, snapshot.rollout.fence
    known = status.rollout is not None and (status.rollout.uid, status.rollout.generation) == (
        fence.uid,
        fence.generation,
    )
    return status.generation_since if known and status.generation_since else durations.format_micro_time(now)


def _bounded(message: str) -> str:
    # A mistake can quote a whole annotation, which may have 256 KB.
    return message if len(message) <= MESSAGE_LENGTH else message[: MESSAGE_LENGTH - 1] + "…"


def where(rollout: Rollout) -> dict[str, object]:
    """The fields that say which Rollout this is and where it stands."""
    step = rollout.step
    kind = step.kind.value if step else ""
    if rollout.strategy is Strategy.BLUE_GREEN:
        kind = POST_PROMOTION if rollout.is_after_promotion else PRE_PROMOTION
    index, count = rollout.step_index, len(rollout.steps)
    return {
        "rollout": RolloutStatus(
            uid=rollout.fence.uid,
            generation=rollout.fence.generation,
            revision=rollout.revision,
            pod_hash=rollout.pod_hash,
            stable_hash=rollout.stable_hash,
        ),
        "step": StepStatus(index=index, count=count, kind=kind, weight=rollout.weight),
        "rollout_step": "" if index is None else f"{index}/{count}",
    }


def place(rollout: Rollout) -> str:
    """Where the Rollout stands, for a sentence: ``step 3/8 (25 %)``."""
    spot = f"step {rollout.step_index}/{len(rollout.steps)}" if rollout.step_index is not None else "the promotion"
    return spot if rollout.weight is None else f"{spot} ({rollout.weight} %)"


def begun(status: GateStatus, snapshot: Snapshot, at: AtPause) -> GateStatus:
    """The status with the pause that is being judged; a new pause starts without the conditions of the one before."""
    if is_same_pause(status.pause, snapshot.rollout, at):
        return status
    rollout = snapshot.rollout
    pause = PauseStatus(
        start_time=durations.format_time(at.user_start), step_index=rollout.step_index, asked_by=at.asked_by
    )
    # What a preview was asked says nothing about what users ask.
    lasting = tuple(each for each in status.evidence if each.kind != "Condition" and not rollout.is_after_promotion)
    return status.model_copy(update={"pause": pause, "evidence": lasting, "requests": requests_in(lasting)})


def is_same_pause(pause: PauseStatus | None, rollout: Rollout, at: AtPause) -> bool:
    """Whether the remembered pause is this one, and not left yet."""
    if pause is None or pause.left_by is not None:
        return False
    known = (pause.start_time, pause.step_index, pause.asked_by)
    return known == (durations.format_time(at.user_start), rollout.step_index, at.asked_by)


def left(status: GateStatus, rollout: Rollout) -> GateStatus:
    """The status after a pause is over, with who ended it."""
    pause = status.pause
    if pause is None or pause.left_by is not None:
        return status
    return status.model_copy(update={"pause": pause.model_copy(update={"left_by": _who_left(status, rollout)})})


def _who_left(status: GateStatus, rollout: Rollout) -> str:
    last, pause = status.last_action, status.pause
    ours = last is not None and pause is not None and last.pause_start == pause.start_time
    if last is not None and ours and last.outcome == "Applied":
        if last.action in {ActionKind.PROMOTE.value, ActionKind.RELEASE.value, ActionKind.ABORT.value}:
            if last.action == ActionKind.RELEASE.value and last.verdict == Verdict.ABORT.value:
                # failAction Notify: the pause ends as without a gate.
                return "Argo"
            return "Gate" if last.verdict else "Person"
        if last.action == ActionKind.HOLD.value:
            # It was held and we did not let it go.
            return _who_aborted(rollout) if rollout.aborted else "Person"
    if pause is not None and pause.asked_by is not None:
        return _who_left_analysis(status, pause, rollout)
    if rollout.aborted:
        return _who_aborted(rollout)
    return "Argo" if status.step is not None and _ends_by_itself(status, rollout) else "Person"


def _who_left_analysis(status: GateStatus, pause: PauseStatus, rollout: Rollout) -> str:
    answer = Verdict.ABORT if rollout.aborted else Verdict.PROMOTE
    if pause.verdict == answer.value:
        return "Gate"
    if rollout.aborted:
        return _who_aborted(rollout)
    # An analysis that was inconclusive is followed by a pause of Argo's. One that has heard of a promotion succeeds,
    # whatever the gate has said since. Nothing but a person goes past any other.
    heard = any(each.verdict == Verdict.PROMOTE.value and each.at >= pause.start_time for each in status.history)
    return "Argo" if rollout.pauses or heard else "Person"


def _ends_by_itself(status: GateStatus, rollout: Rollout) -> bool:
    index = status.pause.step_index if status.pause else None
    if index is None:
        return rollout.auto_promotion_seconds is not None
    step = rollout.steps[index] if index < len(rollout.steps) else None
    return step is not None and (step.duration is not None or step.kind is StepKind.ANALYSIS)


def _who_aborted(rollout: Rollout) -> str:
    # Argo appends its reason to the condition's message; a person's abort has none.
    return "Argo" if ": " in rollout.abort_message else "Person"


def ended(snapshot: Snapshot, promoted: bool, now: float) -> GateStatus:
    """The status of a finished release: the verdict that decided stays until the next one."""
    status = left(snapshot.status, snapshot.rollout)
    if status.phase == "Ended":
        again: dict[str, object] = {"mode": snapshot.opt_in.mode.value, "unseen_since": None}
        return status.model_copy(update=again | where(snapshot.rollout))
    by = _ended_by(status, snapshot.rollout, promoted)
    update: dict[str, object] = {"phase": "Ended", "ended_by": by, "mode": snapshot.opt_in.mode.value}
    update |= {"unseen_since": None, "in_progress_since": None}
    update["ended_at"] = durations.format_micro_time(now)
    update["baseline"] = status.rollout.stable_hash if status.rollout is not None else ""
    update |= where(snapshot.rollout)
    pause = status.pause
    if pause is not None and promoted and pause.verdict:
        # Between the last pause and the end the gate only watched: what decided is the last pause's verdict.
        update |= {"verdict": pause.verdict, "reason": pause.reason, "message": _closing(by, promoted, pause.message)}
    else:
        update |= {"message": _closing(by, promoted, status.message)}
    done = status.model_copy(update=update)
    if (done.verdict, done.reason) != (status.verdict, status.reason):
        done = done.model_copy(update={"since": durations.format_micro_time(now)})
    if promoted or by != "Gate" or pause is None or pause.asked_by is None:
        return done
    # Argo was told to abort: there was no write of ours that has told it already.
    return _with_abort(done, LastAbort(at=done.ended_at or "", reason=done.reason, pod_hash=snapshot.rollout.pod_hash))


def _ended_by(status: GateStatus, rollout: Rollout, promoted: bool) -> str:
    last, pause = status.last_action, status.pause
    if not promoted:
        if pause is not None and pause.asked_by is not None and pause.verdict == Verdict.ABORT.value:
            # What Argo was told is why it aborted.
            return pause.left_by or _who_aborted(rollout)
        gate = last is not None and last.action == ActionKind.ABORT.value and last.outcome == "Applied"
        # The verdict tells this abort from one of the same version that was retried since.
        same = last is not None and last.pod_hash == rollout.pod_hash and status.verdict == Verdict.ABORT.value
        return "Gate" if gate and same else _who_aborted(rollout)
    if rollout.fence.promote_full:
        return "Person"
    return pause.left_by or "Argo" if pause else "Argo"


def _closing(by: str, promoted: bool, message: str) -> str:
    outcome = "promoted" if promoted else "aborted"
    match by:
        case "Gate":
            return message
        case "Argo":
            return f"{outcome} by Argo; the gate's last word: {message}"
        case _:
            return f"{outcome} by a person; the gate's last word: {message}"


def noted(status: GateStatus, now: float, telemetry_lost: bool) -> GateStatus:
    """The status whose pause remembers its own verdict, and since when telemetry is missing."""
    pause = status.pause
    if pause is None:
        return status
    since = (pause.telemetry_lost_since or durations.format_micro_time(now)) if telemetry_lost else None
    update = {
        "verdict": status.verdict or "",
        "reason": status.reason,
        "message": status.message,
        "telemetry_lost_since": since,
    }
    return status.model_copy(update={"pause": pause.model_copy(update=update)})


def intended(
    status: GateStatus, action: Action, now: float, verdict: Verdict | None, requested_by: str = ""
) -> GateStatus:
    """The status that is written before an action: whoever comes next knows what was meant, and who meant it."""
    pause = status.pause if status.pause is not None and status.pause.left_by is None else None
    pending = Pending(
        action=action.kind.value,
        decision_id=action.decision_id,
        at=durations.format_micro_time(now),
        pause_start=pause.start_time if pause else None,
        step_index=action.fence.step_index,
        pod_hash=action.fence.pod_hash,
        verdict=verdict.value if verdict else "",
        reason=status.reason if verdict else "",
        requested_by=requested_by,
    )
    return status.model_copy(update={"pending": pending})


def concluded(status: GateStatus, applied: Applied) -> GateStatus:
    """The status after the outcome of the pending action is known."""
    pending, before = status.pending, status.last_action
    if pending is None:
        return status
    if _is_tried_again(pending, before) and applied.outcome is Outcome.STALE:
        # The watch is late: what was written already is no less written.
        return status.model_copy(update={"pending": None})
    last = LastAction(**pending.model_dump(), outcome=applied.outcome.value, message=applied.message, code=applied.code)
    done = status.model_copy(update={"pending": None, "last_action": last})
    aborted = (last.action, last.outcome) == (ActionKind.ABORT.value, Outcome.APPLIED.value)
    return _with_abort(done, LastAbort(at=last.at, reason=last.reason, pod_hash=last.pod_hash)) if aborted else done


def _with_abort(status: GateStatus, abort: LastAbort) -> GateStatus:
    """The status that tells other gates of an abort; what a person has ordered says nothing about a release."""
    ordered = abort.reason == AbortReason.OVERRIDE.value
    return status if ordered else status.model_copy(update={"last_abort": abort})


def _is_tried_again(pending: Pending, before: LastAction | None) -> bool:
    return (
        before is not None
        and before.decision_id == pending.decision_id
        and before.outcome in {Outcome.APPLIED.value, Outcome.UNKNOWN.value}
    )


def outcome_of(pending: Pending, snapshot: Snapshot, now: float) -> Applied:
    """What became of an action whose reply was lost, told by the Rollout itself."""
    rollout = snapshot.rollout
    if rollout.pod_hash != pending.pod_hash:
        return Applied(Outcome.UNKNOWN, "another revision had begun before anybody could tell")
    if _is_as_after(pending, rollout, now):
        return Applied(Outcome.APPLIED, "concluded from the Rollout after the reply was lost")
    if _is_where(pending, rollout, now):
        # Where the very pause stands, nothing but the action itself can have changed what it changes.
        return Applied(Outcome.STALE, "the write never arrived")
    return Applied(Outcome.UNKNOWN, "the Rollout had moved on before anybody could tell")


def _is_as_after(pending: Pending, rollout: Rollout, now: float) -> bool:
    held = any(pause.hold(now) is not Hold.NONE for pause in rollout.pauses)
    here = _is_where(pending, rollout, now)
    return {
        ActionKind.HOLD.value: here and held,
        ActionKind.RELEASE.value: (here and not held) or _is_past(pending, rollout),
        ActionKind.PROMOTE.value: _is_past(pending, rollout),
        ActionKind.ABORT.value: rollout.aborted,
    }.get(pending.action, False)


def _is_where(pending: Pending, rollout: Rollout, now: float) -> bool:
    starts = [durations.format_time(pause.user_start(now)) for pause in rollout.pauses]
    return rollout.step_index == pending.step_index and pending.pause_start in {None, *starts}


def _is_past(pending: Pending, rollout: Rollout) -> bool:
    if rollout.aborted:
        return False
    unpausing = rollout.controller_pause and not rollout.pauses
    if pending.step_index is None or rollout.step_index is None:
        return not rollout.pauses
    here, there = rollout.step_index, pending.step_index
    return here > there or (here == there and unpausing)


def unseen(status: GateStatus, now: float) -> GateStatus:
    """The status while Argo has not taken up what somebody else changed, from its beginning or from a nudge."""
    return status.model_copy(update={"unseen_since": durations.format_micro_time(now)})


def nudged(status: GateStatus, now: float) -> GateStatus:
    """The status after Argo was made to look again."""
    if status.last_action is None:
        return status
    at = durations.format_micro_time(now)
    return status.model_copy(update={"last_action": status.last_action.model_copy(update={"nudged_at": at})})


def _stands(status: GateStatus, finding: Finding) -> bool:
    verdict = verdict_of(finding.reason).value
    return status.phase == "Judging" and (status.verdict, status.reason) == (verdict, finding.reason.value)


def requests_in(evidence: tuple[Evidence, ...]) -> int | None:
    """The canary's requests that everything which counts any has in evidence; None where nothing does."""
    totals = [item.canary.total for item in evidence if item.canary is not None]
    return min(totals) if totals else None


def in_history(status: GateStatus, now: float) -> GateStatus:
    """The status with what it says now as the newest entry of its history."""
    entry = HistoryEntry(
        at=durations.format_time(now),
        step=status.rollout_step,
        weight=status.step.weight if status.step else None,
        verdict=status.verdict or "",
        reason=status.reason,
        message=status.message,
    )
    return status.model_copy(update={"history": (*status.history, entry)[-HISTORY_LENGTH:]})


def _with_conditions(status: GateStatus, judgement: Judgement, now: float) -> GateStatus:
    reasons = {finding.reason for finding in (*judgement.findings, judgement.finding)}
    lost = HoldReason.TELEMETRY_UNAVAILABLE in reasons
    wanted = {
        **_cautioned(judgement.cautions),
        "Ready": ("False" if HoldReason.CONFIGURATION_ERROR in reasons else "True", status.reason),
        "TelemetryAvailable": _telemetry(lost, judgement),
        "EvidenceSufficient": ("True" if status.verdict == Verdict.PROMOTE.value else "False", status.reason),
    }
    old = {condition.type: condition for condition in status.conditions}
    new = {
        kind: _condition(old.get(kind), kind, value, now, status.observed_generation) for kind, value in wanted.items()
    }
    return status.model_copy(update={"conditions": tuple((old | new).values())})


def _cautioned(cautions: tuple[Caution, ...] | None) -> dict[str, tuple[str, str, str]]:
    """The conditions that cautions make false; none where nobody looked, and what was known stays known."""
    if cautions is None:
        return {}
    said = {matter: [each.message for each in cautions if each.about is matter] for matter in Matter}
    return {matter.value: _caution(sentences) for matter, sentences in said.items()}


def _caution(sentences: list[str]) -> tuple[str, str, str]:
    return ("False", "Beware", "; ".join(sentences)) if sentences else ("True", "AsExpected", "")


def _telemetry(lost: bool, judgement: Judgement) -> tuple[str, str]:
    if lost:
        return "False", HoldReason.TELEMETRY_UNAVAILABLE.value
    return ("True", "Answered") if judgement.evidence else ("Unknown", "NotAsked")


def _condition(
    old: Condition | None, kind: str, value: tuple[str, ...], now: float, generation: int | None
) -> Condition:
    state, reason, *said = value
    changed = old is None or old.status != state
    at = durations.format_time(now) if changed or old is None else old.last_transition_time
    return Condition.model_validate(
        {
            "type": kind,
            "status": state,
            "reason": reason,
            "message": _bounded("".join(said)),
            "lastTransitionTime": at,
            "observedGeneration": generation,
        }
    )


def enforcing(snapshot: Snapshot) -> bool:
    """Whether the gate may act on the Rollout."""
    return snapshot.opt_in.mode is Mode.ENFORCE


def remembering(snapshot: Snapshot, status: GateStatus) -> Snapshot:
    """The snapshot with another memory."""
    return replace(snapshot, status=status)


def begun_at(snapshot: Snapshot, at: AtPause) -> Snapshot:
    """The snapshot whose memory is about this pause of this release."""
    known = of_this_release(snapshot)
    return remembering(known, begun(known.status, known, at))


def of_this_release(snapshot: Snapshot) -> Snapshot:
    """A new release, or one that is retried, does not remember the pause or the evidence of the one before it."""
    if is_about(snapshot.status, snapshot.rollout) and snapshot.status.phase != "Ended":
        return snapshot
    gone = {"pause": None, "evidence": (), "requests": None, "phase": "Idle", "in_progress_since": None, "images": ()}
    fresh = snapshot.status.model_copy(update=gone)
    return remembering(snapshot, fresh)
