"""The conditions gate: an AnalysisTemplate's metrics, judged with Argo's rules since the pause began.

It differs from Argo where ``conditions.differences`` says so: above all, a look that brings no evidence counts for
nothing. With ``compatibility: argo`` it counts for what Argo makes of it.

Law: pure; looks lie on a grid that starts with the pause, so that a restart takes the same measurements.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from canary_operator.conditions import metric as metrics
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import Situation, deviates
from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure
from canary_operator.conditions.metric import Counters, MetricPhase
from canary_operator.conditions.metric_spec import Limits, MetricSpec
from canary_operator.conditions.run import blame
from canary_operator.engine.judged import JudgedMetric, judged_metrics
from canary_operator.engine.look import Ground, Said
from canary_operator.engine.sampling import Sample, sample_of
from canary_operator.model import durations
from canary_operator.model.gate import RECENT_MEASUREMENTS, Evidence, Measured, Measurements
from canary_operator.model.samples import Absent, Answer, Query, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason

# After an outage of the operator or of Prometheus, older looks are skipped: they only cost time.
BACKLOG_SECONDS = 300.0
NOT_ASKED = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "not asked")
# Characters of a value in a status: a vector of thousands of series would not fit into an object.
VALUE_LENGTH = 512


@dataclass(frozen=True, slots=True)
class Look:
    """One metric at one moment.

    Args:

        evidence: what it has counted.

        due: when the next measurement is due, None where no more is needed.

        warm_until: nothing is judged before.

        minimum: measurements that a metric with an interval and no count needs at least.

        dialect: whose rules judge.

        speaks: false for a metric that is only run dry beside others that count.

        sample: what it is a ratio of, where that matters.

        false_promotion: how often too small a sample may pass a canary that breaks the condition.

        ended: whether another metric of its analysis has ended the run, as Argo does.
    """

    metric: JudgedMetric
    evidence: Evidence
    due: float | None
    warm_until: float
    minimum: int
    now: float
    dialect: Dialect
    speaks: bool
    sample: Sample | None
    false_promotion: float
    ended: bool = False

    def questions(self) -> tuple[Query, ...]:
        """The question that is due, if any, and the one for the requests that it looks at, if they matter."""
        if self.due is None or self.due > self.now:
            return ()
        asked = [self.metric.spec.promql(self.due)]
        if self.sample is not None:
            asked.append((self.sample.query(self._looked_at()), self.due))
        spec = self.metric.spec
        return tuple(Query(self.metric.provider, text, at=at, timeout=spec.timeout_seconds) for text, at in asked)

    def judge(self, samples: Samples) -> Said:
        """What the metric knows after this look, and what it says."""
        evidence, finding = _judged(self, samples)
        after = _at(self, evidence)
        lost = finding.reason is HoldReason.TELEMETRY_UNAVAILABLE
        return Said(
            evidence=(evidence,),
            findings=(_told(finding, after),) if self.speaks else (),
            # What was not answered stays due and is asked again with the next look, not at once.
            next_due=math.inf if lost or after.due is None else after.due,
            telemetry_lost=lost,
            measured=not self.metric.counts or _has_measurements(evidence),
        )

    def _looked_at(self) -> float:
        """Seconds from the first measurement to the one that is due."""
        return 0.0 if self.due is None else max(0.0, self.due - durations.parse_time(self.evidence.since))


def looks(ground: Ground) -> list[Look]:
    """Every metric that judges this pause, with the evidence so far.

    Nothing is judged between pauses: what a metric counts starts anew at every pause.

    Raises:

        ConfigurationError: if there is no metric, or one cannot be used.
    """
    if ground.at is None:
        return []
    start = ground.at.user_start + (ground.policy.timing.warm_up or 0.0)
    metrics_that_judge = judged_metrics(ground.snapshot)
    only_dry = not any(metric.counts for metric in metrics_that_judge)
    dialect = Dialect(ground.policy.compatibility)
    passing = only_dry and not deviates(Situation.ONLY_DRY_RUN, dialect)
    found = [_look(metric, ground, start, speaks=metric.counts or passing) for metric in metrics_that_judge]
    for look in found:
        # A range that is none at this time is a mistake like any other, and is found before anybody is asked.
        look.questions()
    return found if deviates(Situation.CUT_SHORT, dialect) else _ended_together(found)


def _look(metric: JudgedMetric, ground: Ground, start: float, *, speaks: bool) -> Look:
    """A metric with the evidence so far; a changed definition starts anew now, never before ``start``."""
    known = [each for each in ground.snapshot.status.evidence if each.measurements is not None]
    dialect = Dialect(ground.policy.compatibility)
    earlier = [evidence for evidence in known if evidence.name == metric.spec.name]
    same = [evidence for evidence in earlier if evidence.digest == metric.digest]
    evidence = same[0] if same else _fresh(metric, max(ground.now, start) if earlier else start)
    look = Look(
        metric,
        evidence,
        due=None,
        warm_until=start,
        minimum=ground.policy.timing.min_measurements,
        now=ground.now,
        dialect=dialect,
        speaks=speaks,
        sample=_sample(metric.spec, dialect),
        false_promotion=float(ground.policy.risk.false_promotion),
    )
    return _at(look, evidence)


def _sample(spec: MetricSpec, dialect: Dialect) -> Sample | None:
    if spec.span is not None or not deviates(Situation.FEW_REQUESTS, dialect):
        return None
    return sample_of(spec.query, spec.success_condition, spec.failure_condition)


def _ended_together(found: list[Look]) -> list[Look]:
    """In Argo a metric that is not well ends the others of its analysis, unless it is only run dry."""
    ended = {look.metric.analysis for look in found if look.metric.counts and _phase(look) in metrics.UNWELL}
    return [_ended(look) if look.metric.analysis in ended else look for look in found]


def _ended(look: Look) -> Look:
    """What was cut short says nothing; what has ended the others says why."""
    return replace(look, due=None, ended=True, speaks=look.speaks and _phase(look) in metrics.UNWELL)


def _phase(look: Look) -> MetricPhase:
    return metrics.assess(_counters(look.evidence), look.metric.spec.limits, look.dialect)


def _at(look: Look, evidence: Evidence) -> Look:
    """The look with other evidence, and what is due then."""
    limits = look.metric.spec.limits
    due = metrics.due_at(_counters(evidence), limits, durations.parse_time(evidence.since), look.dialect)
    if due is None and evidence.requests_needed:
        # It has passed on too few requests: it is measured on until there are enough, or it fails.
        due = _after(evidence, limits)
    return replace(look, evidence=evidence, due=None if look.ended else _not_too_old(due, look.metric, look.now))


def _after(evidence: Evidence, limits: Limits) -> float | None:
    last = _counters(evidence).last_at
    return None if last is None else last + (limits.interval_seconds or metrics.ERROR_RETRY_SECONDS)


def _told(finding: Finding, after: Look) -> Finding:
    """The finding while nothing is judged yet, or while looks of the past are still due."""
    if after.now < after.warm_until:
        more = durations.format_duration(after.warm_until - after.now)
        return Finding(HoldReason.WARM_UP, f"warming up for {more} more")
    if not isinstance(finding.reason, PromoteReason) or after.due is None or after.due > after.now:
        return finding
    behind = durations.format_duration(after.now - after.due)
    return Finding(HoldReason.COLLECTING, f"{after.metric.spec.name}: the looks of the last {behind} are still due")


def _fresh(metric: JudgedMetric, since: float) -> Evidence:
    return Evidence(
        name=metric.spec.name,
        kind="Condition",
        source=metric.source,
        digest=metric.digest,
        since=durations.format_micro_time(since),
        measurements=Measurements(),
    )


def _not_too_old(due: float | None, metric: JudgedMetric, now: float) -> float | None:
    if due is None or now - due <= BACKLOG_SECONDS:
        return due
    step = metric.spec.limits.interval_seconds or metrics.ERROR_RETRY_SECONDS
    # Never past the newest look that is due: skipping into the future would leave an outage unseen.
    newest = due + math.floor((now - due) / step) * step
    return min(newest, due + math.ceil((now - BACKLOG_SECONDS - due) / step) * step)


def _judged(look: Look, samples: Samples) -> tuple[Evidence, Finding]:
    questions = look.questions()
    if not questions or look.due is None:
        return look.evidence, _finding(look, look.evidence)
    answers = [samples.get(question, NOT_ASKED) for question in questions]
    for answer in answers:
        if isinstance(answer, Absent) and _is_lost(answer, look.dialect):
            # The question stays due: an outage says nothing about the time it was asked for.
            return look.evidence, Finding(answer.reason, f"{look.metric.spec.name}: {answer.message}")
    evidence = _sampled(look, _folded(look, look.due, answers[0]), answers[1:])
    return evidence, _finding(look, evidence)


def _sampled(look: Look, evidence: Evidence, counted: Sequence[Answer | Absent]) -> Evidence:
    """The evidence with how many requests are still needed."""
    if look.sample is None or not counted:
        return evidence
    needed = max(0, look.sample.needed(look.false_promotion) - _requests(counted[0]))
    towards = min(0.99, evidence.towards_promote) if needed else evidence.towards_promote
    return evidence.model_copy(update={"requests_needed": needed, "towards_promote": towards})


def _requests(counted: Answer | Absent) -> int:
    """Whole requests; none where nothing was counted."""
    values = [] if isinstance(counted, Absent) else [each.samples[0].value for each in counted.series]
    return sum(int(value) for value in values if math.isfinite(value))


def _is_lost(answer: Absent, dialect: Dialect) -> bool:
    """Whether there is no answer that counts. In Argo's dialect only one that was not asked for, or is not whole."""
    if answer.reason is not HoldReason.TELEMETRY_UNAVAILABLE:
        return False
    where = Situation.INCOMPLETE if answer.partial else Situation.UNANSWERED
    return answer is NOT_ASKED or deviates(where, dialect)


