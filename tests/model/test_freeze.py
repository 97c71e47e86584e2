"""Freeze windows: when one is open, until when, and what is refused."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.freeze import FreezeWindow
from canary_operator.model.policy import parse_policy

WEEKEND = {"schedule": "0 16 * * 5", "duration": "64h"}
BERLIN = {"timeZone": "Europe/Berlin"}


def at(text: str, zone: str = "UTC") -> float:
    """Unix seconds of a time on the wall; of one that comes twice, the first."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def open_until(window: dict[str, str], now: float) -> str | None:
    until = FreezeWindow.model_validate(window).open_until(now)
    return None if until is None else durations.format_time(until)


# 2026-09-18 is a Friday.
@pytest.mark.parametrize(
    ("window", "now", "until"),
    [
        (WEEKEND, "2026-09-18T15:59:59", None),
        (WEEKEND, "2026-09-18T16:00:00", "2026-09-21T08:00:00Z"),
        (WEEKEND, "2026-09-20T12:00:00", "2026-09-21T08:00:00Z"),
        (WEEKEND, "2026-09-21T07:59:59", "2026-09-21T08:00:00Z"),
        (WEEKEND, "2026-09-21T08:00:00", None),
        (WEEKEND | BERLIN, "2026-09-18T14:00:00", "2026-09-21T06:00:00Z"),
        (WEEKEND | BERLIN, "2026-09-18T13:59:59", None),
        ({"schedule": "0 0 24 12 *", "duration": "240h"}, "2027-01-02T23:59:59", "2027-01-03T00:00:00Z"),
        ({"schedule": "*/10 * * * *", "duration": "5m"}, "2026-09-18T16:14:00", "2026-09-18T16:15:00Z"),
        ({"schedule": "*/10 * * * *", "duration": "5m"}, "2026-09-18T16:15:00", None),
        # The last of overlapping windows tells the end.
        ({"schedule": "* * * * *", "duration": "2m"}, "2026-09-18T16:15:30", "2026-09-18T16:17:00Z"),
        ({"schedule": "0 0 29 2 *", "duration": "24h"}, "2028-02-29T12:00:00", "2028-03-01T00:00:00Z"),
        ({"from": "2026-12-24T00:00:00Z", "until": "2026-12-27T00:00:00Z"}, "2026-12-23T23:59:59", None),
        (
            {"from": "2026-12-24T00:00:00+01:00", "until": "2026-12-27T00:00:00Z"},
            "2026-12-23T23:00:00",
            "2026-12-27T00:00:00Z",
        ),
        ({"from": "2026-12-24T00:00:00Z", "until": "2026-12-27T00:00:00Z"}, "2026-12-27T00:00:00", None),
    ],
)
def test_a_window_is_open_from_its_start_until_just_before_its_end(window, now, until):
    assert open_until(window, at(now)) == until


# Clocks of Berlin: on 2026-03-29 02:00 becomes 03:00, on 2026-10-25 03:00 becomes 02:00.
@pytest.mark.parametrize(
    ("schedule", "duration", "now", "until"),
    [
        # An hour of the night that is skipped: the window opens when it is over.
        ("30 2 * * *", "1h", "2026-03-29T00:59:59", None),
        ("30 2 * * *", "1h", "2026-03-29T01:00:00", "2026-03-29T02:00:00Z"),
        # An hour that comes twice: once, when it comes first.
        ("30 2 * * *", "15m", "2026-10-25T00:29:59", None),
        ("30 2 * * *", "15m", "2026-10-25T00:30:00", "2026-10-25T00:45:00Z"),
        ("30 2 * * *", "15m", "2026-10-25T01:35:00", None),
        # It is still open when the clock on the wall says less than when it opened.
        ("30 2 * * *", "1h", "2026-10-25T01:10:00", "2026-10-25T01:30:00Z"),
        # A day of 23 hours, and one of 25: the duration is time that passes.
        ("0 0 * * *", "24h", "2026-03-29T21:59:00", "2026-03-29T23:00:00Z"),
        ("0 0 25 * *", "24h", "2026-10-25T21:59:00", "2026-10-25T22:00:00Z"),
        ("0 0 25 * *", "24h", "2026-10-25T22:00:00", None),
    ],
)
def test_a_change_of_the_clocks_neither_skips_a_window_nor_opens_it_twice(schedule, duration, now, until):
    window = {"schedule": schedule, "duration": duration, "timeZone": "Europe/Berlin"}

    assert open_until(window, at(now)) == until


