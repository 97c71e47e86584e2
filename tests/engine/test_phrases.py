"""What evidence sounds like: sentences that a colleague would say, for every case that users have met."""

import pytest

from canary_operator.engine import phrases
from canary_operator.stats import objective
from canary_operator.stats.judging import Objective, judge
from canary_operator.stats.objective import State
from canary_operator.stats.tallying import NOTHING as NONE
from canary_operator.stats.tallying import Count, Rules, Tick

BUDGET = Rules(allowed=0.01)
ALLOWS = "the objective allows 1 %"
DIFFER = "stable's own pods differ by more than chance, so that evidence counts 1/28"


def seen(canary: tuple[int, int], stable: tuple[int, int], rules: Rules = BUDGET, ticks: int = 1) -> State:
    """The state after a few ticks that share these requests, (bad, total)."""
    state = objective.begin(0.0)
    for tick in range(1, ticks + 1):
        state = objective.advance(state, Tick(10.0 * tick, *canary, *stable), rules, promotes=True)
    return state


@pytest.mark.parametrize(
    ("share", "said"),
    [(0.0, "0 %"), (1.0, "100 %"), (0.12, "12 %"), (0.005, "0.5 %"), (0.0012, "0.12 %"), (0.000123, "0.012 %")],
)
def test_a_share_has_two_significant_digits(share, said):
    assert phrases.percent(share) == said


@pytest.mark.parametrize(
    ("canary", "stable", "rules", "said"),
    [
        (
            (3, 1240),
            (1, 2000),
            BUDGET,
            f"canary 3 of 1,240 requests bad (0.24 %) against 1 of 2,000 requests bad (0.05 %) on stable; {ALLOWS}",
        ),
        (
            (3, 1240),
            (0, 0),
            Rules(allowed=0.01, compares=False),
            f"canary 3 of 1,240 requests bad (0.24 %); {ALLOWS}",
        ),
        (
            (0, 0),
            (1, 100),
            BUDGET,
            f"no requests to the canary yet against 1 of 100 requests bad (1 %) on stable; {ALLOWS}",
        ),
        (
            (30, 100),
            (5, 100),
            Rules(allowed=0.01, phi=28.3),
            f"canary 30 of 100 requests bad (30 %) against 5 of 100 requests bad (5 %) on stable; {ALLOWS}; {DIFFER}",
        ),
    ],
)
def test_both_versions_and_what_the_objective_allows_are_told(canary, stable, rules, said):
    assert phrases.compared(seen(canary, stable, rules), rules, {}, NONE) == said


def test_where_like_is_compared_with_like_the_worst_part_is_named():
    parts = {
        'route="/"': seen((0, 900), (1, 900)),
        'route="/search"': seen((30, 100), (4, 100)),
        "other": seen((0, 0), (0, 0)),
    }

    said = phrases.compared(seen((30, 1000), (5, 1000)), BUDGET, parts, NONE)

    assert said.endswith(
        '; part by part it is worst in route="/search": canary 30 of 100 requests bad (30 %) against 4 of 100 requests '
        "bad (4 %) on stable"
    )


def test_a_canary_that_only_gets_more_of_a_bad_part_is_said_to_be_no_worse():
    parts = {'route="/"': seen((0, 100), (1, 900)), 'route="/search"': seen((36, 900), (4, 100))}

    said = phrases.compared(seen((36, 1000), (5, 1000)), BUDGET, parts, NONE)

    assert said.endswith("; part by part it is no worse than stable")


def test_parts_are_not_compared_where_stable_has_no_requests():
    alone = Rules(allowed=0.01, compares=False)

    assert "part by part" not in phrases.compared(
        seen((1, 100), (0, 0), alone), alone, {"route": seen((1, 100), (0, 0))}, NONE
    )


@pytest.mark.parametrize(
    ("canary", "late", "told"),
    [
        ((17, 3440), Count(16, 70), True),
        ((17, 3440), Count(0, 70), False),
        ((17, 3440), NONE, False),
        ((17, 3440), Count(1, 70), False),
        ((170, 3440), Count(16, 70), False),
    ],
)
def test_a_fault_that_all_requests_together_do_not_show_is_told_by_the_last_of_them(canary, late, told):
    said = phrases.compared(seen(canary, (0, 3000)), BUDGET, {}, late)

    assert (", and 16 of the canary's last 70 (23 %); the objective allows 1 %" in said) is told


def lacking(state: State, when: str = "") -> str:
    report = judge({"availability": Objective(state, BUDGET)}).reports["availability"]
    return phrases.lacking(report, state, BUDGET, when)


def test_requests_that_are_missing_are_counted_and_it_is_said_when_they_are_expected():
    said = lacking(seen((0, 100), (0, 100)), when=", expected in 1 min 30 s")

    assert said.startswith("about 114 more requests would show that it is under 2 %, expected in 1 min 30 s; ")


def test_enough_requests_that_came_too_fast_are_said_to_be_enough_soon():
    said = lacking(seen((0, 1000), (0, 1000), ticks=3))

    assert said.startswith("enough once they span 1 min at this weight; ")


def test_a_ratio_that_will_not_do_is_said_to_be_one():
    assert lacking(seen((46, 1352), (8, 1358))).startswith("at this ratio it will not be shown to be under 2 %")


def test_what_would_have_been_seen_by_now_is_never_less_than_what_is_seen():
    good, bad = lacking(seen((0, 400), (0, 400))), lacking(seen((46, 1352), (8, 1358)))

    assert "bad would have been seen by now" in good
    assert "bad would have been seen by now" not in bad
