"""The rule for many releases at once against the room itself, on the same counts.

Law: the room decides; where the two differ, no figure of this benchmark counts.
"""

from __future__ import annotations

import numpy as np

from bench.decisions import twin
from bench.decisions.findings import Line
from bench.decisions.measures import HISTORY, RULES
from bench.decisions.worlds import TICK, WORLDS, Counts, Floats, both, history
from canary_operator.stats import dispersion, judging, objective
from canary_operator.stats.tallying import Count, Rules, Tick

RUNS, TICKS = 3, 120
CELLS = (
    ("shared outage", 10),
    ("bursts of pods", 10),
    ("5 %", 10),
    ("100 %", 0.1),
    ("bursts of pods, +4 %", 100),
)


def line() -> Line:
    """How far the two are from each other, in nats, and whether every decision is the same."""
    apart, same = 0.0, True
    for name, rate in CELLS:
        world = WORLDS[name]
        rng = np.random.default_rng(7)
        counts = both(world, rate, RUNS, TICKS, rng)
        past = history(world, rate, RUNS, HISTORY, rng)
        decided = twin.judge(counts, past, RULES)
        for run in range(RUNS):
            worse, abort = room(counts, past, run)
            apart = max(apart, float(np.abs(worse - decided.worse[run]).max()))
            same &= abort == decided.abort[run]
    return Line("numpy against the room: the same decisions", f"{apart:.1e} nats apart", same and apart < 1e-6)


def room(counts: Counts, past: Counts, run: int) -> tuple[Floats, int]:
    """Evidence tick by tick and the tick of the abort, as the room has it."""
    stable = [_pods(past.stable_bad[run, tick], past.stable_total[run, tick]) for tick in range(past.ticks)]
    rules = Rules(RULES.allowed, phi=dispersion.phi(stable))
    length = dispersion.rank_blocks(stable)
    state, ranks = objective.begin(0.0), dispersion.begin(0.0)
    if (traffic := twin.expected(past, run, rules.phi)) is not None:
        state = objective.expecting(state, traffic)
    worse, abort = np.zeros(counts.ticks), twin.NEVER
    for tick in range(counts.ticks):
        state = objective.advance(state, _tick(counts, run, tick), rules, promotes=True)
        if (tick + 1) % length == 0:
            ranks = dispersion.advance(
                ranks, (tick + 1) * TICK, *_block(counts, run, slice(tick + 1 - length, tick + 1))
            )
        asked = dispersion.evidence(ranks) if rules.phi > 1 else None
        release = judging.Objective(state, rules, ranks=asked)
        worse[tick] = judging.shows(release).worse
        if abort == twin.NEVER and isinstance(judging.judge({"errors": release}).verdict, judging.Abort):
            abort = tick
    return worse, abort


def _tick(counts: Counts, run: int, tick: int) -> Tick:
    canary = int(counts.canary_bad[run, tick]), int(counts.canary_total[run, tick])
    return Tick(
        (tick + 1) * TICK, *canary, int(counts.stable_bad[run, tick].sum()), int(counts.stable_total[run, tick].sum())
    )


def _block(counts: Counts, run: int, part: slice) -> tuple[list[Count], list[Count]]:
    canary = Count(int(counts.canary_bad[run, part].sum()), int(counts.canary_total[run, part].sum()))
    return [canary], _pods(counts.stable_bad[run, part].sum(0), counts.stable_total[run, part].sum(0))


def _pods(bad: Floats, total: Floats) -> list[Count]:
    return [Count(int(each), int(whole)) for each, whole in zip(bad, total, strict=True)]