@given(
    now=st.integers(1_700_000_000, 1_900_000_000),
    hour=st.integers(0, 23),
    minutes=st.integers(1, 40 * 60),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_a_window_that_opens_every_day_always_closes_within_its_length(now, hour, minutes, zone):
    window = {"schedule": f"17 {hour} * * *", "duration": f"{minutes}m", "timeZone": zone}
    window = FreezeWindow.model_validate(window)

    until = window.open_until(now)

    if until is None:
        assert minutes < 26 * 60
    else:
        assert now < until <= now + minutes * 60
        start = datetime.fromtimestamp(until - minutes * 60, ZoneInfo(zone))
        assert (start.hour, start.minute) == (hour, 17) or start.utcoffset() != window_day(start)


def window_day(start: datetime):
    """The offset of the day before: a start elsewhere in the hour is one that a change of the clocks has moved."""
    return datetime.fromtimestamp(start.timestamp() - 86_400, start.tzinfo).utcoffset()


@pytest.mark.parametrize(
    ("window", "sentence"),
    [
        (
            {"schedule": "0 16 * *", "duration": "1h"},
            "schedule: should be five fields as in cron (minute, hour, day of",
        ),
        ({"schedule": "0 0 16 * * 5", "duration": "1h"}, "schedule: should be five fields"),
        ({"schedule": "61 16 * * 5", "duration": "1h"}, "Bad minute (found '61 16 * * 5')"),
        ({"schedule": "0 0 31 2 *", "duration": "1h"}, "Bad day-of-month (found '0 0 31 2 *')"),
        ({"schedule": "@daily...", "duration": "1h"}, "schedule: should be five fields"),
        (WEEKEND | {"timeZone": "Europe/Bonn"}, "timeZone: should be a time zone of the IANA database such as"),
        (WEEKEND | {"timeZone": "../../etc/passwd"}, "timeZone: should be a time zone"),
        (WEEKEND | {"duration": "30s"}, "duration: should be between 1m and 744h (found '30s')"),
        (WEEKEND | {"duration": "745h"}, "duration: should be between 1m and 744h"),
        ({"schedule": "0 16 * * 5"}, "should have either schedule and duration, or from and until"),
        ({"duration": "1h"}, "should have either"),
        ({"from": "2026-12-24T00:00:00Z"}, "should have either"),
        ({}, "should have either"),
        (WEEKEND | {"from": "2026-12-24T00:00:00Z", "until": "2026-12-27T00:00:00Z"}, "should have either"),
        ({"from": "2026-12-24T00:00:00Z", "until": "2026-12-24T00:00:00Z"}, "from should be before until"),
        ({"from": "Christmas", "until": "2026-12-24T00:00:00Z"}, '"Christmas" is not an RFC 3339 time; allowed is one'),
        ({"from": "2026-12-24T00:00:00", "until": "2026-12-25T00:00:00Z"}, "has no time zone"),
    ],
)
def test_a_window_that_says_nothing_clear_is_refused_with_its_place(window, sentence):
    with pytest.raises(ConfigurationError) as refused:
        parse_policy("calm", {"spec": {"freezeWindows": [window]}})

    assert "SLOPolicy calm: spec.freezeWindows.0" in str(refused.value)
    assert sentence in str(refused.value)
