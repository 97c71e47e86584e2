"""The canary's pods ranked among stable's, block by block, where stable's own pods differ by more than chance.

Law: pure. A block is as long as a pod's burst of errors lasts, so that one burst is one piece of evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canary_operator.counting import parting
from canary_operator.counting.tallies import Arm, Tally, Tick
from canary_operator.stats import dispersion
from canary_operator.stats.dispersion import RankState
from canary_operator.stats.tallying import Count

Pods = Mapping[str, Count]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What is remembered.

    Args:

        seconds: the length of a block.

        end: of the block that is open, Unix seconds.

        canary, stable: requests of each pod in it, by name.
    """

    state: RankState
    seconds: float
    end: float
    canary: Pods = field(default_factory=dict)
    stable: Pods = field(default_factory=dict)


def begin(now: float, seconds: float) -> Ranking:
    """Blocks of this length from now on."""
    return Ranking(dispersion.begin(now), seconds, now + seconds)


def ranked(ranking: Ranking, tick: Tick) -> Ranking:
    """The ranking after a tick; a tick after the open block closes it first."""
    if tick.end > ranking.end:
        ranking = _closed(ranking, tick.end)
    return replace(
        ranking,
        canary=_added(ranking.canary, parting.by_pod(tick, Arm.CANARY)),
        stable=_added(ranking.stable, parting.by_pod(tick, Arm.STABLE)),
    )


def _closed(ranking: Ranking, now: float) -> Ranking:
    canary, stable = (tuple(pods[name] for name in sorted(pods)) for pods in (ranking.canary, ranking.stable))
    state = dispersion.advance(ranking.state, ranking.end, canary, stable)
    # Blocks in which nothing was counted are passed over.
    passed = (now - ranking.end) // ranking.seconds + 1
    return Ranking(state, ranking.seconds, ranking.end + passed * ranking.seconds)


def _added(pods: Pods, tallies: Mapping[str, Tally]) -> Pods:
    together = dict(pods)
    for name, tally in tallies.items():
        # Series of a router name no pod.
        if name:
            before = together.get(name, Count())
            together[name] = Count(before.bad + tally.bad, before.total + tally.total)
    return together
