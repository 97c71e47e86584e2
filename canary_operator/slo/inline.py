"""An indicator written into the policy itself: for those who have no SLO anywhere else.

Law: the same rules for selectors as for imported ones.
"""

from collections.abc import Mapping
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Indicator, Latency, Ratio, SLORef
from canary_operator.model.promql import write_selector
from canary_operator.slo import fields, result, selectors


def read(reference: SLORef, objective: Mapping[str, Any]) -> Indicator:
    """The indicator of an objective with the keys ``objective`` (percent) and ``indicator``.

    Raises:

        ConfigurationError: a field is missing or cannot be used.
    """
    allowed = fields.allowed_by_percent(objective, "objective", str(reference))
    indicator, place = fields.mapping(objective, "indicator", str(reference)), f"{reference}: indicator"
    fields.only(indicator, ("ratio", "latency"), place)
    kind = fields.exactly_one(indicator, ("ratio", "latency"), place)
    inside, place = fields.mapping(indicator, kind, place), f"{place}.{kind}"
    measure = _ratio(inside, place) if kind == "ratio" else _latency(inside, place)
    return result.counted(reference, measure, allowed)


def _ratio(raw: Mapping[str, Any], place: str) -> Ratio | Latency:
    fields.only(raw, ("bad", "good", "total"), place)
    key = fields.exactly_one(raw, ("bad", "good"), place)
    part, total = (
        selectors.parse_selector(fields.text(raw, each, place), f"{place}.{each}") for each in (key, "total")
    )
    if part == total:
        raise ConfigurationError(f"{place}: {key} and total are the same, {write_selector(part)}")
    latency = selectors.latency_of(part, total) if key == "good" else None
    return latency or Ratio(Events(key), (part,), (total,))


def _latency(raw: Mapping[str, Any], place: str) -> Latency:
    fields.only(raw, ("histogram", "threshold"), place)
    text = fields.text(raw, "histogram", place)
    for suffix in (selectors.BUCKET, selectors.COUNT, "_sum"):
        if text.partition("{")[0].strip().endswith(suffix):
            raise fields.wrong(f"{place}.histogram", text, f"the name without {suffix}")
    histogram = selectors.parse_selector(text, f"{place}.histogram")
    if "le" in histogram.labels:
        raise fields.wrong(f"{place}.histogram", text, "a selector without le; the threshold says it")
    threshold = fields.decimal(raw.get("threshold"), f"{place}.threshold")
    if threshold == 0:
        raise fields.wrong(f"{place}.threshold", raw.get("threshold"), "more than 0")
    return Latency(histogram, threshold)
