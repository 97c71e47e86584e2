"""The same worlds behind a real Prometheus, asked with the operator's own client."""

from dataclasses import dataclass, replace

import pytest

from canary_operator.counting.tallies import Arm
from lab.programs import cache
from tests.counting import serving
from tests.counting.looking import APART, ERRORS, GOOD_APART, SLOW
from tests.counting.world import START, Chaos, World

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("counting")]

WILD = Chaos(
    restarts=4, deaths=2, scale_ups=2, target_gaps=2, outages=1, prometheus_restarts=1, bursts=2, fast_boot=False
)
LOOKS = [START + after for after in (4, 31, 32, 118, 240, 247, 330, 420)]


@dataclass(frozen=True)
class Places:
    """Worlds, and the server that has their samples."""

    server: serving.Server
    alone: list[World]
    pairs: list[World]
    unknown: list[World]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    alone = [World(seed, replace(WILD, rate=(0.1, 0.5, 2.0)[seed % 3]), f"alone-{seed}") for seed in range(50)]
    pairs = [World(seed, replace(WILD, replicas=2, drained=True), f"pair-{seed}") for seed in range(10)]
    unknown = [World(seed, replace(WILD, restarts=8, fast_boot=True), f"unknown-{seed}") for seed in range(10)]
    tools = cache.install(only=("prometheus", "promtool")).programs
    folder = tmp_path_factory.mktemp("prometheus")
    with serving.prometheus([*alone, *pairs, *unknown], folder, tools) as server:
        yield Places(server, alone, pairs, unknown)


def differences(server, worlds, measure):
    """What is not as the world's scrapes tell: namespace, arm, counted, true."""
    states = serving.count(server, worlds, LOOKS, measure)
    assert all(state.watermark_ms >= (START + 300) * 1000 for state in states)
    assert sum(state.canary.tally.bad for state in states) > 0
    return [
        (world.namespace, arm, counted, true)
        for world, state in zip(worlds, states, strict=True)
        for arm, counted in ((Arm.CANARY, state.canary.tally), (Arm.STABLE, state.stable.tally))
        if counted != (true := world.scraped(arm, state.watermark_ms / 1000, slow=measure is SLOW))
    ]


@pytest.mark.parametrize("measure", [ERRORS, SLOW, APART, GOOD_APART], ids=["label", "latency", "bad", "good"])
def test_every_request_that_was_scraped_is_counted_and_no_other(places, measure):
    assert differences(places.server, places.alone, measure) == []


def test_two_replicas_of_one_prometheus_lose_nothing_and_double_nothing(places):
    assert differences(places.server, places.pairs, ERRORS) == []


@pytest.mark.parametrize("measure", [ERRORS, APART, GOOD_APART], ids=["label", "bad", "good"])
def test_without_the_times_of_restarts_nothing_is_invented(places, measure):
    states = serving.count(places.server, places.unknown, LOOKS, measure, restarts_known=False)

    for world, state in zip(places.unknown, states, strict=True):
        for arm, counted in ((Arm.CANARY, state.canary.tally), (Arm.STABLE, state.stable.tally)):
            most = world.scraped(arm, world.end)
            assert counted.total <= most.total, world.namespace
            assert counted.bad <= most.bad, world.namespace


def test_what_a_fold_misses_would_be_seen(places):
    world = World(0, places.alone[0].chaos, "alone-0")
    world.processes[0].lives[0].requests.append((START + 100.0, "500", "/", False))

    assert differences(places.server, [world, *places.alone[1:3]], ERRORS) != []
