"""The conditions gate: an AnalysisTemplate's metrics, judged with Argo's rules since the pause began.

It differs from Argo only where Argo would act on nothing: a look that brings no evidence counts for nothing.

Law: pure; looks lie on a grid that starts with the pause, so that a restart takes the same measurements.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.conditions import metric as metrics
from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure
from canary_operator.conditions.metric import Counters, MetricPhase
from canary_operator.conditions.metric_spec import Limits
from canary_operator.engine.judged import JudgedMetric
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
    """One metric at one moment: what it has counted, and the look that is due next (None: no more)."""

    metric: JudgedMetric
    evidence: Evidence
    due: float | None

    def query(self, now: float) -> Query | None:
        """The question that is due at ``now``, if any."""
        if self.due is None or self.due > now:
            return None
        spec = self.metric.spec
        return Query(self.metric.provider, spec.query, at=self.due, timeout=spec.timeout_seconds)


def looks(judged: Sequence[JudgedMetric], known: Sequence[Evidence], start: float, now: float) -> list[Look]:
    """Every metric with the evidence so far; a changed definition starts anew at ``now``, never before ``start``."""
    return [_look(metric, known, start, now) for metric in judged]


def _look(metric: JudgedMetric, known: Sequence[Evidence], start: float, now: float) -> Look:
    earlier = [evidence for evidence in known if evidence.name == metric.spec.name]
    same = [evidence for evidence in earlier if evidence.digest == metric.digest]
    evidence = same[0] if same else _fresh(metric, max(now, start) if earlier else start)
    counters = _counters(evidence)
    due = metrics.due_at(counters, metric.spec.limits, durations.parse_time(evidence.since))
    return Look(metric, evidence, _not_too_old(due, metric, now))


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


def judge(look: Look, samples: Samples, now: float, minimum: int) -> tuple[Evidence, Finding]:
    """What the metric knows after this look, and what it says.

    Args:

        minimum: measurements that a metric with an interval and no count needs at least.
    """
    query = look.query(now)
    if query is None:
        return look.evidence, _finding(look, look.evidence, minimum)
    answer = samples.get(query, Absent(HoldReason.TELEMETRY_UNAVAILABLE, "not asked"))
    if isinstance(answer, Absent) and answer.reason is HoldReason.TELEMETRY_UNAVAILABLE:
        # The question stays due: an outage says nothing about the time it was asked for.
        return look.evidence, Finding(answer.reason, f"{look.metric.spec.name}: {answer.message}")
    spec = look.metric.spec
    evidence = _folded(look, query.at, measure(answer, spec.success_condition, spec.failure_condition), minimum)
    return evidence, _finding(look, evidence, minimum)


def _folded(look: Look, at: float, result: Measurement | Absent, minimum: int) -> Evidence:
    counters = metrics.fold(_counters(look.evidence), at, result)
    limits = look.metric.spec.limits
    recent = (*_measurements(look.evidence).recent, _measured(at, result))[-RECENT_MEASUREMENTS:]
    return look.evidence.model_copy(
        update={
            "value": result.value_text[:VALUE_LENGTH] if isinstance(result, Measurement) else look.evidence.value,
            "message": result.message,
            "towards_abort": _towards_abort(counters, limits),
            "towards_promote": _towards_promote(counters, limits, minimum),
            "measurements": _stored(counters, recent),
        }
    )


def _measured(at: float, result: Measurement | Absent) -> Measured:
    when = durations.format_micro_time(at)
    if isinstance(result, Measurement):
        return Measured(at=when, phase=result.phase.value, value=result.value_text[:VALUE_LENGTH])
    return Measured(at=when, phase=result.reason.value)


def _finding(look: Look, evidence: Evidence, minimum: int) -> Finding:
    spec, counters = look.metric.spec, _counters(evidence)
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
