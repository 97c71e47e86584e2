"""Go's durations."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator import errors
from canary_operator.conditions.durations import parse_duration


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
