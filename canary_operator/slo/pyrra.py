"""Pyrra's ServiceLevelObjective (pyrra.dev/v1alpha1).

Law: selectors are bare, so everything but a native histogram and a gauge can be counted. As in Pyrra itself an
``offset`` in a selector has no effect.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Indicator, Latency, Opaque, Ratio, Selector, SLORef
from canary_operator.model.promql import write_selector
from canary_operator.slo import fields, result, selectors

_KINDS = ("ratio", "latency", "latencyNative", "bool_gauge")


def read(reference: SLORef, body: Mapping[str, Any]) -> Indicator | Opaque:
    """The indicator of one object.

    Raises:

        ConfigurationError: a field is missing or cannot be used.
    """
    if reference.entry:
        raise fields.wrong(str(reference), reference.entry, "no entry: a ServiceLevelObjective has only one objective")
    spec = fields.mapping(body, "spec", str(reference))
    place = f"{reference}: spec"
    allowed = fields.allowed_by_percent(spec, "target", place)
    window = fields.window_seconds(fields.text(spec, "window", place), f"{place}.window")
    indicator, place = fields.mapping(spec, "indicator", place), f"{place}.indicator"
    kind = fields.exactly_one(indicator, _KINDS, place)
    inside, place = fields.mapping(indicator, kind, place), f"{place}.{kind}"
    if kind in ("latencyNative", "bool_gauge"):
        query, reason = _native(inside, place) if kind == "latencyNative" else _gauge(inside, place)
        return result.opaque(reference, query, reason, allowed, window)
    measure = _ratio(inside, place) if kind == "ratio" else _latency(inside, place)
    return result.counted(reference, measure, allowed, window, fields.names(inside, "grouping", place))


def _selector(raw: Mapping[str, Any], key: str, place: str) -> Selector:
    query = fields.text(fields.mapping(raw, key, place), "metric", f"{place}.{key}")
    return selectors.parse_selector(query, f"{place}.{key}.metric", ignore_offset=True)


def _ratio(raw: Mapping[str, Any], place: str) -> Ratio:
    bad, total = _selector(raw, "errors", place), _selector(raw, "total", place)
    if bad == total:
        raise ConfigurationError(f"{place}: errors and total are the same, {write_selector(bad)}")
    return Ratio(Events.BAD, (bad,), (total,))


def _latency(raw: Mapping[str, Any], place: str) -> Ratio | Latency:
    good, total = _selector(raw, "success", place), _selector(raw, "total", place)
    if selectors.bucket_threshold(good) is None:
        raise fields.wrong(f"{place}.success.metric", write_selector(good), 'a bucket with le="number"')
    if good == total:
        raise ConfigurationError(f"{place}: success and total are the same, {write_selector(good)}")
    return selectors.latency_of(good, total) or Ratio(Events.GOOD, (good,), (total,))


def _native(raw: Mapping[str, Any], place: str) -> tuple[str, str]:
    total = write_selector(_selector(raw, "total", place))
    threshold = _seconds(fields.text(raw, "latency", place), f"{place}.latency")
    query = f"1 - histogram_fraction(0, {threshold}, sum(rate({total}[{result.SHORT_WINDOW}])))"
    return query, "a native histogram has no bucket to count"


def _seconds(value: str, place: str) -> str:
    milliseconds = value.removesuffix("ms")
    if milliseconds != value and milliseconds.isdecimal() and milliseconds.isascii() and len(milliseconds) < 10:
        seconds = Fraction(int(milliseconds), 1000)
    else:
        seconds = Fraction(fields.window_seconds(value, place))
    if seconds == 0:
        raise fields.wrong(place, value, "more than 0")
    return f"{float(seconds):.12g}"


def _gauge(raw: Mapping[str, Any], place: str) -> tuple[str, str]:
    query = fields.text(raw, "metric", place)
    found = write_selector(selectors.parse_selector(query, f"{place}.metric", ignore_offset=True))
    up, all_samples = (f"sum({function}({found}[{result.SHORT_WINDOW}]))" for function in _OVER_TIME)
    return f"1 - {up} / {all_samples}", "a gauge tells of targets, not of requests"


_OVER_TIME = ("sum_over_time", "count_over_time")
