"""Durations and times: what Go writes is read, what is written is read back."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator import errors
from canary_operator.model import durations
from canary_operator.model.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("1.5h", 5400),
        ("100ms", 0.1),
        ("10us", 1e-5),
        ("10\u00b5s", 1e-5),
        ("10\u03bcs", 1e-5),
        ("5ns", 5e-9),
        ("-1m", -60),
        ("+2s", 2),
        (".5s", 0.5),
        ("1.s", 1),
        ("1s1m", 61),
        ("0", 0),
        ("+0", 0),
        ("-0", 0),
        ("0s", 0),
    ],
)
def test_a_duration_is_read(text, seconds):
    assert seconds == pytest.approx(parse_duration(text), abs=1e-15)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "30",
        "1",
        "s",
        "1d",
        "1w",
        "1m 30s",
        " 1s",
        "1s ",
        "--1s",
        "+-1s",
        ".s",
        "1..s",
        "1e3s",
        "\u0661s",
        "9" * 30 + "h",
        "1s" * 40,
    ],
)
def test_what_go_does_not_read_is_refused(text):
    with pytest.raises(errors.ConfigurationError, match="is not a duration"):
        parse_duration(text)


@given(st.text(alphabet="0123456789.hmsnu+- ", max_size=12))
def test_any_text_is_a_duration_or_refused(text):
    with contextlib.suppress(errors.ConfigurationError):
        assert isinstance(parse_duration(text), float)


@given(st.integers(0, 100), st.integers(0, 59), st.integers(0, 59))
def test_parts_add_up(hours, minutes, seconds):
    assert hours * 3600 + minutes * 60 + seconds == parse_duration(f"{hours}h{minutes}m{seconds}s")


@given(st.integers(0, 2**62))
def test_a_written_duration_is_read_back(nanoseconds):
    seconds = parse_duration(f"{nanoseconds}ns")

    assert seconds == parse_duration(durations.write_duration(seconds))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "0.5s"), (60, "60s"), (3600, "3600s"), (1_234_567, "1234567s"), (1e-9, "0.000000001s")],
)
def test_a_duration_is_written_in_seconds_without_an_exponent(seconds, text):
    assert text == durations.write_duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (45.4, "45 s"), (59.6, "1 min"), (125, "2 min 5 s"), (3600, "1 h"), (4200, "1 h 10 min")],
)
def test_a_person_reads_whole_units(seconds, text):
    assert text == durations.format_duration(seconds)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-09-14T10:00:00Z", 1_789_380_000),
        ("2026-09-14T12:00:00+02:00", 1_789_380_000),
        ("2026-09-14T10:00:00.250Z", 1_789_380_000.25),
        ("2126-08-21T10:00:00Z", 1_789_380_000 + 36_500 * 86_400),
    ],
)
def test_a_time_is_read(text, seconds):
    assert seconds == durations.parse_time(text)


@pytest.mark.parametrize("text", ["", "soon", "2026-09-14", "2026-09-14T10:00:00", "178938000", "2026-13-01T00:00:00Z"])
def test_a_time_without_a_zone_or_a_calendar_is_refused(text):
    with pytest.raises(errors.ConfigurationError):
        durations.parse_time(text)


@given(st.integers(0, 2**33))
def test_a_written_time_is_read_back(seconds):
    assert seconds == durations.parse_time(durations.format_time(seconds))


@given(st.integers(0, 2**33 * 10**6))
def test_a_written_time_is_read_back_to_the_microsecond(microseconds):
    seconds = microseconds / 10**6

    written = durations.format_micro_time(seconds)

    assert written == durations.format_micro_time(durations.parse_time(written))
    assert seconds == pytest.approx(durations.parse_time(written), abs=2e-6)


@pytest.mark.parametrize(
    ("seconds", "text"), [(float("inf"), "9999-12-31T23:59:59Z"), (1e15, "9999-12-31T23:59:59Z"), (-1e15, "0001-01-01")]
)
def test_a_time_that_no_calendar_holds_is_its_last_or_first(seconds, text):
    assert durations.format_time(seconds).startswith(text)
