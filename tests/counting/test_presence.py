import dataclasses

import pytest

from canary_operator.counting import presence
from canary_operator.counting.tallies import Counted, Counter, Point, Selection, State, Tally
from canary_operator.model.verdict import HoldReason

EMPTY = Selection((), {})
SOME = Selection((Counter("k", "t", "p", (Point(100_000, 1, 0),)),), {})


@pytest.mark.parametrize(
    ("canary", "stable", "running", "reason"),
    [
        (SOME, SOME, None, None),
        (SOME, None, None, None),
        (SOME, EMPTY, True, HoldReason.NO_DATA),
        (EMPTY, EMPTY, True, HoldReason.NO_DATA),
        (EMPTY, SOME, True, HoldReason.NO_TRAFFIC),
        (EMPTY, SOME, False, HoldReason.NO_DATA),
        (EMPTY, SOME, None, HoldReason.NO_DATA),
        (EMPTY, None, True, HoldReason.NO_DATA),
    ],
)
def test_why_there_is_nothing_to_compare(canary, stable, running, reason):
    absent = presence.absent(canary, stable, canary_running=running, metric="http_requests_total")

    assert (absent.reason if absent else None) is reason
    assert absent is None or "http_requests_total" in absent.message


@pytest.mark.parametrize(
    ("at", "interval", "stale"),
    [(145.0, 15_000, False), (145.1, 15_000, True), (145.1, None, True), (190.0, 30_000, False), (191.0, 30_000, True)],
)
def test_a_newest_sample_is_stale_after_three_scrapes_or_the_bound_whichever_is_longer(at, interval, stale):
    absent = presence.stale(SOME, at, interval, max_age_seconds=45.0)

    assert (absent is not None) == stale
    assert absent is None or absent.reason is HoldReason.NO_DATA


def test_no_sample_is_stale():
    assert presence.stale(EMPTY, 1.0, None, 45.0).reason is HoldReason.NO_DATA


STATE = State(0, watermark_ms=60_000, canary=Counted(Tally(0, 5), 30_000), stable=Counted(Tally(0, 9), 60_000))


@pytest.mark.parametrize(
    ("change", "quiet"),
    [
        ({}, True),
        ({"canary": Counted(Tally(0, 5), 45_000)}, False),
        ({"canary": Counted()}, True),
        ({"stable": Counted(Tally(0, 9), 30_000)}, False),
        ({"watermark_ms": None}, False),
    ],
)
def test_a_canary_is_quiet_when_only_stable_gets_requests(change, quiet):
    absent = presence.quiet(dataclasses.replace(STATE, **change), rate=1 / 3)

    assert (absent is not None) == quiet
    assert absent is None or absent.reason is HoldReason.NO_TRAFFIC


def test_a_canary_that_gets_a_request_a_minute_is_not_quiet_after_half_a_minute():
    assert presence.quiet(STATE, rate=1 / 60) is None
