"""Pods that differ by more than chance."""

import math

import pytest

from canary_operator.stats import dispersion
from canary_operator.stats.tallying import Count

EVEN = [Count(1, 100)] * 9


def test_pods_that_are_alike_are_no_more_than_chance():
    assert dispersion.phi([EVEN] * 60) == 1.0


@pytest.mark.parametrize("history", [[], [EVEN] * 5, [[Count(0, 100)] * 9] * 60, [[Count(3, 10)]] * 60])
def test_what_says_nothing_counts_as_chance(history):
    assert dispersion.phi(history) == 1.0


def test_one_pod_that_fails_for_all_is_more_than_chance():
    """Nine errors of 900 requests in one pod: its square is 8² / 0.99, and once 1 / 0.99 of each other."""
    block = [Count(9, 100), *[Count(0, 100)] * 8]
    expected = (64 + 8) / (0.99 * 900 / 899) / 8
    assert dispersion.phi([block, *[EVEN] * 9]) == 1.0
    alternating = [block[place:] + block[:place] for place in range(9)] * 10
    assert dispersion._pearson(alternating) == pytest.approx(expected)


def test_bursts_longer_than_a_block_are_seen_in_longer_ones():
    bursts = [[Count(8 if (at // 6 + pod) % 9 == 0 else 0, 100) for pod in range(9)] for at in range(360)]
    assert dispersion.phi(bursts) > 3 * dispersion._pearson(bursts)
    assert dispersion.rank_blocks(bursts) >= 6


def test_blocks_of_independent_errors_stay_as_they_are():
    assert dispersion.rank_blocks([EVEN] * 60) == 1


def ranked(canary, stable, blocks=1):
    state = dispersion.begin(0.0)
    for at in range(blocks):
        state = dispersion.advance(state, 60.0 * (at + 1), canary, stable)
    return dispersion.evidence(state)


def test_a_pod_that_is_always_the_worst_is_found():
    assert ranked([Count(5, 100)], EVEN, 10) > math.log(100)


def test_a_pod_like_the_others_shares_the_average_of_all_ranks_and_shows_nothing():
    assert ranked([Count(1, 100)], EVEN, 10) == pytest.approx(0.0)


def test_a_pod_that_is_always_the_best_speaks_for_the_canary():
    assert ranked([Count(0, 100)], EVEN, 10) < 0


@pytest.mark.parametrize(
    ("case", "canary", "stable"),
    [
        ("too few stable pods", [Count(5, 100)], EVEN[:4]),
        ("no canary pod", [], EVEN),
        ("a canary pod without requests", [Count(0, 0)], EVEN),
        ("pods that are not alike", [Count(5, 100)], [*EVEN, Count(1, 151)]),
    ],
)
def test_what_cannot_be_ranked_shows_nothing(case, canary, stable):
    assert ranked(canary, stable, 10) == pytest.approx(0.0)


def test_a_bet_is_fair_over_all_ranks():
    """Each of ten pods with ratios of its own takes its turn as the canary's."""
    pods = [Count(bad, 100) for bad in range(10)]
    for power in dispersion.BETS:
        bets = [math.exp(dispersion._bet(power, [pod], [each for each in pods if each != pod])) for pod in pods]
        assert math.fsum(bets) / len(bets) == pytest.approx(1.0)


def test_trust_in_both_is_an_average():
    assert dispersion.together(3.0, 3.0) == pytest.approx(3.0)
    assert dispersion.together(10.0, -1000.0) == pytest.approx(10 + math.log(0.9))
