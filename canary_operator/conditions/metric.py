"""The rules of one metric: measurements are folded into counters, and counters are judged.

Law: a pure fold. An absent measurement is counted as an error, never as a measurement. In the safe dialect no number
of errors completes a metric: an outage is never an abort.
"""

import enum
from dataclasses import dataclass, replace

from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import Situation, deviates
from canary_operator.conditions.measurement import Measurement, MeasurementPhase
from canary_operator.conditions.metric_spec import Limits
from canary_operator.model import samples

ERROR_RETRY_SECONDS = 10.0


class MetricPhase(enum.Enum):
    """What a metric or a run is judged to be, in Argo's words. ERROR is of Argo's dialect."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"

    @property
    def completed(self) -> bool:
        """Whether nothing is measured any more."""
        return self not in (MetricPhase.PENDING, MetricPhase.RUNNING)


UNWELL = (MetricPhase.FAILED, MetricPhase.ERROR, MetricPhase.INCONCLUSIVE)
"""What ends a run in Argo, where it is the phase of a metric that counts."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What was measured so far.

    Args:

        successful, failed, inconclusive: numbers of measurements by phase.

        error: how many times there was no measurement.

        consecutive_error, consecutive_success: the length of the last unbroken row.

        last_at: Unix seconds of the last attempt, None before the first.

        last_phase: of the last attempt, ERROR when it was absent, None before the first.

        last_value: the exact text of the last attempt, "" when it was absent.
    """

    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_error: int = 0
    consecutive_success: int = 0
    last_at: float | None = None
    last_phase: MeasurementPhase | None = None
    last_value: str = ""

    @property
    def measured(self) -> int:
        """All measurements; errors are none."""
        return self.successful + self.failed + self.inconclusive

    @property
    def conclusive(self) -> int:
        """The measurements that answered the question with yes or no."""
        return self.successful + self.failed


def fold(counters: Counters, at: float, outcome: Measurement | samples.Absent) -> Counters:
    """Count one attempt.

    Args:

        counters: what was counted before.

        at: when the attempt ended, Unix seconds.

        outcome: the measurement, or why there is none.
    """
    if isinstance(outcome, samples.Absent) or outcome.phase is MeasurementPhase.ERROR:
        return replace(
            counters,
            error=counters.error + 1,
            consecutive_error=counters.consecutive_error + 1,
            consecutive_success=0,
            last_at=at,
            last_phase=MeasurementPhase.ERROR,
            last_value="",
        )
    succeeded = outcome.phase is MeasurementPhase.SUCCESSFUL
    return replace(
        counters,
        successful=counters.successful + succeeded,
        failed=counters.failed + (outcome.phase is MeasurementPhase.FAILED),
        inconclusive=counters.inconclusive + (outcome.phase is MeasurementPhase.INCONCLUSIVE),
        consecutive_error=0,
        consecutive_success=counters.consecutive_success + 1 if succeeded else 0,
        last_at=at,
        last_phase=outcome.phase,
        last_value=outcome.value_text,
    )


def assess(counters: Counters, limits: Limits, dialect: Dialect = Dialect.SAFE) -> MetricPhase:
    """Judge a metric as Argo does, first row that applies.

    Error stands above Inconclusive and that above Failed because inside one metric Argo lets the last check win.
    """
    reached = limits.count is not None and counters.measured >= limits.count
    missed = reached and limits.consecutive_success_limit > 0
    goes_on = limits.endless and deviates(Situation.ENDLESS_SUCCESS, dialect)
    table = (
        (counters.last_at is None, MetricPhase.PENDING),
        (exceeds_errors(counters, limits) and not deviates(Situation.ERRORS, dialect), MetricPhase.ERROR),
        (_too_many(counters.inconclusive, limits.inconclusive_limit), MetricPhase.INCONCLUSIVE),
        (_too_many(counters.failed, limits.failure_limit), MetricPhase.FAILED),
        (_in_a_row(counters, limits) and not goes_on, MetricPhase.SUCCESSFUL),
        (missed and limits.failure_limit >= 0, MetricPhase.INCONCLUSIVE),
        (missed, MetricPhase.FAILED),
        (reached, MetricPhase.SUCCESSFUL),
    )
    return next((phase for applies, phase in table if applies), MetricPhase.RUNNING)


def exceeds_errors(counters: Counters, limits: Limits) -> bool:
    """Whether there are so many errors in a row that Argo gives up."""
    return _too_many(counters.consecutive_error, limits.consecutive_error_limit)


def excess(counters: Counters, limits: Limits) -> str:
    """Which limit is exceeded, in Argo's words, such as ``failed (1) > failureLimit (0)``; "" for none."""
    table = (
        ("consecutiveErrors", counters.consecutive_error, "consecutiveErrorLimit", limits.consecutive_error_limit),
        ("inconclusive", counters.inconclusive, "inconclusiveLimit", limits.inconclusive_limit),
        ("failed", counters.failed, "failureLimit", limits.failure_limit),
    )
    found = [f"{noun} ({number}) > {name} ({limit})" for noun, number, name, limit in table if _too_many(number, limit)]
    return found[0] if found else ""


