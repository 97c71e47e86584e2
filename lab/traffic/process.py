"""One pod's process: its counters by route, whether it is in a burst of errors, and what it did before.

Law: pure functions of a generator that the caller seeds; what is exposed is what a client library would expose.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from lab.traffic.behaviour import Behaviour
from lab.traffic.counters import Counters

# How often an ordinary Prometheus would have scraped a past that it never saw; of late as often as the lab's does.
_PAST_SCRAPE_SECONDS = 15
_LATE_SECONDS = 60
_PAST_STEP_SECONDS = 1


@dataclass(slots=True)
class Process:
    """Counters by route; "" where requests have none."""

    by_route: dict[str, Counters] = field(default_factory=dict)
    bursting: bool = False

    def serve(self, generator: random.Random, rate: float, seconds: float, behaviour: Behaviour) -> tuple[int, int]:
        """Let requests arrive at `rate` a second; return how many were bad, and how many in all."""
        if not rate:
            return 0, 0
        if generator.random() < behaviour.turns(seconds, bursting=self.bursting):
            self.bursting = not self.bursting
        bad = total = 0
        for part in behaviour.parts(bursting=self.bursting):
            counters = self.by_route.setdefault(part.route, Counters())
            failed, all_of_it = counters.serve(generator, rate * seconds * part.share, part.error_ratio, part.latency)
            bad, total = bad + failed, total + all_of_it
        return bad, total

    def requests(self, labels: str) -> Iterator[str]:
        """Yield the lines of the request counter."""
        for route, counters in self.by_route.items():
            yield from counters.requests(_with_route(labels, route))

    def durations(self, labels: str) -> Iterator[str]:
        """Yield the lines of the histogram."""
        for route, counters in self.by_route.items():
            yield from counters.durations(_with_route(labels, route))


def _with_route(labels: str, route: str) -> str:
    return f'{labels},route="{route}"' if route else labels


def lived(
    generator: random.Random, rate: float, behaviour: Behaviour, seconds: int, show: Callable[[Process, int], None]
) -> Process:
    """Return a process that has served for `seconds`; `show` gets it at every scrape, with the seconds it is ago."""
    process = Process()
    for second in range(seconds):
        process.serve(generator, rate, _PAST_STEP_SECONDS, behaviour)
        ago = seconds - second - 1
        if ago and (ago < _LATE_SECONDS or ago % _PAST_SCRAPE_SECONDS == 0):
            show(process, ago)
    return process
