"""One answer of Prometheus and the conditions of a metric -> one measurement, or why there is none.

Law: no evidence is Absent, never a phase. Where Argo promotes or aborts on no evidence this room does not:

    the answer                              Argo                        here
    no series                               as the condition says       NoData
    NaN among the values                    as the condition says       NoData
    no condition at all                     Successful                  ConfigurationError
    several series, result[0] asked for     the server's first          AmbiguousSeries
    a condition that cannot be computed     Error                       ConfigurationError
"""

import enum
import math
from dataclasses import dataclass

from canary_operator.conditions import expression, sentences
from canary_operator.conditions.expression import Condition, ConditionError
from canary_operator.model import samples
from canary_operator.model.verdict import HoldReason

MAX_LABEL_NAMES = 5


class MeasurementPhase(enum.Enum):
    """What became of one measurement, in Argo's words. ERROR stands for Absent in the counters only."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One answer, judged.

    Args:

        phase: SUCCESSFUL, FAILED or INCONCLUSIVE; an error is Absent instead.

        value_text: the exact value as Argo writes it, ``10`` or ``[10,11]``.

        message: one sentence with rounded numbers.
    """

    phase: MeasurementPhase
    value_text: str
    message: str


@dataclass(frozen=True, slots=True)
class _Judged:
    """A condition and whether the values satisfy it."""

    condition: Condition
    holds: bool


def measure(
    answer: samples.Answer | samples.Absent, success_condition: str, failure_condition: str
) -> Measurement | samples.Absent:
    """Judge one answer.

    Args:

        answer: what Prometheus said; Absent is handed through.

        success_condition: text of the condition, "" for none.

        failure_condition: text of the condition, "" for none.

    Returns:

        A measurement, or Absent with NO_DATA, AMBIGUOUS_SERIES or CONFIGURATION_ERROR.
    """
    if isinstance(answer, samples.Absent):
        return answer
    if answer.kind is samples.ResultKind.STRING:
        return _configuration("the query answers with a string, which no condition can judge")
    if not success_condition and not failure_condition:
        return _configuration("the metric has neither successCondition nor failureCondition")
    result_type = expression.SCALAR if answer.kind is samples.ResultKind.SCALAR else expression.VECTOR
    success = _compiled("successCondition", success_condition, result_type)
    failure = _compiled("failureCondition", failure_condition, result_type)
    if isinstance(success, samples.Absent):
        return success
    if isinstance(failure, samples.Absent):
        return failure
    return _unusable(answer, success, failure) or _judge(answer, success, failure)


def _configuration(message: str) -> samples.Absent:
    return samples.Absent(HoldReason.CONFIGURATION_ERROR, message)


def _compiled(field: str, text: str, result_type: expression.Type) -> Condition | samples.Absent | None:
    if not text:
        return None
    try:
        return expression.compile_condition(text, result_type)
    except ConditionError as error:
        return _configuration(f"{field}: {error}")


def _unusable(answer: samples.Answer, *conditions: Condition | None) -> samples.Absent | None:
    """Why the data of a well-formed question is no evidence; None when it is."""
    values = _values(answer)
    if not values:
        return samples.Absent(HoldReason.NO_DATA, "the query answered without any value")
    if len(answer.series) > 1 and any(c and expression.indexes_result(c.text) for c in conditions):
        return samples.Absent(HoldReason.AMBIGUOUS_SERIES, _ambiguity(answer.series))
    blanks = sum(math.isnan(value) for value in values)
    if blanks:
        return samples.Absent(HoldReason.NO_DATA, f"{blanks} of {len(values)} values are NaN")
    return None


def _values(answer: samples.Answer) -> tuple[float, ...]:
    """All values in the server's order; a matrix is flattened, as Argo does it."""
    return tuple(sample.value for series in answer.series for sample in series.samples)


def _ambiguity(series: tuple[samples.Series, ...]) -> str:
    names = _differing_labels(series)
    shown = ", ".join(names[:MAX_LABEL_NAMES]) + (", ..." if len(names) > MAX_LABEL_NAMES else "")
    differing = f"they differ in {shown}" if names else "their labels are the same"
    return f"{len(series)} series, but the condition looks at one by its place; {differing}"


def _differing_labels(series: tuple[samples.Series, ...]) -> list[str]:
    label_sets = [dict(one.labels) for one in series]
    names = sorted({name for labels in label_sets for name in labels})
    return [name for name in names if len({labels.get(name) for labels in label_sets}) > 1]


def _judge(
    answer: samples.Answer, success: Condition | None, failure: Condition | None
) -> Measurement | samples.Absent:
    scalar = answer.kind is samples.ResultKind.SCALAR
    values = _values(answer)
    result = values[0] if scalar else values
    try:
        # Both are computed before either decides: an error in the second one is an error.
        succeeded, failed = _judged(success, result), _judged(failure, result)
    except ConditionError as error:
        return _configuration(f"the condition cannot be computed: {error}")
    phase = _phase(succeeded, failed)
    text = sentences.value_text(values, scalar=scalar)
    return Measurement(phase, text, _sentence(phase, succeeded, failed, values))


def _judged(condition: Condition | None, result: float | tuple[float, ...]) -> _Judged | None:
    return None if condition is None else _Judged(condition, condition.evaluate(result))


def _phase(success: _Judged | None, failure: _Judged | None) -> MeasurementPhase:
    """Failure wins; a missing condition is the opposite of the other one."""
    if failure.holds if failure else not (success and success.holds):
        return MeasurementPhase.FAILED
    if success.holds if success else True:
        return MeasurementPhase.SUCCESSFUL
    return MeasurementPhase.INCONCLUSIVE


def _sentence(
    phase: MeasurementPhase,
    success: _Judged | None,
    failure: _Judged | None,
    values: tuple[float, ...],
) -> str:
    """Say what decided: one condition, or for an inconclusive measurement both."""
    failure_decided = phase is MeasurementPhase.FAILED and failure
    told = {
        MeasurementPhase.SUCCESSFUL: (success or failure,),
        MeasurementPhase.FAILED: (failure if failure_decided else success,),
    }.get(phase, (success, failure))
    return " and ".join(sentences.outcome(one.condition, values, holds=one.holds) for one in told if one)
