"""The three releases: what is released, how it behaves, and how it must end.

Law: data. What performs them is in performing.py, what judges them in outcome.py.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from demo.outcome import Expectation

NAMESPACE = "production"
ROLLOUT = "api-service"
CONTAINER = "api"
REQUESTS_PER_SECOND = 200
# The second timed pause: a quarter of all requests is the canary's when Prometheus goes.
OUTAGE_STEP = 3
OUTAGE_PLACE = "3/8"

HEALTHY = 0.001
BAD = 0.05


@dataclass(frozen=True, slots=True)
class Release:
    """One release. `error_ratio` 0..1 of its answers are errors; with `outage` Prometheus goes away meanwhile."""

    title: str
    error_ratio: float
    expectation: Expectation
    outage: bool = False

    def image(self, repository: str) -> str:
        """Return the image of this release, by a digest that is the same in every run."""
        return f"{repository}@sha256:{hashlib.sha256(self.title.encode()).hexdigest()}"


_WEIGHTS = (10, 25, 50)

RELEASES = (
    Release(
        "a healthy release, 0.1 % errors",
        HEALTHY,
        Expectation(verdict="Promote", new_image=True, reasons=("ConditionsMet",), weights=_WEIGHTS),
    ),
    Release(
        "a bad release, 5 % errors",
        BAD,
        Expectation(verdict="Abort", new_image=False, reasons=("ConditionsFailed",), weights=_WEIGHTS[:1]),
    ),
    Release(
        "a healthy release, Prometheus goes away",
        HEALTHY,
        Expectation(
            verdict="Promote",
            new_image=True,
            reasons=("TelemetryUnavailable", "ConditionsMet"),
            weights=_WEIGHTS,
            held_while_blind=True,
        ),
        outage=True,
    ),
)
