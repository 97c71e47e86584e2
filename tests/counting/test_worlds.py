"""Counted against the truth, over worlds in which everything happens at once."""

import dataclasses
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from canary_operator.counting import folding
from canary_operator.counting.tallies import Arm, Epoch, Tally
from tests.counting.looking import APART, ERRORS, GOOD_APART, SLOW, count, every
from tests.counting.world import INTERVAL, START, Chaos, World

GENTLE = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

chaos = st.builds(
    Chaos,
    canaries=st.integers(1, 3),
    stables=st.integers(1, 3),
    rate=st.sampled_from([0.02, 0.1, 0.4]),
    error_ratio=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
    bursts=st.integers(0, 2),
    restarts=st.integers(0, 5),
    deaths=st.integers(0, 2),
    scale_ups=st.integers(0, 3),
    target_gaps=st.integers(0, 2),
    outages=st.integers(0, 2),
    prometheus_restarts=st.integers(0, 1),
)
seeds = st.integers(0, 2**32)
measures = st.sampled_from([ERRORS, SLOW, APART, GOOD_APART])


def counted(state):
    return {Arm.CANARY: state.canary.tally, Arm.STABLE: state.stable.tally}


def truth(world, state, *, slow=False):
    return {arm: world.scraped(arm, state.watermark_ms / 1000, slow=slow) for arm in Arm}


@GENTLE
@given(seeds, chaos, measures)
def test_what_was_scraped_is_counted_exactly(seed, chaos, measure):
    world = World(seed, chaos)

    state, ticks = count(world, every(INTERVAL, world), measure=measure)

    assert truth(world, state, slow=measure is SLOW) == counted(state)
    assert counted(state) == {
        Arm.CANARY: sum((tick.canary for tick in ticks), Tally()),
        Arm.STABLE: sum((tick.stable for tick in ticks), Tally()),
    }
    assert state.unbased == 0


@GENTLE
@given(seeds, chaos, st.lists(st.floats(0, 420), max_size=6), measures)
def test_how_often_one_looks_changes_no_tick(seed, chaos, moments, measure):
    world = World(seed, chaos)

    small = count(world, every(INTERVAL, world), measure=measure)
    big = count(world, [world.end], measure=measure)
    odd = count(world, [*sorted(START + each for each in moments), world.end], measure=measure)

    assert small[1] == big[1] == odd[1]
    assert counted(small[0]) == counted(big[0]) == counted(odd[0])


@GENTLE
@given(seeds, chaos, st.integers(1, 2), measures)
def test_restarts_duplicates_and_disorder_change_nothing(seed, chaos, replicas, measure):
    world = World(seed, dataclasses.replace(chaos, replicas=replicas))

    plain = count(world, every(20, world), measure=measure)
    battered = count(world, every(20, world), measure=measure, persisted=True, repeated=True, shuffled=True)

    assert plain == battered


@GENTLE
@given(seeds, chaos, measures)
def test_two_replicas_with_gaps_of_their_own_lose_nothing_and_double_nothing(seed, chaos, measure):
    world = World(seed, dataclasses.replace(chaos, replicas=2, drained=True))

    state, _ = count(world, every(INTERVAL, world), measure=measure)

    # Every request lies well between two scrapes of its process, so the whole truth must be there.
    assert truth(world, state, slow=measure is SLOW) == counted(state)


@GENTLE
@given(seeds, chaos, st.booleans(), st.booleans(), st.integers(1, 2), measures)
def test_nothing_is_ever_invented(seed, chaos, restarts_known, up, replicas, measure):
    wild = dataclasses.replace(chaos, fast_boot=True, longest_gap=400.0, restarts=8, replicas=replicas)
    world = World(seed, wild)

    state, _ = count(world, every(INTERVAL, world), restarts_known=restarts_known, up=up, measure=measure)

    for arm, tally in counted(state).items():
        most = world.scraped(arm, world.end, slow=measure is SLOW, at_most=True)
        assert tally.total <= most.total
        assert tally.bad <= min(most.bad, tally.total)


@GENTLE
@given(seeds, chaos, st.floats(20, 300))
def test_a_second_epoch_begins_where_the_first_one_was_with_or_without_its_memory(seed, chaos, after):
    world = World(seed, chaos)
    start = START + after
    epoch = Epoch(start, canary_born=START - 60)
    looks = every(INTERVAL, world)
    first, _ = count(world, [at for at in looks if at <= start])

    state, _ = count(world, [at for at in looks if at > start], epoch=epoch, state=folding.begin(epoch, first))

    until = state.watermark_ms / 1000
    assert counted(state) == {arm: world.scraped(arm, until, start=start) for arm in Arm}


@GENTLE
@given(seeds, chaos)
def test_without_restart_times_only_a_hidden_restart_loses(seed, chaos):
    world = World(seed, chaos)

    state, _ = count(world, every(INTERVAL, world), restarts_known=False)

    for arm, tally in counted(state).items():
        most = world.scraped(arm, state.watermark_ms / 1000)
        assert tally.total <= most.total
        assert tally.bad <= most.bad
        if not any(len(process.lives) > 1 for process in world.processes):
            assert tally == most


@pytest.mark.parametrize("seed", range(5))
def test_an_outage_of_prometheus_delays_and_loses_nothing(seed):
    world = World(seed, Chaos(restarts=0, deaths=0, scale_ups=0, outages=3, longest_gap=200.0))

    state, _ = count(world, every(INTERVAL, world))

    assert counted(state) == {arm: world.scraped(arm, math.inf) for arm in Arm}
