"""An answer of Prometheus becomes counters: which series count, which of them are bad, which process they are of.

Law: what cannot be counted without inventing something is refused with a ConfigurationError that names it; a
sample that is no count (NaN, infinite, negative) is as good as not scraped.
"""

import base64
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from canary_operator.counting import histograms, matching
from canary_operator.counting.matching import Matcher, Operator
from canary_operator.counting.tallies import (
    Arm,
    Counter,
    LeftOut,
    Point,
    Rules,
    Scrape,
    Selection,
    milliseconds,
)
from canary_operator.errors import ConfigurationError
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

# Labels that say which process was scraped. A label too few merges two processes and would take the one's first
# error for a birth in the other; a label too many only loses a first value.
PROCESS_LABELS = ("cluster", "namespace", "job", "instance", "pod", "container")
PATH_LABELS = ("handler", "http_route", "path", "route", "uri")
# What kubelets and Prometheus ask for, with or without the method before it.
_PROBE = re.compile(r"(?:[A-Z]+ )?/(?:healthz|readyz|livez|ready|live|health|metrics)/?", re.ASCII)

# Up to here a float64 holds every whole number.
_LARGEST = 2**53
_SHOWN = 10

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Requests by label. ``bad`` is what the bad selector adds to the selector of the total."""

    bad: tuple[Matcher, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Requests of a histogram; bad is slower than the threshold, in the unit of its buckets."""

    threshold: float


Indicator = Ratio | Latency


@dataclass(frozen=True, slots=True)
class _Raw:
    """One counter before replicas are united: labels, and (time, total, bad) by time."""

    labels: Labels
    values: tuple[tuple[int, int, int], ...]


def split(answer: Answer, label: str, values: Mapping[str, Arm]) -> dict[Arm, Answer]:
    """Part an answer by the label that tells the versions apart; series of other versions are dropped."""
    parts: dict[Arm, list[Series]] = {arm: [] for arm in values.values()}
    for series in answer.series:
        arm = values.get(dict(series.labels).get(label, ""))
        if arm is not None:
            parts[arm].append(series)
    return {arm: Answer(answer.kind, tuple(series)) for arm, series in parts.items()}


def select(answer: Answer, indicator: Indicator, rules: Rules, up: Answer | None = None) -> Selection | Absent:
    """The counters of one arm.

    Args:

        answer: raw samples (a range selector) of the total's series, or of a histogram's buckets.

        up: raw samples of the same targets' ``up``, if at hand. They tell a process without requests from one that
            was not scraped.

    Returns: the selection, empty if the answer is; or an Absent with CONFIGURATION_ERROR.
    """
    try:
        return _select(answer, indicator, rules, up)
    except ConfigurationError as error:
        return Absent(HoldReason.CONFIGURATION_ERROR, str(error))


def _select(answer: Answer, indicator: Indicator, rules: Rules, up: Answer | None) -> Selection:
    if answer.kind is not ResultKind.MATRIX:
        raise ConfigurationError(f"counting needs raw samples, and the query returns a {answer.kind.value}")
    match indicator:
        case Ratio():
            raws = list(_ratio(answer.series, indicator))
        case Latency():
            raws = list(_latency(answer.series, indicator))
    counters, scrapes = _united(raws, rules)
    for series in up.series if up else ():
        labels = dict(series.labels)
        seen = [Scrape(milliseconds(one.at), _replica(labels, rules)) for one in series.samples if one.value == 1]
        scrapes.setdefault(_target(labels), set()).update(seen)
    return Selection(
        counters=counters,
        scrapes={target: tuple(sorted(seen, key=_by_time)) for target, seen in scrapes.items() if seen},
        left_out=_left_out(raws),
    )


def _by_time(one: Scrape | Point) -> tuple[int, str]:
    return one.at_ms, one.replica


def _ratio(series: Iterable[Series], ratio: Ratio) -> Iterator[_Raw]:
    if not ratio.bad:
        raise ConfigurationError("the bad selector adds nothing to the total's: every request would be bad")
    labelled = [(dict(one.labels), one.samples) for one in series]
    _demand_labels([labels for labels, _ in labelled], ratio)
    for labels, samples in labelled:
        bad = all(matching.holds(matcher, labels.get(matcher.name, "")) for matcher in ratio.bad)
        counts = _counts(samples)
        yield _Raw(labels, tuple((at, total, total if bad else 0) for at, total in sorted(counts.items())))


