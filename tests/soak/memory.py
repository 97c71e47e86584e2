"""Whether the memory of a process stays what it is after its warm-up.

Law: pure. One process, one series; too short a series is no finding.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Of the whole series; what is left is judged by its first and its last quarter.
WARM_UP = 0.2
LIMIT = 0.10
_LEAST_SAMPLES = 12


@dataclass(frozen=True, slots=True)
class Sample:
    """Resident memory in bytes, so many seconds after the start of the run."""

    seconds: float
    rss: int


@dataclass(frozen=True, slots=True)
class Growth:
    """Medians of the first and the last quarter after the warm-up, in bytes."""

    first: float
    last: float

    @property
    def ratio(self) -> float:
        """How much more it is at the end: 0.1 is ten percent."""
        return self.last / self.first - 1

    def is_flat(self) -> bool:
        """Whether it is the same at the end, but for a tenth."""
        return self.ratio <= LIMIT


def growth(samples: Sequence[Sample]) -> Growth | None:
    """How the memory has grown after the warm-up; None if there are too few samples to say."""
    warm = samples[int(len(samples) * WARM_UP) :]
    if len(warm) < _LEAST_SAMPLES:
        return None
    quarter = len(warm) // 4
    first, last = warm[:quarter], warm[-quarter:]
    return Growth(statistics.median(each.rss for each in first), statistics.median(each.rss for each in last))


def series(samples: Sequence[Sample], points: int = 12) -> list[Sample]:
    """A few samples of the whole series, first and last among them."""
    last = len(samples) - 1
    return [samples[round(index * last / (points - 1))] for index in range(points)] if last > 0 else list(samples)
