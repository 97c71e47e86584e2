"""One answer becomes one measurement, or a reason why there is no evidence."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

SUCCESSFUL, FAILED, INCONCLUSIVE = (
    MeasurementPhase.SUCCESSFUL,
    MeasurementPhase.FAILED,
    MeasurementPhase.INCONCLUSIVE,
)


def series(*values, **labels):
    return Series(tuple(sorted(labels.items())), tuple(Sample(0.0, value) for value in values))


def scalar(value):
    return Answer(ResultKind.SCALAR, (series(value),))


def vector(*values):
    return Answer(ResultKind.VECTOR, tuple(series(v, pod=f"p{n}") for n, v in enumerate(values)))


def matrix(*rows):
    return Answer(ResultKind.MATRIX, tuple(series(*row, pod=f"p{n}") for n, row in enumerate(rows)))


# Columns: answer, successCondition, failureCondition, phase, value.
MEASURED = {
    "both true is a failure": (scalar(1), "true", "true", FAILED, "1"),
    "neither is inconclusive": (scalar(1), "false", "false", INCONCLUSIVE, "1"),
    "success alone is a success": (scalar(1), "true", "false", SUCCESSFUL, "1"),
    "no failure is a success": (scalar(1), "", "false", SUCCESSFUL, "1"),
    "a failure without success condition": (scalar(1), "", "true", FAILED, "1"),
    "no success is a failure": (scalar(1), "false", "", FAILED, "1"),
    "a success without failure condition": (scalar(1), "true", "", SUCCESSFUL, "1"),
    "a scalar": (scalar(10), "result == 10", "result != 10", SUCCESSFUL, "10"),
    "infinity": (scalar(math.inf), "result >= 0.9", "", SUCCESSFUL, "+Inf"),
    "infinity as a failure": (scalar(math.inf), "", "isInf(result)", FAILED, "+Inf"),
    "negative infinity": (scalar(-math.inf), "result < 0", "", SUCCESSFUL, "-Inf"),
    "a vector": (vector(10, 11), "10 in result", "len(result) != 2", SUCCESSFUL, "[10,11]"),
    "a vector of one is indexed": (vector(0.01), "result[0] < 0.02", "", SUCCESSFUL, "[0.01]"),
    "a matrix is flattened": (matrix((11, 12), (13, 14)), "all(result, # > 10)", "", SUCCESSFUL, "[11,12,13,14]"),
    "a matrix of one series is indexed": (matrix((1, 2)), "result[1] == 2", "", SUCCESSFUL, "[1,2]"),
    "very small": (scalar(1e-7), "result < 1", "", SUCCESSFUL, "0.0000001"),
    "very large": (scalar(1e21), "result > 1", "", SUCCESSFUL, "1000000000000000000000"),
    "many digits": (scalar(0.1 + 0.2), "result > 0", "", SUCCESSFUL, "0.30000000000000004"),
    "negative zero": (scalar(-0.0), "result == 0", "", SUCCESSFUL, "-0"),
}


@pytest.mark.parametrize(("answer", "success", "failure", "phase", "value"), MEASURED.values(), ids=MEASURED.keys())
def test_an_answer_is_judged(answer, success, failure, phase, value):
    found = measure(answer, success, failure)

    assert isinstance(found, Measurement)
    assert (phase, value) == (found.phase, found.value_text)


NO_DATA, CONFIGURATION, AMBIGUOUS = (
    HoldReason.NO_DATA,
    HoldReason.CONFIGURATION_ERROR,
    HoldReason.AMBIGUOUS_SERIES,
)
ONE = vector(1)
TWO = vector(1, 2)
# Columns: answer, successCondition, failureCondition, reason, part of the message.
NO_EVIDENCE = {
    "no series is no data": (vector(), "result[0] >= 0.95", "", NO_DATA, "without any value"),
    "no series is no data even if welcome": (vector(), "len(result) == 0", "", NO_DATA, "without any value"),
    "NaN is no data for a success": (scalar(math.nan), "result >= 0.9", "result < 0.9", NO_DATA, "1 of 1 values"),
    "NaN is no data even if welcome": (scalar(math.nan), "isNaN(result)", "", NO_DATA, "1 of 1 values are NaN"),
    "NaN does not fail": (scalar(math.nan), "result >= 0.9", "", NO_DATA, "NaN"),
    "NaN does not pass": (scalar(math.nan), "", "result > 0.9", NO_DATA, "NaN"),
    "NaN in a vector": (vector(1, math.nan), "any(result, # > 0)", "", NO_DATA, "1 of 2 values are NaN"),
    "no condition": (ONE, "", "", CONFIGURATION, "neither successCondition nor failureCondition"),
    "no condition and no data": (vector(), "", "", CONFIGURATION, "neither successCondition"),
    "a string": (Answer(ResultKind.STRING, ()), "true", "", CONFIGURATION, "string"),
    "an unknown name": (ONE, "a == true", "true", CONFIGURATION, "successCondition: unknown name a, at column 1"),
    "an unknown name in the other one": (ONE, "true", "a == true", CONFIGURATION, "failureCondition: unknown name a"),
    "a wrong type": (ONE, "result < 1", "", CONFIGURATION, "mismatched types []float64 and int"),
    "an index that is not there": (ONE, "result[3] < 1", "", CONFIGURATION, "index 3 out of range"),
    "an error in the condition that would not decide": (ONE, "false", "result[3] < 1", CONFIGURATION, "index 3"),
    "a wrong condition and no data": (vector(), "result < 1", "", CONFIGURATION, "mismatched types"),
    "one of several": (TWO, "result[0] < 1", "", AMBIGUOUS, "2 series"),
    "one of several in the other one": (TWO, "len(result) > 0", "result[0] < 1", AMBIGUOUS, "they differ in pod"),
}


@pytest.mark.parametrize(
    ("answer", "success", "failure", "reason", "message"), NO_EVIDENCE.values(), ids=NO_EVIDENCE.keys()
)
def test_there_is_no_evidence(answer, success, failure, reason, message):
    found = measure(answer, success, failure)

    assert isinstance(found, Absent)
    assert reason is found.reason
    assert message in found.message
    assert "\n" not in found.message


def test_an_absent_answer_stays_as_it_is():
    absent = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "connection refused")

    assert absent is measure(absent, "true", "")


def test_only_the_labels_that_differ_are_named():
    answer = Answer(
        ResultKind.VECTOR, (series(1, job="a", pod="x", zone="1"), series(2, job="a", pod="y"), series(3, job="a"))
    )

    found = measure(answer, "result[0] > 0", "")

    assert found.message == "3 series, but the condition looks at one by its place; they differ in pod, zone"


# Columns: answer, successCondition, failureCondition, sentence.
SENTENCES = {
    "a comparison that fails": (vector(0.031), "result[0] < 0.02", "", "0.031 is not < 0.02"),
    "a comparison that holds": (scalar(0.0123456), "result < 0.02", "", "0.0123 is < 0.02"),
    "a failure": (scalar(0.2), "result < 0.02", "result > 0.1", "0.2 is > 0.1"),
    "neither": (scalar(0.05), "result < 0.02", "result > 0.1", "0.05 is not < 0.02 and 0.05 is not > 0.1"),
    "no failure": (scalar(0.05), "", "result > 0.1", "0.05 is not > 0.1"),
    "a list": (
        vector(0.031, 0.2),
        "all(result, # < 0.02)",
        "",
        '[0.031,0.2] does not satisfy "all(result, # < 0.02)"',
    ),
    "a list that satisfies": (vector(0.01), "all(result, # < 0.02)", "", '[0.01] satisfies "all(result, # < 0.02)"'),
    "a long list": (
        vector(1, 2, 3, 4, 5, 6),
        "len(result) == 6",
        "",
        '[1,2,3,4,5,... 6 values] satisfies "len(result) == 6"',
    ),
    "rounding that would lie": (scalar(0.0200001), "result < 0.02", "", "0.0200001 is not < 0.02"),
    "a large number": (scalar(123456.7), "result < 1000", "", "123457 is not < 1000"),
}


@pytest.mark.parametrize(("answer", "success", "failure", "sentence"), SENTENCES.values(), ids=SENTENCES.keys())
def test_a_measurement_is_told_in_a_sentence(answer, success, failure, sentence):
    assert sentence == measure(answer, success, failure).message


def test_a_long_condition_is_cut_in_its_sentence():
    text = " and ".join(["len(result) == 1"] * 50)

    assert len(measure(vector(1), text, "").message) < 200


@given(
    st.lists(st.floats(), max_size=4),
    st.sampled_from(["result[0] < 1", "all(result, # < 1)", "len(result) < 3", "result < 1", "oops", ""]),
    st.sampled_from(["", "any(result, # > 5)", "sum(result) > 5"]),
)
def test_without_data_there_is_never_a_phase(values, success, failure):
    found = measure(vector(*values), success, failure)

    if not values or any(math.isnan(value) for value in values):
        assert isinstance(found, Absent)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=5), st.randoms())
def test_the_order_of_series_is_irrelevant(values, random):
    shuffled = list(values)
    random.shuffle(shuffled)
    conditions = ("all(result, # < 5)", "any(result, # > 8)")

    assert measure(vector(*values), *conditions).phase is measure(vector(*shuffled), *conditions).phase


@given(st.floats(0, 10), st.floats(0, 10))
def test_worse_data_never_gives_a_better_phase(better, worse):
    order = [SUCCESSFUL, INCONCLUSIVE, FAILED]
    low, high = sorted((better, worse))
    conditions = ("result < 3", "result > 6")

    assert order.index(measure(scalar(low), *conditions).phase) <= order.index(measure(scalar(high), *conditions).phase)
