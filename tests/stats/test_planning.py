"""Requests that a decision takes."""

import pytest

from canary_operator.stats.judging import Objective, Promote, judge
from canary_operator.stats.objective import advance, begin
from canary_operator.stats.planning import detectable, needed
from canary_operator.stats.tallying import Count, Risk, Rules, Tick


@pytest.mark.parametrize(
    ("allowed", "risk", "least", "here"),
    [
        (0.005, Risk(), 299, 334),
        (0.01, Risk(), 149, 167),
        (0.01, Risk(reject_ratio=1.0001), 299, 334),
        (0.5, Risk(), 3, 3),
    ],
)
def test_error_free_requests_that_promote(allowed, risk, least, here):
    """Showing less than 1 % takes 299 requests of any test; this one takes about a ninth more."""
    plan = needed(allowed, risk)
    assert (plan.least, plan.promote) == (least, here)


@pytest.mark.parametrize("allowed", [0.05, 0.01, 0.001])
def test_the_plan_is_what_happens(allowed):
    rules, plan = Rules(allowed), needed(allowed)
    state = begin(0.0)
    for end in range(1, plan.promote):
        state = advance(state, Tick(float(end), 0, 1, 0, 9), rules, promotes=True)
    last = advance(state, Tick(float(plan.promote), 0, 1, 0, 9), rules, promotes=True)
    assert not isinstance(judge({"a": Objective(state, rules)}).verdict, Promote)
    assert isinstance(judge({"a": Objective(last, rules)}).verdict, Promote) == (plan.promote > rules.settles)


def test_a_worse_canary_is_noticed_sooner():
    assert needed(0.01, times=10).notice < needed(0.01, times=5).notice < needed(0.01, times=2).notice


def test_more_requests_show_smaller_effects():
    sizes = [detectable(requests, Rules(0.01)) for requests in (30, 100, 300, 1000, 10_000)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == pytest.approx([0.176, 0.083, 0.046, 0.028, 0.015], abs=0.0006)


@pytest.mark.parametrize(("requests", "stable"), [(0, None), (1, Count(0, 9))])
def test_hardly_any_requests_show_nothing(requests, stable):
    assert detectable(requests, Rules(0.01), stable) is None