def _folded(look: Look, at: float, answer: Answer | Absent) -> Evidence:
    spec = look.metric.spec
    result = measure(answer, spec.success_condition, spec.failure_condition, look.dialect)
    counters = metrics.fold(_counters(look.evidence), at, result)
    limits = look.metric.spec.limits
    recent = (*_measurements(look.evidence).recent, _measured(at, result))[-RECENT_MEASUREMENTS:]
    return look.evidence.model_copy(
        update={
            "value": result.value_text[:VALUE_LENGTH] if isinstance(result, Measurement) else look.evidence.value,
            "message": result.message,
            "towards_abort": _towards_abort(counters, limits),
            "towards_promote": _towards_promote(counters, limits, look.minimum),
            "measurements": _stored(counters, recent),
        }
    )


def _measured(at: float, result: Measurement | Absent) -> Measured:
    when = durations.format_micro_time(at)
    if isinstance(result, Measurement):
        return Measured(at=when, phase=result.phase.value, value=result.value_text[:VALUE_LENGTH])
    return Measured(at=when, phase=result.reason.value)


def _finding(look: Look, evidence: Evidence) -> Finding:
    spec, counters, minimum = look.metric.spec, _counters(evidence), look.minimum
    limits = spec.limits
    sentence = f"{spec.name} {evidence.message} ({_progress(counters, limits, minimum)})"
    match _phase(replace(look, evidence=evidence)):
        case phase if phase.completed and not look.metric.counts:
            return Finding(PromoteReason.CONDITIONS_MET, f"{sentence}, and it is only run dry")
        case MetricPhase.FAILED | MetricPhase.ERROR as phase:
            return Finding(AbortReason.CONDITIONS_FAILED, _blamed(look, evidence, phase) or sentence)
        case MetricPhase.INCONCLUSIVE:
            return Finding(HoldReason.INCONCLUSIVE, sentence)
        case MetricPhase.SUCCESSFUL if not deviates(Situation.ENDLESS_SUCCESS, look.dialect):
            return Finding(PromoteReason.CONDITIONS_MET, sentence)
        case _ if counters.consecutive_error:
            return Finding(_absence(evidence), f"{spec.name}: {evidence.message}")
        case _ if metrics.passes(counters, limits, minimum):
            return _low_traffic(look, evidence) or Finding(PromoteReason.CONDITIONS_MET, sentence)
        case _ if counters.last_at is None:
            return Finding(HoldReason.COLLECTING, f"{spec.name} has not been measured yet")
        case _:
            return Finding(HoldReason.COLLECTING, sentence)


