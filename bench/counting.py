"""What is counted of seeded worlds, beside the truth and beside Prometheus' increase() on the same scrapes.

    python -m bench.counting --worlds 50

Law: prints versions and parameters beside every figure; judges nothing. ``increase`` is written down here as
Prometheus computes it (extrapolatedRate): differences, restarts added, extrapolated to the edges of the range.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import canary_operator
from canary_operator.counting.tallies import Arm, Tally
from canary_operator.model.samples import Sample
from tests.counting.looking import count, every
from tests.counting.world import INTERVAL, START, Chaos, World

CALM = Chaos(restarts=0, deaths=0, scale_ups=0, target_gaps=0, outages=0, bursts=0)
WORLDS = {
    "few errors, quiet": replace(CALM, rate=0.2, error_ratio=0.02),
    "errors all the time": replace(CALM, error_ratio=0.1),
    "pods born, bursts": replace(CALM, scale_ups=3, bursts=2),
    "pods restart and die": replace(CALM, restarts=4, deaths=2),
    "gaps of targets and of Prometheus": replace(CALM, target_gaps=2, outages=2),
    "everything": Chaos(restarts=4, deaths=2, scale_ups=3, target_gaps=2, outages=2, bursts=2),
}

NOTHING = Tally()


@dataclass(slots=True)
class Sums:
    served: Tally = NOTHING
    scraped: Tally = NOTHING
    counted: Tally = NOTHING
    increased_bad: float = 0.0
    increased_total: float = 0.0
    wrong: int = 0
    blind: int = 0
    with_errors: int = 0


def main(
    worlds: Annotated[int, typer.Option(help="Seeds 0 to this, for each kind of world.")] = 30,
) -> None:
    """Count worlds and print one row for each kind."""
    begun = time.perf_counter()
    table = Table(
        "world", "served", "scraped", "counted", "increase()", "worlds miscounted", "increase() sees 0 errors"
    )
    for name, chaos in WORLDS.items():
        table.add_row(name, *_row(_run(chaos, worlds), worlds))
    console = Console(width=150)
    console.print(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}; {worlds} worlds a row, "
        f"seeds 0..{worlds - 1}; scrapes every {INTERVAL:g} s, epoch of {Chaos().seconds:g} s; "
        "bad / total requests of the canary, all worlds together"
    )
    console.print(table)
    console.print(f"{time.perf_counter() - begun:.1f} s of wall time")


def _row(sums: Sums, worlds: int) -> Sequence[str]:
    return (
        *(f"{tally.bad} / {tally.total}" for tally in (sums.served, sums.scraped, sums.counted)),
        f"{sums.increased_bad:.1f} / {sums.increased_total:.1f}",
        f"{sums.wrong} of {worlds}",
        f"{sums.blind} of {sums.with_errors} with errors",
    )


def _run(chaos: Chaos, worlds: int) -> Sums:
    sums = Sums()
    for seed in range(worlds):
        world = World(seed, chaos)
        state, _ = count(world, every(INTERVAL, world))
        until = (state.watermark_ms or 0) / 1000
        scraped = world.scraped(Arm.CANARY, until)
        bad, total = _increases(world, until)
        sums.served += world.served(Arm.CANARY, START, until)
        sums.scraped += scraped
        sums.counted += state.canary.tally
        sums.increased_bad += bad
        sums.increased_total += total
        sums.wrong += scraped != state.canary.tally
        sums.with_errors += scraped.bad > 0
        sums.blind += scraped.bad > 0 and bad == 0
    return sums


def _increases(world: World, until: float) -> tuple[float, float]:
    bad = total = 0.0
    for series in world.answer(Arm.CANARY, START, until).series:
        grown = increase(series.samples, START, until)
        total += grown
        bad += grown if dict(series.labels)["status"].startswith("5") else 0.0
    return bad, total


def increase(samples: Sequence[Sample], begin: float, end: float) -> float:
    """``increase(x[end - begin])`` at ``end``; 0 where Prometheus has no result."""
    if len(samples) < 2:
        return 0.0
    first, last = samples[0], samples[-1]
    lost = sum(earlier.value for earlier, later in pairwise(samples) if later.value < earlier.value)
    grown = last.value - first.value + lost
    sampled = last.at - first.at
    average = sampled / (len(samples) - 1)
    edges = [each if each < 1.1 * average else average / 2 for each in (first.at - begin, end - last.at)]
    if grown > 0:
        edges[0] = min(edges[0], sampled * first.value / grown)
    return grown * (sampled + sum(edges)) / sampled


if __name__ == "__main__":
    typer.run(main)
