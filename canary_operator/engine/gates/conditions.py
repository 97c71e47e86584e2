"""The conditions gate: an AnalysisTemplate's metrics, judged with Argo's rules since the pause began.

It differs from Argo only where Argo would act on nothing: a look that brings no evidence counts for nothing.

Law: pure; looks lie on a grid that starts with the pause, so that a restart takes the same measurements.
"""

import math
from dataclasses import dataclass, replace

from canary_operator.conditions import metric as metrics
from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure
from canary_operator.conditions.metric import Counters, MetricPhase
from canary_operator.conditions.metric_spec import Limits
from canary_operator.engine.judged import JudgedMetric, judged_metrics
from canary_operator.engine.look import Ground, Said
from canary_operator.model import durations
from canary_operator.model.gate import RECENT_MEASUREMENTS, Evidence, Measured, Measurements
from canary_operator.model.samples import Absent, Query, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason

# After an outage of the operator or of Prometheus, older looks are skipped: they only cost time.
BACKLOG_SECONDS = 300.0
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
    """

    metric: JudgedMetric
    evidence: Evidence
    due: float | None
    warm_until: float
    minimum: int
    now: float

    def questions(self) -> tuple[Query, ...]:
        """The question that is due, if any."""
        query = self._query()
        return () if query is None else (query,)

    def judge(self, samples: Samples) -> Said:
        """What the metric knows after this look, and what it says."""
        evidence, finding = _judged(self, samples)
        after = _at(self, evidence)
        lost = finding.reason is HoldReason.TELEMETRY_UNAVAILABLE
        return Said(
            evidence=(evidence,),
            findings=(_told(finding, after),) if self.metric.counts else (),
            # What was not answered stays due and is asked again with the next look, not at once.
            next_due=math.inf if lost or after.due is None else after.due,
            telemetry_lost=lost,
            measured=not self.metric.counts or _has_measurements(evidence),
        )

    def _query(self) -> Query | None:
        if self.due is None or self.due > self.now:
            return None
        spec = self.metric.spec
        return Query(self.metric.provider, spec.query, at=self.due, timeout=spec.timeout_seconds)


def looks(ground: Ground) -> list[Look]:
    """Every metric that judges this pause, with the evidence so far.

    Nothing is judged between pauses: what a metric counts starts anew at every pause.

    Raises:

        ConfigurationError: if there is no metric, or one cannot be used.
    """
    if ground.at is None:
        return []
    start = ground.at.user_start + (ground.policy.timing.warm_up or 0.0)
    return [_look(metric, ground, start) for metric in judged_metrics(ground.snapshot)]


def _look(metric: JudgedMetric, ground: Ground, start: float) -> Look:
    """A metric with the evidence so far; a changed definition starts anew now, never before ``start``."""
    known = [each for each in ground.snapshot.status.evidence if each.measurements is not None]
    earlier = [evidence for evidence in known if evidence.name == metric.spec.name]
    same = [evidence for evidence in earlier if evidence.digest == metric.digest]
    evidence = same[0] if same else _fresh(metric, max(ground.now, start) if earlier else start)
    look = Look(metric, evidence, None, start, ground.policy.timing.min_measurements, ground.now)
    return _at(look, evidence)


def _at(look: Look, evidence: Evidence) -> Look:
    """The look with other evidence, and what is due then."""
    limits = look.metric.spec.limits
    due = metrics.due_at(_counters(evidence), limits, durations.parse_time(evidence.since))
    return replace(look, evidence=evidence, due=_not_too_old(due, look.metric, look.now))


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
    if not questions:
        return look.evidence, _finding(look, look.evidence)
    answer = samples.get(questions[0], Absent(HoldReason.TELEMETRY_UNAVAILABLE, "not asked"))
    if isinstance(answer, Absent) and answer.reason is HoldReason.TELEMETRY_UNAVAILABLE:
        # The question stays due: an outage says nothing about the time it was asked for.
        return look.evidence, Finding(answer.reason, f"{look.metric.spec.name}: {answer.message}")
    spec = look.metric.spec
    evidence = _folded(look, questions[0].at, measure(answer, spec.success_condition, spec.failure_condition))
    return evidence, _finding(look, evidence)


def _folded(look: Look, at: float, result: Measurement | Absent) -> Evidence:
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
    match metrics.assess(counters, limits):
        case MetricPhase.FAILED:
            return Finding(AbortReason.CONDITIONS_FAILED, sentence)
        case MetricPhase.INCONCLUSIVE:
            return Finding(HoldReason.INCONCLUSIVE, sentence)
        case _ if counters.consecutive_error:
            return Finding(_absence(evidence), f"{spec.name}: {evidence.message}")
        case _ if metrics.passes(counters, limits, minimum):
            return Finding(PromoteReason.CONDITIONS_MET, sentence)
        case _ if counters.last_at is None:
            return Finding(HoldReason.COLLECTING, f"{spec.name} has not been measured yet")
        case _:
            return Finding(HoldReason.COLLECTING, sentence)


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