def _low_traffic(look: Look, evidence: Evidence) -> Finding | None:
    if look.sample is None or not evidence.requests_needed:
        return None
    wanted = look.sample.needed(look.false_promotion)
    seen = max(0, wanted - evidence.requests_needed)
    return Finding(
        HoldReason.LOW_TRAFFIC,
        f"{look.metric.spec.name} {evidence.message}, but over {seen} requests only; {wanted} could show a breach",
    )


def _blamed(look: Look, evidence: Evidence, phase: MetricPhase) -> str:
    """Argo's own sentence, where its rules decide and a limit is exceeded."""
    counters = _counters(evidence)
    excess = metrics.excess(counters, look.metric.spec.limits)
    if look.dialect is Dialect.SAFE or not excess:
        return ""
    return blame(look.metric.spec.name, phase, excess, evidence.message if counters.consecutive_error else "")


def _progress(counters: Counters, limits: Limits, minimum: int) -> str:
    if limits.endless and not counters.failed and not counters.inconclusive and not counters.consecutive_error:
        return f"{counters.conclusive} of {max(counters.conclusive, metrics.needed(limits, minimum))} measurements"
    return metrics.describe(counters, limits)


def _towards_abort(counters: Counters, limits: Limits) -> float:
    return 0.0 if limits.failure_limit < 0 else min(1.0, counters.failed / (limits.failure_limit + 1))


