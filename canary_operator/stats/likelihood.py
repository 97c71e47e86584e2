"""Log likelihood ratios of one tick, for a fixed list of alternatives to each hypothesis.

Law: sums of count times constant. Each is an e-value for every error ratio its hypothesis allows, whatever that ratio
was in the ticks before, so ratios may change from tick to tick:

- ``above``: the ratio is at most a limit. Bernoulli against Bernoulli.
- ``below``: the ratio is at least a limit. The same, turned round.
- ``worse``: the canary's ratio is at most rho times stable's, both unknown. Alternatives are pairs of ratios (c, s);
  the hypothesis is represented by the pair (rho p, p) that is nearest to them by Kullback-Leibler divergence,
  weighted by the two versions' requests. With x the tick's ratio of likelihoods, E[x] is a product of factors
  1 + (distance times slope), at most the exponential of their sum, and that sum is at most 0 because the nearest
  point of a convex set is a minimum (Turner, Ly and Grünwald 2024). For s to 0 at fixed c/s the pair becomes the
  comparison of error counts given the request counts, which is how the ``FACTORS`` are computed.
"""

import functools
import math

from canary_operator.stats.mixture import Logs, normalised

ABOVE = 8
ABOVE_WEIGHTS = normalised((0.1, 0.2, 0.2, 0.15, 0.12, 0.1, 0.08, 0.05))

BELOW = (0.003, 0.1, 0.25, 0.4, 0.55, 0.75)
BELOW_WEIGHTS = normalised((0.5, 0.15, 0.12, 0.1, 0.08, 0.05))

FACTORS = (1.4, 2.0, 3.5, 5.0, 14.0, 60.0)
"""Times the tolerable ratio, for errors that are few."""

COLLAPSES = ((0.2, 0.01), (0.5, 0.01), (0.99, 0.006), (0.95, 0.3))
"""Ratios of canary and stable of a canary that fails so often that its successes and stable's count too."""

WORSE = len(FACTORS) + len(COLLAPSES)
WORSE_WEIGHTS = normalised((0.02, 0.17, 0.23, 0.11, 0.19, 0.02, 0.07, 0.14, 0.05, 0.01))
"""Where nothing is known of the traffic. Most weight where a tick or a few decide, found with bench/decisions."""

Pair = tuple[float, float]


@functools.lru_cache(maxsize=256)
def per_request_above(limit: float) -> tuple[Pair, ...]:
    """What a bad and a good request add to each alternative of ``above``.

    Alternatives go from 1.15 times the limit to nearly always, even on the logit scale, denser near the limit.
    """
    lowest = _logit(min(1.15 * limit, (1 + limit) / 2))
    highest = max(_logit(0.97), lowest + 3)
    steps = (lowest + (highest - lowest) * (index / (ABOVE - 1)) ** 1.3 for index in range(ABOVE))
    return tuple(per_request(1 / (1 + math.exp(-each)), limit) for each in steps)


@functools.lru_cache(maxsize=256)
def per_request_below(limit: float) -> tuple[Pair, ...]:
    """What a bad and a good request add to each alternative of ``below``."""
    return tuple(per_request(part * limit, limit) for part in BELOW)


def _logit(ratio: float) -> float:
    return math.log(ratio / (1 - ratio))


def per_request(alternative: float, hypothesis: float) -> Pair:
    """What a bad and a good request add for one ratio against another (both 0 to 1, exclusive), as in Wald's test."""
    return math.log(alternative / hypothesis), math.log((1 - alternative) / (1 - hypothesis))


def above(bad: int, total: int, limit: float) -> Logs:
    """Against "the bad ratio is at most ``limit``" (0 to 1, exclusive)."""
    good = total - bad
    return tuple([bad * each + good * other for each, other in per_request_above(limit)])


def below(bad: int, total: int, limit: float) -> Logs:
    """Against "the bad ratio is at least ``limit``" (0 to 1, exclusive)."""
    good = total - bad
    return tuple([bad * each + good * other for each, other in per_request_below(limit)])


def worse(canary: tuple[int, int], stable: tuple[int, int], rho: float) -> Logs:
    """Against "the canary's bad ratio is at most ``rho`` times stable's".

    Args:

        canary: bad and total; total at least 1, and so for ``stable``.

        rho: at least 1.
    """
    bad, total = canary
    stable_bad, stable_total = stable
    null, errors, log1p = total * rho / (total * rho + stable_total), bad + stable_bad, math.log1p
    # The odds of a factor against the hypothesis, for each error: those of the canary gain, all share the loss.
    factors = [bad * gain - errors * log1p(null * more) for gain, more in _FACTORS]
    return (*factors, *[_of_all(canary, stable, rho, pair) for pair in COLLAPSES])


_FACTORS = tuple((math.log(factor), factor - 1) for factor in FACTORS)


def _of_all(canary: tuple[int, int], stable: tuple[int, int], rho: float, pair: Pair) -> float:
    (bad, total), (stable_bad, stable_total), (high, low) = canary, stable, pair
    nearest = _nearest(total, stable_total, rho, pair)
    if high <= rho * nearest:
        return 0.0
    return (
        bad * math.log(high / (rho * nearest))
        + (total - bad) * math.log((1 - high) / (1 - rho * nearest))
        + stable_bad * math.log(low / nearest)
        + (stable_total - stable_bad) * math.log((1 - low) / (1 - nearest))
    )


def _nearest(total: int, stable_total: int, rho: float, pair: Pair) -> float:
    """The p between 0 and 1/rho that makes total KL(high, rho p) + stable_total KL(low, p) least: a quadratic."""
    high, low = pair
    errors = total * high + stable_total * low
    good, stable_good = total * (1 - high) * rho, stable_total * (1 - low)
    square = errors * rho + good + stable_good * rho
    linear = errors * (1 + rho) + good + stable_good
    return 2 * errors / (linear + math.sqrt(max(linear * linear - 4 * square * errors, 0.0)))
