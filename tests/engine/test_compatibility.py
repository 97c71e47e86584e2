"""``compatibility: argo``: where Argo acts on no evidence, so does the gate; with ``safe`` it holds."""

import math

import pytest

from canary_operator.model.policy import SLOPolicySpec, parse_policy
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import (
    BAD,
    EMPTY,
    GOOD,
    NAN,
    OUTAGE,
    REFUSED_QUERY,
    T0,
    a_metric,
    a_template,
    at_a_pause,
    vector,
)
from tests.scenarios.world import World

PARTIAL = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "the answer came with 1 warning(s)", partial=True)
ONCE = {"interval": None}


def metric(name="error-ratio", **fields):
    found = a_metric(name, **fields)
    return {key: value for key, value in found.items() if value is not None}


def world(compatibility, template, answers, seconds=300):
    """A pause without end; one answer for each 10 s, the last one for ever."""
    policy = SLOPolicySpec.model_validate({"compatibility": compatibility})
    found = World(
        at_a_pause(None),
        templates={"errors": template},
        policy=policy,
        prometheus=lambda at: answers[min(math.floor(at / 10), len(answers) - 1)],
    )
    return found.until(seconds)


def reason(compatibility, template, answers):
    return world(compatibility, template, answers).verdicts[-1][2]


# Columns: template, answers for each 10 s, what safe says at the end, what argo says.
ENDS = {
    "no series and a condition that wants one": (
        a_template(metric(**ONCE)),
        [EMPTY],
        "NoData",
        "ConditionsFailed",
    ),
    "no series, which the condition welcomes": (
        a_template(metric(**ONCE, successCondition="len(result) == 0")),
        [EMPTY],
        "NoData",
        "ConditionsMet",
    ),
    "NaN and a success condition": (a_template(metric(**ONCE)), [NAN], "NoData", "ConditionsFailed"),
    "NaN and a failure condition": (
        a_template(metric(**ONCE, successCondition=None, failureCondition="result[0] > 0.05")),
        [NAN],
        "NoData",
        "ConditionsMet",
    ),
    "NaN and both": (
        a_template(metric(**ONCE, failureCondition="result[0] > 0.05")),
        [NAN],
        "NoData",
        "Inconclusive",
    ),
    "no condition": (
        a_template(metric(**ONCE, successCondition=None)),
        [GOOD],
        "ConfigurationError",
        "ConditionsMet",
    ),
    "several series and the first is asked for": (
        a_template(metric(**ONCE)),
        [vector(0.001, 0.9)],
        "AmbiguousSeries",
        "ConditionsMet",
    ),
    "an outage": (a_template(metric(**ONCE)), [OUTAGE], "TelemetryUnavailable", "ConditionsFailed"),
    "a query that is refused": (a_template(metric(**ONCE)), [REFUSED_QUERY], "ConfigurationError", "ConditionsFailed"),
    "a condition that cannot be computed": (
        a_template(metric(**ONCE, successCondition="result[5] < 1")),
        [GOOD],
        "ConfigurationError",
        "ConditionsFailed",
    ),
    "half an answer holds in both": (
        a_template(metric(**ONCE)),
        [PARTIAL],
        "TelemetryUnavailable",
        "TelemetryUnavailable",
    ),
    "only dry-run metrics, well": (
        a_template(metric(**ONCE), dryRun=[{"metricName": "error-ratio"}]),
        [GOOD],
        "ConfigurationError",
        "ConditionsMet",
    ),
    "only dry-run metrics, failing": (
        a_template(metric(**ONCE), dryRun=[{"metricName": "error-ratio"}]),
        [BAD],
        "ConfigurationError",
        "ConditionsMet",
    ),
    "enough in a row, and no count": (
        a_template(metric(consecutiveSuccessLimit=2, failureLimit=9)),
        [GOOD, GOOD, BAD],
        "ConditionsFailed",
        "ConditionsMet",
    ),
    "a failure is one in both": (a_template(metric(**ONCE)), [BAD], "ConditionsFailed", "ConditionsFailed"),
    "a success is one in both": (a_template(metric(**ONCE)), [GOOD], "ConditionsMet", "ConditionsMet"),
}


@pytest.mark.parametrize(("template", "answers", "safe", "argo"), ENDS.values(), ids=ENDS.keys())
def test_the_gate_says(template, answers, safe, argo):
    assert (safe, argo) == (reason("safe", template, answers), reason("argo", template, answers))


def message(template, answers):
    return world("argo", template, answers).status.message.partition("(25 %): ")[2]


def test_an_abort_has_the_sentence_of_argo():
    assert message(a_template(metric(**ONCE)), [BAD]) == (
        'Metric "error-ratio" assessed Failed due to failed (1) > failureLimit (0)'
    )


def test_an_abort_for_errors_says_the_last_one():
    assert message(a_template(metric(**ONCE, consecutiveErrorLimit=1)), [OUTAGE]) == (
        'Metric "error-ratio" assessed Error due to consecutiveErrors (2) > consecutiveErrorLimit (1): '
        '"Error Message: Prometheus does not answer"'
    )


def test_errors_are_asked_again_after_ten_seconds_whatever_the_interval():
    found = world("argo", a_template(metric(interval="1m", count=2)), [OUTAGE, GOOD])

    assert [round(query.at - T0) for _, query in found.asked] == [0, 10, 70]


def test_the_fifth_error_in_a_row_aborts():
    found = world("argo", a_template(metric(**ONCE)), [OUTAGE])

    assert [kind for _, kind, _ in found.actions] == ["Abort"]
    assert len(found.asked) == 5


def test_a_metric_that_is_inconclusive_ends_the_others_of_its_analysis():
    inconclusive = metric("a", **ONCE, failureCondition="result[0] > 0.5", successCondition="result[0] < 0")
    template = a_template(inconclusive, metric("b", failureLimit=99))

    found = world("argo", template, [GOOD])

    assert [query.promql for _, query in found.asked] == ["a()", "b()"]
    assert found.verdicts[-1][2] == "Inconclusive"


def test_a_dry_run_metric_beside_one_that_counts_ends_nothing():
    template = a_template(metric("a", **ONCE), metric("b", interval="10s", count=3), dryRun=[{"metricName": "a"}])

    found = world("argo", template, [vector(0.04), vector(0.04), vector(0.04)])

    assert found.verdicts[-1][2] == "ConditionsMet"


def test_both_are_in_the_policy():
    assert [parse_policy("p", {"spec": {"compatibility": each}}).compatibility for each in ("safe", "argo")] == [
        "safe",
        "argo",
    ]
