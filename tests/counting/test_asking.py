import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.counting import asking, folding
from canary_operator.counting.tallies import Arm, Epoch, Pod, Point, Reading, Rules, Selection, Tally
from canary_operator.model.indicator import Events, Latency, Matcher, MatchKind, Ratio, Selector
from canary_operator.model.samples import (
    Absent,
    Answer,
    NativeBucket,
    NativeSample,
    NativeSeries,
    ResultKind,
    Sample,
    Series,
)
from canary_operator.model.verdict import HoldReason
from tests.counting.looking import best

START = 1000.0
TIMES = (990.0, 1005.0, 1020.0, 1035.0, 1050.0, 1065.0, 1080.0)
FIVE = Matcher("code", MatchKind.REGEX, "5..")
TOTAL = Selector("requests_total")
OTHER = Selector("errors_total")


def one(values, metric="requests_total", pod="p", **labels):
    """A series by scrape from 990 s on; a dot is a scrape without it."""
    samples = tuple(Sample(at, float(value)) for at, value in zip(TIMES, values.split(), strict=False) if value != ".")
    return Series(tuple(sorted({"__name__": metric, "pod": pod, **labels}.items())), samples)


def matrix(*series):
    return Answer(ResultKind.MATRIX, series)


def ratio(*part, total=(TOTAL,), events=Events.BAD):
    return Ratio(events, part, total)


def read(measure, *answers, known=()):
    (way,) = asking.ways(measure)
    return asking.read(way, answers, Rules(), known=known)


def counted(measure, *answers, known=(), pod=None):
    """What is counted since 1000 s of pods as old as the hills, by a process that was scraped before."""
    selection = read(measure, *answers, known=known)
    assert isinstance(selection, Selection), selection
    epoch = Epoch(START)
    reading = Reading({Arm.CANARY: selection}, 900.0, 1080.0, {"p": pod or Pod(-1e6)})
    folded = folding.fold(folding.begin(epoch), reading, epoch, Rules())
    return folded.state.canary.tally


def refused(measure, *answers, known=()):
    absent = read(measure, *answers, known=known)
    assert isinstance(absent, Absent)
    assert absent.reason is HoldReason.CONFIGURATION_ERROR
    return absent.message


# --- the part is of the total's metric


def test_one_question_brings_bad_and_total():
    (way,) = asking.ways(ratio(Selector("requests_total", (FIVE,))))

    assert way.selectors == (TOTAL,)


OK, BROKEN, LIMITED = one("0 9 9 9 9", code="200"), one("0 2 2 2 2", code="500"), one("0 1 1 1 1", code="429")


@pytest.mark.parametrize(
    ("why", "part", "events", "tally"),
    [
        ("bad ones", ["5.."], Events.BAD, Tally(2, 12)),
        ("what is not good is bad", ["2.."], Events.GOOD, Tally(3, 12)),
        ("several parts are one", ["5..", "429"], Events.BAD, Tally(3, 12)),
        ("a series in two parts counts once", ["5..", "[45].."], Events.BAD, Tally(3, 12)),
        ("several good parts", ["2..", "429"], Events.GOOD, Tally(2, 12)),
    ],
)
def test_parts_of_one_metric(why, part, events, tally):
    selectors = [Selector("requests_total", (Matcher("code", MatchKind.REGEX, each),)) for each in part]

    assert counted(ratio(*selectors, events=events), matrix(OK, BROKEN, LIMITED)) == tally, why


def test_what_the_total_says_is_not_asked_of_its_series_again():
    api = Matcher("handler", MatchKind.REGEX, "/api/.+?")
    measure = ratio(Selector("requests_total", (FIVE, api)), total=(Selector("requests_total", (api,)),))

    (way,) = asking.ways(measure)

    assert way.by == asking.Picked(Events.BAD, (((FIVE,),),))


def test_several_totals_are_added_and_a_series_in_both_counts_once():
    a, b = (Selector("requests_total", (Matcher("a", MatchKind.REGEX, each),)) for each in ("1", "1|2"))
    measure = ratio(Selector("requests_total", (FIVE,)), total=(a, b))
    first, second = one("0 5 5 5 5", code="500", a="1"), one("0 7 7 7 7", code="200", a="2")

    assert counted(measure, matrix(first), matrix(first, second)) == Tally(5, 12)


def test_several_metrics_are_added_and_each_has_its_own_part():
    grpc = Selector("grpc_total")
    measure = ratio(
        Selector("requests_total", (FIVE,)),
        Selector("grpc_total", (Matcher("code", MatchKind.EQUAL, "Internal"),)),
        total=(TOTAL, grpc),
    )
    calls = [one("0 3 3 3 3", "grpc_total", code="Internal"), one("0 4 4 4 4", "grpc_total", code="OK")]

    assert counted(measure, matrix(OK, BROKEN), matrix(*calls)) == Tally(2 + 3, 11 + 7)


