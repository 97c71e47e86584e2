"""/livez fails for what a restart mends and for nothing else; /readyz until the operator has begun."""

import pytest

from canary_operator.telemetry.vitals import DEAF_SECONDS, LISTING_SECONDS, LOOK_SECONDS, Signs, Vitals

WELL = Signs(ended=(), deaf=(), longest_look=0.0)
DEAF = Signs(ended=(), deaf=("rollouts",), longest_look=0.0)
START = 1000.0


@pytest.fixture
def vitals():
    vitals = Vitals(START)
    vitals.listed(START)
    return vitals


def test_an_operator_that_works_has_no_complaints(vitals):
    assert vitals.complaints(WELL, START + 1) == []


def test_a_part_that_has_ended_is_told_at_once(vitals):
    assert vitals.complaints(Signs(("agenda",), (), 0.0), START + 1) == ["the agenda has ended"]


def test_a_look_that_does_not_end_is_told_once_it_is_longer_than_all_it_waits_for(vitals):
    assert vitals.complaints(Signs((), (), LOOK_SECONDS), START + 1) == []
    assert vitals.complaints(Signs((), (), LOOK_SECONDS + 1), START + 1) == ["a look has not ended for 901 s"]


def test_a_listing_that_does_not_end_is_told(vitals):
    assert vitals.complaints(WELL, START + LISTING_SECONDS) == []
    assert vitals.complaints(WELL, START + LISTING_SECONDS + 1) == ["no listing has ended for 901 s"]


def test_a_first_listing_that_does_not_end_is_told():
    assert Vitals(START).complaints(WELL, START + LISTING_SECONDS + 1) == ["no listing has ended for 901 s"]


def test_an_api_server_that_is_away_for_a_day_is_nothing_that_a_restart_mends(vitals):
    for minute in range(1, 24 * 60):
        vitals.tried(START + 60 * minute)

        assert vitals.complaints(DEAF, START + 60 * minute) == []


def test_a_kind_that_nobody_watches_while_the_api_server_answers_is_told(vitals):
    assert vitals.complaints(DEAF, START + 10) == []
    vitals.listed(START + 10 + DEAF_SECONDS + 1)

    assert vitals.complaints(DEAF, START + 80) == ["nobody has watched rollouts for 70 s"]


def test_a_watch_that_begins_anew_is_not_told(vitals):
    assert vitals.complaints(DEAF, START + 10) == []
    assert vitals.complaints(WELL, START + 20) == []
    vitals.listed(START + 100)

    assert vitals.complaints(DEAF, START + 110) == []


def test_nobody_is_ready_before_everything_was_listed_and_watched():
    vitals = Vitals(START)

    assert not vitals.is_ready(())
    vitals.listed(START)
    assert not vitals.is_ready(("rollouts",))
    assert vitals.is_ready(())


def test_who_was_ready_once_stays_so_whatever_goes_away(vitals):
    assert vitals.is_ready(())

    assert vitals.is_ready(("rollouts",))
