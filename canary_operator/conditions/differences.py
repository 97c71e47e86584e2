"""Where this operator judges otherwise than Argo Rollouts, and why: the one table, for the code and for the page.

Law: every deviation is a row here. What decides looks it up, ``docs/generate.py`` prints it, and in the dialect ARGO
a row whose ``to_the_letter`` is true does not apply. A row with ``met`` needs no other code at all.
"""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass

from canary_operator.conditions import expression
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.expression import Condition
from canary_operator.model import samples
from canary_operator.model.verdict import HoldReason

MAX_LABEL_NAMES = 5


class Situation(enum.Enum):
    """Where Argo's rules and ours part."""

    NO_CONDITION = "no condition at all"
    NOT_COMPUTED = "a condition that cannot be computed"
    NO_SERIES = "empty answer"
    SEVERAL_SERIES = "several series and `result[0]`"
    NAN = "NaN in the answer"
    UNANSWERED = "Prometheus unreachable, slow, 5xx, 429"
    REFUSED = "Prometheus refuses the query (400, 422)"
    INCOMPLETE = "answers with warnings or partial data"
    UNJUDGEABLE = "an answer without numbers: a string, a native histogram, `null`"
    ERRORS = "errors in a row over `consecutiveErrorLimit`"
    RETRY = "the time after an error"
    ENDLESS = "`interval` without `count`"
    ENDLESS_SUCCESS = "`consecutiveSuccessLimit` without `count`"
    CUT_SHORT = "a metric that is cut short by another"
    UNMEASURED = "a run that is ended before it measured"
    ONLY_DRY_RUN = "only dry-run metrics"
    FEW_REQUESTS = "a ratio of counters over few requests"
    NEW_PAUSE = "a new pause"
    INCONCLUSIVE = "Inconclusive"
    MISTAKE = "a template that Argo's validation refuses"
    UNREADABLE = "a `count` or limit that is no number, such as `many`"
    SHORT_INTERVAL = "an `interval` under 1 s"
    HIDDEN_ARGUMENT = "an argument from a Secret"
    CREDENTIALS = "a template's own headers, credentials, `insecure`"
    OTHER_PROVIDER = "another provider than Prometheus"
    RANGE = "a range query"
    CYCLE = "templates that name each other in a circle"


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer that came, and the conditions that are to judge it; None for one that is absent."""

    answer: samples.Answer
    success: Condition | None
    failure: Condition | None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """Those that are there."""
        return tuple(each for each in (self.success, self.failure) if each is not None)

    @property
    def values(self) -> tuple[float, ...]:
        """All values in the server's order; a matrix is flattened, as Argo does it."""
        return tuple(sample.value for series in self.answer.series for sample in series.samples)


def _without_condition(asked: Asked) -> str:
    return "" if asked.conditions else "the metric has neither successCondition nor failureCondition"


def _empty(asked: Asked) -> str:
    return "" if asked.values else "the query answered without any value"


def _ambiguous(asked: Asked) -> str:
    series = asked.answer.series
    if len(series) < 2 or not any(expression.indexes_result(each.text) for each in asked.conditions):
        return ""
    names = _differing_labels(series)
    shown = ", ".join(names[:MAX_LABEL_NAMES]) + (", ..." if len(names) > MAX_LABEL_NAMES else "")
    differing = f"they differ in {shown}" if names else "their labels are the same"
    return f"{len(series)} series, but the condition looks at one by its place; {differing}"


def _differing_labels(series: tuple[samples.Series, ...]) -> list[str]:
    label_sets = [dict(one.labels) for one in series]
    names = sorted({name for labels in label_sets for name in labels})
    return [name for name in names if len({labels.get(name) for labels in label_sets}) > 1]


