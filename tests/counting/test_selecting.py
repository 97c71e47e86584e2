import pytest

from canary_operator.counting.histograms import as_buckets
from canary_operator.counting.tallies import LeftOut, Point, Selection
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind
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
from tests.counting.looking import ERRORS, bad, one_way, slower


def one(*values, **labels):
    labels = {"pod": "p", **labels}
    samples = tuple(Sample(15.0 * n, float(value)) for n, value in enumerate(values, start=1))
    return Series(tuple(sorted(labels.items())), samples)


def select(*series, by=ERRORS, kind=ResultKind.MATRIX):
    return one_way(by, Answer(kind, series))


def refused(*series, **how):
    answer = select(*series, **how)
    assert isinstance(answer, Absent)
    assert answer.reason is HoldReason.CONFIGURATION_ERROR
    return answer.message


def test_a_bad_selector_on_a_label_that_is_called_otherwise_is_refused():
    message = refused(one(1, code="200"), one(1, code="500"))

    assert message == (
        'the bad selector asks for status=~"5..", and the live total has no label "status": it has code, pod'
    )


def test_one_process_with_the_label_does_not_speak_for_another():
    message = refused(one(1, status="200"), one(1, code="200", pod="q"))

    assert 'no label "status"' in message


def test_one_series_with_the_label_speaks_for_its_process():
    assert isinstance(select(one(1, status="200"), one(1)), Selection)


def test_a_matcher_that_means_absence_needs_no_label():
    ratio = bad(Matcher("ok", MatchKind.EQUAL, ""))

    (counter,) = select(one(3), by=ratio).counters

    assert counter.points[0].bad == 3


def test_a_negative_matcher_on_an_absent_label_would_make_everything_bad_and_is_refused():
    assert "status" in refused(one(1, code="200"), by=bad(Matcher("status", MatchKind.NOT_REGEX, "2..")))


def test_a_bad_selector_that_adds_nothing_is_refused():
    assert "every request would be bad" in refused(one(1), by=bad())


def test_an_empty_answer_is_an_empty_selection():
    assert select() == Selection((), {})


@pytest.mark.parametrize("kind", [ResultKind.VECTOR, ResultKind.SCALAR])
def test_rates_and_sums_are_no_raw_samples(kind):
    assert "raw samples" in refused(one(1, status="200"), kind=kind)


def test_a_sum_over_processes_is_refused():
    series = Series((("status", "200"),), (Sample(1.0, 2.0),))

    assert "names no process" in refused(series)


def test_fractions_are_no_requests():
    assert refused(one(1.5, status="200")) == "a sample is 1.5: not a count of requests"


def test_disorder_and_duplicates_are_put_right():
    series = Series((("pod", "p"), ("status", "500")), tuple(Sample(at, 1.0 * at) for at in (3, 1, 2, 1)))

    (counter,) = select(series).counters

    assert counter.points == tuple(Point(1000 * at, at, at) for at in (1, 2, 3))


def test_the_order_of_series_is_irrelevant():
    several = [one(1, 2, status=status, pod=pod) for status in ("200", "500") for pod in "abc"]

    assert select(*several) == select(*reversed(several))


@pytest.mark.parametrize(
    ("label", "value", "left"),
    [
        ("path", "/healthz", True),
        ("route", "/metrics", True),
        ("handler", "GET /readyz", True),
        ("uri", "/health/", True),
        ("path", "/healthcare", False),
        ("path", "/api/health", False),
        ("method", "/healthz", False),
    ],
)
def test_probes_are_left_out_where_a_label_tells(label, value, left):
    selection = select(one(1, status="200", **{label: value}))

    assert (not selection.counters) == left


def test_the_status_says_what_was_left_out():
    assert select(one(1, status="200", path="/"), one(1, status="200", path="/livez")).left_out.sentence() == (
        'left out: path="/livez"'
    )
    assert "probes and scrapes are counted" in select(one(1, status="200")).left_out.sentence()
    assert LeftOut(("path",)).sentence() == "no probes or scrapes among the requests (looked at path)"


