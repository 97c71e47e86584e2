"""Worlds in which releases are judged: one canary pod and nine stable pods, minute after minute.

Law: seeded; a world says itself whether its canary is bad and from when on. Requests arrive as they like (Poisson),
errors are independent given the ratio of the pod at that time. A tick has ten seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[Any]
Ints = NDArray[Any]

TICK = 10.0
STABLE_PODS = 9
PARTS = 5
"""Parts of a tick in which a ratio may change."""

ON, OFF, SHARE_ON = 0.08, 0.002, 30.0 / 292.5
"""Bursts: error ratios within and without, 30 s of 292.5 s within, so 1 % in the long run."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What each rule may see, per run, tick and pod; and the canary's true ratio, which none sees."""

    canary_total: Ints
    canary_bad: Ints
    stable_total: Ints
    stable_bad: Ints
    canary_truth: Floats

    @property
    def ticks(self) -> int:
        return int(self.canary_total.shape[1])

    def of(self, runs: NDArray[np.bool_]) -> Counts:
        """Some of the runs."""
        return Counts(
            self.canary_total[runs],
            self.canary_bad[runs],
            self.stable_total[runs],
            self.stable_bad[runs],
            self.canary_truth[runs],
        )


@dataclass(frozen=True, slots=True)
class World:
    """How a world behaves.

    Args:

        ratios: (rng, runs, parts of ticks, pods) -> error ratio per run, part and pod; pod 0 is the canary's.

        extra: what the canary fails beyond that, for each part: number of parts -> ratios.

        share: of all requests that the canary gets at a time in seconds.

        bad: its canary must not be promoted.

        onset: seconds after which it is bad.

        ragged: pods are scraped at different times within the tick.

        warm_up: seconds in the beginning that are not judged.
    """

    name: str
    ratios: Callable[[np.random.Generator, int, int, int], Floats]
    extra: Callable[[int], Floats] = np.zeros
    share: Callable[[Floats], Floats] = lambda times: np.full(times.shape, 0.1)
    bad: bool = False
    onset: float = 0.0
    ragged: bool = False
    warm_up: float = 0.0


def both(world: World, rps: float, runs: int, ticks: int, rng: np.random.Generator) -> Counts:
    """Counts of many releases, all pods sharing what they share."""
    parts = ticks * PARTS
    ratios = world.ratios(rng, runs, parts, STABLE_PODS + 1)
    extra = np.zeros((1, parts, STABLE_PODS + 1))
    extra[0, :, 0] = world.extra(parts)
    if world.ragged:
        ratios = _shifted(np.broadcast_to(ratios, (runs, parts, STABLE_PODS + 1)), rng)
    mean = np.minimum(_per_tick(ratios) + _per_tick(extra), 1.0)
    shares = world.share((np.arange(ticks) + 0.5) * TICK)
    weights = np.stack([shares] + [(1 - shares) / STABLE_PODS] * STABLE_PODS, axis=-1)
    total = rng.poisson(rps * TICK * 10 * weights, (runs, ticks, STABLE_PODS + 1))
    bad = rng.binomial(total, mean)
    truth = np.broadcast_to(mean[..., 0], (runs, ticks))
    return Counts(total[..., 0], bad[..., 0], total[..., 1:], bad[..., 1:], truth)


