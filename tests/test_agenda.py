"""Which Rollout is looked at when; time is a number, and workers only wait for each other."""

import asyncio
import math

import pytest

from canary_operator.agenda import Agenda
from canary_operator.model.rollout import RolloutRef

ONE, TWO = RolloutRef("shop", "one"), RolloutRef("shop", "two")


class Day:
    """An agenda, the time, and what was looked at."""

    def __init__(self, workers=4):
        self.now, self.ahead = 100.0, 0.0
        self.looks = []
        self.again = {}
        self.gates = {}
        self.failing = set()
        self.agenda = Agenda(self.look, clock=lambda: self.now + self.ahead, workers=workers, timer=lambda: self.now)

    async def look(self, ref):
        self.looks.append((self.now, ref.name))
        if ref in self.gates:
            await self.gates[ref].wait()
        if ref in self.failing:
            raise RuntimeError("broken")
        return self.again.get(ref, math.inf)

    async def at(self, now):
        """Let everything happen that is due at ``now``."""
        self.now = now
        self.agenda._changed.set()
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
async def day():
    stage = Day()
    task = asyncio.create_task(stage.agenda.run())
    yield stage
    for gate in stage.gates.values():
        gate.set()
    stage.agenda.stop()
    await task


@pytest.mark.parametrize("ahead", [-180.0, 180.0])
async def test_a_clock_that_is_set_delays_and_hurries_nobody(day, ahead):
    day.agenda.mark(ONE, 110)
    await day.at(105)

    day.ahead = ahead
    day.agenda.mark(TWO, 112 + ahead)
    for now in (109, 110, 111, 112):
        await day.at(now)

    assert day.looks == [(110, "one"), (112, "two")]


async def test_what_is_marked_is_looked_at_once(day):
    day.agenda.mark(ONE)
    day.agenda.mark(ONE)

    await day.at(100)

    assert day.looks == [(100, "one")]


async def test_the_earliest_mark_wins(day):
    day.agenda.mark(ONE, 130)
    day.agenda.mark(ONE, 110)
    day.agenda.mark(ONE, 120)

    for now in (105, 110, 120, 130):
        await day.at(now)

    assert day.looks == [(110, "one")]


async def test_a_look_says_when_the_next_one_is(day):
    day.again[ONE] = 115
    day.agenda.mark(ONE)
    await day.at(100)
    day.again.clear()

    for now in (110, 115, 120):
        await day.at(now)

    assert day.looks == [(100, "one"), (115, "one")]


async def test_a_rollout_is_never_looked_at_twice_at_once(day):
    day.gates[ONE] = asyncio.Event()
    day.agenda.mark(ONE)
    await day.at(100)
    day.agenda.mark(ONE)
    await day.at(101)
    during = list(day.looks)
    day.gates[ONE].set()

    await day.at(102)

    assert during == [(100, "one")]
    assert day.looks == [(100, "one"), (102, "one")]


async def test_a_slow_rollout_does_not_keep_another_waiting(day):
    day.gates[ONE] = asyncio.Event()
    day.agenda.mark(ONE)
    await day.at(100)
    day.agenda.mark(ONE)
    day.agenda.mark(TWO)

    await day.at(101)

    assert day.looks == [(100, "one"), (101, "two")]


async def test_a_failing_rollout_is_isolated_and_looked_at_again_ever_later(day):
    day.failing.add(ONE)
    day.agenda.mark(ONE)
    day.agenda.mark(TWO)

    for now in range(100, 200):
        await day.at(now)

    assert [at for at, name in day.looks if name == "one"] == [100, 101, 103, 107, 115, 131, 161, 191]
    assert (100, "two") in day.looks


async def test_a_rollout_that_works_again_starts_its_patience_anew(day):
    day.failing.add(ONE)
    day.agenda.mark(ONE)
    await day.at(100)
    day.failing.clear()
    await day.at(101)
    day.failing.add(ONE)
    day.agenda.mark(ONE)

    for now in (110, 110.9, 111):
        await day.at(now)

    assert day.looks == [(100, "one"), (101, "one"), (110, "one"), (111, "one")]


async def test_stopping_finishes_what_is_under_way_and_begins_nothing():
    day = Day()
    task = asyncio.create_task(day.agenda.run())
    day.gates[ONE] = asyncio.Event()
    day.agenda.mark(ONE)
    await day.at(100)
    day.agenda.mark(TWO)
    day.agenda.stop()
    await day.at(101)
    running = not task.done()
    day.gates[ONE].set()

    await task

    assert running
    assert day.looks == [(100, "one")]


async def test_the_lag_is_that_of_the_most_overdue(day):
    day.gates[ONE] = asyncio.Event()
    day.agenda.mark(ONE, 90)
    day.agenda.mark(TWO, 95)
    before = day.agenda.lag()

    await day.at(100)

    assert before == 10
    assert day.agenda.lag() == 0


async def test_as_many_are_looked_at_as_there_are_workers():
    day = Day(workers=1)
    task = asyncio.create_task(day.agenda.run())
    day.gates = {ONE: asyncio.Event(), TWO: asyncio.Event()}
    day.agenda.mark(ONE)
    day.agenda.mark(TWO)

    await day.at(100)

    assert day.looks == [(100, "one")]
    for gate in day.gates.values():
        gate.set()
    day.agenda.stop()
    await task