@pytest.mark.parametrize(
    ("events", "words"), [(Events.BAD, "every request would be bad"), (Events.GOOD, "no request could be bad")]
)
def test_a_part_that_is_the_whole_is_refused(events, words):
    assert words in refused(ratio(TOTAL, events=events), matrix(OK))


def test_a_good_selector_on_a_label_that_is_called_otherwise_would_make_everything_bad_and_is_refused():
    good = Selector("requests_total", (Matcher("status", MatchKind.EQUAL, "200"),))

    assert refused(ratio(good, events=Events.GOOD), matrix(OK)) == (
        'the good selector asks for status="200", and the live total has no label "status": it has code, pod'
    )


BOTH = (Selector("failed_total"), Selector("served_total"))


@pytest.mark.parametrize(("events", "part"), [(Events.BAD, BOTH[0]), (Events.GOOD, BOTH[1])])
def test_bad_and_good_ones_together_may_be_the_total(events, part):
    failed, served = matrix(one("0 1 1 2 2", "failed_total")), matrix(one("0 5 5 5 7", "served_total"))

    assert counted(ratio(part, total=BOTH, events=events), failed, served) == Tally(2, 9)


def test_a_total_that_is_a_part_as_it_is_must_have_been_seen():
    measure = ratio(BOTH[0], total=BOTH)
    served = matrix(one("0 5 5 5 7", "served_total"))

    assert "no series of failed_total" in refused(measure, matrix(), served)
    assert counted(measure, matrix(), served, known={BOTH[0]}) == Tally(0, 7)


def test_a_code_that_nobody_has_answered_with_is_told_by_the_others():
    codes = [Selector("requests_total", (Matcher("code", MatchKind.EQUAL, code),)) for code in ("500", "200")]

    assert counted(ratio(codes[0], total=codes), matrix(), matrix(OK)) == Tally(0, 9)


# --- the part has a metric of its own

PAIR = ratio(OTHER)
GOOD = ratio(OTHER, events=Events.GOOD)


def pair(total, part, **how):
    return counted(how.pop("measure", PAIR), matrix(one(total)), matrix(one(part, "errors_total")), **how)


@pytest.mark.parametrize(
    ("why", "total", "part", "bad", "good"),
    [
        ("growth of both", "100 110 120 130 140", "5 6 7 7 9", Tally(4, 40), Tally(36, 40)),
        ("the part is born", "100 110 120 130 140", ". . . 1 3", Tally(3, 40), Tally(37, 40)),
        ("a restart of both", "100 110 5 6 7", "50 51 . . 1", Tally(2, 17), Tally(15, 17)),
        ("a restart after which the part is not there", "100 110 5 6 7", "50 51 . . 1", Tally(2, 17), Tally(15, 17)),
        ("one that falls alone tells no restart", "100 110 120 130 140", "50 51 0 1 1", Tally(2, 30), Tally(28, 30)),
        ("a part that is read first waits for its total", "1 1 2 2 2", "0 1 1 1 1", Tally(1, 1), Tally(0, 1)),
    ],
)
def test_a_pair_gains_together(why, total, part, bad, good):
    assert pair(total, part) == bad, why
    assert pair(total, part, measure=GOOD) == good, why


def test_a_restart_that_is_known_counts_what_no_fall_tells():
    pod = Pod(-1e6, (1010.0,))

    assert pair("10 12 30 31 32", "1 1 1 1 1", pod=pod) == Tally(1, 2 + 32)
    assert pair("10 12 30 31 32", "1 1 1 1 1") == Tally(0, 22)


def test_a_series_that_is_removed_and_comes_back_costs_two_scrapes_and_invents_nothing():
    totals = matrix(one("1000 1010 1020 1030 1040", route="/a"), one("500 510 . 5 6", route="/b"))

    assert counted(PAIR, totals, matrix(one("0 0 0 0 0", "errors_total"))) == Tally(0, 20 + 11)


def test_a_restart_that_no_fall_tells_makes_nothing_bad_of_new_counters():
    totals = matrix(one("5 5 . . . . .", route="/a"), one(". . 5 6 6 6 9", route="/b"))

    assert counted(GOOD, totals, matrix(one("5 5 5 6 6 6 9", "errors_total"))) == Tally(0, 3)


def test_half_a_scrape_waits_for_the_other_half():
    state = folding.begin(Epoch(START))
    for good in ("5 6 7 .", "5 6 7 8 9"):
        answers = matrix(one("5 6 7 8" if good.endswith(".") else "5 6 7 8 9")), matrix(one(good, "errors_total"))
        reading = Reading({Arm.CANARY: read(GOOD, *answers)}, 900.0, 1080.0, {"p": Pod(-1e6)})
        state = folding.fold(state, reading, Epoch(START), Rules()).state

    assert state.canary.tally == Tally(0, 4)


def test_a_part_that_never_fits_is_given_up_after_a_while_and_nothing_of_it_counts():
    assert pair("10 10 10 10 11", "0 9 9 9 9") == Tally(0, 0)


