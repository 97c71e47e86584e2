"""Thanos with one of its two stores lost: whatever it still says is partial, and partial holds."""

import contextlib

import pytest

from canary_operator.model.samples import Absent, Query
from canary_operator.model.verdict import HoldReason
from canary_operator.settings import Flavour
from lab import waiting
from lab.peers.serving import REPLICA_SIDECAR
from tests.builders import T0
from tests.compat import replay
from tests.compat.script import END, HEALTHY, LAST, TICK

QUERY = Query("default", "sum(up)", T0 + LAST)


@pytest.fixture(params=[Flavour.THANOS, Flavour.PROMETHEUS])
def thanos(request, stand):
    """The querier, asked to refuse partial answers, and not."""
    with stand.opened("thanos", request.param, timeout="3s") as server:
        yield server


@pytest.fixture(params=["killed", "frozen"])
def lost(request, stand):
    """Takes one store away for as long as a block lasts."""
    stand.require("thanos")

    @contextlib.contextmanager
    def take():
        supervision = stand.running.supervision
        if request.param == "frozen":
            supervision.pause(REPLICA_SIDECAR)
            yield
            supervision.resume(REPLICA_SIDECAR)
        else:
            supervision.stop(REPLICA_SIDECAR, grace=0)
            yield
            stand.running.start_replica_sidecar()

    return take


def test_a_partial_answer_is_none(thanos, lost):
    with lost():
        answer = thanos.ask([QUERY])[QUERY]

    assert isinstance(answer, Absent)
    assert answer.reason is HoldReason.TELEMETRY_UNAVAILABLE, answer


def test_a_gate_holds_on_partial_answers_and_goes_on_when_they_are_whole(thanos, lost):
    world = replay.release(thanos, HEALTHY)

    with lost():
        world.until(3 * TICK - 1)
        held = world.verdict
    # The querier takes some seconds to find the store again.
    waiting.until(lambda: not isinstance(thanos.ask([QUERY])[QUERY], Absent), "whole answers", timeout=120)
    world.until(END + 1)

    assert held == ("Hold", "TelemetryUnavailable")
    assert world.verdict == ("Promote", "EvidenceSufficient")
