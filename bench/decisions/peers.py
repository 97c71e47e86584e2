"""Other people's rules on the same counts: what is aborted, and at which tick.

Law: as their documentation or source describes them, kept apart from what this project believes. Argo's limit counts
all failures of a run, and so does Flagger's (its FailedChecks only ever grows); Flagger rolls back one loop later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bench.decisions.worlds import TICK, Counts, Floats, Ints

NEVER = -1


@dataclass(frozen=True, slots=True)
class Threshold:
    """A ratio over a window, looked at every so often; times are seconds.

    Args:

        failures: this many failed looks abort.

        late: seconds from the last failed look to the abort.

        blind_fails: a look without requests is a failed one.
    """

    name: str
    window: float
    every: float
    threshold: float
    failures: int
    late: float = 0.0
    blind_fails: bool = False

    def decide(self, counts: Counts, skip: float = 0.0) -> Ints:
        """The tick of the abort for each run; ``NEVER``."""
        ratios, looks = windowed(counts, self.window, self.every, skip)
        failed = np.where(np.isnan(ratios), self.blind_fails, np.nan_to_num(ratios) > self.threshold)
        reached = failed.cumsum(axis=1) >= self.failures
        first = reached.argmax(axis=1)
        ticks = looks[first] + round(self.late / TICK)
        return np.where(reached.any(axis=1) & (ticks < counts.ticks), ticks, NEVER)


PEERS = (
    Threshold("Argo 2m, 3 failures", 120, 30, 0.02, 3),
    Threshold("Argo 1m, 3 failures", 60, 60, 0.02, 3),
    Threshold("Argo 1m, 1 failure", 60, 60, 0.02, 1),
    Threshold("Flagger", 60, 60, 0.01, 5, late=60, blind_fails=True),
)
KAYENTA = "Kayenta 30m"
TUNED = "tuned threshold"
TUNED_WINDOWS = (30.0, 60.0, 120.0, 300.0, 600.0)
TUNED_EVERY = 30.0


def windowed(counts: Counts, window: float, every: float, skip: float) -> tuple[Floats, Ints]:
    """The canary's ratio over the window before each look (NaN without requests), and the looks' ticks."""
    wide, step = round(window / TICK), round(every / TICK)
    start = round(skip / TICK)
    looks = np.arange(start + step - 1, counts.ticks, step)
    sums = [
        np.pad(each[:, start:].cumsum(axis=1), ((0, 0), (1, 0))) for each in (counts.canary_bad, counts.canary_total)
    ]
    ends = looks + 1 - start
    bad, total = (each[:, ends] - each[:, np.maximum(ends - wide, 0)] for each in sums)
    with np.errstate(invalid="ignore", divide="ignore"):
        return bad / total, looks


def kayenta(counts: Counts, skip: float = 0.0, minutes: int = 30) -> Ints:
    """One look at the end: Mann-Whitney on ratios per minute, 98 % interval of the Hodges-Lehmann shift."""
    start, wide = round(skip / TICK), round(60 / TICK)
    ends = start + wide * np.arange(1, minutes + 1)
    ends = ends[ends <= counts.ticks]
    ours = _per_minute(counts.canary_bad, counts.canary_total, ends, wide)
    theirs = _per_minute(counts.stable_bad.sum(-1), counts.stable_total.sum(-1), ends, wide)
    shifts = np.sort((ours[:, :, None] - theirs[:, None, :]).reshape(len(ours), -1), axis=1)
    n = len(ends)
    rank = max(math.floor(n * n / 2 - 2.326 * math.sqrt(n * n * (2 * n + 1) / 12)), 0)
    lower, middle = shifts[:, rank], np.median(shifts, axis=1)
    high = (lower > 0.25 * np.abs(middle)) & (ours.mean(axis=1) >= theirs.mean(axis=1))
    return np.where(high, int(ends[-1]) - 1, NEVER)


def _per_minute(bad: Ints, total: Ints, ends: Ints, wide: int) -> Floats:
    sums = [np.pad(each.cumsum(axis=1), ((0, 0), (1, 0))) for each in (bad, total)]
    counted = [each[:, ends] - each[:, ends - wide] for each in sums]
    return np.asarray(counted[0] / np.maximum(counted[1], 1))


def peaks(counts: Counts, skip: float) -> Floats:
    """For each window of the tuned rule: the highest ratio it ever sees in each run."""
    seen = [windowed(counts, window, TUNED_EVERY, skip)[0] for window in TUNED_WINDOWS]
    return np.stack([np.nan_to_num(each).max(axis=1) for each in seen])


def tuned(counts: Counts, limits: Floats, skip: float) -> Ints:
    """For each window and its limit: the tick of the abort."""
    rules = zip(TUNED_WINDOWS, limits, strict=True)
    return np.stack([Threshold("", window, TUNED_EVERY, limit, 1).decide(counts, skip) for window, limit in rules])
