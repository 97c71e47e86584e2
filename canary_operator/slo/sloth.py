"""Sloth's PrometheusServiceLevel (sloth.slok.dev/v1) and its file format (prometheus/v1).

Law: the two differ in the spelling of keys and in nothing else. An events SLI, and a raw one that is a ratio, are
split where they are sums of counters; a plugin is a Go program and is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Indicator, Opaque, SLORef
from canary_operator.slo import counts, fields, result, syntax


@dataclass(frozen=True, slots=True)
class _Keys:
    """How a dialect spells the keys."""

    error: str
    total: str
    ratio: str


_OBJECT = _Keys("errorQuery", "totalQuery", "errorRatioQuery")
_FILE = _Keys("error_query", "total_query", "error_ratio_query")


def read(reference: SLORef, body: Mapping[str, Any]) -> Indicator | Opaque:
    """The indicator of one SLO of an object.

    Raises:

        ConfigurationError: the SLO is not there, or a field cannot be used.
    """
    return _read(reference, fields.mapping(body, "spec", str(reference)), f"{reference}: spec", _OBJECT)


def read_file(reference: SLORef, body: Mapping[str, Any]) -> Indicator | Opaque:
    """The indicator of one SLO of a file's document; see ``read``."""
    if body.get("version") != "prometheus/v1":
        raise fields.wrong(f"{reference}: version", body.get("version"), "prometheus/v1")
    return _read(reference, body, str(reference), _FILE)


def entries(body: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """The names of the SLOs in a spec or in a file's document."""
    return tuple(fields.text(each, "name", f"{place}.slos[{at}]") for at, each in _slos(body, place))


def _slos(body: Mapping[str, Any], place: str) -> list[tuple[int, Mapping[str, Any]]]:
    return list(enumerate(fields.items(body, "slos", place)))


def _read(reference: SLORef, spec: Mapping[str, Any], place: str, keys: _Keys) -> Indicator | Opaque:
    known = entries(spec, place)
    wanted = [at for at, name in enumerate(known) if reference.entry in ("", name)]
    if len(wanted) != 1:
        raise fields.wrong(str(reference), reference.entry or "no entry", f"one SLO of {', '.join(known)}")
    slo, place = spec["slos"][wanted[0]], f"{place}.slos[{wanted[0]}]"
    allowed = fields.allowed_by_percent(slo, "objective", place)
    sli, place = fields.mapping(slo, "sli", place), f"{place}.sli"
    kind = fields.exactly_one(sli, ("events", "raw", "plugin"), place)
    if kind == "plugin":
        raise ConfigurationError(f"{place}.plugin: a plugin is a program; allowed are events and raw")
    inside, place = fields.mapping(sli, kind, place), f"{place}.{kind}"
    if kind == "events":
        return _events(reference, inside, place, keys, allowed)
    query = result.with_window(fields.text(inside, keys.ratio, place), f"{place}.{keys.ratio}")
    return ratio(reference, query, allowed, Events.BAD)


def _events(
    reference: SLORef, raw: Mapping[str, Any], place: str, keys: _Keys, allowed: Fraction
) -> Indicator | Opaque:
    error, total = (
        result.with_window(fields.text(raw, key, place), f"{place}.{key}") for key in (keys.error, keys.total)
    )
    try:
        share = counts.share_of(*(counts.read_sum(syntax.parse(query)) for query in (error, total)))
        return of_share(reference, share, allowed, Events.BAD)
    except counts.Unsplittable as reason:
        return result.opaque(reference, f"({error})\n/\n({total})", str(reason), allowed)


def ratio(
    reference: SLORef, query: str, allowed: Fraction, events: Events, window_seconds: float | None = None
) -> Indicator | Opaque:
    """The indicator of a query whose value is the share of bad or of good requests."""
    try:
        return of_share(reference, counts.read_share(syntax.parse(query)), allowed, events, window_seconds)
    except counts.Unsplittable as reason:
        bad = query if events is Events.BAD else f"1 - ({query}\n)"
        return result.opaque(reference, bad, str(reason), allowed, window_seconds)


def of_share(
    reference: SLORef, share: counts.Share, allowed: Fraction, events: Events, window_seconds: float | None = None
) -> Indicator:
    """The indicator of a share that is the part of bad or of good requests, or 1 less that part.

    Raises:

        Unsplittable: it is scaled or shifted otherwise.
    """
    other = Events.GOOD if events is Events.BAD else Events.BAD
    match share.constant, share.factor:
        case 0, 1:
            part = events
        case 1, -1:
            part = other
        case _:
            raise counts.Unsplittable(
                f"it is {share.constant} + {share.factor} times a ratio, and no share from 0 to 1"
            )
    return result.counted(reference, counts.measure_of(share, part), allowed, window_seconds)
