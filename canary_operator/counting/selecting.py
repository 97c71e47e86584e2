"""Series of Prometheus become counters: which of them count, which are bad, which process they are of.

Law: what cannot be counted without inventing something is refused with a ConfigurationError that names it; a
sample that is no count (NaN, infinite, negative) is as good as not scraped.
"""

import base64
import hashlib
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from canary_operator.counting import histograms, matching
from canary_operator.counting.tallies import (
    Counter,
    Counts,
    LeftOut,
    Point,
    Rules,
    Scrape,
    Selection,
    milliseconds,
)
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Events, Matcher, MatchKind
from canary_operator.model.samples import Sample, Series

# Labels that say which process was scraped. A label too few merges two processes and would take the one's first
# error for a birth in the other; a label too many only loses a first value.
PROCESS_LABELS = ("cluster", "namespace", "job", "instance", "pod", "container")
PATH_LABELS = ("handler", "http_route", "path", "route", "uri")
# What kubelets and Prometheus ask for, with or without the method before it.
_PROBE = re.compile(r"(?:[A-Z]+ )?/(?:healthz|readyz|livez|ready|live|health|metrics)/?", re.ASCII)

# Up to here a float64 holds every whole number.
_LARGEST = 2**53
_SHOWN = 10
_PAIRS = {Events.BAD: (Counts.ALL, Counts.BAD), Events.GOOD: (Counts.UNLESS_GOOD, Counts.GOOD)}

Labels = Mapping[str, str]
Choices = Sequence[Sequence[Matcher]]


@dataclass(frozen=True, slots=True)
class Raw:
    """One counter before replicas are united: its labels, and (time, total, bad) by time."""

    labels: Labels
    values: tuple[tuple[int, int, int], ...]
    counts: Counts = Counts.SORTED


def select(raws: Sequence[Raw], rules: Rules, up: Iterable[Series] = ()) -> Selection:
    """Unite the replicas of each counter, and tell when each process was scraped.

    Raises:

        ConfigurationError: if a series names no process.
    """
    counters, scrapes = _united(raws, rules)
    for series in up:
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


def picked(series: Iterable[Series], choices: Choices, events: Events) -> Iterator[Raw]:
    """Requests of one metric, sorted by their own labels.

    Args:

        choices: a series is of the part if all matchers of one choice hold; none: it never is.

    Raises:

        ConfigurationError: if a choice asks for a label that a process does not have.
    """
    labelled = [(dict(one.labels), one.samples) for one in series]
    _demand_labels([labels for labels, _ in labelled], [matcher for choice in choices for matcher in choice], events)
    for labels, samples in labelled:
        chosen = any(all(matching.holds(each, labels.get(each.label, "")) for each in choice) for choice in choices)
        bad = chosen is (events is Events.BAD)
        yield Raw(labels, tuple((at, total, total if bad else 0) for at, total in sorted(_counts(samples).items())))


def _demand_labels(series: Iterable[Labels], matchers: Iterable[Matcher], events: Events) -> None:
    """Refuse a selector on a label that a process does not have: it would find nothing, or everything."""
    by_target: dict[str, set[str]] = defaultdict(set)
    for labels in series:
        by_target[_target(labels)].update(labels)
    for matcher in matchers:
        absent_is_meant = matcher.kind is MatchKind.EQUAL and not matcher.value
        for names in by_target.values():
            if matcher.label not in names and not absent_is_meant:
                has = ", ".join(sorted(names - {"__name__"})[:_SHOWN])
                raise ConfigurationError(
                    f"the {events.value} selector asks for {matching.written(matcher)}, and the live total has no "
                    f'label "{matcher.label}": it has {has}'
                )


def paired(total: Iterable[Series], part: Iterable[Series], events: Events) -> Iterator[Raw]:
    """Requests of one metric, and the bad or the good ones among them as another metric counts them.

    Raises:

        ConfigurationError: if no process has both.
    """
    whole, own = _PAIRS[events]
    labelled = [(dict(one.labels), one.samples, whole) for one in total]
    parts = [(dict(one.labels), one.samples, own) for one in part]
    targets, part_targets = ({_target(labels) for labels, _, _ in each} for each in (labelled, parts))
    if targets and part_targets and not targets & part_targets:
        raise ConfigurationError(f"the {events.value} requests and all requests are counted by different processes")
    for labels, samples, what in (*labelled, *parts):
        yield Raw(labels, tuple((at, count, 0) for at, count in sorted(_counts(samples).items())), what)


def slower(series: Iterable[Series], threshold: float, *, every: bool = True) -> Iterator[Raw]:
    """Requests of a classic histogram; those over the threshold are bad.

    Args:

        every: whether every bucket was asked for.

    Raises:

        ConfigurationError: if the threshold is no bucket of a live histogram.
    """
    for all_requests, within in histograms.pairs(series, threshold, every=every):
        totals, fast = _counts(all_requests.samples), _counts(within.samples)
        # Only scrapes that brought both: else a late half would look like slow requests. A process that does not
        # read its buckets at one moment may report more fast requests than requests.
        values = [(at, totals[at], totals[at] - fast[at]) for at in sorted(totals.keys() & fast.keys())]
        yield Raw(dict(all_requests.labels), tuple(each for each in values if each[2] >= 0))


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


def _united(raws: Iterable[Raw], rules: Rules) -> tuple[tuple[Counter, ...], dict[str, set[Scrape]]]:
    points: dict[str, list[Point]] = defaultdict(list)
    of: dict[str, tuple[str, str, Counts, str]] = {}
    scrapes: dict[str, set[Scrape]] = defaultdict(set)
    for raw in raws:
        target, replica = _target(raw.labels), _replica(raw.labels, rules)
        scrapes[target].update(Scrape(at, replica) for at, _, _ in raw.values)
        if _probes(raw):
            continue
        key = _key(raw, rules)
        points[key].extend(Point(at, total, bad, replica) for at, total, bad in raw.values)
        of[key] = (target, raw.labels.get("pod", ""), raw.counts, _stratum(raw, rules))
    counters: list[Counter] = []
    for key, each in sorted(points.items()):
        target, pod, counts, stratum = of[key]
        if each:
            counters.append(Counter(key, target, pod, tuple(sorted(each, key=_by_time)), counts, stratum))
    return tuple(counters), scrapes


def _key(raw: Raw, rules: Rules) -> str:
    own = [(name, value) for name, value in raw.labels.items() if name not in rules.replica_labels]
    # A series may be all requests and a part of them at once.
    return _digest(own if raw.counts is Counts.SORTED else [*own, ("", raw.counts.value)])


def _stratum(raw: Raw, rules: Rules) -> str:
    # What is paired is known of whole processes only.
    names = rules.stratify_by if raw.counts is Counts.SORTED else ()
    return ",".join(f'{name}="{raw.labels.get(name, "")}"' for name in names)


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


def _paths(raw: Raw) -> tuple[str, ...]:
    # Of a pair both would have to be without their probes, and one of them may have no such label.
    return tuple(name for name in PATH_LABELS if name in raw.labels and raw.counts is Counts.SORTED)


def _probes(raw: Raw) -> tuple[str, ...]:
    """The labels by which this series is one of probes or scrapes."""
    return tuple(f'{name}="{raw.labels[name]}"' for name in _paths(raw) if _PROBE.fullmatch(raw.labels[name]))


def _left_out(raws: Iterable[Raw]) -> LeftOut:
    names: set[str] = set()
    values: set[str] = set()
    for raw in raws:
        names.update(_paths(raw))
        values.update(_probes(raw))
    return LeftOut(tuple(sorted(names)), tuple(sorted(values)))
