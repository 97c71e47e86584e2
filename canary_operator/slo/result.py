"""The last step of every format: a measure or a query becomes an indicator with its source.

Law: the digest is made here and only here, of what the SLO means and of nothing else.
"""

import hashlib
from fractions import Fraction

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Indicator, Latency, Opaque, Ratio, Selector, SLORef, Source
from canary_operator.model.promql import write_selector
from canary_operator.slo import injection, syntax, variables

WINDOW_VARIABLE = ".window"
# The shortest window that Sloth records; queries that stay queries are asked over it.
SHORT_WINDOW = "5m"


def counted(
    reference: SLORef,
    measure: Ratio | Latency,
    allowed: Fraction,
    window_seconds: float | None = None,
    grouping: tuple[str, ...] = (),
) -> Indicator:
    """An indicator with its digest."""
    match measure:
        case Ratio():
            lines = [measure.events.value, *_lines(measure.part), "of", *_lines(measure.total)]
        case Latency():
            lines = ["slower than", f"{measure.threshold.normalize():f}", write_selector(measure.histogram)]
    source = Source(reference, _digest(*lines, str(allowed), str(window_seconds), *grouping))
    return Indicator(measure, allowed, source, window_seconds, grouping)


def opaque(
    reference: SLORef, query: str, reason: str, allowed: Fraction | None = None, window_seconds: float | None = None
) -> Opaque:
    """A definition that stays one number.

    Raises:

        ConfigurationError: the query is not PromQL at all, so it can be no condition either.
    """
    syntax.parse(query)
    return Opaque(reason, query, Source(reference, _digest("opaque", query, str(allowed))), allowed, window_seconds)


def with_window(query: str, place: str) -> str:
    """The query over the short window; ``{{.window}}`` is the only variable that SLO formats have.

    Raises:

        ConfigurationError: the query has another variable, or the variable stands where no window can.
    """
    try:
        filled = variables.fill(query, {WINDOW_VARIABLE: SHORT_WINDOW})
        injection.selectors(filled)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error
    return filled


def _lines(selectors: tuple[Selector, ...]) -> list[str]:
    return sorted(map(write_selector, selectors))


def _digest(*lines: str) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
