"""What Argo says of a run before it measures, in its own words."""

import pytest

from canary_operator.conditions import validation
from canary_operator.conditions.metric_spec import Limits
from canary_operator.conditions.validation import Accepted, Refused

PROMETHEUS = {"prometheus": {"query": "up", "address": "http://prometheus:9090"}}


def metric(name="a", **fields):
    return {"name": name, "provider": PROMETHEUS, **fields}


def spec(*metrics, **others):
    return {"metrics": list(metrics), **others}


# Columns: spec, Argo's message.
REFUSED = {
    "no metric": (spec(), "Analysis spec invalid: no metrics specified"),
    "one name twice": (spec(metric(), metric()), "Analysis spec invalid: metrics[1]: duplicate name 'a'"),
    "a negative success limit": (
        spec(metric(consecutiveSuccessLimit=-1)),
        "Analysis spec invalid: metrics[0]: consecutiveSuccessLimit must be >= 0",
    ),
    "a failure limit below -1": (
        spec(metric(failureLimit=-2)),
        "Analysis spec invalid: metrics[0]: failureLimit must be >= 0, or -1 to be disabled",
    ),
    "no limit": (
        spec(metric(failureLimit=-1)),
        "Analysis spec invalid: metrics[0]: failureLimit and consecutiveSuccessLimit cannot both be disabled",
    ),
    "a negative inconclusive limit": (
        spec(metric(inconclusiveLimit="-1")),
        "Analysis spec invalid: metrics[0]: inconclusiveLimit must be >= 0",
    ),
    "a negative error limit": (
        spec(metric(consecutiveErrorLimit=-1)),
        "Analysis spec invalid: metrics[0]: consecutiveErrorLimit must be >= 0",
    ),
    "count below the successes": (
        spec(metric(count=1, failureLimit=-1, consecutiveSuccessLimit=2)),
        "Analysis spec invalid: metrics[0]: count must be >= consecutiveSuccessLimit",
    ),
    "count below the inconclusive limit": (
        spec(metric(count=1, inconclusiveLimit=2)),
        "Analysis spec invalid: metrics[0]: count must be >= inconclusiveLimit",
    ),
    "count without interval": (
        spec(metric(count=2)),
        "Analysis spec invalid: metrics[0]: interval must be specified when count > 1",
    ),
    "an interval without unit": (
        spec(metric(interval="1")),
        'Analysis spec invalid: metrics[0]: invalid interval string: time: missing unit in duration "1"',
    ),
    "an interval with another unit": (
        spec(metric(interval="1x")),
        'Analysis spec invalid: metrics[0]: invalid interval string: time: unknown unit "x" in duration "1x"',
    ),
    "a delay that is none": (
        spec(metric(initialDelay="soon")),
        'Analysis spec invalid: metrics[0]: invalid startDelay string: time: invalid duration "soon"',
    ),
    "no provider": (spec(metric(provider={})), "Analysis spec invalid: metrics[0]: no provider specified"),
    "two providers": (
        spec(metric(provider={**PROMETHEUS, "web": {}})),
        "Analysis spec invalid: metrics[0]: multiple providers specified",
    ),
    "two plugins": (
        spec(metric(provider={"plugin": {"x": {}, "y": {}}})),
        "Analysis spec invalid: metrics[0]: multiple providers specified",
    ),
    "a dry-run rule for nobody": (
        spec(metric(), dryRun=[{"metricName": "b"}]),
        "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
    ),
    "a dry-run rule that is no regular expression": (
        spec(metric(), dryRun=[{"metricName": "*"}]),
        "Analysis spec invalid: dryRun[0]: Rule didn't match any metric name(s)",
    ),
    "a retention rule for nobody": (
        spec(metric(), measurementRetention=[{"metricName": "b", "limit": 1}]),
        "Analysis spec invalid: measurementRetention[0]: Rule didn't match any metric name(s)",
    ),
    "an argument without a value, even if unused": (
        spec(metric(), args=[{"name": "x"}]),
        'Unable to resolve metric arguments: argument "x" was not supplied',
    ),
    "arguments come before everything else": (
        spec(metric(count=2, provider={"prometheus": {"query": "{{args.x}}"}})),
        "Unable to resolve metric arguments: failed to resolve {{args.x}}",
    ),
}


@pytest.mark.parametrize(("raw", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_told_in_argos_words(raw, message):
    assert validation.accept(raw) == Refused(message)


def rule_of(raw):
    found = validation.accept(raw)
    assert isinstance(found, Accepted)
    return found.rules[0]


# Columns: fields, the limits.
LIMITS = {
    "nothing": ({}, Limits()),
    "an interval alone is endless": ({"interval": "5s"}, Limits(count=None, interval_seconds=5.0)),
    "a count of 0 is none": ({"interval": "5s", "count": 0}, Limits(count=None, interval_seconds=5.0)),
    "an unreadable count is 0": ({"interval": "5s", "count": "many"}, Limits(count=None, interval_seconds=5.0)),
    "digits are a count": ({"interval": "5s", "count": "3"}, Limits(count=3, interval_seconds=5.0)),
    "a negative count stays one": ({"count": -1}, Limits(count=-1)),
    "an error limit": ({"consecutiveErrorLimit": "0"}, Limits(consecutive_error_limit=0)),
}


@pytest.mark.parametrize(("fields", "limits"), LIMITS.values(), ids=LIMITS.keys())
def test_limits_are_read_as_argo_reads_them(fields, limits):
    assert limits == rule_of(spec(metric(**fields))).limits


def test_a_rule_is_a_regular_expression_that_is_searched_for():
    found = validation.accept(spec(metric("ab"), metric("b"), dryRun=[{"metricName": "^a"}]))

    assert [rule.dry for rule in found.rules] == [True, False]


@pytest.mark.parametrize(("limit", "retained"), [(3, 3), (0, 10), (-1, 10)])
def test_retention_is_ten_unless_a_rule_says_more_than_nothing(limit, retained):
    raw = spec(metric(), measurementRetention=[{"metricName": "a", "limit": limit}])

    assert rule_of(raw).retained == retained


# Columns: settings of Prometheus, Argo's words.
UNASKED = {
    "no address": ({"address": ""}, "prometheus address is not configured"),
    "no URL": ({"address": "prometheus:9090"}, "prometheus address is not is url format"),
    "a negative timeout": ({"timeout": -1}, "prometheus timeout should not be negative"),
    "nothing wrong": ({}, ""),
}


@pytest.mark.parametrize(("settings", "said"), UNASKED.values(), ids=UNASKED.keys())
def test_what_is_wrong_before_prometheus_is_asked(settings, said):
    raw = metric(provider={"prometheus": {**PROMETHEUS["prometheus"], **settings}})

    assert validation.provider_mistake(raw) == said


def test_without_a_provider_nothing_is_forgotten():
    raw = spec(metric(provider={"prometheus": {"query": "up"}}))

    assert rule_of(raw).retained > 1_000_000


def test_arguments_are_inserted_before_anything_is_read():
    raw = spec(metric("{{args.n}}", interval="{{ args.i }}", count="3"), args=[{"name": "n", "value": "x"}, ARG_I])

    assert rule_of(raw).name == "x"


ARG_I = {"name": "i", "value": "5s"}
