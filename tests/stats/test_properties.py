"""What holds whatever is counted."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.errors import ConfigurationError
from canary_operator.stats import likelihood
from canary_operator.stats.judging import Abort, Objective, Promote, judge
from canary_operator.stats.objective import advance, begin, evidence
from canary_operator.stats.persisting import dump, load
from canary_operator.stats.tallying import Rules, Tick
from tests.stats.rows import RULES, after

few = settings(max_examples=40, deadline=None)


def counts(most: int = 400, least: int = 0):
    return st.integers(least, most).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


def rows_of(least: int):
    row = st.tuples(counts(least=least), counts(2000, least)).map(lambda pair: (*pair[0], *pair[1]))
    return st.lists(row, min_size=1, max_size=8)


rows = rows_of(0)


@few
@given(rows, st.data())
def test_more_errors_of_the_canary_never_help_it(given_rows, data):
    place = data.draw(st.integers(0, len(given_rows) - 1))
    bad, total, *stable = given_rows[place]
    worse = [*given_rows[:place], (data.draw(st.integers(bad, total)), total, *stable), *given_rows[place + 1 :]]
    before, then = (evidence(after(each), RULES) for each in (given_rows, worse))
    slack = 1e-9 + 1e-12 * max(abs(before.worse), abs(before.above), abs(before.promotion))
    assert then.worse >= before.worse - slack
    assert then.above >= before.above - slack
    assert then.promotion <= before.promotion + slack
    assert then.environment == before.environment


@few
@given(rows)
def test_more_errors_never_turn_an_abort_into_a_promotion(given_rows):
    verdict = judge({"a": Objective(after(given_rows), RULES)}).verdict
    everything = [(total, total, *stable) for _, total, *stable in given_rows]
    then = judge({"a": Objective(after(everything), RULES)}).verdict
    assert not isinstance(then, Promote) or sum(row[1] for row in given_rows) == 0
    assert isinstance(then, Abort) or not isinstance(verdict, Abort)


@few
@given(rows_of(1), st.integers(2, 4))
def test_a_tick_in_parts_shows_what_the_whole_shows(given_rows, parts):
    """Both versions served, every number a multiple of the parts, no cap, all parts with the end of the whole."""
    rules = Rules(0.01, cap=math.inf)
    whole, split = begin(0.0), begin(0.0)
    for index, row in enumerate(given_rows):
        end = 10.0 * (index + 1)
        whole = advance(whole, Tick(end, *(each * parts for each in row)), rules, promotes=False)
        for _ in range(parts):
            split = advance(split, Tick(end, *row), rules, promotes=False)
    assert shown(split, rules) == pytest.approx(shown(whole, rules), rel=1e-9, abs=1e-9)


@few
@given(rows, st.data())
def test_empty_ticks_change_nothing(given_rows, data):
    state, sparse = begin(0.0), begin(0.0)
    for index, row in enumerate(given_rows):
        for step in range(data.draw(st.integers(0, 3))):
            sparse = advance(sparse, Tick(10.0 * index + 1 + step, 0, 0, 0, 0), RULES, promotes=True)
        tick = Tick(10.0 * (index + 1), *row)
        state, sparse = (advance(each, tick, RULES, promotes=True) for each in (state, sparse))
    assert sparse == state


@few
@given(rows)
def test_a_state_goes_through_json_to_the_same_bit_and_stays_small(given_rows):
    state = after(given_rows)
    text = json.dumps(dump(state))
    again = load(json.loads(text))
    assert again == state
    assert after([(3, 10, 1, 90)], state=again) == after([(3, 10, 1, 90)], state=state)
    assert len(text) < 2000


@few
@given(
    st.floats(0.001, 0.8),
    st.floats(1.0, 3.0),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_the_comparison_is_an_e_value_for_every_ratio_that_is_tolerable(stable_ratio, rho, total, stable_total):
    """The mean over all outcomes, weighted by their chance, is at most 1 for every alternative."""
    ratio = min(rho * stable_ratio, 1.0)
    means = [0.0] * likelihood.WORSE
    for bad in range(total + 1):
        for stable_bad in range(stable_total + 1):
            chance = binomial(bad, total, ratio) * binomial(stable_bad, stable_total, stable_ratio)
            logs = likelihood.worse((bad, total), (stable_bad, stable_total), rho)
            means = [mean + chance * math.exp(log) for mean, log in zip(means, logs, strict=True)]
    assert max(means) <= 1 + 1e-9


@few
@given(st.floats(0.001, 0.9), st.floats(0.0, 1.0), st.integers(1, 40))
def test_so_are_the_two_tests_against_a_limit(limit, part, total):
    for test, ratio in ((likelihood.above, limit * part), (likelihood.below, limit + (1 - limit) * part)):
        chances = [binomial(bad, total, ratio) for bad in range(total + 1)]
        logs = [test(bad, total, limit) for bad in range(total + 1)]
        means = [
            sum(c * math.exp(each) for c, each in zip(chances, column, strict=True))
            for column in zip(*logs, strict=True)
        ]
        assert max(means) <= 1 + 1e-9


def binomial(bad: int, total: int, ratio: float) -> float:
    return math.comb(total, bad) * ratio**bad * (1 - ratio) ** (total - bad)


def shown(state, rules) -> list[float]:
    found = evidence(state, rules)
    return [found.worse, found.above, found.environment, found.promotion, state.comparison.excess]


@pytest.mark.parametrize(
    "broken",
    [
        None,
        {},
        {"format": 2},
        {"format": 1},
        {**dump(after([(1, 10, 1, 90)])), "worse": [0.0]},
        {**dump(after([(1, 10, 1, 90)])), "worse": ["a"] * likelihood.WORSE},
        {**dump(after([(1, 10, 1, 90)])), "excess": [math.nan, 0.0]},
        {**dump(after([(1, 10, 1, 90)])), "counts": [2, 1] * 5},
    ],
)
def test_a_state_that_cannot_be_read_is_refused_whole(broken):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(broken)
