"""OpenSLO v1: an SLO and its SLI, documents of one ConfigMap.

Law: only what Prometheus counts. Bare selectors count where the SLI says ``counter: true``; sums of rates are taken
apart as everywhere. A threshold metric, several objectives and other data sources are refused by name.
"""

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Indicator, Opaque, SLORef
from canary_operator.slo import counts, fields, result, sloth, syntax

API_VERSION = "openslo/v1"
_EXACT_WINDOW = re.compile(r"[0-9]+[mhdw]")


def read(reference: SLORef, slo: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> Indicator | Opaque:
    """The indicator of one SLO.

    Args:

        slo: the document of the kind SLO.

        documents: all documents beside it, for its SLI and data sources.

    Raises:

        ConfigurationError: a field is missing or cannot be used.
    """
    spec, place = fields.mapping(slo, "spec", str(reference)), f"{reference}: spec"
    allowed = _allowed(spec, place)
    window = _window(spec, place)
    sli, place = _indicator(spec, place, documents)
    if sli.get("thresholdMetric") is not None:
        raise ConfigurationError(f"{place}.thresholdMetric: it counts no requests; allowed is ratioMetric")
    metric, place = fields.mapping(sli, "ratioMetric", place), f"{place}.ratioMetric"
    if metric.get("raw") is not None:
        return _raw(reference, metric, place, documents, (allowed, window))
    return _counted(reference, metric, place, documents, (allowed, window))


def _allowed(spec: Mapping[str, Any], place: str) -> Fraction:
    objectives = fields.items(spec, "objectives", place)
    if len(objectives) != 1:
        raise fields.wrong(f"{place}.objectives", f"{len(objectives)} objectives", "exactly one")
    objective, place = objectives[0], f"{place}.objectives[0]"
    for key in ("indicator", "indicatorRef"):
        if objective.get(key) is not None:
            raise ConfigurationError(f"{place}.{key}: objectives with their own indicators are not supported")
    method = spec.get("budgetingMethod") or "Occurrences"
    if method not in ("Occurrences", "Timeslices", "RatioTimeslices"):
        raise fields.wrong(f"{place}.budgetingMethod", method, "Occurrences, Timeslices or RatioTimeslices")
    if method == "Timeslices":
        # What a release can be held to is how good a slice must be, not how many slices of a month are.
        return fields.allowed_by_share(objective, "timeSliceTarget", place)
    if fields.exactly_one(objective, ("target", "targetPercent"), place) == "target":
        return fields.allowed_by_share(objective, "target", place)
    return fields.allowed_by_percent(objective, "targetPercent", place)


def _window(spec: Mapping[str, Any], place: str) -> float | None:
    if not spec.get("timeWindow"):
        return None
    windows, place = fields.items(spec, "timeWindow", place), f"{place}.timeWindow[0]"
    duration = fields.text(windows[0], "duration", place)
    if windows[0].get("isRolling") is False or not _EXACT_WINDOW.fullmatch(duration):
        return None
    return fields.window_seconds(duration, f"{place}.duration")


def _indicator(
    spec: Mapping[str, Any], place: str, documents: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any], str]:
    if fields.exactly_one(spec, ("indicator", "indicatorRef"), place) == "indicator":
        return fields.mapping(fields.mapping(spec, "indicator", place), "spec", f"{place}.indicator"), (
            f"{place}.indicator.spec"
        )
    name = fields.text(spec, "indicatorRef", place)
    found = named(documents, "SLI", name)
    if found is None:
        raise fields.wrong(f"{place}.indicatorRef", name, "the name of an SLI in the same ConfigMap")
    return fields.mapping(found, "spec", f"SLI {name}"), f"SLI {name}: spec"


def named(documents: Sequence[Mapping[str, Any]], kind: str, name: str) -> Mapping[str, Any] | None:
    """The document of a kind and a name, None where there is none."""
    for document in documents:
        metadata = document.get("metadata")
        if document.get("kind") == kind and isinstance(metadata, Mapping) and metadata.get("name") == name:
            return document
    return None


def _query(raw: Mapping[str, Any], key: str, place: str, documents: Sequence[Mapping[str, Any]]) -> str:
    side, place = fields.mapping(raw, key, place), f"{place}.{key}.metricSource"
    source = fields.mapping(side, "metricSource", place.removesuffix(".metricSource"))
    for kind in (source.get("type"), _referred_type(source, documents)):
        if kind is not None and str(kind).lower() != "prometheus":
            raise fields.wrong(f"{place}.type", kind, "Prometheus")
    inside = fields.mapping(source, "spec", place)
    found = fields.exactly_one(inside, ("query", "promql"), f"{place}.spec")
    return result.with_window(fields.text(inside, found, f"{place}.spec"), f"{place}.spec.{found}")


def _referred_type(source: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> object:
    found = named(documents, "DataSource", str(source.get("metricSourceRef")))
    spec = found.get("spec") if found is not None else None
    return spec.get("type") if isinstance(spec, Mapping) else None


def _raw(
    reference: SLORef,
    metric: Mapping[str, Any],
    place: str,
    documents: Sequence[Mapping[str, Any]],
    objective: tuple[Fraction, float | None],
) -> Indicator | Opaque:
    kinds = {"success": Events.GOOD, "failure": Events.BAD}
    kind = metric.get("rawType")
    if kind not in kinds:
        raise fields.wrong(f"{place}.rawType", kind, "success or failure")
    return sloth.ratio(reference, _query(metric, "raw", place, documents), objective[0], kinds[kind], objective[1])


def _counted(
    reference: SLORef,
    metric: Mapping[str, Any],
    place: str,
    documents: Sequence[Mapping[str, Any]],
    objective: tuple[Fraction, float | None],
) -> Indicator | Opaque:
    key = fields.exactly_one(metric, ("good", "bad"), place)
    events, (allowed, window) = Events(key), objective
    part, total = (_query(metric, each, place, documents) for each in (key, "total"))
    is_counter = metric.get("counter") is True
    try:
        sums = [counts.read_sum(syntax.parse(query)) for query in (part, total)]
        return sloth.of_share(reference, counts.share_of(*sums, instant=is_counter), allowed, events, window)
    except counts.Unsplittable as reason:
        query = f"({part})\n/\n({total})" if events is Events.BAD else f"1 - ({part})\n/\n({total})"
        return result.opaque(reference, query, str(reason), allowed, window)
