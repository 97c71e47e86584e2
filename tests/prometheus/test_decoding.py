import itertools
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from canary_operator.prometheus.decoding import MAX_RAW_SERIES, MAX_SERIES, decode_answer, decode_error_type
from canary_operator.prometheus.replies import Fault, Reply

UNAVAILABLE = HoldReason.TELEMETRY_UNAVAILABLE
MISCONFIGURED = HoldReason.CONFIGURATION_ERROR


def reply(kind, result, **extra):
    return json.dumps({"status": "success", **extra, "data": {"resultType": kind, "result": result}}).encode()


def one(value, **labels):
    return {"metric": labels, "value": [10, value]}


def test_a_scalar_is_one_sample_without_labels():
    answer = decode_answer(reply("scalar", [10.5, "0.25"])).answer

    assert answer == Answer(ResultKind.SCALAR, (Series((), (Sample(10.5, 0.25),)),))


def test_a_vector_keeps_the_servers_order_and_sorts_labels():
    answer = decode_answer(reply("vector", [one("2", b="x", a="y"), one("1")])).answer

    first = Series((("a", "y"), ("b", "x")), (Sample(10.0, 2.0),))
    assert answer == Answer(ResultKind.VECTOR, (first, Series((), (Sample(10.0, 1.0),))))


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
def test_labels_are_sorted_whether_the_server_did_or_not(names):
    series = [{"metric": {"a": "y", "b": "x"}}, {"metric": dict.fromkeys(names, "z")}]

    answer = decode_answer(reply("matrix", [{**one, "values": [[1, "1"]]} for one in series])).answer

    assert [one.labels for one in answer.series] == [(("a", "y"), ("b", "x")), (("a", "z"), ("b", "z"))]


@pytest.mark.parametrize("text", ["1e308", "1" + "0" * 308])
def test_values_whose_sum_is_out_of_range_are_values(text):
    answer = decode_answer(reply("matrix", [{"metric": {}, "values": [[1, text], [2, text]]}])).answer

    assert [sample.value for sample in answer.series[0].samples] == [1e308, 1e308]


def test_a_value_of_digits_may_be_out_of_range():
    answer = decode_answer(reply("matrix", [{"metric": {}, "values": [[1, "1"], [2, "9" * 309]]}])).answer

    assert answer == Absent(UNAVAILABLE, "the answer cannot be read: a value is out of range")


def test_a_matrix_keeps_all_samples():
    answer = decode_answer(reply("matrix", [{"metric": {}, "values": [[1, "1"], [2.5, "2"]]}])).answer

    assert answer == Answer(ResultKind.MATRIX, (Series((), (Sample(1.0, 1.0), Sample(2.5, 2.0))),))


HISTOGRAM = {"count": "10", "sum": "3", "buckets": [[0, "0.25", "0.5", "7"], [1, "2", "+Inf", "3"]]}
NATIVE = NativeSample(15.0, 10.0, (NativeBucket(0.25, 0.5, 7.0), NativeBucket(2.0, math.inf, 3.0)))


def test_a_matrix_keeps_native_histograms():
    answer = decode_answer(reply("matrix", [{"metric": {"b": "x", "a": "y"}, "histograms": [[15, HISTOGRAM]]}])).answer

    assert answer == Answer(ResultKind.MATRIX, (), (NativeSeries((("a", "y"), ("b", "x")), (NATIVE,)),))


def test_a_series_that_became_a_native_histogram_is_both():
    element = {"metric": {"a": "y"}, "values": [[1, "1"]], "histograms": [[15, HISTOGRAM]]}

    answer = decode_answer(reply("matrix", [element])).answer

    labels = (("a", "y"),)
    series, native = Series(labels, (Sample(1.0, 1.0),)), NativeSeries(labels, (NATIVE,))
    assert answer == Answer(ResultKind.MATRIX, (series,), (native,))


def test_a_native_histogram_without_observations_has_no_buckets():
    answer = decode_answer(reply("matrix", [{"metric": {}, "histograms": [[15, {"count": "0", "sum": "0"}]]}])).answer

    assert isinstance(answer, Answer)
    assert answer.native[0].samples == (NativeSample(15.0, 0.0, ()),)


@pytest.mark.parametrize(
    "broken",
    [
        1,
        [1],
        [[1, "1"]],
        [[1, {"count": 1}]],
        [[1, {"count": "x"}]],
        [[1, {"count": "1", "buckets": 3}]],
        [[1, {"count": "1", "buckets": [[1]]}]],
        [[1, {"count": "1", "buckets": [[0, "0", "1", 1]]}]],
        [[1, {"count": "1", "buckets": [[0, "NaN", "1", "1"]]}]],
        [[True, HISTOGRAM]],
        [[2, HISTOGRAM], [1, HISTOGRAM]],
    ],
)
def test_what_is_no_native_histogram_makes_the_answer_unreadable(broken):
    answer = decode_answer(reply("matrix", [{"metric": {}, "histograms": broken}])).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE


