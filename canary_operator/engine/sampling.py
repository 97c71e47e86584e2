"""How many requests a ratio of a template is over, and whether so few could have shown a breach at all.

Law: pure. A metric that is a ratio of two sums of counters compared with a number has a sample; every other has none,
and is judged by its number alone.
"""

import datetime
import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Indicator, Latency, Selector, SLORef
from canary_operator.model.promql import write_selector
from canary_operator.slo import analysis_template, syntax
from canary_operator.slo.syntax import Node

_COUNTING = ("rate", "increase")
# Templates are few, and are looked at again and again.
_REMEMBERED = 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """What a ratio is over.

    Args:

        totals: the counters of all requests, as PromQL.

        window: seconds that each measurement looks back.

        allowed: the share of bad requests up to which the condition is satisfied.
    """

    totals: tuple[str, ...]
    window: float
    allowed: Fraction

    def query(self, seconds: float) -> str:
        """PromQL for the requests that all measurements of the last ``seconds`` could look at."""
        whole = math.ceil(seconds + self.window)
        return " + ".join(f"sum(increase({total}[{whole}s]))" for total in self.totals)

    def needed(self, false_promotion: float) -> int:
        """Requests in which a canary that just breaks the condition shows a bad one, but for ``false_promotion``.

        None of n requests is bad with the probability (1 - allowed)^n, which is at most exp(-n * allowed).
        """
        return math.ceil(-math.log(false_promotion) / float(self.allowed))


@lru_cache(maxsize=_REMEMBERED)
def sample_of(query: str, success_condition: str, failure_condition: str) -> Sample | None:
    """The sample of a metric; None where it is no ratio of counters that is compared with a number.

    Args:

        query: PromQL with all arguments inserted.

        success_condition: "" for none.

        failure_condition: "" for none.
    """
    conditions = {"successCondition": success_condition, "failureCondition": failure_condition}
    written = {key: text for key, text in conditions.items() if text}
    metric = {"name": "metric", **written, "provider": {"prometheus": {"query": query}}}
    try:
        found = analysis_template.read(SLORef("AnalysisTemplate", "", ""), {"spec": {"metrics": [metric]}}, {})
        window = _window(syntax.parse(query))
    except ConfigurationError:
        # What is wrong with it is told where it is judged.
        return None
    if not isinstance(found, Indicator) or window is None:
        return None
    return Sample(_totals(found), window, found.allowed)


def _totals(found: Indicator) -> tuple[str, ...]:
    if isinstance(found.measure, Latency):
        histogram = found.measure.histogram
        return (write_selector(Selector(f"{histogram.metric}_count", histogram.matchers)),)
    return tuple(map(write_selector, found.measure.total))


def _window(node: Node) -> float | None:
    """The range over which the counters are counted: one, as both sides of a ratio have the same."""
    if node.kind == "call" and node.detail[0] in _COUNTING:
        return _seconds(str(node.children[0].detail[0]))
    found = [window for child in node.children if (window := _window(child)) is not None]
    return found[0] if found else None


def _seconds(text: str) -> float:
    """Seconds of a range as the parser writes it, such as ``0:05:00`` or ``1 day, 0:00:00``."""
    days, _, clock = text.rpartition(", ")
    hours, minutes, seconds = clock.split(":")
    whole = datetime.timedelta(days=int(days.split()[0]) if days else 0, hours=int(hours), minutes=int(minutes))
    return whole.total_seconds() + float(seconds)
