import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.prometheus.breaker import (
    LONGEST_PATIENCE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    OPENS_AFTER,
    Breaker,
)


def an_open_breaker(at=100.0):
    breaker = Breaker()
    for _ in range(OPENS_AFTER):
        breaker.failed(at)
    return breaker


def test_it_opens_after_five_failures_in_a_row_and_says_so():
    breaker = Breaker()

    said = []
    for _ in range(OPENS_AFTER):
        said.append(breaker.refusal(100.0))
        breaker.failed(100.0)

    assert said == [None] * OPENS_AFTER
    assert breaker.is_open
    assert breaker.refusal(100.2) == "not asked: the last 5 requests failed, next try in 1 s"


def test_failures_with_an_answer_between_them_are_not_in_a_row():
    breaker = Breaker()
    for _ in range(10):
        for _ in range(OPENS_AFTER - 1):
            breaker.failed(100.0)
        breaker.succeeded()

    assert not breaker.is_open


def test_after_the_pause_one_request_tries_and_the_others_are_refused():
    breaker = an_open_breaker(at=100.0)

    assert breaker.refusal(101.0) is None
    assert breaker.refusal(101.0) == "not asked: the last 5 requests failed, one is on its way"
    assert breaker.is_open


def test_one_answer_closes_it():
    breaker = an_open_breaker(at=100.0)
    breaker.refusal(101.0)

    breaker.succeeded()

    assert not breaker.is_open
    assert breaker.refusal(101.0) is None


def test_each_try_that_fails_doubles_the_pause_up_to_a_bound():
    breaker, now, pauses = an_open_breaker(at=100.0), 100.0, []
    for _ in range(7):
        opened = now
        while breaker.refusal(now) is not None:
            now += 0.5
        pauses.append(now - opened)
        breaker.failed(now)

    assert pauses == [1, 2, 4, 8, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def test_pauses_begin_anew_after_an_answer():
    breaker = an_open_breaker(at=100.0)
    breaker.refusal(101.0)
    breaker.failed(101.0)
    breaker.refusal(103.0)
    breaker.succeeded()

    for _ in range(OPENS_AFTER):
        breaker.failed(200.0)

    assert breaker.refusal(201.0) is None


def test_a_server_that_asks_for_patience_gets_it_at_once():
    breaker = Breaker()

    breaker.failed(100.0, retry_after=30)

    assert breaker.refusal(129.5) == "not asked: the last request failed, next try in 1 s"
    assert breaker.refusal(130.0) is None


@pytest.mark.parametrize("retry_after", [3600.0, 1e9])
def test_an_hour_of_patience_is_not_granted(retry_after):
    breaker = Breaker()

    breaker.failed(100.0, retry_after=retry_after)

    assert breaker.refusal(100.0 + LONGEST_PATIENCE_SECONDS) is None


def test_what_fails_late_does_not_shorten_the_pause():
    breaker = Breaker()
    breaker.failed(100.0, retry_after=30)

    for _ in range(OPENS_AFTER):
        breaker.failed(101.0)

    assert breaker.refusal(129.0) is not None


outcomes = st.one_of(st.just("answer"), st.none(), st.floats(0, 1e6))


@settings(deadline=None)
@given(st.lists(st.tuples(outcomes, st.floats(0, 30)), max_size=40))
def test_whatever_happens_it_is_tried_again_within_the_longest_patience(history):
    breaker, now = Breaker(), 0.0
    for outcome, passed in history:
        now += passed
        if breaker.refusal(now) is None:
            breaker.succeeded() if outcome == "answer" else breaker.failed(now, outcome)

    assert breaker.refusal(now + LONGEST_PATIENCE_SECONDS) is None
