"""What each rule did in one world at one rate of traffic.

Law: a promotion is false where the canary's own ratio, over the requests that promoted it, was at least the
ratio that must be rejected. Delays count from the onset to the end of the tick of the abort; a run that is not
aborted counts with the whole time.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from bench.decisions import peers, twin
from bench.decisions.worlds import TICK, WORLDS, Counts, Floats, Ints, World, both, history
from canary_operator.stats.planning import comparison, divergence
from canary_operator.stats.tallying import Count, Rules

OURS = "canary-operator"
RULES = Rules(allowed=0.01)
BATCH = 400
HISTORY = 360


@dataclass(frozen=True, slots=True)
class Done:
    """One rule in one cell, over its runs.

    Args:

        aborted: runs aborted, in a bad world after the onset.

        early: runs aborted before the onset.

        delay: mean seconds; ``late`` the 99th percentile.

        failed: mean failed requests of the canary from the onset to the abort.
    """

    aborted: int
    early: int
    delay: float
    late: float
    failed: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One world at one rate; ``peaks`` are those of the threshold that is tuned later."""

    world: str
    rps: float
    runs: int
    done: dict[str, Done]
    promoted: int
    falsely: int
    undecided: int
    promote_at: float
    peaks: Floats


def measure(name: str, rps: float, size: tuple[int, int], seed: int, limits: Floats | None = None) -> Cell:
    """Run one cell; ``size`` is runs and ticks; ``limits`` those of the tuned threshold, once they are known."""
    world = WORLDS[name]
    rng = np.random.default_rng([seed, zlib.crc32(world.name.encode()), round(rps * 10)])
    runs, ticks = size
    parts = [_batch(world, rps, (min(BATCH, runs - at), ticks), rng, limits) for at in range(0, runs, BATCH)]
    rules = parts[0][0].keys()
    onset = round(world.onset / TICK)
    done = {rule: _done([(each[0][rule], each[2]) for each in parts], onset, ticks) for rule in rules}
    promote, falsely, undecided = np.concatenate([each[1] for each in parts], axis=1)
    soon = promote[promote >= 0]
    return Cell(
        world.name,
        rps,
        runs,
        done,
        int((promote >= 0).sum()),
        int(falsely.sum()),
        int(undecided.sum()),
        float((np.median(soon) + 1) * TICK) if len(soon) else math.nan,
        np.concatenate([each[3] for each in parts], axis=1),
    )


Batch = tuple[dict[str, Ints], Ints, Counts, Floats]


def _batch(world: World, rps: float, size: tuple[int, int], rng: np.random.Generator, limits: Floats | None) -> Batch:
    counts = both(world, rps, *size, rng)
    decided = twin.judge(counts, history(world, rps, size[0], HISTORY, rng), RULES, world.warm_up)
    aborts = {OURS: decided.abort, peers.KAYENTA: peers.kayenta(counts, world.warm_up)}
    aborts |= {each.name: each.decide(counts, world.warm_up) for each in peers.PEERS}
    if limits is not None:
        rows = peers.tuned(counts, limits, world.warm_up)
        aborts |= {f"{peers.TUNED} {window:g}": row for window, row in zip(peers.TUNED_WINDOWS, rows, strict=True)}
    falsely = decided.window >= RULES.rejected - 1e-9
    undecided = (decided.abort < 0) & (decided.promote < 0)
    return aborts, np.stack([decided.promote, falsely, undecided]), counts, peers.peaks(counts, world.warm_up)


def _done(parts: list[tuple[Ints, Counts]], onset: int, ticks: int) -> Done:
    abort = np.concatenate([each for each, _ in parts])
    early, ends = (abort >= 0) & (abort < onset), np.where(abort >= 0, abort, ticks - 1)
    delays = (ends[~early] - onset + 1) * TICK
    failed = np.concatenate([_failed(counts, each, onset) for each, counts in parts])[~early]
    nothing = not len(delays)
    return Done(
        int(((abort >= 0) & ~early).sum()),
        int(early.sum()),
        math.nan if nothing else float(delays.mean()),
        math.nan if nothing else float(np.quantile(delays, 0.99)),
        math.nan if nothing else float(failed.mean()),
    )


def _failed(counts: Counts, abort: Ints, onset: int) -> Floats:
    sums = np.pad(counts.canary_bad.cumsum(axis=1), ((0, 0), (1, 0)))
    ends = np.where(abort >= 0, abort, counts.ticks - 1) + 1
    return np.asarray(sums[np.arange(len(ends)), ends] - sums[:, onset], dtype=np.float64)


def bound(ratio: float, rps: float) -> float:
    """Seconds that no test of this error rate beats on average: a canary of a tenth, stable at 1 %."""
    absolute = divergence(ratio, RULES.allowed)
    relative = comparison(ratio, Count(1, 100), 0.1, RULES.risk.tolerable_ratio)
    return RULES.risk.abort_at / min(absolute, relative) / rps


def upper(hits: int, runs: int, risk: float = 0.05) -> float:
    """The upper 95 % limit of a rate (Clopper and Pearson)."""
    low, high = hits / runs, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(hits, runs, middle) > risk else (low, middle)
    return high


def _at_most(hits: int, runs: int, rate: float) -> float:
    if rate >= 1:
        return float(hits >= runs)
    logs = (
        math.lgamma(runs + 1)
        - math.lgamma(k + 1)
        - math.lgamma(runs - k + 1)
        + (k * math.log(rate) if k else 0.0)
        + (runs - k) * math.log1p(-rate)
        for k in range(hits + 1)
    )
    return math.fsum(math.exp(each) for each in logs)
