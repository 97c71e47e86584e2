"""One metric of an AnalysisTemplate, after its arguments: raw mapping -> frozen noun.

Law: the only place of the room that reads raw mappings of metrics. What the operator does not support is
refused by name; nothing is dropped silently.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from canary_operator import errors
from canary_operator.conditions import expression
from canary_operator.conditions.ranges import Range, parse_range
from canary_operator.model.durations import parse_duration

DEFAULT_TIMEOUT_SECONDS = 30.0
DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
LARGEST_LIMIT = 2**31 - 1
# A look is a question and some writes, and a template is written by tenants.
SHORTEST_INTERVAL_SECONDS = 1.0
METRIC_FIELDS = frozenset(
    (
        *("name", "interval", "initialDelay", "count", "successCondition", "failureCondition", "provider"),
        *("failureLimit", "inconclusiveLimit", "consecutiveErrorLimit", "consecutiveSuccessLimit"),
    )
)
PROMETHEUS_FIELDS = frozenset(("address", "query", "timeout", "insecure", "headers", "authentication", "rangeQuery"))
# Field -> why a value other than an empty one is refused.
REFUSED = {
    "authentication": "credentials belong to the operator's own providers",
    "headers": "headers belong to the operator's own providers",
    "insecure": "TLS is always verified; a CA belongs to the operator's own providers",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules of a metric.

    Args:

        count: measurements after which it is complete; None when it never is (interval without count).

        interval_seconds: time between measurements, None when there is only one.

        initial_delay_seconds: time before the first measurement.

        failure_limit: failures that are tolerated, -1 for any number.

        inconclusive_limit: inconclusive measurements that are tolerated.

        consecutive_error_limit: kept for display; errors complete no metric here.

        consecutive_success_limit: successes in a row that complete the metric, 0 for off.
    """

    count: int | None = 1
    interval_seconds: float | None = None
    initial_delay_seconds: float = 0.0
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = DEFAULT_CONSECUTIVE_ERROR_LIMIT
    consecutive_success_limit: int = 0

    @property
    def endless(self) -> bool:
        """Whether the metric is measured as long as its release lasts."""
        return self.count is None


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric that the operator can measure.

    Args:

        name: unique within its template.

        query: PromQL with all arguments inserted.

        success_condition: "" for none.

        failure_condition: "" for none.

        limits: when it is complete, failed or inconclusive.

        address: base URL of the Prometheus the template names, "" for none.

        timeout_seconds: of one query.

        span: the range over which the query is asked, None for an instant.
    """

    name: str
    query: str
    success_condition: str
    failure_condition: str
    limits: Limits
    address: str = ""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    span: Range | None = None

    def promql(self, at: float) -> tuple[str, float]:
        """What to ask for a measurement at ``at``, and the time at which it is evaluated, Unix seconds.

        Raises:

            ConfigurationError: its range is none at this time.
        """
        if self.span is None:
            return self.query, at
        try:
            return self.span.promql(self.query, at), self.span.end.at(at)
        except errors.ConfigurationError as error:
            raise errors.ConfigurationError(f"{self.name}: rangeQuery: {error}") from error


def parse_metrics(raws: Sequence[Mapping[str, Any]], path: str) -> tuple[MetricSpec, ...]:
    """Parse the metrics of one template.

    Args:

        raws: the list, with all arguments inserted.

        path: where it is, for messages, such as ``spec.metrics``.

    Raises:

        ConfigurationError: there is none, a name is there twice, or one of them cannot be used.
    """
    if not raws:
        raise errors.ConfigurationError(f"{path}: at least one metric is needed")
    metrics = tuple(parse_metric(raw, f"{path}[{position}]") for position, raw in enumerate(raws))
    seen: set[str] = set()
    for position, metric in enumerate(metrics):
        if metric.name in seen:
            raise errors.ConfigurationError(f"{path}[{position}].name: {metric.name!r} is there twice")
        seen.add(metric.name)
    return metrics


def parse_metric(raw: Mapping[str, Any], path: str) -> MetricSpec:
    """Parse one metric.

    Args:

        raw: one entry of ``spec.metrics``, with all arguments inserted.

        path: where it is, for messages, such as ``spec.metrics[0]``.

    Raises:

        ConfigurationError: a field cannot be used; the text names the path, the value and what is allowed.
    """
    if not isinstance(raw, Mapping):
        raise _wrong(path, raw, "a mapping")
    _only_known(raw, METRIC_FIELDS, path)
    prometheus, inside = _prometheus(raw, path)
    return MetricSpec(
        name=_text(raw, "name", path),
        query=_text(prometheus, "query", inside),
        success_condition=_condition(raw, "successCondition", path),
        failure_condition=_condition(raw, "failureCondition", path),
        limits=_limits(raw, path),
        address=_address(prometheus, inside),
        timeout_seconds=_timeout(prometheus, inside),
        span=_span(prometheus, inside),
    )


def _wrong(path: str, value: object, allowed: str) -> errors.ConfigurationError:
    shown = repr(value)
    return errors.ConfigurationError(f"{path}: {shown[:80]}, allowed is {allowed}")


def _only_known(raw: Mapping[str, Any], known: frozenset[str], path: str) -> None:
    for name in raw:
        if name not in known:
            raise errors.ConfigurationError(f"{path}.{name}: not supported, allowed are {', '.join(sorted(known))}")


def _text(raw: Mapping[str, Any], name: str, path: str) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not value.strip():
        raise _wrong(f"{path}.{name}", value, "a text that is not empty")
    return value


def _condition(raw: Mapping[str, Any], name: str, path: str) -> str:
    value = raw.get(name)
    if value is None or value == "":
        return ""
    if not isinstance(value, str):
        raise _wrong(f"{path}.{name}", value, "a condition in quotes")
    try:
        # Whether the policy asks for Argo's dialect is not known here; what the safe one refuses is told when judging.
        expression.check_syntax(value, expression.Dialect.ARGO)
    except expression.ConditionError as error:
        raise errors.ConfigurationError(f"{path}.{name}: {error}") from error
    return value


# The limits.


def _limits(raw: Mapping[str, Any], path: str) -> Limits:
    interval = _seconds(raw, "interval", path)
    if interval is not None and interval < SHORTEST_INTERVAL_SECONDS:
        raise _wrong(f"{path}.interval", raw["interval"], "a duration of at least 1s")
    count = _integer(raw, "count", path, default=0, least=0)
    limits = Limits(
        # No count, or 0, means one measurement, or measurements without end when there is an interval.
        count=count or (1 if interval is None else None),
        interval_seconds=interval,
        initial_delay_seconds=_delay(raw, path),
        failure_limit=_integer(raw, "failureLimit", path, default=0, least=-1),
        inconclusive_limit=_integer(raw, "inconclusiveLimit", path, default=0, least=0),
        consecutive_error_limit=_integer(
            raw, "consecutiveErrorLimit", path, default=DEFAULT_CONSECUTIVE_ERROR_LIMIT, least=0
        ),
        consecutive_success_limit=_integer(raw, "consecutiveSuccessLimit", path, default=0, least=0),
    )
    _check_limits(count, limits, path)
    return limits


def _check_limits(count: int, limits: Limits, path: str) -> None:
    """Argo's rules between the limits; those on the count hold only when one is written."""
    failure, success = limits.failure_limit, limits.consecutive_success_limit
    if failure == -1 and success == 0:
        raise errors.ConfigurationError(
            f"{path}.failureLimit: -1 is allowed only together with a consecutiveSuccessLimit above 0"
        )
    if not count:
        return
    least = max(failure, 0) + success
    if count < least:
        raise _wrong(f"{path}.count", count, f"at least failureLimit + consecutiveSuccessLimit, which is {least}")
    if count < limits.inconclusive_limit:
        raise _wrong(f"{path}.count", count, f"at least inconclusiveLimit, which is {limits.inconclusive_limit}")
    if count > 1 and limits.interval_seconds is None:
        raise _wrong(f"{path}.count", count, "more than 1 only together with an interval")