def test_replicas_are_one_counter_with_points_of_both():
    (counter,) = select(
        one(1, status="200", prometheus_replica="a"), one(1, status="200", prometheus_replica="b")
    ).counters

    assert [point.replica for point in counter.points] == ["a", "b"]


@pytest.mark.parametrize(
    ("pattern", "value", "meant"),
    [
        ("5..", "503", True),
        ("5..", "5031", False),
        ("5.*", "5xx", True),
        ("5..|429", "429", True),
        ("(4|5)..", "404", True),
        ("[45][0-9]{2}", "404", True),
        (r"5\d\d", "500", True),
        ("5..|", "", True),
    ],
)
def test_patterns_are_anchored_as_prometheus_means_them(pattern, value, meant):
    (counter,) = select(one(2, status=value), by=bad(Matcher("status", MatchKind.REGEX, pattern))).counters

    assert counter.points[0].bad == (2 if meant else 0)


@pytest.mark.parametrize("pattern", ["(a+)+", "(a*)*b", "a?" * 30, "(?i)x", "a{1,900}", "(", "x" * 300, "(?=a)", r"\1"])
def test_patterns_that_could_be_slow_or_mean_something_else_are_refused(pattern):
    assert refused(one(1, status="a" * 40), by=bad(Matcher("status", MatchKind.REGEX, pattern)))


# --- histograms


def test_a_threshold_that_is_no_bucket_names_the_buckets():
    message = refused(one(1, le="0.1"), one(1, le="0.5"), one(1, le="+Inf"), by=slower("0.3"))

    assert message == "threshold 0.3 is no bucket of the live histogram: it has 0.1, 0.5, +Inf"


def test_the_canarys_own_histogram_is_asked():
    message = refused(
        one(1, le="0.5"), one(1, le="+Inf"), one(1, le="0.25", pod="q"), one(1, le="+Inf", pod="q"), by=slower("0.5")
    )

    assert "it has 0.25, +Inf" in message


@pytest.mark.parametrize("text", ["0.5", "0.50", "5e-1", ".5"])
def test_a_bound_is_a_number_however_it_is_written(text):
    (counter,) = select(one(7, le=text), one(9, le="+Inf"), by=slower("0.5")).counters

    assert counter.points == (Point(15_000, 9, 2),)


def test_a_histogram_without_infinity_and_series_without_a_bound_are_refused():
    assert '+Inf"' in refused(one(7, le="0.5"), by=slower("0.5"))
    assert "no bucket of a histogram" in refused(one(7), by=slower("0.5"))


def test_more_fast_requests_than_requests_are_no_scrape():
    (counter,) = select(one(9, 9, le="0.5"), one(8, 10, le="+Inf"), by=slower("0.5")).counters

    assert counter.points == (Point(30_000, 10, 1),)


NATIVE = NativeSeries(
    (("pod", "p"),),
    (
        NativeSample(
            15.0, 10.0, (NativeBucket(0.25, 0.5, 7.0), NativeBucket(0.5, 1.0, 2.0), NativeBucket(2.0, 4.0, 1.0))
        ),
    ),
)


def test_a_native_histogram_is_read_where_the_bound_is_between_its_buckets():
    for threshold, slow in (("0.5", 3), ("1", 1), ("1.5", 1), ("4", 0), ("0.25", 10)):
        selection = one_way(slower(threshold), Answer(ResultKind.MATRIX, (), (NATIVE,)))
        assert selection.counters[0].points == (Point(15_000, 10, slow),)


def test_a_native_histogram_is_refused_where_the_bound_cuts_a_bucket():
    native = NativeSeries((("pod", "p"),), (NativeSample(1.0, 5.0, (NativeBucket(0.25, 0.5, 5.0),)),))

    with pytest.raises(ConfigurationError, match="the bounds next to it are"):
        as_buckets([native], 0.3)