def _towards_promote(counters: Counters, limits: Limits, minimum: int) -> float:
    if metrics.passes(counters, limits, minimum):
        return 1.0
    wanted = metrics.needed(limits, minimum) if limits.count is None else limits.count
    return min(0.99, counters.conclusive / wanted) if wanted else 0.0


def _has_measurements(evidence: Evidence) -> bool:
    """Whether at least one was successful and none was missing at the end."""
    recent = _measurements(evidence).recent
    ends_well = bool(recent) and recent[-1].phase in {"Successful", "Inconclusive"}
    return ends_well and _measurements(evidence).successful > 0


def _absence(evidence: Evidence) -> HoldReason:
    reasons = {reason.value: reason for reason in HoldReason}
    # In Argo's dialect it is an error like any other, and it is asked again.
    reasons[MeasurementPhase.ERROR.value] = HoldReason.COLLECTING
    recent = _measurements(evidence).recent
    return reasons.get(recent[-1].phase, HoldReason.NO_DATA) if recent else HoldReason.NO_DATA


def _measurements(evidence: Evidence) -> Measurements:
    return evidence.measurements or Measurements()


def _counters(evidence: Evidence) -> Counters:
    stored = _measurements(evidence)
    return Counters(
        successful=stored.successful,
        failed=stored.failed,
        inconclusive=stored.inconclusive,
        error=stored.error,
        consecutive_error=stored.consecutive_error,
        consecutive_success=stored.consecutive_success,
        last_at=None if stored.last_at is None else durations.parse_time(stored.last_at),
        last_phase=_last_phase(stored),
    )


def _last_phase(stored: Measurements) -> MeasurementPhase | None:
    if not stored.recent:
        return None
    phases = {phase.value: phase for phase in MeasurementPhase}
    # What is no phase is the reason of an absent answer.
    return phases.get(stored.recent[-1].phase, MeasurementPhase.ERROR)


def _stored(counters: Counters, recent: tuple[Measured, ...]) -> Measurements:
    return Measurements(
        successful=counters.successful,
        failed=counters.failed,
        inconclusive=counters.inconclusive,
        error=counters.error,
        consecutive_error=counters.consecutive_error,
        consecutive_success=counters.consecutive_success,
        last_at=None if counters.last_at is None else durations.format_micro_time(counters.last_at),
        recent=recent,
    )
