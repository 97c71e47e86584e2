"""What the probes are told by the parts of an operator, each part put into the state that it is about."""

import asyncio
import threading

import pytest
from kubernetes.client import Configuration

from canary_operator import wiring
from canary_operator.agenda import Agenda
from canary_operator.cluster import kinds
from canary_operator.handlers import Watcher
from canary_operator.model.rollout import RolloutRef
from canary_operator.settings import Settings
from canary_operator.telemetry.vitals import LOOK_SECONDS
from canary_operator.wiring import Operator
from tests.builders import NAME, NAMESPACE, T0

REF = RolloutRef(NAMESPACE, NAME)


@pytest.fixture
async def operator(monkeypatch):
    monkeypatch.setattr(wiring, "load_credentials", lambda: Configuration(host="http://127.0.0.1:1"))
    operator = Operator(Settings(), ())
    yield operator
    await operator.close()


async def test_an_operator_that_has_just_been_started_is_alive_and_not_ready(operator):
    assert operator._complaints() == []
    assert not operator._following.is_ready()


async def test_the_judging_and_the_listing_are_missed_when_they_have_ended(operator):
    async def broken():
        raise RuntimeError("nobody foresaw this")

    tasks = tuple(asyncio.create_task(broken(), name=name) for name in ("judging", "listing of everything"))
    await asyncio.wait(tasks)
    operator._tasks = tasks

    assert operator._complaints() == ["the judging has ended", "the listing of everything has ended"]
    assert all(task.exception() for task in tasks)


async def test_looks_that_all_hang_are_missed():
    now, hang = T0, asyncio.Event()

    async def look(_):
        await hang.wait()
        return float("inf")

    agenda = Agenda(look, clock=lambda: now, workers=1, timer=lambda: now)
    running = asyncio.create_task(agenda.run())
    agenda.mark(REF)
    await asyncio.sleep(0)
    while not agenda.longest_look():
        await asyncio.sleep(0)
        now += LOOK_SECONDS + 1

    assert agenda.longest_look() > LOOK_SECONDS
    hang.set()
    agenda.stop()
    await running
    assert agenda.longest_look() == 0


def test_nobody_is_heard_before_the_watcher_runs():
    watcher = Watcher([kinds.ROLLOUTS], (), lambda *_: None)

    assert watcher.deaf() == ["rollouts"]


def test_a_kind_is_heard_while_its_task_runs_and_no_longer():
    """kopf's task for a kind has a name, and can die in silence."""
    watcher = Watcher([kinds.ROLLOUTS, kinds.CANARY_GATES], (), lambda *_: None)
    loop, stop, begun = asyncio.new_event_loop(), asyncio.Event(), threading.Event()

    async def watch():
        task = asyncio.create_task(stop.wait(), name="watcher for rollouts.v1alpha1.argoproj.io@None")
        begun.set()
        await task

    watcher._loop = loop
    watcher._thread = threading.Thread(target=loop.run_until_complete, args=(watch(),))
    watcher._thread.start()
    assert begun.wait(30)

    assert watcher.deaf() == ["canarygates"]

    loop.call_soon_threadsafe(stop.set)
    watcher._thread.join(30)
    loop.close()
    assert watcher.deaf() == ["rollouts", "canarygates"]
