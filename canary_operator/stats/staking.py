"""How the stake is spread over faults, from what is known of the traffic before the release.

Law: any weights that do not depend on the errors of the release keep the error rates; good ones make it fast. A fault
that is found within two ticks anyway needs no stake, and one that this traffic cannot show within hours wastes it: the
stake lies on the faults between.
"""

import functools
import math
from dataclasses import dataclass

from canary_operator.stats import likelihood
from canary_operator.stats.mixture import Logs, normalised
from canary_operator.stats.planning import comparison
from canary_operator.stats.tallying import Count, Risk

SOONEST, LATEST = 20.0, 400.0
"""Seconds that a fault takes to be found, between which it is worth a full stake."""

SPREAD = 0.03
"""The part that is staked as if nothing were known: the traffic may have changed."""

PREFERENCES = (1.0, 1.0, 1.0, 1.0, 1.0, 0.02, 1.3, 1.1, 2.2, 0.02)
"""What each alternative is worth at its best; less where another one finds the same faults. From bench/decisions."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is known before the release.

    Args:

        requests: of both versions together, per second; divided by ``phi`` where errors come in clumps.

        share: of them that the canary gets first, 0 to 1, exclusive.

        ratio: stable's bad ratio, 0 to 1.

    Raises:

        ValueError: for numbers outside of these bounds.
    """

    requests: float
    share: float
    ratio: float

    def __post_init__(self) -> None:
        if not (0 < self.requests < math.inf and 0 < self.share < 1 and 0 <= self.ratio <= 1):
            raise ValueError(f"traffic has requests, a share and a ratio between 0 and 1: {self}")


@functools.lru_cache(maxsize=4096)
def weights(traffic: Traffic | None, rho: float) -> Logs:
    """The logarithm of what is staked on each alternative of ``likelihood.worse``; a fixed spread if nothing is known.

    Args:

        rho: the tolerable ratio, at least 1.
    """
    if traffic is None:
        return likelihood.WORSE_WEIGHTS
    worths = [
        preference * _worth(_seconds(ratio, traffic, rho))
        for preference, ratio in zip(PREFERENCES, _ratios(traffic, rho), strict=True)
    ]
    whole = math.fsum(worths)
    if not whole:
        return likelihood.WORSE_WEIGHTS
    fixed = map(math.exp, likelihood.WORSE_WEIGHTS)
    return normalised([(1 - SPREAD) * worth / whole + SPREAD * part for worth, part in zip(worths, fixed, strict=True)])


def _ratios(traffic: Traffic, rho: float) -> list[float]:
    """The canary's ratio that each alternative means."""
    # Without errors in an hour it may have half of one.
    base = max(traffic.ratio, 0.5 / (traffic.requests * 3600))
    factors = [min(factor * rho * base, 0.99) for factor in likelihood.FACTORS]
    return factors + [high for high, _ in likelihood.COLLAPSES]


def _seconds(ratio: float, traffic: Traffic, rho: float) -> float:
    """How long a fault takes to be found by a test that knows it, at the usual risk; infinity for never."""
    hour = max(1, round(traffic.requests * 3600))
    shown = comparison(ratio, Count(round(traffic.ratio * hour), hour), traffic.share, rho)
    return Risk().abort_at / (shown * traffic.requests * traffic.share) if shown else math.inf


def _worth(seconds: float) -> float:
    """Below the soonest it falls slowly: such faults must be found in a tick or two. Above, the sooner ones are for."""
    return min(1.0, seconds / SOONEST, math.pow(LATEST / seconds, 1.5))
