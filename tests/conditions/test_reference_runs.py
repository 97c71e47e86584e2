"""The reference cases of Argo's own tests that are about measurements, metrics and runs, by their numbers."""

import math
import re

import pytest

from canary_operator.conditions import run as runs
from canary_operator.conditions import templating, validation
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure
from canary_operator.conditions.metric import Counters, MetricPhase, assess
from canary_operator.conditions.metric_spec import Limits
from canary_operator.conditions.run import Rule, Run, Taken
from canary_operator.errors import ConfigurationError
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

SUCCESSFUL, FAILED, INCONCLUSIVE, ERROR = (
    MeasurementPhase.SUCCESSFUL,
    MeasurementPhase.FAILED,
    MeasurementPhase.INCONCLUSIVE,
    MeasurementPhase.ERROR,
)


def series(*values):
    return Series((), tuple(Sample(0.0, value) for value in values))


def scalar(value):
    return Answer(ResultKind.SCALAR, (series(value),))


def vector(*values):
    return Answer(ResultKind.VECTOR, tuple(map(series, values)))


def matrix(*rows):
    return Answer(ResultKind.MATRIX, tuple(series(*row) for row in rows))


NO_ANSWER = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "Prometheus metric type not supported")
ONE = scalar(1.0)
# Columns: answer, successCondition, failureCondition, phase, value.
MEASURED = {
    "1: success and no failure": (ONE, "true", "false", SUCCESSFUL, "1"),
    "2: failure wins": (ONE, "true", "true", FAILED, "1"),
    "3: neither": (ONE, "false", "false", INCONCLUSIVE, "1"),
    "4: failure condition alone, false": (ONE, "", "false", SUCCESSFUL, "1"),
    "5: success condition alone, false": (ONE, "false", "", FAILED, "1"),
    "6: no condition": (ONE, "", "", SUCCESSFUL, "1"),
    "7: an error in the success condition": (ONE, "a == true", "true", ERROR, ""),
    "8: an error in the failure condition": (ONE, "true", "a == true", ERROR, ""),
    "9: no bool": (ONE, "1", "", ERROR, ""),
    "10: an unknown name": (ONE, "invalidVariable", "", ERROR, ""),
    "11: in a list": (vector(2.0, 2.0), "2 in result", "", SUCCESSFUL, "[2,2]"),
    "15: a scalar": (scalar(10.0), "result == 10", "result != 10", SUCCESSFUL, "10"),
    "16: NaN and both conditions": (scalar(math.nan), "result >= 0.9", "result < 0.9", INCONCLUSIVE, "NaN"),
    "17: NaN that is welcome": (scalar(math.nan), "result >= 0.9 || isNaN(result)", "", SUCCESSFUL, "NaN"),
    "18: NaN and a success condition": (scalar(math.nan), "result >= 0.9", "", FAILED, "NaN"),
    "19: infinity": (scalar(math.inf), "result >= 0.9", "", SUCCESSFUL, "+Inf"),
    "20: infinity that is not welcome": (scalar(math.inf), "", "isInf(result)", FAILED, "+Inf"),
    "21: a vector": (vector(10.0, 11.0), "10 in result", "len(result) != 2", SUCCESSFUL, "[10,11]"),
    "22: a matrix": (matrix((11.0, 12.0), (13.0, 14.0)), "all(result, # > 10)", "", SUCCESSFUL, "[11,12,13,14]"),
    "23: an empty vector and an index": (vector(), "result[0] >= 0.95", "", ERROR, ""),
    "24: no answer": (NO_ANSWER, "true", "", ERROR, ""),
    "not upstream: NaN inside a vector": (vector(1.0, math.nan), "result[1] < 1", "", FAILED, "[1,NaN]"),
    "not upstream: NaN and a failure condition": (scalar(math.nan), "", "result > 0.1", SUCCESSFUL, "NaN"),
    "not upstream: an empty vector, no condition": (vector(), "", "", SUCCESSFUL, "[]"),
}


@pytest.mark.parametrize(("answer", "success", "failure", "phase", "value"), MEASURED.values(), ids=MEASURED.keys())
def test_an_answer_is_measured_as_by_argo(answer, success, failure, phase, value):
    found = measure(answer, success, failure, Dialect.ARGO)

    assert isinstance(found, Measurement)
    assert (phase, value) == (found.phase, found.value_text)


def limits(count=None, **others):
    return Limits(count=count, interval_seconds=60.0, **others)


def counters(**counted):
    return Counters(last_at=0.0, **counted)


