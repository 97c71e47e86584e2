"""One answer of Prometheus and the conditions of a metric -> one measurement, or why there is none.

Law: in the safe dialect no evidence is Absent, never a phase; what is no evidence stands in ``differences``. In
Argo's dialect everything is a phase, as Argo has it.
"""

import enum
from dataclasses import dataclass

from canary_operator.conditions import differences, expression, sentences
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import Asked, Met, Situation
from canary_operator.conditions.expression import Condition, ConditionError
from canary_operator.model import samples
from canary_operator.model.verdict import HoldReason


class MeasurementPhase(enum.Enum):
    """What became of one measurement, in Argo's words. ERROR is Absent in the safe dialect."""

    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One answer, judged.

    Args:

        phase: ERROR in Argo's dialect only.

        value_text: the exact value as Argo writes it, ``10`` or ``[10,11]``; "" for an error.

        message: one sentence with rounded numbers; for an error why, in Argo's words.
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
    answer: samples.Answer | samples.Absent,
    success_condition: str,
    failure_condition: str,
    dialect: Dialect = Dialect.SAFE,
) -> Measurement | samples.Absent:
    """Judge one answer.

    Args:

        answer: what Prometheus said; Absent is handed through, and an error in Argo's dialect.

        success_condition: text of the condition, "" for none.

        failure_condition: text of the condition, "" for none.

    Returns:

        A measurement; or Absent with NO_DATA, AMBIGUOUS_SERIES or CONFIGURATION_ERROR, in the safe dialect only.
    """
    found = _measured(answer, success_condition, failure_condition, dialect)
    if isinstance(found, Met):
        return found.instead
    return _error(found.message) if isinstance(found, samples.Absent) and dialect is Dialect.ARGO else found


def situation(
    answer: samples.Answer | samples.Absent, success_condition: str, failure_condition: str
) -> Situation | None:
    """Where the safe dialect takes this answer for no evidence, the row of the table; None where it is evidence."""
    if isinstance(answer, samples.Absent):
        refused = answer.reason is HoldReason.CONFIGURATION_ERROR
        return Situation.REFUSED if refused else Situation.UNANSWERED
    found = _measured(answer, success_condition, failure_condition, Dialect.SAFE)
    return found.situation if isinstance(found, Met) else None


def _error(message: str) -> Measurement:
    return Measurement(MeasurementPhase.ERROR, "", message)


def _measured(
    answer: samples.Answer | samples.Absent, success_condition: str, failure_condition: str, dialect: Dialect
) -> Measurement | samples.Absent | Met:
    if isinstance(answer, samples.Absent):
        return answer
    if answer.kind is samples.ResultKind.STRING:
        return differences.instead(
            Situation.UNJUDGEABLE, "the query answers with a string, which no condition can judge"
        )
    result_type = expression.SCALAR if answer.kind is samples.ResultKind.SCALAR else expression.VECTOR
    try:
        success = _compiled("successCondition", success_condition, result_type, dialect)
        asked = Asked(answer, success, None)
        if dialect is Dialect.ARGO and success is not None:
            # Argo computes the first before it reads the second, and tells of the first that is wrong.
            _evaluated(success, asked)
        asked = Asked(answer, success, _compiled("failureCondition", failure_condition, result_type, dialect))
        return differences.met(asked, dialect) or _judge(asked)
    except ConditionError as error:
        if dialect is Dialect.ARGO:
            return _error(error.message)
        return differences.instead(Situation.NOT_COMPUTED, f"the condition cannot be computed: {error}")
    except _MiswrittenError as error:
        return differences.instead(Situation.NOT_COMPUTED, str(error))


class _MiswrittenError(Exception):
    """A condition that cannot be compiled; the text names the field. The safe dialect's alone."""


def _compiled(field: str, text: str, result_type: expression.Type, dialect: Dialect) -> Condition | None:
    if not text:
        return None
    try:
        return expression.compile_condition(text, result_type, dialect)
    except ConditionError as error:
        if dialect is Dialect.ARGO:
            raise
        raise _MiswrittenError(f"{field}: {error}") from error


def _evaluated(condition: Condition, asked: Asked) -> bool:
    scalar = asked.answer.kind is samples.ResultKind.SCALAR
    return condition.evaluate(asked.values[0] if scalar else asked.values)


def _judge(asked: Asked) -> Measurement:
    # Both are computed before either decides: an error in the second one is an error.
    succeeded, failed = _judged(asked.success, asked), _judged(asked.failure, asked)
    phase = _phase(succeeded, failed)
    text = sentences.value_text(asked.values, scalar=asked.answer.kind is samples.ResultKind.SCALAR)
    return Measurement(phase, text, _sentence(phase, succeeded, failed, asked.values))


def _judged(condition: Condition | None, asked: Asked) -> _Judged | None:
    return None if condition is None else _Judged(condition, _evaluated(condition, asked))


def _phase(success: _Judged | None, failure: _Judged | None) -> MeasurementPhase:
    """Failure wins; a missing condition is the opposite of the other one, and without any all is well."""
    if failure.holds if failure else success and not success.holds:
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
    found = " and ".join(sentences.outcome(one.condition, values, holds=one.holds) for one in told if one)
    return found or "there is no condition"