def test_a_pair_of_different_processes_is_refused():
    answers = matrix(one("1 2")), matrix(one("1 2", "errors_total", pod="gateway"))

    assert "different processes" in refused(PAIR, *answers)


def test_no_series_of_the_part_may_be_a_name_that_nobody_has():
    assert "no series of errors_total" in refused(PAIR, matrix(OK), matrix())
    assert counted(PAIR, matrix(OK), matrix(), known={OTHER}) == Tally(0, 9)


def test_a_version_without_good_requests_may_have_renamed_them():
    assert "no series of errors_total" in refused(GOOD, matrix(OK), matrix(), known={OTHER})


def test_without_any_request_nothing_is_wrong_with_the_part():
    assert read(PAIR, matrix(), matrix()) == Selection((), {})


def test_what_was_seen_is_told_by_selector():
    (way,) = asking.ways(PAIR)

    assert asking.seen(way, (matrix(OK), matrix())) == {TOTAL}


# --- latency

SLOW = Latency(Selector("seconds", (Matcher("job", MatchKind.EQUAL, "web"),)), Decimal("0.5"))


def test_a_histogram_is_asked_for_two_buckets_then_as_native_then_for_all_buckets():
    narrow, native, wide = asking.ways(SLOW)

    assert [each.metric for each in (*narrow.selectors, *native.selectors, *wide.selectors)] == [
        "seconds_bucket",
        "seconds",
        "seconds_bucket",
    ]
    assert narrow.selectors[0].labels == {"job", "le"}
    assert wide.selectors[0].matchers == native.selectors[0].matchers == SLOW.histogram.matchers


@pytest.mark.parametrize(
    ("threshold", "spelled", "others"),
    [
        ("0.5", ["0.5", "0.50", ".5", "5e-1", "5e-01", "5.0E-1"], ["0.05", "5", "0.55", "5e1", "0x5"]),
        ("0.50", ["0.5"], ["0.05"]),
        ("1", ["1", "1.0", "1e0", "1e+00"], ["10", "0.1", "11", "1.5"]),
        ("10", ["10", "10.0", "1e1", "1e+01", "1.0E1"], ["1", "100", "1e-1"]),
        ("0.00025", ["0.00025", "2.5e-04", "2.5E-4"], ["0.0025", "0.000255"]),
        ("2.5", ["2.5", "2.50", "2.5e0"], ["25", "2,5", "2"]),
        ("1200", ["1200", "1200.0", "1.2e3", "1.2e+03"], ["120", "12000", "1.2e2"]),
    ],
)
def test_the_bound_is_found_however_it_is_spelled(threshold, spelled, others):
    narrow, *_ = asking.ways(Latency(SLOW.histogram, Decimal(threshold)))
    (le,) = [each for each in narrow.selectors[0].matchers if each.label == "le"]

    assert [text for text in (*spelled, "+Inf", "Inf") if not re.fullmatch(le.value, text)] == []
    assert [text for text in (*others, "") if re.fullmatch(le.value, text)] == []


numbers = st.decimals("0.0001", "9999", places=4).map(lambda number: number.quantize(Decimal("0.0001")).normalize())


@given(numbers, st.data())
def test_a_spelling_is_meant_if_it_is_the_same_number(threshold, data):
    number = data.draw(st.sampled_from([threshold, threshold * 10, threshold / 10]) | numbers)
    narrow, *_ = asking.ways(Latency(SLOW.histogram, threshold))
    (le,) = [each for each in narrow.selectors[0].matchers if each.label == "le"]

    for text in (repr(float(number)), f"{number:f}", f"{number:.6f}", f"{number:e}", f"{float(number):.9e}"):
        assert bool(re.fullmatch(le.value, text)) == (number == threshold), text


INFINITE = one("9", "seconds_bucket", le="+Inf")


def test_a_threshold_that_is_no_bucket_is_refused_and_all_buckets_tell_which_there_are():
    narrow, native, wide = asking.ways(SLOW)
    readings = [
        asking.read(narrow, [matrix(INFINITE)], Rules()),
        asking.read(native, [matrix()], Rules()),
        asking.read(wide, [matrix(INFINITE, one("1", "seconds_bucket", le="0.25"))], Rules()),
    ]

    assert readings[0].message == "threshold 0.5 is no bucket of the live histogram"
    assert best(readings).message == "threshold 0.5 is no bucket of the live histogram: it has 0.25, +Inf"


def test_a_native_histogram_counts_where_the_classic_one_has_other_buckets():
    narrow, native, _ = asking.ways(SLOW)
    buckets = NativeBucket(0.25, 0.5, 1.0), NativeBucket(0.5, 1.0, 3.0)
    histogram = NativeSeries((("__name__", "seconds"), ("pod", "p")), (NativeSample(990.0, 4.0, buckets),))
    readings = [
        asking.read(narrow, [matrix(INFINITE)], Rules()),
        asking.read(native, [Answer(ResultKind.MATRIX, (), (histogram,))], Rules()),
    ]

    assert best(readings).counters[0].points == (Point(990_000, 4, 3),)
