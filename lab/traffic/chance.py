"""Random numbers of traffic: how many requests arrive, and how long they take.

Law: pure functions of a generator that the caller seeds.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from dataclasses import dataclass

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Above it, multiplying uniform numbers costs more than the rejection method and begins to underflow.
_SMALL_MEAN = 30.0


def poisson(generator: random.Random, mean: float) -> int:
    """Draw the number of events when `mean` are expected. Exact for every mean."""
    if mean <= 0:
        return 0
    if mean < _SMALL_MEAN:
        return _by_multiplication(generator, mean)
    return _by_rejection(generator, mean)


def _by_multiplication(generator: random.Random, mean: float) -> int:
    # Knuth, The Art of Computer Programming, volume 2, 3.4.1.
    limit, product, count = math.exp(-mean), generator.random(), 0
    while product > limit:
        product *= generator.random()
        count += 1
    return count


def _by_rejection(generator: random.Random, mean: float) -> int:
    # PTRS of W. Hoermann, "The transformed rejection method for generating Poisson random
    # variables", 1993; its constants are fitted, and have no names there either.
    b = 0.931 + 2.53 * math.sqrt(mean)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accepted = 0.9277 - 3.6224 / (b - 2.0)
    while True:
        u, v = generator.random() - 0.5, 1.0 - generator.random()
        us = 0.5 - abs(u)
        if us <= 0.0:
            continue
        k = math.floor((2.0 * a / us + b) * u + mean + 0.43)
        if us >= 0.07 and v <= accepted:
            return k
        if k < 0 or (us < 0.013 and v > us):
            continue
        log_density = k * math.log(mean) - mean - math.lgamma(k + 1)
        if math.log(v * inverse_alpha / (a / (us * us) + b)) <= log_density:
            return k


@dataclass(frozen=True, slots=True)
class Latency:
    """A lognormal latency: half of the requests take less than `median_seconds`."""

    median_seconds: float = 0.05
    sigma: float = 0.5

    def shares(self) -> tuple[float, ...]:
        """Return the probability of each bucket, the last one being above all bounds."""
        below = [*(self._below(bound) for bound in BUCKETS), 1.0]
        return tuple(high - low for low, high in zip([0.0, *below], below, strict=False))

    def mean_seconds(self) -> float:
        """Return the expected latency."""
        return self.median_seconds * math.exp(self.sigma**2 / 2)

    def draw(self, generator: random.Random) -> tuple[int, float]:
        """Draw one request: the index of its bucket and its seconds."""
        seconds = self.median_seconds * math.exp(self.sigma * generator.gauss(0.0, 1.0))
        return bisect_left(BUCKETS, seconds), seconds

    def _below(self, seconds: float) -> float:
        if self.sigma == 0:
            return float(self.median_seconds <= seconds)
        distance = math.log(seconds / self.median_seconds) / self.sigma
        return 0.5 * math.erfc(-distance / math.sqrt(2))
