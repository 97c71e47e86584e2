"""The bounds of a range query are read at the time of asking."""

import pytest

from canary_operator.conditions.ranges import parse_range
from canary_operator.errors import ConfigurationError

NOW = 1_700_000_000.0
AUGUST = 1_691_971_200.0


def parsed(start, end="now()", step="1m"):
    return parse_range({"start": start, "end": end, "step": step}, "m.rangeQuery")


# Columns: text, the time that it means at NOW.
BOUNDS = {
    "now": ("now()", NOW),
    "a duration ago": ('now() - duration("5m")', NOW - 300),
    "ahead": ('now() + duration("90s")', NOW + 90),
    "several": ('now()-duration("1h") + duration("1m")', NOW - 3540),
    "a date and time": ('date("2023-08-14T00:00:00Z")', AUGUST),
    "a date": ('date("2023-08-14")', AUGUST),
    "another zone": ('date("2023-08-14T02:00:00+02:00")', AUGUST),
    "after a date": ('date("2023-08-14") + duration("1h")', AUGUST + 3600),
    "blanks": ('  now( )  -  duration( "1s" ) ', NOW - 1),
}


@pytest.mark.parametrize(("text", "expected"), BOUNDS.values(), ids=BOUNDS.keys())
def test_a_bound_is_a_time(text, expected):
    assert expected == parsed(text, text).end.at(NOW)


# Columns: start, end, step, the query over the range.
QUERIES = {
    "five minutes": ('now() - duration("5m")', "now()", "1m", "(up)[300000ms:60000ms]"),
    "a moment": ("now()", "now()", "1m", "up"),
    "half a second": ('now() - duration("1.5s")', "now()", "500ms", "(up)[1500ms:500ms]"),
    "dates": ('date("2023-08-14")', 'date("2023-08-15")', "1h", "(up)[86400000ms:3600000ms]"),
}


@pytest.mark.parametrize(("start", "end", "step", "promql"), QUERIES.values(), ids=QUERIES.keys())
def test_a_range_is_a_subquery_at_its_end(start, end, step, promql):
    assert promql == parsed(start, end, step).promql("up", NOW)


# Columns: start, end, step, part of the message.
REFUSED = {
    "nothing": (None, "now()", "1m", "m.rangeQuery.start: None, allowed is now()"),
    "a number": ("5", "now()", "1m", "m.rangeQuery.start: '5', allowed is now()"),
    "a duration is no time": ('duration("1h")', "now()", "1m", "m.rangeQuery.start"),
    "something else behind it": ("now() * 2", "now()", "1m", "m.rangeQuery.start: 'now() * 2' from column 7 on"),
    "an unknown name": ("now()", "oops", "1m", "m.rangeQuery.end: 'oops'"),
    "no duration": ('now() - duration("5")', "now()", "1m", "m.rangeQuery.start: '5' is not a duration"),
    "no date": ('date("soon")', "now()", "1m", "m.rangeQuery.start: 'soon' is no date"),
    "no step": ("now()", "now()", None, "m.rangeQuery.step: 'None' is not a duration"),
    "a step of nothing": ("now()", "now()", "0s", "m.rangeQuery.step: '0s', allowed is a duration above 0s"),
    "too many points": ('now() - duration("24h")', "now()", "1s", "m.rangeQuery: more than 11000 points"),
    "the wrong way round": ("now()", 'now() - duration("1s")', "1s", "it ends before it starts"),
}


@pytest.mark.parametrize(("start", "end", "step", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_range_is_refused_with_its_place(start, end, step, message):
    with pytest.raises(ConfigurationError) as caught:
        parsed(start, end, step)

    assert message in str(caught.value)


def test_an_unknown_field_is_refused():
    with pytest.raises(ConfigurationError, match=r"m.rangeQuery.stop: not supported"):
        parse_range({"start": "now()", "stop": "now()"}, "m.rangeQuery")


def test_a_date_that_is_still_to_come_is_a_mistake_only_when_asked():
    found = parsed('date("2033-05-18")')

    with pytest.raises(ConfigurationError, match="ends before"):
        found.promql("up", NOW)
