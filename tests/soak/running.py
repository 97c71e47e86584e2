"""The two long runs: what is set up, what goes on beside each other, and what is judged at the end.

Law: whatever goes wrong in here ends the run with an error; what the operator does wrong is a mistake in the findings.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lab.cluster import Lab
from lab.errors import LabError
from tests.e2e.conftest import install
from tests.e2e.stage import Stage, stage_in
from tests.soak import judging, lanes
from tests.soak.judging import Course, Evidence
from tests.soak.kills import Killer, points
from tests.soak.lanes import Lane, Pace
from tests.soak.operators import program
from tests.soak.releases import Shape
from tests.soak.tap import Tap

_LOOK_SECONDS = 0.4
_EVALUATION_SECONDS = 1.0
_DEAF_SECONDS = 180.0
_UNHEARD = (OSError, AssertionError, LabError)
_SAID: deque[str] = deque(maxlen=1)


@dataclass(frozen=True)
class KillsWish:
    """How much is killed and released at least, on how many Rollouts at once, and from which seed."""

    points: int
    releases: int
    rollouts: int
    seed: int
    pace: Pace


@dataclass(frozen=True)
class KillsFound:
    """What came of it; `seconds` is how long the killing took."""

    killed: Counter[tuple[str, str]]
    courses: Sequence[Course]
    records: int
    writes: int
    mistakes: Sequence[str]
    seconds: float


class Following:
    """Looks at all lanes in a thread of its own, until it is stopped; what fails there is raised at the end."""

    def __init__(self, stage: Stage, followed: list[Lane]) -> None:
        self.lanes = followed
        self.stage = stage
        self._stop = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="lanes", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def all(self) -> list[Lane]:
        """The lanes that are judged."""
        return self.lanes

    def look(self) -> None:
        """Look at all of them once."""
        lanes.tick_all(self.stage, self.lanes)

    def courses(self) -> list[Course]:
        """All releases that were begun."""
        self._raise()
        return [course for lane in self.all() for course in lane.courses]

    def ended(self) -> int:
        """How many of them have ended, or were given up."""
        return sum(course.took > 0 for course in self.courses())

    def told(self) -> str:
        """How far they are, in a few words."""
        return f"{self.ended()} of {len(self.courses())} releases ended"

    def begin_nothing(self) -> None:
        """Begin no other release."""
        for each in self.lanes:
            each.is_wanted = False

    def finish(self) -> None:
        """Begin no other release, and wait for the end of those that were begun."""
        self.begin_nothing()
        while any(each.course is not None for each in self.lanes):
            say(f"waiting for the last releases, {self.told()}")
            self._raise()
            time.sleep(_LOOK_SECONDS)

    def _run(self) -> None:
        heard = time.monotonic()
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                self.look()
                heard = time.monotonic()
            except _UNHEARD as error:
                # The API server may be away for a while; what was not done is done at the next look.
                if time.monotonic() > heard + _DEAF_SECONDS:
                    self._error = error
                    return

    def _raise(self) -> None:
        if self._error is not None:
            raise RuntimeError("nobody follows the Rollouts any more") from self._error


@contextlib.contextmanager
def staged(lab: Lab) -> Iterator[Stage]:
    """A namespace for a run, with the shipped kinds and rights."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, stage_in(lab, install(lab), Path(folder)) as stage:
        yield stage


def kills(lab: Lab, wish: KillsWish) -> KillsFound:
    """Kill an operator at drawn points while Rollouts release, and judge what came of the releases."""
    with staged(lab) as stage, contextlib.closing(Tap(stage.identity, stage.folder, stage.admin.ca)) as tap:
        killer = Killer(tap, program(stage, tap.kubeconfig, _EVALUATION_SECONDS))
        lanes.prepare(stage, wish.pace)
        followed = [
            lanes.lane(stage, f"web-{number:02}", shape, wish.pace, wish.seed)
            for number, shape in zip(range(wish.rollouts), shapes(), strict=False)
        ]
        # A pause that begins and ends while no operator has run yet is no finding.
        first = killer.survive()
        with Following(stage, followed) as following:
            first.kill()
            seconds = _kill_all(killer, following, wish)
            survivor = killer.survive()
            try:
                following.finish()
                return _found(killer, following, seconds)
            finally:
                survivor.kill()


def _kill_all(killer: Killer, following: Following, wish: KillsWish) -> float:
    began = time.monotonic()
    for point in points(wish.seed):
        if killer.killed.total() >= wish.points and following.ended() >= wish.releases:
            break
        killer.live(point)
        say(f"{killer.killed.total()} kills, {following.told()}")
    return time.monotonic() - began


def say(what: str) -> None:
    """Tell whoever waits how far it is: one line for each thing that has changed."""
    if what not in _SAID:
        _SAID.append(what)
        print(f"soak: {time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def shapes() -> Iterator[Shape]:
    """All shapes in turn, without end."""
    while True:
        yield from Shape


def _found(killer: Killer, following: Following, seconds: float) -> KillsFound:
    chains = [each.chain() for each in following.lanes]
    courses, writes = following.courses(), killer.tap.writes
    mistakes = judging.mistakes(Evidence(courses, chains, writes, killer.died)) + judging.not_replayed(chains)
    records = sum(len(chain.records) for chain in chains)
    return KillsFound(killer.killed, courses, records, len(writes), mistakes, seconds)