def _per_tick(parts: Floats) -> Floats:
    runs, count, pods = parts.shape
    return np.asarray(parts.reshape(runs, count // PARTS, PARTS, pods).mean(axis=2))


def _shifted(ratios: Floats, rng: np.random.Generator) -> Floats:
    """Each pod of each run is scraped up to a tick late: its tick holds requests of before."""
    runs, parts, pods = ratios.shape
    late = rng.integers(0, PARTS + 1, (runs, 1, pods))
    index = np.maximum(np.arange(parts)[None, :, None] - late, 0)
    return np.take_along_axis(ratios, index, axis=1)


def history(world: World, rps: float, runs: int, ticks: int, rng: np.random.Generator) -> Counts:
    """What stable's pods did before the release, as the same world goes."""
    return both(World(world.name, world.ratios), rps, runs, ticks, rng)


def steady(ratio: float) -> Callable[[np.random.Generator, int, int, int], Floats]:
    return lambda _rng, _runs, parts, _pods: np.full((1, parts, 1), ratio)


def over_time(curve: Callable[[Floats], Floats]) -> Callable[[np.random.Generator, int, int, int], Floats]:
    """The same curve for all pods; seconds -> ratios."""
    return lambda _rng, _runs, parts, _pods: curve((np.arange(parts) + 0.5) * TICK / PARTS)[None, :, None]


def bursts(*, shared: bool) -> Callable[[np.random.Generator, int, int, int], Floats]:
    """Pods that fail in bursts, each for itself or all at once."""

    def ratios(rng: np.random.Generator, runs: int, parts: int, pods: int) -> Floats:
        width = 1 if shared else pods
        step = TICK / PARTS
        leave, enter = 1 - math.exp(-step / 30.0), 1 - math.exp(-step / 262.5)
        state = rng.random((runs, width)) < SHARE_ON
        out = np.empty((runs, parts, width), np.float32)
        for part in range(parts):
            flip = rng.random((runs, width), np.float32) < np.where(state, leave, enter)
            state = state ^ flip
            out[:, part] = np.where(state, ON, OFF)
        return out

    return ratios


def added(ratio: float, onset: float = 0.0) -> Callable[[int], Floats]:
    """The canary fails this much more from a time on."""
    return lambda parts: np.where((np.arange(parts) + 0.5) * TICK / PARTS >= onset, ratio, 0.0)


def rising(ratio: float, over: float) -> Callable[[int], Floats]:
    """The canary fails more and more, up to this much."""
    return lambda parts: ratio * np.minimum((np.arange(parts) + 0.5) * TICK / PARTS / over, 1.0)


def _split(times: Floats) -> Floats:
    return np.select([times < 600, times < 1200], [0.1, 0.25], 0.5)


def _daily(times: Floats) -> Floats:
    return 0.013 + 0.010 * np.sin(2 * math.pi * times / 900)


def _outage(times: Floats) -> Floats:
    return np.where((times >= 600) & (times < 780), 0.30, 0.01)


def _drift(times: Floats) -> Floats:
    return 0.002 + 0.016 * np.minimum(times / 1800, 1.0)


HEALTHY = (
    World("bursts of pods", bursts(shared=False)),
    World("shared bursts", bursts(shared=True)),
    World("0.1 %", steady(0.001)),
    World("1 %", steady(0.01)),
    World("1.9 %", steady(0.019)),
    World("split, 1 %", steady(0.01), share=_split),
    World("daily load", over_time(_daily)),
    World("shared outage", over_time(_outage)),
    World("both 3 %", steady(0.03)),
    World("drifting together", over_time(_drift)),
    World("warm-up, 10 % for 60 s", steady(0.01), extra=lambda parts: 0.1 - added(0.1, 60.0)(parts), warm_up=60.0),
    World("outage, ragged scrapes", over_time(_outage), ragged=True),
)
IID = ("0.1 %", "1 %", "1.9 %", "split, 1 %", "daily load")

STEPS = (0.025, 0.03, 0.05, 0.20, 0.50, 1.0)
BAD = (
    *(
        World(f"{ratio:.1%}".replace(".0%", "%").replace("%", " %"), steady(0.01), extra=added(ratio - 0.01), bad=True)
        for ratio in STEPS
    ),
    World("5 % from minute 15", steady(0.01), extra=added(0.04, 900.0), bad=True, onset=900.0),
    World("1 % to 6 % in 30 min", steady(0.01), extra=rising(0.05, 1800.0), bad=True),
    World("bursts of pods, +4 %", bursts(shared=False), extra=added(0.04), bad=True),
    World("shared bursts, +4 %", bursts(shared=True), extra=added(0.04), bad=True),
)
RATES = (0.1, 1.0, 10.0, 100.0, 1000.0)
WORLDS = {each.name: each for each in (*HEALTHY, *BAD)}
