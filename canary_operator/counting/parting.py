"""A tick by strata and by pods, for tests that compare like with like, and each pod with its fellows.

Law: the parts add up to the tick. A stratum never changes its name, so that its evidence stays its own; what has none
is counted in ``OTHER``.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from canary_operator.counting.tallies import Arm, Cell, Tally, Tick

OTHER = "other"
MOST_STRATA = 8


def named(ticks: Iterable[Tick], most: int = MOST_STRATA) -> tuple[str, ...]:
    """The strata that are told apart from these ticks on: the busiest, at most ``most``, the busiest first.

    To be remembered with the evidence.
    """
    requests: dict[str, int] = defaultdict(int)
    for cell in (cell for tick in ticks for cell in tick.cells):
        requests[cell.stratum] += cell.tally.total
    return tuple(sorted(requests, key=lambda name: (-requests[name], name))[:most])


def by_stratum(tick: Tick, names: Sequence[str]) -> Mapping[str, Tick]:
    """The tick of each stratum in which there were requests; those without a name are one, ``OTHER``."""
    cells: dict[str, list[Cell]] = defaultdict(list)
    for cell in tick.cells:
        cells[cell.stratum if cell.stratum in names else OTHER].append(cell)
    return {
        name: Tick(tick.end, _sum(own, Arm.CANARY), _sum(own, Arm.STABLE), tuple(own))
        for name, own in sorted(cells.items())
    }


def by_pod(tick: Tick, arm: Arm) -> Mapping[str, Tally]:
    """The requests of each pod of an arm that had some, by the pod's name."""
    pods: dict[str, Tally] = defaultdict(Tally)
    for cell in tick.cells:
        if cell.arm is arm:
            pods[cell.pod] += cell.tally
    return dict(pods)


def _sum(cells: Iterable[Cell], arm: Arm) -> Tally:
    return sum((cell.tally for cell in cells if cell.arm is arm), Tally())
