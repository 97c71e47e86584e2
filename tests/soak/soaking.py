"""Hours of releases among faults, made short: an operator that lives throughout, and one that is killed and stopped.

All durations of an ordinary release are divided by FACTOR: scrapes and looks of 15 s, a metric's interval of a minute,
pauses of ten minutes.

Law: the operator whose memory is watched is never touched, whatever happens around it.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import psutil

from lab.cluster import Lab
from tests.e2e.stage import Stage, stage_in
from tests.soak import judging, lanes
from tests.soak.faults import RUBBISH, Faults, Mortal
from tests.soak.judging import Chain, Course, Evidence
from tests.soak.lanes import Lane, Pace
from tests.soak.memory import Growth, Sample, growth
from tests.soak.operators import program
from tests.soak.running import Following, say, shapes, staged
from tests.soak.tap import Tap

FACTOR = 12
SCRAPE_SECONDS = 15 / FACTOR
PACE = Pace(pause=600 / FACTOR, interval=60 / FACTOR, silence=30.0, rest=60.0)
# Of all Rollouts; the others belong to the operator that is killed.
_STEADY = 0.8
_RELEASES_OF_A_ROLLOUT = 4
_SAMPLE_SECONDS = 10.0


@dataclass(frozen=True)
class SoakWish:
    """How long, how many Rollouts, from which seed, and how many seconds lie between two faults."""

    minutes: float
    rollouts: int
    seed: int
    rest: float = 20.0


@dataclass(frozen=True)
class SoakFound:
    """What came of it."""

    courses: Sequence[Course]
    rollouts: int
    records: int
    writes: int
    faults: Counter[str]
    memory: Sequence[Sample]
    growth: Growth | None
    mistakes: Sequence[str]


class Fleet(Following):
    """Rollouts that are deleted after some releases and come back under another name, as those of a busy team do."""

    def __init__(self, stage: Stage, team: str, followed: list[Lane], seed: int) -> None:
        super().__init__(stage, followed)
        self.departed: list[Lane] = []
        self._chains: list[Chain] = []
        self._numbers = itertools.count(len(followed))
        self._team = team
        self._seed = seed

    def all(self) -> list[Lane]:
        """Those that are there, and those that are gone."""
        return [*self.departed, *self.lanes]

    def look(self) -> None:
        """Look at all of them, and replace one that has had its releases."""
        super().look()
        for index, each in enumerate(self.lanes):
            if each.is_wanted and each.course is None and len(each.courses) >= _RELEASES_OF_A_ROLLOUT:
                self.lanes[index] = self._replaced(each)
                return

    def chains(self) -> list[Chain]:
        """The records of all of them."""
        return [*self._chains, *(each.chain() for each in self.lanes)]

    def _replaced(self, lane: Lane) -> Lane:
        chain = lane.chain()
        name = f"{self._team}-{next(self._numbers):03}"
        new = lanes.lane(self.stage, name, lane.shape, lane.pace, self._seed)
        self.stage.admin.delete(self.stage.path(lane.name))
        self._chains.append(chain)
        self.departed.append(lane)
        return new


def soak(lab: Lab, wish: SoakWish) -> SoakFound:
    """Let Rollouts release among faults, and judge what came of the releases and of the memory."""
    with staged(lab) as steady, stage_in(lab, steady.identity, steady.folder) as shaken, contextlib.ExitStack() as ends:
        tap = Tap(steady.identity, steady.folder, steady.admin.ca)
        ends.callback(tap.close)
        watched = program(steady, tap.kubeconfig, SCRAPE_SECONDS).start_and_wait()
        ends.callback(watched.kill)
        mortal = Mortal(program(shaken, tap.kubeconfig, SCRAPE_SECONDS))
        ends.callback(mortal.kill)
        return _soak(lab, wish, tap, (steady, shaken), (watched, mortal))


def _soak(
    lab: Lab, wish: SoakWish, tap: Tap, stages: tuple[Stage, Stage], operators: tuple[BaseProcess, Mortal]
) -> SoakFound:
    watched, mortal = operators
    fleets = _fleets(stages, wish)
    faults = Faults(lab, tap, mortal, stages[0], random.Random(wish.seed), wish.rest)
    with fleets[0], fleets[1]:
        memory = _among(faults, fleets, psutil.Process(watched.pid), wish)
        for fleet in fleets:
            fleet.begin_nothing()
        for fleet in fleets:
            fleet.finish()
        chains = [chain for fleet in fleets for chain in fleet.chains()]
    died = [] if watched.is_alive() else [f"exit status {watched.exitcode}"]
    courses = [course for fleet in fleets for course in fleet.courses()]
    grown = growth(memory)
    mistakes = judging.mistakes(Evidence(courses, chains, tap.writes, died)) + judging.not_replayed(chains)
    if grown is not None and not grown.is_flat():
        mistakes.append(f"the memory has grown by {grown.ratio:.0%}")
    records = sum(len(chain.records) for chain in chains)
    return SoakFound(courses, len(chains), records, len(tap.writes), faults.happened, memory, grown, mistakes)


def _among(faults: Faults, fleets: Sequence[Fleet], watched: psutil.Process, wish: SoakWish) -> list[Sample]:
    """Let faults happen for as long as is wished, and sample the memory meanwhile."""
    thread = threading.Thread(target=faults.run, name="faults", daemon=True)
    thread.start()
    began, memory = time.monotonic(), []
    while (passed := time.monotonic() - began) < wish.minutes * 60:
        memory.append(Sample(passed, watched.memory_info().rss))
        told = ", ".join(fleet.told() for fleet in fleets)
        say(f"{memory[-1].rss / 1e6:.0f} MB, {faults.happened.total()} faults, {told}")
        time.sleep(_SAMPLE_SECONDS)
    faults.stop()
    thread.join()
    return memory


def _fleets(stages: tuple[Stage, Stage], wish: SoakWish) -> list[Fleet]:
    steady = round(wish.rollouts * _STEADY)
    fleets = []
    for stage, team, number in zip(stages, ("web", "api"), (steady, wish.rollouts - steady), strict=True):
        lanes.prepare(stage, PACE)
        kinds = zip(range(number), shapes(), strict=False)
        followed = [lanes.lane(stage, f"{team}-{index:03}", shape, PACE, wish.seed) for index, shape in kinds]
        fleets.append(Fleet(stage, team, followed, wish.seed))
    _prepare_rubbish(stages[0])
    return fleets


def _prepare_rubbish(stage: Stage) -> None:
    stage.rollout(RUBBISH, gate=None, wait=False)
    stage.policy(RUBBISH)
