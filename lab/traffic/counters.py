"""The counters that one pod's process keeps, and their text form.

Law: a series is born at its first event, as in a real client library with labels; it only grows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from lab.traffic.chance import BUCKETS, Latency, poisson

# From this many expected requests on, buckets are drawn by their counts, not request by request.
_MANY = 400.0
_BOUNDS = (*(f"{bound:g}" for bound in BUCKETS), "+Inf")

REQUESTS = "http_requests_total"
DURATION = "http_request_duration_seconds"


@dataclass(slots=True)
class Counters:
    """Requests by status, and the histogram of their durations."""

    by_status: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0

    def serve(self, generator: random.Random, mean: float, error_ratio: float, latency: Latency) -> tuple[int, int]:
        """Let `mean` expected requests arrive; return how many were bad, and how many in all."""
        # Two independent Poisson streams are one thinned stream, without drawing a binomial.
        bad = poisson(generator, mean * error_ratio)
        good = poisson(generator, mean * (1.0 - error_ratio))
        for status, count in (("500", bad), ("200", good)):
            if count:
                self.by_status[status] = self.by_status.get(status, 0) + count
        self._time(generator, bad + good, latency)
        return bad, bad + good

    def _time(self, generator: random.Random, requests: int, latency: Latency) -> None:
        if requests < _MANY:
            for _ in range(requests):
                bucket, seconds = latency.draw(generator)
                self.buckets[bucket] += 1
                self.seconds += seconds
            return
        for bucket, count in enumerate(_deal(generator, requests, latency.shares())):
            self.buckets[bucket] += count
        self.seconds += requests * latency.mean_seconds()

    def requests(self, labels: str) -> Iterator[str]:
        """Yield the lines of the request counter."""
        for status, count in self.by_status.items():
            yield f'{REQUESTS}{{{labels},status="{status}"}} {count}'

    def durations(self, labels: str) -> Iterator[str]:
        """Yield the lines of the histogram; none before the first request."""
        if not self.by_status:
            return
        for bound, count in zip(_BOUNDS, accumulate(self.buckets), strict=True):
            yield f'{DURATION}_bucket{{{labels},le="{bound}"}} {count}'
        yield f"{DURATION}_sum{{{labels}}} {self.seconds:.6f}"
        yield f"{DURATION}_count{{{labels}}} {sum(self.buckets)}"


def _deal(generator: random.Random, requests: int, shares: tuple[float, ...]) -> Iterator[int]:
    """Yield how many of `requests` fall into each share.

    Each bucket takes from what is left a normal approximation of its binomial part; with hundreds
    of requests the error is far below the noise, and the sum is exact.
    """
    left, share_left = requests, 1.0
    for share in shares[:-1]:
        part = min(1.0, share / share_left) if share_left > 0 else 0.0
        spread = (left * part * (1.0 - part)) ** 0.5
        count = min(left, max(0, round(generator.gauss(left * part, spread))))
        left, share_left = left - count, share_left - share
        yield count
    yield left
