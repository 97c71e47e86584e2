"""Bare selectors of counters: read, written, compared.

Law: a counter selector names exactly one metric and, where that is a histogram's bucket, exactly one bucket.
"""

import re
from collections.abc import Iterable
from decimal import Decimal

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Latency, Matcher, MatchKind, Selector
from canary_operator.model.promql import write_selector
from canary_operator.slo import syntax

_LE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?([eE][-+]?[0-9]{1,2})?")
BUCKET, COUNT = "_bucket", "_count"
# Counters that by their names add up amounts: a share of them is no share of requests.
_AMOUNTS = ("_sum", "_seconds_total", "_milliseconds_total", "_bytes_total", "_joules_total")
# Counters that by their names add up amounts: a share of them is no share of requests.
_AMOUNTS = ("_sum", "_seconds_total", "_milliseconds_total", "_bytes_total", "_joules_total")


def parse_selector(promql: str, place: str, *, ignore_offset: bool = False) -> Selector:
    """The selector that an expression is, and nothing else.

    Args:

        promql: such as ``http_requests_total{code=~"5.."}``.

        place: where it is, for messages.

        ignore_offset: drop ``offset`` and ``@`` instead of refusing them.

    Raises:

        ConfigurationError: it is no PromQL, more than a selector, or no counter that can be summed.
    """
    try:
        node = syntax.parse(promql)
    except ConfigurationError as error:
        raise ConfigurationError(f"{place}: {error}") from error
    while node.kind == "paren":
        (node,) = node.children
    if node.selector is None:
        raise ConfigurationError(f'{place}: {promql[:200]!r} must be a bare selector such as requests_total{{a="b"}}')
    if any(node.detail) and not ignore_offset:
        raise ConfigurationError(f"{place}: {promql[:200]!r} looks at another time; offset and @ have no place here")
    if reason := refusal(node.selector):
        raise ConfigurationError(f"{place}: {reason}")
    return node.selector


def refusal(selector: Selector) -> str:
    """Why the selector is no counter whose series can be summed; "" where it is one."""
    if not selector.metric:
        return f"the selector {write_selector(selector)} must name one metric"
    if selector.metric.endswith(_AMOUNTS):
        return f"{selector.metric} adds up amounts and counts no requests"
    if selector.metric.endswith(_AMOUNTS):
        return f"{selector.metric} adds up amounts and counts no requests"
    if selector.metric.endswith(BUCKET) and bucket_threshold(selector) is None:
        return f'{selector.metric} needs one le="number": without it each request counts once for every bucket'
    return ""


def bucket_threshold(selector: Selector) -> Decimal | None:
    """The number of the one ``le`` that the selector is bound to (infinite for +Inf), None where there is none."""
    bounds = [each for each in selector.matchers if each.label == "le"]
    if len(bounds) != 1 or bounds[0].kind is not MatchKind.EQUAL:
        return None
    if bounds[0].value == "+Inf":
        return Decimal("Infinity")
    return Decimal(bounds[0].value) if _LE.fullmatch(bounds[0].value) else None


def without_label(selector: Selector, label: str) -> tuple[Matcher, ...]:
    """The matchers that look at other labels."""
    return tuple(each for each in selector.matchers if each.label != label)


def latency_of(good: Selector, total: Selector) -> Latency | None:
    """The latency that a bucket and a count of the same requests mean, None where they are not of one histogram."""
    threshold = bucket_threshold(good)
    if not good.metric.endswith(BUCKET) or threshold is None or not 0 < threshold < Decimal("Infinity"):
        return None
    base = Selector(good.metric.removesuffix(BUCKET), without_label(good, "le"))
    count = Selector(base.metric + COUNT, base.matchers)
    is_top = total.metric == good.metric and bucket_threshold(total) == Decimal("Infinity")
    if total == count or (is_top and without_label(total, "le") == base.matchers):
        return Latency(base, threshold)
    return None


def label_names_added(part: Iterable[Selector], total: Iterable[Selector]) -> frozenset[str]:
    """Labels that the part's selectors look at and the total's do not.

    The live series of the total must have them; a part that looks at ``status`` where the series say ``code`` is
    empty for ever, and would read as no bad request at all.
    """
    known = frozenset(label for selector in total for label in selector.labels)
    return frozenset(label for selector in part for label in selector.labels) - known
