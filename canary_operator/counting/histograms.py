"""Histograms, classic and native, read as two counters: all requests, and those over the objective's bound.

Law: nothing is interpolated. A bound that cuts through a bucket is refused, and the refusal names the bounds.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from canary_operator.errors import ConfigurationError
from canary_operator.model.samples import NativeSample, NativeSeries, Sample, Series

LE = "le"

_SHOWN = 12
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf", re.ASCII)

Labels = tuple[tuple[str, str], ...]


def bound(text: str) -> float | None:
    """The bound that a ``le`` spells: ``0.5`` and ``0.50`` are one; None for what is no bound."""
    return float(text) if _NUMBER.fullmatch(text) else None


def pairs(series: Iterable[Series], threshold: float, *, every: bool = True) -> tuple[tuple[Series, Series], ...]:
    """For each histogram its series of all observations and its series of those within the threshold.

    Args:

        every: whether every bucket was asked for, and can be told, or only these two.

    Raises:

        ConfigurationError: if a live histogram has no such bucket, or no bucket of all observations.
    """
    found: list[tuple[Series, Series]] = []
    for labels, buckets in _by_histogram(series).items():
        has = f": it has {_listed(buckets)}" if every else ""
        within, total = buckets.get(threshold), buckets.get(math.inf)
        if within is None or math.isinf(threshold):
            raise ConfigurationError(f"threshold {threshold:g} is no bucket of the live histogram{has}")
        if total is None:
            raise ConfigurationError(f'the live histogram has no bucket le="+Inf"{has}')
        found.append((Series(labels, total), Series(labels, within)))
    return tuple(found)


def _by_histogram(series: Iterable[Series]) -> Mapping[Labels, dict[float, tuple[Sample, ...]]]:
    histograms: dict[Labels, dict[float, tuple[Sample, ...]]] = defaultdict(dict)
    for one in series:
        at = bound(dict(one.labels).get(LE, ""))
        if at is None:
            raise ConfigurationError(f'a series has no label "{LE}" with a number: it is no bucket of a histogram')
        rest = tuple(label for label in one.labels if label[0] != LE)
        # Two spellings of one bound in one histogram: an upgrade of Prometheus between two scrapes.
        histograms[rest][at] = histograms[rest].get(at, ()) + one.samples
    return histograms


def _listed(bounds: Iterable[float]) -> str:
    names = ["+Inf" if math.isinf(each) else f"{each:g}" for each in sorted(bounds)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def as_buckets(series: Iterable[NativeSeries], threshold: float) -> tuple[Series, ...]:
    """Write native histograms as the two classic buckets that counting needs.

    Raises:

        ConfigurationError: if the threshold lies inside a bucket that holds observations.
    """
    classic: list[Series] = []
    for one in series:
        within = tuple(Sample(sample.at, _within(sample, threshold)) for sample in one.samples)
        total = tuple(Sample(sample.at, sample.count) for sample in one.samples)
        classic.append(Series(_with_le(one.labels, repr(threshold)), within))
        classic.append(Series(_with_le(one.labels, "+Inf"), total))
    return tuple(classic)


def _with_le(labels: Labels, text: str) -> Labels:
    return tuple(sorted((*(label for label in labels if label[0] != LE), (LE, text))))


def _within(sample: NativeSample, threshold: float) -> float:
    for bucket in sample.buckets:
        if bucket.lower < threshold < bucket.upper:
            near = f"{bucket.lower:g} and {bucket.upper:g}"
            raise ConfigurationError(
                f"threshold {threshold:g} is no bucket of the live native histogram: the bounds next to it are {near}"
            )
    return sum(bucket.count for bucket in sample.buckets if bucket.upper <= threshold)
