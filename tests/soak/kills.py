"""An operator that is killed a thousand times while Rollouts release again and again.

A point is drawn before each life: the n-th write of some kind (before the API server hears of it, when it has done it
and the operator has no reply, or when the reply is there), a moment of the start, or any moment. A write that does not
come in time makes it a death at any moment.

Law: SIGKILL, and at once started again.
"""

from __future__ import annotations

import enum
import random
import re
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from tests.e2e.apiproxy import DECISIONS, GATE_STATUS, PATCH_STATUS, Exchange
from tests.soak.operators import Program
from tests.soak.tap import Tap

_ANY = "."
_TARGETS = {_ANY: 4, PATCH_STATUS: 3, DECISIONS: 2, GATE_STATUS: 1}
_NAMES = (
    (PATCH_STATUS, "the Rollout"),
    (GATE_STATUS, "the gate's status"),
    (DECISIONS, "a record"),
    (r"/analysisruns", "an AnalysisRun"),
    (r"/events", "an Event"),
    (r"/canarygates", "the gate"),
)
# Longer than a start takes, and than a write of an action is waited for.
_START_SECONDS = 1.0
_PATIENCE_SECONDS = 4.0
_REPLY_SECONDS = 0.02
# An operator that does not run at all is no finding.
_MAX_DIED = 5


class Moment(enum.StrEnum):
    """When the operator dies."""

    BEFORE = "before the API server hears of a write"
    DONE = "when a write is done, before the reply"
    REPLIED = "after the reply to a write"
    START = "while it starts"
    ANY = "at any moment"


_MOMENTS = {Moment.BEFORE: 30, Moment.DONE: 30, Moment.REPLIED: 15, Moment.START: 12, Moment.ANY: 13}


@dataclass(frozen=True, slots=True)
class Point:
    """Where a life ends: at the `number`-th write to `target`, or so many seconds after its start."""

    moment: Moment
    target: str
    number: int
    seconds: float

    def is_at_write(self) -> bool:
        """Whether a write is what it waits for."""
        return self.moment in {Moment.BEFORE, Moment.DONE, Moment.REPLIED}


def points(seed: int) -> Iterator[Point]:
    """Points without end, the same for the same seed."""
    chance = random.Random(seed)
    while True:
        moment = chance.choices(list(_MOMENTS), weights=list(_MOMENTS.values()))[0]
        target = chance.choices(list(_TARGETS), weights=list(_TARGETS.values()))[0]
        number = chance.randint(1, 12 if target == _ANY else 2)
        yield Point(moment, target, number, chance.uniform(0, _START_SECONDS if moment is Moment.START else 4.0))


@dataclass
class Killer:
    """Runs lives one after the other; `killed` counts by moment and by what was written then."""

    tap: Tap
    program: Program
    killed: Counter[tuple[str, str]] = field(default_factory=Counter)
    died: list[str] = field(default_factory=list)
    _point: Point | None = None
    _left: int = 0
    _process: BaseProcess | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.tap.act = self._act

    def live(self, point: Point) -> None:
        """One life, from its start to its death."""
        process = self.program.start()
        with self._guard:
            self._process, self._point, self._left = process, point, point.number
        process.join(_PATIENCE_SECONDS if point.is_at_write() else point.seconds)
        with self._guard:
            is_by_write, self._point = self._point is None, None
        if not is_by_write and process.is_alive():
            self._kill(point.moment if not point.is_at_write() else Moment.ANY, "")
        process.join()
        if process.exitcode != -9:
            self.died.append(f"exit status {process.exitcode}\n{self.program.last_lines()}")
        if len(self.died) > _MAX_DIED:
            raise RuntimeError(self.died[-1])

    def survive(self) -> BaseProcess:
        """A life that nobody ends; returns when it is ready."""
        with self._guard:
            self._point = None
        return self.program.start_and_wait()

    def _act(self, tap: Tap, exchange: Exchange) -> None:
        point = self._struck(exchange)
        if point is None:
            tap.pass_on(exchange)
            return
        if point.moment is not Moment.BEFORE:
            tap.pass_on(exchange)
        if point.moment is Moment.REPLIED:
            threading.Timer(_REPLY_SECONDS, self._kill, (point.moment, _written(exchange))).start()
            return
        self._kill(point.moment, _written(exchange))
        exchange.drop()

    def _struck(self, exchange: Exchange) -> Point | None:
        """The point, if this is the write that it waits for."""
        with self._guard:
            point = self._point
            if point is None or not point.is_at_write() or exchange.method == "GET":
                return None
            if not re.search(point.target, exchange.path):
                return None
            self._left -= 1
            if self._left > 0:
                return None
            self._point = None
            return point

    def _kill(self, moment: Moment, written: str) -> None:
        assert self._process is not None
        self._process.kill()
        self.killed[moment.value, written] += 1


def _written(exchange: Exchange) -> str:
    if re.search(PATCH_STATUS, exchange.path):
        return exchange.action()
    return next((name for pattern, name in _NAMES if re.search(pattern, exchange.path)), exchange.path)
