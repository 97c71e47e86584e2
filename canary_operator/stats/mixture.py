"""Evidence over many alternatives and many times of onset at once.

Law: a mixture of likelihood ratios whose weights are fixed beforehand is itself an e-process. The weights of the
onset depend on time alone: most of the weight on a fault that was there from the beginning, the rest spread over all
later times, so that a late fault costs the logarithm of its time and not the healthy minutes before it. A time without
requests changes nothing, and neither does a tick in two parts with the same end.
"""

import math
from collections.abc import Sequence

LATE_SCALE = 600.0
"""Seconds: half of the weight of late onsets lies before this time."""

AT_ONCE = 0.94
"""The weight of a fault that was there from the beginning."""

Logs = tuple[float, ...]


def log_sum(values: Sequence[float]) -> float:
    """log(sum(exp(values))) without overflow; minus infinity for none."""
    top = max(values, default=-math.inf)
    if top == -math.inf:
        return top
    exp = math.exp
    return top + math.log(sum([exp(each - top) for each in values]))


def log_add(left: float, right: float) -> float:
    """log(exp(left) + exp(right)) without overflow."""
    top, low = (left, right) if left >= right else (right, left)
    return top if low == -math.inf else top + math.log1p(math.exp(low - top))


def begun(alternatives: int) -> Logs:
    """Evidence of each alternative before the first tick."""
    return (math.log(AT_ONCE),) * alternatives


def onset_by(elapsed: float) -> float:
    """The weight of all onsets up to this many seconds after the beginning, 0 to 1."""
    late = max(elapsed, 0.0) / (max(elapsed, 0.0) + LATE_SCALE)
    return AT_ONCE + (1 - AT_ONCE) * late


def grown(evidence: Logs, onset: float, ratios: Sequence[float]) -> Logs:
    """Evidence after a tick.

    Args:

        onset: weight of the onsets since the tick before, at least 0.

        ratios: log likelihood ratio of the tick for each alternative, already divided and capped.
    """
    if onset <= 0:
        return tuple([each + ratio for each, ratio in zip(evidence, ratios, strict=True)])
    fresh, exp, log1p = math.log(onset), math.exp, math.log1p
    # log_add written out: this is where most of a tick's time goes.
    return tuple(
        [
            ratio + (each + log1p(exp(fresh - each)) if each > fresh else fresh + log1p(exp(each - fresh)))
            for each, ratio in zip(evidence, ratios, strict=True)
        ]
    )


def total(evidence: Logs, weights: Logs, elapsed: float) -> float:
    """The log e-value of the whole mixture; onsets that have not been yet count as they are, with 1.

    Args:

        weights: log weight of each alternative.
    """
    parts = [each + weight for each, weight in zip(evidence, weights, strict=True)]
    ahead = 1 - onset_by(elapsed)
    if ahead > 0:
        parts.append(math.log(ahead))
    return log_sum(parts)


def forgetful(evidence: Logs, weights: Logs, most: float) -> Logs:
    """Evidence of which no alternative, weighted, remembers more than ``most``: what is over is soon seen to be over.

    Less evidence than there was keeps the error rate.
    """
    return tuple([min(each, most - weight) for each, weight in zip(evidence, weights, strict=True)])


def normalised(weights: Sequence[float]) -> Logs:
    """Logarithms of weights that sum to one."""
    whole = sum(weights)
    return tuple(math.log(each / whole) for each in weights)
