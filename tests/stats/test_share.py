"""Whether the share of the requests is the weight."""

import pytest

from canary_operator.stats.share import advance, begin, bounds, share


def after(rows, weight, state=None):
    state = state or begin(0.0)
    for canary, stable in rows:
        state = advance(state, state.last + 10, (canary, stable), bounds(weight, 0.5))
    return state


@pytest.mark.parametrize(
    ("case", "rows", "weight", "mismatch"),
    [
        ("as asked for", [(50, 950)] * 30, 0.05, False),
        ("three quarters of it", [(75, 925)] * 30, 0.1, False),
        ("half as much again", [(150, 850)] * 30, 0.1, False),
        ("a fifth of it", [(10, 990)] * 30, 0.05, True),
        ("none at all", [(0, 1000)] * 30, 0.05, True),
        ("three times as much", [(150, 850)] * 30, 0.05, True),
        ("everything", [(1000, 0)] * 30, 0.5, True),
        ("less of much", [(300, 700)] * 30, 0.8, True),
        ("two huge ticks are not enough", [(0, 100_000)] * 2, 0.05, False),
        ("a few requests are not enough", [(0, 3)] * 5, 0.05, False),
    ],
)
def test_a_mismatch(case, rows, weight, mismatch):
    assert share(after(rows, weight)).mismatch is mismatch


def test_a_route_that_was_mended_is_soon_right():
    wrong = after([(0, 1000)] * 60, 0.05)
    assert share(wrong).mismatch
    assert not share(after([(50, 950)] * 6, 0.05, wrong)).mismatch


def test_the_observed_share():
    assert share(after([(10, 90)], 0.1)).observed == 0.1
    assert share(begin(0.0)).observed is None