def _too_many(number: int, limit: int) -> bool:
    return 0 <= limit < number


def _in_a_row(counters: Counters, limits: Limits) -> bool:
    return 0 < limits.consecutive_success_limit <= counters.consecutive_success


def passes(counters: Counters, limits: Limits, minimum: int) -> bool:
    """Whether the metric says yes.

    With a count: Argo would call it Successful. Without one it is never complete, so it says yes while
    nothing is exceeded, the last measurement is Successful, and enough measurements were conclusive that
    a failing release would have been noticed.

    Args:

        counters: what was measured.

        limits: the metric's.

        minimum: the least number of conclusive measurements of a metric without count.
    """
    phase = assess(counters, limits)
    if not limits.endless:
        return phase is MetricPhase.SUCCESSFUL
    return (
        phase is MetricPhase.RUNNING
        and counters.last_phase is MeasurementPhase.SUCCESSFUL
        and counters.conclusive >= needed(limits, minimum)
        and counters.consecutive_success >= limits.consecutive_success_limit
    )


def needed(limits: Limits, minimum: int) -> int:
    """Return how many conclusive measurements a metric without count needs before it can say yes."""
    return max(minimum, limits.failure_limit + 1, 1)


def due_at(counters: Counters, limits: Limits, start: float, dialect: Dialect = Dialect.SAFE) -> float | None:
    """When to measure next.

    Args:

        counters: what was measured.

        limits: the metric's.

        start: when the analysis began, Unix seconds.

    Returns:

        Unix seconds; None when the metric is complete, which in the safe dialect one without count never is.
    """
    if counters.last_at is None:
        return start + limits.initial_delay_seconds
    lasts = limits.endless and dialect is Dialect.SAFE
    if not lasts and assess(counters, limits, dialect) is not MetricPhase.RUNNING:
        return None
    interval = limits.interval_seconds
    if interval is None:
        return counters.last_at + ERROR_RETRY_SECONDS
    if counters.last_phase is MeasurementPhase.ERROR:
        sooner = deviates(Situation.RETRY, dialect)
        return counters.last_at + (min(ERROR_RETRY_SECONDS, interval) if sooner else ERROR_RETRY_SECONDS)
    return counters.last_at + interval


def describe(counters: Counters, limits: Limits) -> str:
    """Say how far a metric is and what counts against it.

    Returns:

        For example ``3 of 5 measurements, 2 of at most 2 failures``.
    """
    total = "" if limits.count is None else f" of {limits.count}"
    parts = [f"{counters.measured}{total} {_plural('measurement', limits.count or counters.measured)}"]
    if counters.failed:
        parts.append(_against(counters.failed, limits.failure_limit, "failure"))
    if counters.inconclusive:
        parts.append(_against(counters.inconclusive, limits.inconclusive_limit, "inconclusive one"))
    if limits.consecutive_success_limit:
        parts.append(f"{counters.consecutive_success} of {limits.consecutive_success_limit} successes in a row")
    if counters.consecutive_error:
        parts.append(f"no data {counters.consecutive_error} {_plural('time', counters.consecutive_error)} in a row")
    return ", ".join(parts)


def _against(number: int, limit: int, noun: str) -> str:
    if limit < 0:
        return f"{number} {_plural(noun, number)}"
    return f"{number} of at most {limit} {_plural(noun, limit)}"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"