def test_no_series_is_an_answer():
    assert decode_answer(reply("vector", [])).answer == Answer(ResultKind.VECTOR, ())


def test_infos_and_empty_warnings_are_no_reason_to_doubt_and_infos_are_counted():
    body = reply("vector", [], warnings=[], infos=["metric might not be a counter"], isPartial=False)

    assert decode_answer(body) == Reply(Answer(ResultKind.VECTOR, ()), infos=1)


@pytest.mark.parametrize("infos", [None, "text", {"a": 1}, 1])
def test_infos_of_another_shape_are_none(infos):
    assert decode_answer(reply("vector", [], infos=infos)) == Reply(Answer(ResultKind.VECTOR, ()))


@pytest.mark.parametrize("infos", [[], ["metric might not be a counter"]])
def test_an_info_beside_a_warning_changes_nothing(infos):
    read = decode_answer(reply("vector", [], warnings=["store gone"], infos=infos))

    message = "the answer came with 1 warning(s), so it may be partial"
    assert read == Reply(Absent(UNAVAILABLE, message, partial=True), Fault.PARTIAL)


@pytest.mark.parametrize(
    ("text", "value"),
    [("+Inf", math.inf), ("-Inf", -math.inf), ("1e+06", 1e6), ("-2.5e-07", -2.5e-7), ("5e-324", 5e-324), ("0", 0.0)],
)
def test_numbers_are_read_as_go_prints_them(text, value):
    answer = decode_answer(reply("scalar", [1, text])).answer

    assert isinstance(answer, Answer)
    assert answer.series[0].samples[0].value == value


def test_nan_is_nan_and_not_zero():
    answer = decode_answer(reply("scalar", [1, "NaN"])).answer

    assert isinstance(answer, Answer)
    assert math.isnan(answer.series[0].samples[0].value)


@settings(deadline=None)
@given(st.floats())
def test_every_float_survives_the_way_through_json(value):
    text = "NaN" if math.isnan(value) else f"{value:+}".replace("inf", "Inf") if math.isinf(value) else repr(value)

    answer = decode_answer(reply("vector", [one(text)])).answer

    assert isinstance(answer, Answer)
    read = answer.series[0].samples[0].value
    assert read == value or (math.isnan(read) and math.isnan(value))


@pytest.mark.parametrize(
    "value",
    [1, 1.5, None, True, [], "", "1_0", " 1", "1\n", "nan", "inf", "Infinity", "0x1", "1e999", "٣", "1.", "--1"],
)
def test_a_value_that_is_no_number_of_prometheus_makes_the_answer_unreadable(value):
    answer = decode_answer(reply("vector", [one(value)])).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE


@pytest.mark.parametrize("at", ["1", None, True, float("nan"), float("inf"), 10**400])
def test_a_time_that_is_no_time_makes_the_answer_unreadable(at):
    answer = decode_answer(reply("vector", [{"metric": {}, "value": [at, "1"]}])).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not JSON"),
        (b"<html>", "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"[]", "reply is not an object"),
        (b"{}", "the status is not success"),
        (b'{"status":"error","errorType":"internal"}', "the status is not success"),
        (b'{"status":"success"}', "data is not an object"),
        (b'{"status":"success","data":{}}', "the result type is unknown"),
        (b'{"status":"success","warnings":"w","data":{}}', "warnings is not a list"),
        (reply("vector", None), "result is not a list"),
        (reply("vector", [1]), "series is not an object"),
        (reply("vector", [{"value": [1, "1"]}]), "metric is not an object"),
        (reply("vector", [{"metric": {}}]), "a sample is not a time and a value"),
        (reply("vector", [{"metric": {"a": 1}, "value": [1, "1"]}]), "a label is not text"),
        (reply("vector", [{"metric": {"a": "\ud800"}, "value": [1, "1"]}]), "a label is not text"),
        (reply("vector", [one("1", a="x"), one("2", a="x")]), "two series have the same labels"),
        (reply("matrix", [{"metric": {}, "values": []}]), "a series has no samples"),
        (reply("matrix", [{"metric": {}, "histograms": []}]), "a series has no samples"),
        (reply("matrix", [{"metric": {}}]), "a series has no samples"),
        (reply("matrix", [{"metric": {}, "values": [[2, "1"], [2, "1"]]}]), "the times of a series do not grow"),
    ],
)
def test_what_the_api_does_not_promise_is_named(body, message):
    assert decode_answer(body).answer == Absent(UNAVAILABLE, f"the answer cannot be read: {message}")


def test_nesting_without_end_is_unreadable():
    answer = decode_answer(b"[" * 200_000).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (reply("vector", [{"metric": {}, "histogram": [1, {"count": "1"}]}]), "native histogram"),
        (reply("string", [1, "text"]), "string"),
        (reply("vector", [one("1", a=str(number)) for number in range(MAX_SERIES + 1)]), "10001 series"),
        (reply("matrix", [{}] * (MAX_RAW_SERIES + 1)), "50001 series"),
    ],
)
def test_a_query_that_returns_what_cannot_be_judged_is_the_authors_mistake(body, word):
    answer = decode_answer(body).answer

    assert isinstance(answer, Absent)
    assert answer.reason is MISCONFIGURED
    assert word in answer.message


