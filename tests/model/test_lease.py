"""Who may take a Lease, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.model.lease import LeaseRecord, Move, Seen, next_move, observed


def a_record(holder="other", renewed="r1", duration=15.0, transitions=0, version="7"):
    return LeaseRecord(holder, renewed, "a1", duration, transitions, version)


@pytest.mark.parametrize(
    ("record", "age", "move"),
    [
        (None, 0, Move.CREATE),
        (a_record("me"), 0, Move.RENEW),
        (a_record("me"), 1000, Move.RENEW),
        (a_record("other"), 0, Move.WAIT),
        (a_record("other"), 15, Move.WAIT),
        (a_record("other"), 15.1, Move.TAKE),
        (a_record("other", duration=60), 59, Move.WAIT),
        (a_record(""), 0, Move.TAKE),
    ],
)
def test_what_is_done_about_what_is_seen(record, age, move):
    assert next_move(Seen(record, 100.0), "me", 100.0 + age) is move


def test_a_record_that_has_not_changed_keeps_its_time():
    first = observed(None, a_record(), 100.0)

    assert observed(first, a_record(), 110.0) == Seen(a_record(), 100.0)
    assert observed(first, a_record(version="8"), 110.0) == Seen(a_record(version="8"), 110.0)


def test_a_record_that_has_vanished_is_held_for_as_long_as_it_asked_from_when_that_was_seen():
    gone = observed(observed(None, a_record(), 100.0), None, 110.0)

    assert gone == Seen(None, 110.0, a_record())
    assert observed(gone, None, 120.0) == gone
    assert next_move(gone, "me", 125.0) is Move.WAIT
    assert next_move(gone, "other", 125.0) is Move.WAIT, "whoever held it"
    assert next_move(gone, "me", 125.1) is Move.CREATE


def test_a_record_that_was_given_back_and_has_vanished_is_held_by_nobody():
    gone = observed(observed(None, a_record(""), 100.0), None, 110.0)

    assert next_move(gone, "me", 110.0) is Move.CREATE


@given(st.lists(st.tuples(st.floats(0.1, 30), st.booleans()), max_size=30))
def test_nobody_takes_what_was_renewed_within_its_duration(looks):
    """However irregularly one looks, a Lease that is taken has not changed for its whole duration."""
    now, changed, renewals, seen = 0.0, 0.0, 0, None
    for pause, renewed in looks:
        now += pause
        if renewed:
            renewals, changed = renewals + 1, now
        seen = observed(seen, a_record(version=str(renewals)), now)
        if next_move(seen, "me", now) is Move.TAKE:
            assert now - changed > 15
