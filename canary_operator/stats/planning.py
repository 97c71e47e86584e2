"""How many requests a decision takes, and what a number of requests can show: before a release and during it.

Law: answers about the future assume that ratios stay as they are; they promise nothing and decide nothing.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from canary_operator.stats import likelihood
from canary_operator.stats.mixture import Logs, log_sum
from canary_operator.stats.tallying import Count, Risk, Rules

PRICE = 2.3
"""Requests with which four of five such canaries are aborted, over what a test that knows their ratio takes."""

FAR = 1 << 50
"""More requests than anybody has."""


@dataclass(frozen=True, slots=True)
class Needed:
    """What one objective takes of the canary's requests.

    Args:

        least: requests without an error that show a ratio under the one to be rejected, for any test whatsoever.

        promote: the same for the test that is used here.

        notice: requests to notice a canary that fails ``times`` the budget, about.

        times: the multiple of the budget that is meant.
    """

    least: int
    promote: int
    notice: int
    times: float


def needed(allowed: float, risk: Risk | None = None, times: float = 5.0) -> Needed:
    """What an objective takes before anything has been counted.

    Args:

        allowed: the objective's budget, 0 to 1, exclusive.

        times: a multiple of the budget, more than 1.
    """
    rules = Rules(allowed, risk or Risk())
    bad = min(times * allowed, (1 + allowed) / 2)
    return Needed(
        least=math.ceil(rules.risk.promote_at / -math.log1p(-rules.rejected)),
        promote=to_promote((0.0,) * len(likelihood.BELOW), rules) or 0,
        notice=math.ceil(PRICE * rules.risk.abort_at / divergence(bad, allowed)),
        times=times,
    )


def divergence(ratio: float, other: float) -> float:
    """Kullback-Leibler divergence of two ratios in nats per request: what a request shows on average."""
    good = (1 - ratio) * math.log((1 - ratio) / (1 - other)) if ratio < 1 else 0.0
    return good + (ratio * math.log(ratio / other) if ratio > 0 else 0.0)


def comparison(ratio: float, stable: Count, share: float, rho: float) -> float:
    """Nats per request of the canary that its ratio and stable's show of "worse than rho times", 0 if it is not.

    Args:

        ratio: the canary's bad ratio, 0 to 1.

        stable: stable's requests so far; without errors it is taken to have half of one.

        share: the canary's share of all requests, 0 to 1, exclusive.
    """
    base = max(stable.bad, 0.5) / max(stable.total, 1)
    if ratio <= rho * base:
        return 0.0
    times = (1 - share) / share
    null, other = rho / (rho + times), ratio / (ratio + base * times)
    return (ratio + base * times) * divergence(other, null)


def to_promote(logs: Logs, rules: Rules, ratio: float = 0.0) -> int | None:
    """Requests of the canary until the evidence to promote is enough, if ``ratio`` of them are bad; None if never."""
    gains = [
        (ratio * bad + (1 - ratio) * good) / rules.phi for bad, good in likelihood.per_request_below(rules.rejected)
    ]

    def enough(requests: int) -> bool:
        logs_then = [
            each + weight + requests * gain
            for each, weight, gain in zip(logs, likelihood.BELOW_WEIGHTS, gains, strict=True)
        ]
        return log_sum(logs_then) >= rules.risk.promote_at

    return _first(enough)


def _first(enough: Callable[[int], bool]) -> int | None:
    """The least number for which a rising condition holds; None if there is none that anybody reaches."""
    if enough(0):
        return 0
    high = 1
    while not enough(high):
        high *= 2
        if high > FAR:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def detectable(requests: int, rules: Rules, stable: Count | None = None) -> float | None:
    """The smallest bad ratio of the canary that this many of its requests would by now have aborted, about.

    Args:

        stable: stable's requests beside them; None where there is nothing to compare with.

    Returns:

        A ratio from 0 to 1; None if even a canary that fails everything would not be seen yet.
    """

    def seen(ratio: float) -> bool:
        shown = divergence(ratio, rules.allowed)
        if stable is not None:
            share = requests / (requests + stable.total) if stable.total else 0.5
            shown = min(shown, comparison(ratio, stable, share, rules.risk.tolerable_ratio))
        return requests * shown >= PRICE * rules.risk.abort_at * rules.phi

    if requests <= 0 or not seen(1.0):
        return None
    low, high = rules.allowed, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
