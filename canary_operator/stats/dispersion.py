"""Pods that differ by more than chance: how much, and what a comparison of pods shows that no rate can deceive.

Law: counts of pods in, numbers out. Errors that come in bursts of single pods make any test on sums too sure of
itself. Two answers: ``phi``, by which evidence on sums is divided, learnt from stable's own pods; and ranks, which
ask only whether the canary's pod is among the worst more often than one of several equal pods would be. Most of the
trust goes to the sums (``together``), because ranks are slow where sums are not deceived.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from canary_operator.stats.mixture import Logs, begun, grown, log_add, normalised, onset_by, total
from canary_operator.stats.tallying import Count

LENGTHS = (1, 2, 3, 6, 12, 30)
"""Blocks that are looked at as one, so that bursts longer than a block are seen."""

LEAST_BLOCKS = 10
"""Fewer blocks of a length say nothing about it."""

LEAST_PODS = 5
"""Stable pods without which ranks say too little."""

LIKE = 1.5
"""Requests of the busiest pod over those of the idlest up to which pods are alike."""

CERTAIN = 3.0
"""Standard deviations from which on a variance is more than chance; below, pods count as independent."""

RANKS = 0.1
"""The part of the trust that goes to ranks."""

UNCORRELATED = 0.15
"""Correlation of a pod's neighbouring blocks up to which they pass for independent."""

BETS = (1, 3, 8)
BET_WEIGHTS = normalised((1.0,) * len(BETS))
FRESH = begun(len(BETS))

Block = Sequence[Count]
"""One interval: the counts of each pod, always in the same order."""


def phi(history: Sequence[Block]) -> float:
    """Variance between stable's pods over that of independent errors, the largest of several lengths; at least 1.

    Args:

        history: blocks of equal length, oldest first; those of an hour before the release are a good choice.
    """
    return max((_pearson(each) for each in _longer(history)), default=1.0)


def _longer(history: Sequence[Block]) -> Iterable[list[list[Count]]]:
    for length in LENGTHS:
        blocks = [_joined(history[at : at + length]) for at in range(0, len(history) - length + 1, length)]
        if len(blocks) >= LEAST_BLOCKS:
            yield blocks


def _joined(blocks: Sequence[Block]) -> list[Count]:
    return [Count(sum(e.bad for e in pod), sum(e.total for e in pod)) for pod in zip(*blocks, strict=True)]


def _pearson(blocks: Sequence[Block]) -> float:
    """Pearson's chi square over its degrees of freedom, given each block's requests and errors; 1 if chance does it."""
    square, freedom = 0.0, 0
    for block in blocks:
        served = [pod for pod in block if pod.total]
        bad, whole = sum(pod.bad for pod in served), sum(pod.total for pod in served)
        if len(served) < 2 or not 0 < bad < whole:
            continue
        ratio = bad / whole
        variance = ratio * (1 - ratio) * whole / (whole - 1)
        square += sum((pod.bad - pod.total * ratio) ** 2 / (pod.total * variance) for pod in served)
        freedom += len(served) - 1
    return square / freedom if square > freedom + CERTAIN * math.sqrt(2 * freedom) else 1.0


def rank_blocks(history: Sequence[Block]) -> int:
    """How many blocks of the history ranks should take as one, so that they are nearly independent: 1 or more.

    The shortest of ``LENGTHS`` at which a pod's block says little about its next one; the longest if none is.
    """
    longest = 1
    for length, blocks in zip(LENGTHS, _longer(history), strict=False):
        longest = length
        if _correlation(blocks) <= UNCORRELATED:
            return length
    return longest


def _correlation(blocks: Sequence[Block]) -> float:
    """Correlation of a pod's difference from its block's ratio with that of the block after."""
    apart = [_differences(each) for each in blocks]
    pairs = [(a, b) for one, two in itertools.pairwise(apart) for a, b in zip(one, two, strict=True)]
    spread = sum(a * a for block in apart for a in block) / max(sum(len(block) for block in apart), 1)
    return sum(a * b for a, b in pairs) / len(pairs) / spread if pairs and spread else 0.0


def _differences(block: Block) -> list[float]:
    whole = sum(pod.total for pod in block)
    ratio = sum(pod.bad for pod in block) / whole if whole else 0.0
    return [pod.bad - pod.total * ratio for pod in block]


@dataclass(frozen=True, slots=True)
class RankState:
    """What is remembered of the ranks; times are Unix seconds."""

    began: float
    last: float
    logs: Logs = FRESH


def begin(began: float) -> RankState:
    """The state at the start of a release."""
    return RankState(began, began)


def advance(state: RankState, end: float, canary: Block, stable: Block) -> RankState:
    """The state after a block of ``rank_blocks``.

    Pods without requests are left out. Fewer than ``LEAST_PODS`` stable pods, no canary pod, or pods that are not
    alike: nothing is learnt.

    Args:

        end: the end of the block, Unix seconds.
    """
    ours, theirs = [pod for pod in canary if pod.total], [pod for pod in stable if pod.total]
    loads = [pod.total for pod in (*ours, *theirs)]
    if not ours or len(theirs) < LEAST_PODS or max(loads) > LIKE * min(loads):
        return state
    onset = onset_by(end - state.began) - onset_by(state.last - state.began)
    bets = [_bet(power, ours, theirs) for power in BETS]
    return replace(state, last=end, logs=grown(state.logs, onset, bets))


def evidence(state: RankState) -> float:
    """The log e-value that the canary's pods are worse than stable's."""
    return total(state.logs, BET_WEIGHTS, state.last - state.began)


def _bet(power: int, ours: Block, theirs: Block) -> float:
    """Log of the average over the canary's pods; pods with equal ratios share the average of their ranks' bets."""
    pods = len(theirs) + 1
    fair = math.fsum(float(rank) ** power for rank in range(1, pods + 1)) / pods
    won = [_rank_bet(power, pod.bad / pod.total, [each.bad / each.total for each in theirs]) for pod in ours]
    return math.log(sum(won) / len(won) / fair)


def _rank_bet(power: int, ratio: float, others: Sequence[float]) -> float:
    below = sum(each < ratio for each in others)
    equal = sum(each == ratio for each in others) + 1
    return math.fsum(float(rank) ** power for rank in range(below + 1, below + equal + 1)) / equal


def together(sums: float, ranks: float) -> float:
    """The log of the weighted average of the evidence on sums, divided by phi, and that of the ranks."""
    return log_add(sums + math.log(1 - RANKS), ranks + math.log(RANKS))
