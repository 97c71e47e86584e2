"""What Argo says of a run before it measures: its rules for metrics, limits, dry runs and retention.

Law: to the letter and in Argo's words and order; the first mistake ends it. ``metric_spec`` is what the operator itself
accepts, which is less, and says where the mistake is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from canary_operator.conditions import patterns, templating
from canary_operator.conditions.metric_spec import DEFAULT_CONSECUTIVE_ERROR_LIMIT, LARGEST_LIMIT, Limits
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.run import RETAINED_MEASUREMENTS, Rule
from canary_operator.errors import ConfigurationError
from canary_operator.model.durations import parse_duration

_PROVIDERS = (
    *("prometheus", "job", "web", "wavefront", "kayenta", "datadog", "newRelic", "cloudWatch", "graphite"),
    *("influxdb", "skywalking"),
)
_UNIT = re.compile(r"[^.0-9]*")
_NUMBER = re.compile(r"[0-9]*\.?[0-9]*")
_UNITS = frozenset(("ns", "us", "µs", "μs", "ms", "s", "m", "h"))


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run that Argo begins: its metrics with their arguments, and the rule of each."""

    metrics: tuple[Mapping[str, Any], ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A run that ends as Error before it begins, and Argo's message."""

    message: str


def accept(spec: Mapping[str, Any]) -> Accepted | Refused:
    """Read the spec of an AnalysisRun as Argo's controller does.

    Args:

        spec: metrics, args, dryRun and measurementRetention.
    """
    try:
        metrics = tuple(templating.render(metric, spec.get("args") or ()) for metric in spec.get("metrics") or ())
    except ConfigurationError as error:
        return Refused(f"Unable to resolve metric arguments: {error}")
    try:
        validate(metrics)
        names = [metric["name"] for metric in metrics]
        dry = matching(spec.get("dryRun") or (), names, "dryRun")
        retained = matching(spec.get("measurementRetention") or (), names, "measurementRetention")
    except ConfigurationError as error:
        return Refused(f"Analysis spec invalid: {error}")
    return Accepted(metrics, tuple(_rule(metric, dry, retained) for metric in metrics))


def _rule(
    metric: Mapping[str, Any],
    dry: Mapping[str, Mapping[str, Any]],
    retained: Mapping[str, Mapping[str, Any]],
) -> Rule:
    name = metric["name"]
    limit = int(retained[name]["limit"]) if name in retained else 0
    if provider_mistake(metric):
        # Argo asks the provider before it forgets anything, and there is none.
        limit = LARGEST_LIMIT
    return Rule(
        name,
        limits_of(metric),
        dry=name in dry,
        delayed=bool(metric.get("initialDelay")),
        retained=limit if limit > 0 else RETAINED_MEASUREMENTS,
    )


def provider_mistake(metric: Mapping[str, Any]) -> str:
    """Why every measurement is an error before Prometheus is asked, in Argo's words; "" where it is asked."""
    prometheus = (metric.get("provider") or {}).get("prometheus") or {}
    address = prometheus.get("address") or ""
    if not address:
        return "prometheus address is not configured"
    parts = urlsplit(address)
    if not (parts.scheme and parts.netloc):
        return "prometheus address is not is url format"
    return "prometheus timeout should not be negative" if prometheus.get("timeout", 0) < 0 else ""


def limits_of(metric: Mapping[str, Any]) -> Limits:
    """The limits of a metric that is valid; a number that cannot be read is 0."""
    interval = metric.get("interval") or ""
    # No count, or 0, is one measurement, or measurements without end where there is an interval.
    count = number(metric.get("count")) or (None if interval else 1)
    errors = metric.get("consecutiveErrorLimit")
    return Limits(
        count=count,
        interval_seconds=parse_duration(interval) if interval else None,
        initial_delay_seconds=parse_duration(metric["initialDelay"]) if metric.get("initialDelay") else 0.0,
        failure_limit=number(metric.get("failureLimit")),
        inconclusive_limit=number(metric.get("inconclusiveLimit")),
        consecutive_error_limit=DEFAULT_CONSECUTIVE_ERROR_LIMIT if errors is None else number(errors),
        consecutive_success_limit=number(metric.get("consecutiveSuccessLimit")),
    )


def number(raw: object) -> int:
    """An integer or the digits of one; everything else is 0, as is nothing."""
    if isinstance(raw, str):
        return int(raw) if re.fullmatch(r"[+-]?[0-9]{1,18}", raw) else 0
    return raw if isinstance(raw, int) else 0


def validate(metrics: Sequence[Mapping[str, Any]]) -> None:
    """Check the metrics of a run, with their arguments.

    Raises:

        ConfigurationError: the first mistake, in Argo's words.
    """
    if not metrics:
        raise ConfigurationError("no metrics specified")
    seen: set[str] = set()
    for at, metric in enumerate(metrics):
        if metric["name"] in seen:
            raise ConfigurationError(f"metrics[{at}]: duplicate name '{metric['name']}'")
        seen.add(metric["name"])
        mistake = _mistake(metric)
        if mistake:
            raise ConfigurationError(f"metrics[{at}]: {mistake}")


def _mistake(metric: Mapping[str, Any]) -> str:
    checks = (_limit_mistake, _count_mistake, _time_mistake, _provider_mistake)
    return next((mistake for check in checks if (mistake := check(metric))), "")


def _limit_mistake(metric: Mapping[str, Any]) -> str:
    failure, success = number(metric.get("failureLimit")), number(metric.get("consecutiveSuccessLimit"))
    table = (
        (success < 0, "consecutiveSuccessLimit must be >= 0"),
        (failure < -1, "failureLimit must be >= 0, or -1 to be disabled"),
        (success == 0 and failure == -1, "failureLimit and consecutiveSuccessLimit cannot both be disabled"),
        (number(metric.get("inconclusiveLimit")) < 0, "inconclusiveLimit must be >= 0"),
        (number(metric.get("consecutiveErrorLimit")) < 0, "consecutiveErrorLimit must be >= 0"),
    )
    return next((text for wrong, text in table if wrong), "")


def _count_mistake(metric: Mapping[str, Any]) -> str:
    """The rules on the count hold only where it is above 0."""
    count, failure = number(metric.get("count")), number(metric.get("failureLimit"))
    success = number(metric.get("consecutiveSuccessLimit"))
    both = "count ({}) must be >= failureLimit + consecutiveSuccessLimit ({} + {}) if both >= 0"
    table = (
        (0 < count < failure + success and failure >= 0, both.format(count, failure, success)),
        (0 < count < success and failure < 0, "count must be >= consecutiveSuccessLimit"),
        (0 < count < number(metric.get("inconclusiveLimit")), "count must be >= inconclusiveLimit"),
        (count > 1 and not metric.get("interval"), "interval must be specified when count > 1"),
    )
    return next((text for wrong, text in table if wrong), "")


def _time_mistake(metric: Mapping[str, Any]) -> str:
    for field, said in (("interval", "interval"), ("initialDelay", "startDelay")):
        mistake = duration_mistake(metric.get(field) or "0")
        if mistake:
            return f"invalid {said} string: {mistake}"
    return ""


def duration_mistake(text: str) -> str:
    """What Go says of a text that is no duration, "" of one that is."""
    try:
        parse_duration(text)
    except ConfigurationError:
        return _duration_mistake(text)
    return ""


def _duration_mistake(text: str) -> str:
    quoted, rest = (
        f'"{templating.go_quote(text)}"',
        text.removeprefix("-") if text[:1] == "-" else text.removeprefix("+"),
    )
    while rest:
        digits = _NUMBER.match(rest)
        if digits is None or not digits[0].strip("."):
            break
        rest = rest[digits.end() :]
        unit = _UNIT.match(rest)
        if unit is None or not unit[0]:
            return f"time: missing unit in duration {quoted}"
        if unit[0] not in _UNITS:
            return f'time: unknown unit "{templating.go_quote(unit[0])}" in duration {quoted}'
        rest = rest[unit.end() :]
    return f"time: invalid duration {quoted}"


def _provider_mistake(metric: Mapping[str, Any]) -> str:
    provider = metric.get("provider") or {}
    named = sum(provider.get(name) is not None for name in _PROVIDERS) + len(provider.get("plugin") or {})
    if not named:
        return "no provider specified"
    return "multiple providers specified" if named > 1 else ""


def matching(rules: Sequence[Mapping[str, Any]], names: Sequence[str], field: str) -> Mapping[str, Mapping[str, Any]]:
    """Metric -> the last rule of ``dryRun`` or ``measurementRetention`` whose regular expression finds it.

    Raises:

        ConfigurationError: a rule finds none, in Argo's words; or its expression is not one that is supported.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for at, rule in enumerate(rules):
        hit = [name for name in names if _finds(str(rule.get("metricName") or ""), name)]
        if not hit:
            raise ConfigurationError(f"{field}[{at}]: Rule didn't match any metric name(s)")
        found.update(dict.fromkeys(hit, rule))
    return found


def _finds(pattern: str, name: str) -> bool:
    """Whether the expression is found in the name; one that is none finds nothing."""
    if pattern == name:
        return True
    try:
        # A pattern is written by a tenant: only those that cannot be made endless are searched for.
        return patterns.found(pattern, name)
    except OperandError as error:
        if _is_none(pattern):
            return False
        raise ConfigurationError(f"metricName: {error}") from error


def _is_none(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return True
    return False