def _demand_labels(series: Iterable[Labels], ratio: Ratio) -> None:
    """Refuse a bad selector on a label that a process does not have: it would find no errors, or nothing else."""
    by_target: dict[str, set[str]] = defaultdict(set)
    for labels in series:
        by_target[_target(labels)].update(labels)
    for matcher in ratio.bad:
        absent_is_meant = matcher.operator is Operator.EQUAL and not matcher.value
        for names in by_target.values():
            if matcher.name not in names and not absent_is_meant:
                has = ", ".join(sorted(names - {"__name__"})[:_SHOWN])
                raise ConfigurationError(
                    f'the bad selector asks for {matcher}, and the live total has no label "{matcher.name}": '
                    f"it has {has}"
                )


def _latency(series: Iterable[Series], latency: Latency) -> Iterator[_Raw]:
    for all_requests, within in histograms.pairs(series, latency.threshold):
        totals, fast = _counts(all_requests.samples), _counts(within.samples)
        # Only scrapes that brought both: else a late half would look like slow requests. A process that does not
        # read its buckets at one moment may report more fast requests than requests.
        values = [(at, totals[at], totals[at] - fast[at]) for at in sorted(totals.keys() & fast.keys())]
        yield _Raw(dict(all_requests.labels), tuple(each for each in values if each[2] >= 0))


def _counts(samples: Iterable[Sample]) -> dict[int, int]:
    """Whole counts by time. Of two samples at one time the smaller one stays: the next one brings the rest."""
    counts: dict[int, int] = {}
    for sample in samples:
        if not math.isfinite(sample.value) or not 0 <= sample.value <= _LARGEST:
            continue
        count = int(sample.value)
        if count != sample.value:
            raise ConfigurationError(f"a sample is {sample.value}: not a count of requests")
        at = milliseconds(sample.at)
        counts[at] = min(count, counts.get(at, count))
    return counts


def _united(raws: Iterable[_Raw], rules: Rules) -> tuple[tuple[Counter, ...], dict[str, set[Scrape]]]:
    points: dict[str, list[Point]] = defaultdict(list)
    of: dict[str, tuple[str, str]] = {}
    scrapes: dict[str, set[Scrape]] = defaultdict(set)
    for raw in raws:
        target, replica = _target(raw.labels), _replica(raw.labels, rules)
        scrapes[target].update(Scrape(at, replica) for at, _, _ in raw.values)
        if _probes(raw.labels):
            continue
        key = _digest((name, value) for name, value in raw.labels.items() if name not in rules.replica_labels)
        points[key].extend(Point(at, total, bad, replica) for at, total, bad in raw.values)
        of[key] = (target, raw.labels.get("pod", ""))
    counters = [
        Counter(key, *of[key], tuple(sorted(each, key=_by_time))) for key, each in sorted(points.items()) if each
    ]
    return tuple(counters), scrapes


def _replica(labels: Labels, rules: Rules) -> str:
    return "/".join(labels[name] for name in rules.replica_labels if name in labels)


def _target(labels: Labels) -> str:
    if "pod" not in labels and "instance" not in labels:
        raise ConfigurationError(
            "a series names no process (no label pod or instance): a sum over processes falls when one of them ends, "
            "and cannot be counted"
        )
    return _digest((name, labels[name]) for name in PROCESS_LABELS if name in labels)


def _digest(labels: Iterable[tuple[str, str]]) -> str:
    """72 bits of a label set: enough for ten thousand series, short enough for a status."""
    text = "\xff".join(f"{name}\xfe{value}" for name, value in sorted(labels))
    return base64.urlsafe_b64encode(hashlib.blake2b(text.encode(), digest_size=9).digest()).decode()


def _probes(labels: Labels) -> tuple[str, ...]:
    """The labels by which this series is one of probes or scrapes."""
    return tuple(
        f'{name}="{labels[name]}"' for name in PATH_LABELS if name in labels and _PROBE.fullmatch(labels[name])
    )


def _left_out(raws: Iterable[_Raw]) -> LeftOut:
    names: set[str] = set()
    values: set[str] = set()
    for raw in raws:
        names.update(name for name in PATH_LABELS if name in raw.labels)
        values.update(_probes(raw.labels))
    return LeftOut(tuple(sorted(names)), tuple(sorted(values)))