def _integer(raw: Mapping[str, Any], name: str, path: str, *, default: int, least: int) -> int:
    """Read an integer or its digits; Argo takes an unreadable text for 0, which is nobody's wish."""
    value = raw.get(name)
    if value is None:
        return default
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,10}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST_LIMIT:
        raise _wrong(f"{path}.{name}", raw[name], f"an integer of at least {least}")
    return value


def _seconds(raw: Mapping[str, Any], name: str, path: str) -> float | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _wrong(f"{path}.{name}", value, 'a duration in quotes, such as "30s"')
    try:
        return parse_duration(value)
    except errors.ConfigurationError as error:
        raise errors.ConfigurationError(f"{path}.{name}: {error}") from error


def _delay(raw: Mapping[str, Any], path: str) -> float:
    delay = _seconds(raw, "initialDelay", path)
    if delay is not None and delay < 0:
        raise _wrong(f"{path}.initialDelay", raw["initialDelay"], "a duration of at least 0s")
    return delay or 0.0


# The provider.


def _prometheus(raw: Mapping[str, Any], path: str) -> tuple[Mapping[str, Any], str]:
    """Return the settings of the one provider that is supported, and where they are."""
    providers = raw.get("provider")
    inside = f"{path}.provider"
    if not isinstance(providers, Mapping):
        raise _wrong(inside, providers, "a mapping with the key prometheus")
    named = [name for name, settings in providers.items() if settings is not None]
    if named != ["prometheus"]:
        raise errors.ConfigurationError(f"{inside}: {', '.join(named) or 'none'}, allowed is exactly one: prometheus")
    prometheus = providers["prometheus"]
    if not isinstance(prometheus, Mapping):
        raise _wrong(f"{inside}.prometheus", prometheus, "a mapping")
    _only_known(prometheus, PROMETHEUS_FIELDS, f"{inside}.prometheus")
    for name, reason in REFUSED.items():
        if not _is_empty(prometheus.get(name)):
            raise errors.ConfigurationError(f"{inside}.prometheus.{name}: not supported, {reason}")
    return prometheus, f"{inside}.prometheus"


def _is_empty(value: object) -> bool:
    """Whether nothing is set: Go writes unset structs as mappings of empty mappings."""
    if isinstance(value, Mapping):
        return all(_is_empty(inner) for inner in value.values())
    return value is None or value is False or value in ("", [])


def _address(prometheus: Mapping[str, Any], path: str) -> str:
    value = prometheus.get("address")
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not _is_url(value):
        raise _wrong(f"{path}.address", value, "a URL such as http://prometheus.monitoring:9090")
    return value


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _span(prometheus: Mapping[str, Any], path: str) -> Range | None:
    raw = prometheus.get("rangeQuery")
    if _is_empty(raw):
        return None
    if not isinstance(raw, Mapping):
        raise _wrong(f"{path}.rangeQuery", raw, "a mapping with start, end and step")
    return parse_range(raw, f"{path}.rangeQuery")


def _timeout(prometheus: Mapping[str, Any], path: str) -> float:
    value = prometheus.get("timeout")
    if value is None:
        return DEFAULT_TIMEOUT_SECONDS
    # Argo accepts 0 and then fails every query of it.
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= LARGEST_LIMIT:
        raise _wrong(f"{path}.timeout", value, "whole seconds, at least 1")
    return float(value)