RUNNING = MetricPhase.RUNNING
# Columns: counters, limits, phase.
ASSESSED = {
    "25: more failures than tolerated": (counters(failed=3), limits(3, failure_limit=2), MetricPhase.FAILED),
    "25: as many as tolerated": (counters(failed=3), limits(5, failure_limit=3), RUNNING),
    "26: too many inconclusive": (counters(inconclusive=3), limits(inconclusive_limit=2), MetricPhase.INCONCLUSIVE),
    "27: five errors in a row": (counters(error=5, consecutive_error=5), limits(), MetricPhase.ERROR),
    "27: four errors in a row": (counters(error=4, consecutive_error=4), limits(), RUNNING),
    "28: ten of ten": (counters(successful=10), limits(10), MetricPhase.SUCCESSFUL),
    "28: five of ten inconclusive": (counters(successful=5, inconclusive=5), limits(10), MetricPhase.INCONCLUSIVE),
    "29: too few in a row, seven of seven": (
        counters(failed=4, successful=3, consecutive_success=3),
        limits(7, failure_limit=-1, consecutive_success_limit=5),
        MetricPhase.FAILED,
    ),
    "29: too few in a row, seven of nine": (
        counters(failed=4, successful=3, consecutive_success=3),
        limits(9, failure_limit=-1, consecutive_success_limit=5),
        RUNNING,
    ),
    "30: three in a row, ten of ten": (
        counters(failed=4, successful=6, consecutive_success=3),
        limits(10, failure_limit=4, consecutive_success_limit=4),
        MetricPhase.INCONCLUSIVE,
    ),
    "30: four in a row, ten of ten": (
        counters(failed=4, successful=6, consecutive_success=4),
        limits(10, failure_limit=4, consecutive_success_limit=4),
        MetricPhase.SUCCESSFUL,
    ),
    "30: five failures": (
        counters(failed=5, successful=5, consecutive_success=4),
        limits(10, failure_limit=4, consecutive_success_limit=4),
        MetricPhase.FAILED,
    ),
}


@pytest.mark.parametrize(("counted", "rules", "phase"), ASSESSED.values(), ids=ASSESSED.keys())
def test_a_metric_is_assessed_as_by_argo(counted, rules, phase):
    assert phase is assess(counted, rules, Dialect.ARGO)


YES, NO = Measurement(SUCCESSFUL, "1", ""), Measurement(FAILED, "0", "")


def begun(*rules, **others):
    return Run(rules, Dialect.ARGO, **others)


def after(run, **outcomes):
    """The run after a round in which these were measured, and all rounds that follow from it."""
    found = runs.advance(run, 0.0, {name: Taken(outcome, 0.0) for name, outcome in outcomes.items()})
    return found if found == run else after(found)


ONCE, TWICE = Limits(count=1), Limits(count=2, interval_seconds=60.0)


def test_31_a_run_is_running_while_a_metric_is():
    assert after(begun(Rule("a", ONCE), Rule("b", TWICE)), a=YES, b=YES).phase is RUNNING


def test_31_a_run_is_as_bad_as_its_worst_metric():
    found = after(begun(Rule("a", ONCE), Rule("b", ONCE)), a=YES, b=NO)

    assert (found.phase, found.message) == (
        MetricPhase.FAILED,
        'Metric "b" assessed Failed due to failed (1) > failureLimit (0)',
    )


def test_32_a_metric_that_is_run_dry_decides_nothing():
    found = after(begun(Rule("a", ONCE), Rule("b", ONCE, dry=True)), a=YES, b=NO)

    assert (found.phase, found.dry_summary.failed, found.summary.successful) == (MetricPhase.SUCCESSFUL, 1, 1)


def test_33_a_run_that_is_ended_before_it_measured_is_successful():
    found = after(begun(Rule("a", ONCE), ending=True))

    assert (found.phase, found.message) == (MetricPhase.SUCCESSFUL, "Run Terminated")


def metric(**fields):
    return {"name": "a", "provider": {"prometheus": {"query": "up"}}, **fields}


def test_34_the_count_must_allow_the_limits():
    found = validation.accept({"metrics": [metric(count=1, failureLimit=2)]})

    assert found == validation.Refused(
        "Analysis spec invalid: metrics[0]: count (1) must be >= failureLimit + consecutiveSuccessLimit (2 + 0) "
        "if both >= 0"
    )


def test_37_a_tag_without_an_end_is_an_error():
    with pytest.raises(ConfigurationError, match=re.escape('in the template="test-{{args.var"')):
        templating.resolve("test-{{args.var", {"var": "x"})


def test_37_inside_a_metric_its_own_json_ends_the_tag():
    found = validation.accept({"metrics": [metric(provider={"prometheus": {"query": "x{{args.a"}})], "args": []})

    assert found == validation.Refused(
        'Unable to resolve metric arguments: failed to resolve {{args.a","authentication":{"sigv4":{},"oauth2":{}}'
    )


def test_38_values_are_quoted_as_go_quotes():
    found = templating.resolve("test-{{args.var}}", {"var": 'double quotes"newline\nand tab\t'})

    assert found == r"test-double quotes\"newline\nand tab\t"
