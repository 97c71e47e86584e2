"""How the stake is spread over faults."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.stats import judging, likelihood, objective, persisting, staking
from canary_operator.stats.staking import Traffic
from canary_operator.stats.tallying import Rules, Tick

RHO = 1.25
traffics = st.builds(
    Traffic,
    requests=st.floats(1e-4, 1e6),
    share=st.floats(0.001, 0.999),
    ratio=st.floats(0, 1),
)


def staked(traffic: Traffic) -> dict[str, float]:
    """What lies on each alternative, by its name."""
    names = (*(f"times {each:g}" for each in likelihood.FACTORS), *(f"{high:g}" for high, _ in likelihood.COLLAPSES))
    return dict(zip(names, map(math.exp, staking.weights(traffic, RHO)), strict=True))


@given(traffics, st.floats(1, 5))
def test_the_stake_is_one_and_every_fault_has_a_part_of_it(traffic, rho):
    parts = [math.exp(each) for each in staking.weights(traffic, rho)]
    assert sum(parts) == pytest.approx(1)
    assert min(parts) > 0


def test_without_knowledge_the_spread_is_fixed():
    assert staking.weights(None, RHO) == likelihood.WORSE_WEIGHTS


@pytest.mark.parametrize(
    ("requests", "faults"),
    [
        (1, {"times 14", "0.2", "0.5", "0.99"}),
        (10, {"times 3.5", "times 5", "times 14", "0.2"}),
        (100, {"times 2", "times 3.5", "times 5"}),
        (1000, {"times 1.4", "times 2"}),
    ],
)
def test_the_more_traffic_the_smaller_the_faults_that_have_the_stake(requests, faults):
    parts = staked(Traffic(requests, 0.1, 0.01))
    most = sorted(parts, key=lambda name: -parts[name])[: len(faults)]
    assert set(most) == faults


def test_the_stake_is_made_before_the_game():
    traffic = Traffic(100, 0.1, 0.01)
    fresh = objective.begin(0.0)
    assert objective.expecting(fresh, traffic).traffic == traffic
    compared = objective.advance(fresh, Tick(10.0, 1, 100, 9, 900), Rules(0.01), promotes=True)
    assert objective.expecting(compared, traffic) is compared


def test_what_was_known_of_the_traffic_outlives_a_restart_and_a_weight():
    state = objective.expecting(objective.begin(0.0), Traffic(100 / 3, 0.1, 1 / 7))
    assert objective.renewed(state).traffic == state.traffic
    assert persisting.load(json.loads(json.dumps(persisting.dump(state)))) == state


def test_where_nothing_is_known_the_requests_of_the_first_comparison_tell_where_the_stake_lies():
    rules = Rules(0.01)
    unknown = objective.advance(objective.begin(0.0), Tick(10.0, 1, 100, 9, 900), rules, promotes=True)
    known = objective.advance(
        objective.expecting(objective.begin(0.0), Traffic(100, 0.1, 0.01)),
        Tick(10.0, 1, 100, 9, 900),
        rules,
        promotes=True,
    )
    assert objective.evidence(unknown, rules) == objective.evidence(known, rules)


def test_the_first_comparison_stays_the_first_and_may_come_in_parts():
    rules, state = Rules(0.01), objective.begin(0.0)
    for tick in (Tick(10.0, 1, 50, 9, 400), Tick(10.0, 0, 50, 0, 500), Tick(20.0, 0, 9, 0, 9)):
        state = objective.advance(state, tick, rules, promotes=True)
    assert state.comparison.opening == objective.Opening(10.0, 100, 900)
    assert persisting.load(json.loads(json.dumps(persisting.dump(state)))) == state


@pytest.mark.parametrize("bad", [(0, 0.1, 0.1), (1, 0, 0.1), (1, 1, 0.1), (1, 0.1, 1.1), (math.inf, 0.1, 0.1)])
def test_traffic_outside_of_its_bounds_is_refused(bad):
    with pytest.raises(ValueError, match="between 0 and 1"):
        Traffic(*bad)


@pytest.mark.parametrize("requests", [None, 0.1, 10, 1e5])
@pytest.mark.parametrize(("share", "most"), [(0.05, 6), (0.1, 6), (0.25, 6), (0.5, 12)])
def test_whatever_was_expected_a_canary_that_fails_everything_is_aborted_after_few_requests(requests, share, most):
    """One request of the canary a minute, and a stable version without errors."""
    state, rules = objective.begin(0.0), Rules(0.01)
    if requests is not None:
        state = objective.expecting(state, Traffic(requests, share, 0.01))
    for minute in range(1, most + 1):
        state = objective.advance(
            state, Tick(60.0 * minute, 1, 1, 0, round((1 - share) / share)), rules, promotes=False
        )
    verdict = judging.judge({"errors": judging.Objective(state, rules)}).verdict
    assert isinstance(verdict, judging.Abort)