def _not_numbers(asked: Asked) -> str:
    blanks = sum(math.isnan(value) for value in asked.values)
    return f"{blanks} of {len(asked.values)} values are NaN" if blanks else ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of the table.

    Args:

        argo: what Argo does, for people.

        here: what the operator does instead, for people.

        why: one sentence, for people.

        reason: what an answer in this situation is held with; None where the row is no matter of an answer.

        met: says of an answer in this situation why it is no evidence, "" of every other. None where other code knows.

        to_the_letter: whether ``compatibility: argo`` gives Argo's side.
    """

    situation: Situation
    argo: str
    here: str
    why: str
    reason: HoldReason | None = None
    met: Callable[[Asked], str] | None = None
    to_the_letter: bool = True


TABLE = (
    Difference(
        Situation.NO_CONDITION,
        "Successful",
        "`ConfigurationError`, holds",
        "a metric that nothing can fail judges nothing",
        HoldReason.CONFIGURATION_ERROR,
        _without_condition,
    ),
    Difference(
        Situation.NOT_COMPUTED,
        "Error",
        "`ConfigurationError`, holds",
        "a mistake in the template is not the canary's fault",
        HoldReason.CONFIGURATION_ERROR,
    ),
    Difference(
        Situation.NO_SERIES,
        "an evaluation error, or what the condition makes of it",
        "`NoData`, holds",
        "no data is no evidence, for or against",
        HoldReason.NO_DATA,
        _empty,
    ),
    Difference(
        Situation.SEVERAL_SERIES,
        "whichever the server sends first",
        "`AmbiguousSeries`, holds",
        "the order of series is nobody's promise",
        HoldReason.AMBIGUOUS_SERIES,
        _ambiguous,
    ),
    Difference(
        Situation.NAN,
        "Failed, Successful or Inconclusive by the form of the condition",
        "`NoData`, holds",
        "NaN is what 0 of 0 requests gives: no data",
        HoldReason.NO_DATA,
        _not_numbers,
    ),
    Difference(
        Situation.UNANSWERED,
        "Error",
        "`TelemetryUnavailable`, holds; the look is repeated for its own time",
        "an outage of the telemetry is not the canary's fault",
    ),
    Difference(
        Situation.REFUSED,
        "Error",
        "`ConfigurationError`, holds",
        "a mistake in the query is not the canary's fault",
    ),
    Difference(
        Situation.INCOMPLETE,
        "used",
        "`TelemetryUnavailable`, holds",
        "half of the series may be the better half",
        to_the_letter=False,
    ),
    Difference(
        Situation.UNJUDGEABLE,
        "Error; a native histogram counts as 0",
        "`ConfigurationError` or `TelemetryUnavailable`, holds",
        "no number is no evidence",
        HoldReason.CONFIGURATION_ERROR,
    ),
    Difference(
        Situation.ERRORS,
        "Error, which aborts: by default after 40 s",
        "holds for as long as it takes",
        "an outage is never an abort; `telemetryLoss` says what happens after a long one",
    ),
    Difference(
        Situation.RETRY,
        "10 s, whatever the interval",
        "10 s, or the interval where that is shorter",
        "what was asked for every 2 s is not missed for 10 s",
    ),
    Difference(
        Situation.ENDLESS,
        "runs as long as the step or release, and then is Successful",
        "passes after `minMeasurements`, the last one Successful",
        "a pause has an end, and something must have been measured before it",
        to_the_letter=False,
    ),
    Difference(
        Situation.ENDLESS_SUCCESS,
        "Successful once there are enough in a row",
        "is measured for as long as the pause lasts",
        "later measurements of the same pause still count",
    ),
    Difference(
        Situation.CUT_SHORT,
        "Successful, even if it has only failed or erred",
        "Inconclusive, holds",
        "what was not measured has not succeeded",
    ),
    Difference(
        Situation.UNMEASURED,
        "Successful",
        "Inconclusive, holds",
        "what was not measured has not succeeded",
    ),
    Difference(
        Situation.ONLY_DRY_RUN,
        "Successful",
        "`ConfigurationError`, holds",
        "nothing judges",
    ),
    Difference(
        Situation.FEW_REQUESTS,
        "as the condition says",
        "`LowTraffic`, holds until ln(1/falsePromotion)/limit requests were looked at",
        "no error among ten requests says little of a limit of 1 %",
    ),
    Difference(
        Situation.INCONCLUSIVE,
        "pauses until a person promotes",
        "`Inconclusive`, holds while it lasts",
        "the gate holds by itself, and a person may still promote",
        to_the_letter=False,
    ),
    Difference(
        Situation.NEW_PAUSE,
        "background analysis goes on",
        "starts anew",
        "what was measured at one weight says little of another",
        to_the_letter=False,
    ),
    Difference(
        Situation.MISTAKE,
        "the Rollout is invalid and does not move, or the analysis is an Error",
        "`ConfigurationError`, holds",
        "a mistake in the template is not the canary's fault",
        to_the_letter=False,
    ),
    Difference(
        Situation.UNREADABLE,
        "taken for 0: an endless metric, no tolerance",
        "`ConfigurationError`, holds",
        "nobody means 0 by it",
        to_the_letter=False,
    ),
    Difference(
        Situation.SHORT_INTERVAL,
        "measured as often as it says",
        "`ConfigurationError`, holds",
        "a template of one team must not ask away the Prometheus of all",
        to_the_letter=False,
    ),
    Difference(
        Situation.HIDDEN_ARGUMENT,
        "read, and shown in the AnalysisRun's metadata",
        "`ConfigurationError`, holds",
        "the operator has no right to read Secrets, and wants none",
        to_the_letter=False,
    ),
    Difference(
        Situation.CREDENTIALS,
        "used",
        "`ConfigurationError`, holds",
        "credentials belong to the operator's providers, where templates cannot send them elsewhere",
        to_the_letter=False,
    ),
    Difference(
        Situation.OTHER_PROVIDER,
        "asked",
        "`ConfigurationError`, holds",
        "only Prometheus is asked here; Argo's own analysis can go on asking others",
        to_the_letter=False,
    ),
    Difference(
        Situation.RANGE,
        "evaluated at its start and at every step after it",
        "evaluated at whole multiples of the step, as a subquery",
        "a look that is repeated after a restart sees the same values",
        to_the_letter=False,
    ),
    Difference(
        Situation.CYCLE,
        "never ends",
        "`ConfigurationError`, holds",
        "somebody has to notice",
        to_the_letter=False,
    ),
)

_BY_SITUATION = {row.situation: row for row in TABLE}


def deviates(situation: Situation, dialect: Dialect) -> bool:
    """Whether the operator goes its own way in this situation."""
    row = _BY_SITUATION.get(situation)
    return row is not None and not (dialect is Dialect.ARGO and row.to_the_letter)


@dataclass(frozen=True, slots=True)
class Met:
    """A situation that an answer is in, and what it is instead of a measurement."""

    situation: Situation
    instead: samples.Absent


def instead(situation: Situation, message: str) -> Met:
    """What an answer in this situation is held with.

    Raises:

        KeyError: the table holds nothing with it.
    """
    reasons = {row.situation: row.reason for row in TABLE if row.reason is not None}
    return Met(situation, samples.Absent(reasons[situation], message))


def met(asked: Asked, dialect: Dialect) -> Met | None:
    """The first row of the table that takes this answer for no evidence; None when it is evidence."""
    for row in TABLE:
        if row.met is None or not deviates(row.situation, dialect):
            continue
        if message := row.met(asked):
            return instead(row.situation, message)
    return None