odd_numbers = st.sampled_from(
    ["1", "-2.5e-07", "1e+06", "NaN", "+Inf", "1e999", "9" * 400, "٣", " 1", "1 2", "1 ", "", "1_0", "x", 1, None]
)
odd_times = st.sampled_from([1, 2, 3.5, 1e300, float("nan"), float("inf"), 10**400, True, None, "1", [1]])
odd_pairs = st.tuples(odd_times, odd_numbers) | st.sampled_from([[], [1], [1, "1", "1"], "12", {"1": 1, "2": 2}, 7])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["1", "2.5", "NaN"])) | odd_pairs, max_size=4))
def test_samples_read_at_once_are_what_they_are_one_by_one(pairs):
    alone = [decode_answer(reply("scalar", pair)).answer for pair in pairs]
    together = decode_answer(reply("matrix", [{"metric": {}, "values": pairs}])).answer

    samples = [answer.series[0].samples[0] for answer in alone if isinstance(answer, Answer)]
    grow = all(earlier.at < later.at for earlier, later in itertools.pairwise(samples))
    assert isinstance(together, Answer) is (0 < len(pairs) == len(samples) and grow)
    if isinstance(together, Answer):
        assert repr(together.series[0].samples) == repr(tuple(samples))


many_times = st.floats() | st.integers(-(10**30), 10**30) | odd_times
many_values = st.floats().map(str) | st.integers().map(str) | odd_numbers
many_labels = st.dictionaries(
    st.text(max_size=3), st.text(max_size=3) | st.sampled_from(["\ud800", 1, None]), max_size=3
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.tuples(many_labels, st.lists(st.tuples(many_times, many_values) | odd_pairs, max_size=3)), max_size=3)
)
def test_what_has_the_usual_shape_is_what_it_is_without(series):
    elements = [{"metric": labels, "values": pairs} for labels, pairs in series]

    usual = decode_answer(reply("matrix", elements))
    unusual = decode_answer(reply("matrix", [{**element, "more": 1} for element in elements]))

    assert repr(usual) == repr(unusual)


@pytest.mark.parametrize(
    ("text", "answered"),
    [
        ('"warnings":["w"],"warnings":[]', True),
        ('"warnings":[],"warnings":["w"]', False),
        ('"isPartial":true', False),
        ('"isPartial":false,"stats":{"seriesFetched":"1"}', True),
        ('"infos":[NaN]', True),
        ('"trace":' + "[" * 900 + "]" * 900, True),
    ],
)
def test_what_stands_beside_the_samples_counts_the_last_time_it_is_said(text, answered):
    body = '{"status":"success",%s,"data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}'

    assert isinstance(decode_answer((body % text).encode()).answer, Answer) is answered


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)


def somewhat(*good):
    return st.one_of(*good, json_values)


samples = st.lists(somewhat(st.floats(), st.sampled_from(["1", "NaN"])), max_size=3)
buckets = st.lists(
    somewhat(st.tuples(st.just(0), st.just("0"), st.sampled_from(["1", "NaN"]), st.just("1"))), max_size=2
)
histogram = st.fixed_dictionaries({}, optional={"count": somewhat(st.just("1")), "buckets": somewhat(buckets)})
elements = st.fixed_dictionaries(
    {},
    optional={
        "metric": somewhat(st.just({})),
        "value": somewhat(samples),
        "values": somewhat(st.lists(samples)),
        "histograms": somewhat(st.lists(st.tuples(somewhat(st.floats()), somewhat(histogram)), max_size=2)),
    },
)
almost_replies = st.fixed_dictionaries(
    {
        "status": st.just("success"),
        "data": somewhat(
            st.fixed_dictionaries(
                {
                    "resultType": somewhat(st.sampled_from(["scalar", "vector", "matrix", "string"])),
                    "result": somewhat(samples, st.lists(elements)),
                }
            )
        ),
    },
    optional={"warnings": json_values, "isPartial": json_values},
)


@settings(deadline=None, max_examples=60)
@given(json_values | almost_replies)
def test_any_json_is_an_answer_or_an_absence(value):
    body = json.dumps(value).encode()

    assert isinstance(decode_answer(body).answer, Answer | Absent)
    decode_error_type(body)


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_an_absence(body):
    assert isinstance(decode_answer(body).answer, Absent)
    assert decode_error_type(body) is None


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"status":"error","errorType":"bad_data","error":"parse error"}', "bad_data"),
        (b'{"status":"success","errorType":"bad_data"}', None),
        (b'{"status":"error","errorType":"422"}', "422"),
        (b'{"status":"error","errorType":"token-of-somebody"}', "an error of another kind"),
        (b'{"status":"error","errorType":"a sentence"}', None),
        (b'{"status":"error","errorType":422}', None),
        (b"[]", None),
    ],
)
def test_an_error_type_is_a_known_one_or_another_or_none(body, kind):
    assert decode_error_type(body) == kind
