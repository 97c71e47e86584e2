"""The fields of one metric of a template."""

import pytest

from canary_operator import errors
from canary_operator.conditions.metric_spec import Limits, MetricSpec, parse_metric, parse_metrics


def raw(prometheus=None, **fields):
    inside = {"address": "http://prometheus:9090", "query": "up", **(prometheus or {})}
    whole = {"name": "errors", "successCondition": "result[0] < 0.02", "provider": {"prometheus": inside}, **fields}
    return {name: value for name, value in whole.items() if value is not ...}


def test_a_whole_metric_is_read():
    found = parse_metric(
        raw(
            {"timeout": 5},
            interval="1m30s",
            initialDelay="10s",
            count=5,
            failureCondition="result[0] > 0.1",
            failureLimit=2,
            inconclusiveLimit=1,
            consecutiveErrorLimit=9,
            consecutiveSuccessLimit=3,
        ),
        "spec.metrics[0]",
    )

    assert (
        MetricSpec(
            name="errors",
            query="up",
            success_condition="result[0] < 0.02",
            failure_condition="result[0] > 0.1",
            limits=Limits(5, 90.0, 10.0, 2, 1, 9, 3),
            address="http://prometheus:9090",
            timeout_seconds=5.0,
        )
        == found
    )


def test_a_range_is_asked_at_its_end():
    span = {"start": 'now() - duration("5m")', "end": 'now() - duration("1m")', "step": "1m"}

    assert parse_metric(raw({"rangeQuery": span}), "m").promql(1000.0) == ("(up)[240000ms:60000ms]", 940.0)


def test_an_instant_is_asked_as_it_is():
    assert parse_metric(raw(), "m").promql(1000.0) == ("up", 1000.0)


def test_the_defaults_are_those_of_argo():
    found = parse_metric(raw({"address": None}), "m")

    assert (Limits(1, None, 0.0, 0, 0, 4, 0), "", 30.0) == (found.limits, found.address, found.timeout_seconds)


@pytest.mark.parametrize(
    ("fields", "count"),
    [
        ({}, 1),
        ({"interval": "5s"}, None),
        ({"interval": "5s", "count": 0}, None),
        ({"count": 0}, 1),
        ({"interval": "5s", "count": "3"}, 3),
        ({"interval": "", "count": 1}, 1),
    ],
)
def test_the_effective_count(fields, count):
    assert count == parse_metric(raw(**fields), "m").limits.count


@pytest.mark.parametrize(
    "prometheus",
    [
        {"insecure": False},
        {"headers": []},
        {"rangeQuery": None},
        {"authentication": {"sigv4": {}, "oauth2": {}}},
        {"address": ""},
    ],
)
def test_empty_fields_are_no_wish(prometheus):
    assert parse_metric(raw(prometheus), "m")


ENDING = {"interval": "1s"}
# Columns: metric, where, part of the message.
REFUSED = {
    "no name": (raw(name=...), "m.name", "a text that is not empty"),
    "no provider": (raw(provider=...), "m.provider", "a mapping"),
    "an empty provider": (raw(provider={}), "m.provider", "none, allowed is exactly one: prometheus"),
    "two providers": (raw(provider={"prometheus": {}, "web": {}}), "m.provider", "prometheus, web"),
    "another provider": (raw(provider={"datadog": {}}), "m.provider", "datadog, allowed is exactly one"),
    "no query": (raw({"query": ""}), "m.provider.prometheus.query", "''"),
    "half a range query": (raw({"rangeQuery": {"step": "1m"}}), "m.provider.prometheus.rangeQuery.start", "now()"),
    "a range query that is none": (raw({"rangeQuery": "1m"}), "m.provider.prometheus.rangeQuery", "a mapping"),
    "authentication": (
        raw({"authentication": {"sigv4": {"region": "x"}}}),
        "m.provider.prometheus.authentication",
        "not",
    ),
    "headers": (raw({"headers": [{"key": "a"}]}), "m.provider.prometheus.headers", "not supported"),
    "insecure": (raw({"insecure": True}), "m.provider.prometheus.insecure", "not supported"),
    "an unknown setting": (raw({"retries": 1}), "m.provider.prometheus.retries", "not supported"),
    "an address without scheme": (raw({"address": "prometheus:9090"}), "m.provider.prometheus.address", "a URL"),
    "a file as address": (raw({"address": "file:///etc"}), "m.provider.prometheus.address", "a URL"),
    "no timeout": (raw({"timeout": 0}), "m.provider.prometheus.timeout", "at least 1"),
    "a negative timeout": (raw({"timeout": -1}), "m.provider.prometheus.timeout", "-1"),
    "an unknown field": (raw(retries=3), "m.retries", "not supported"),
    "a count that is no number": (raw(count="many"), "m.count", "an integer"),
    "a count in percent": (raw(count="50%"), "m.count", "an integer"),
    "a count that is true": (raw(count=True), "m.count", "an integer"),
    "half a count": (raw(count=1.5), "m.count", "an integer"),
    "a negative count": (raw(count=-1), "m.count", "at least 0"),
    "a huge count": (raw(count=2**31), "m.count", "an integer"),
    "count without interval": (raw(count=2), "m.count", "only together with an interval"),
    "count below the failure limit": (raw(count=1, failureLimit=2), "m.count", "1, allowed is at least failureLimit"),
    "count below both limits": (raw(count=3, failureLimit=2, consecutiveSuccessLimit=2, **ENDING), "m.count", "is 4"),
    "count below the successes": (raw(count=1, failureLimit=-1, consecutiveSuccessLimit=2), "m.count", "which is 2"),
    "count below the inconclusive limit": (raw(count=1, inconclusiveLimit=2), "m.count", "inconclusiveLimit"),
    "no limit at all": (raw(failureLimit=-1), "m.failureLimit", "-1"),
    "a failure limit below -1": (raw(failureLimit=-2), "m.failureLimit", "at least -1"),
    "a negative inconclusive limit": (raw(inconclusiveLimit=-1), "m.inconclusiveLimit", "at least 0"),
    "a negative error limit": (raw(consecutiveErrorLimit=-1), "m.consecutiveErrorLimit", "at least 0"),
    "a negative success limit": (raw(consecutiveSuccessLimit="-1"), "m.consecutiveSuccessLimit", "at least 0"),
    "an interval without unit": (raw(interval="30"), "m.interval", "'30' is not a duration"),
    "an interval that is a number": (raw(interval=30), "m.interval", "in quotes"),
    "no interval between": (raw(interval="0s"), "m.interval", "at least 1s"),
    "a negative delay": (raw(initialDelay="-1s"), "m.initialDelay", "at least 0s"),
    "a condition that is none": (raw(successCondition="result <"), "m.successCondition", "unexpected end"),
    "a condition that is no text": (raw(failureCondition=True), "m.failureCondition", "in quotes"),
}


@pytest.mark.parametrize(("metric", "where", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_metric_is_refused_with_its_place(metric, where, message):
    with pytest.raises(errors.ConfigurationError) as caught:
        parse_metric(metric, "m")

    assert str(caught.value).startswith(f"{where}:")
    assert message in str(caught.value)


def test_limits_do_not_bind_a_metric_without_count():
    assert parse_metric(raw(interval="1s", failureLimit=5), "m").limits.failure_limit == 5


def test_names_are_unique():
    with pytest.raises(errors.ConfigurationError, match=r"spec.metrics\[1\].name: 'errors' is there twice"):
        parse_metrics([raw(), raw()], "spec.metrics")


def test_a_template_has_a_metric():
    with pytest.raises(errors.ConfigurationError, match="at least one metric"):
        parse_metrics([], "spec.metrics")


def test_metrics_keep_their_order():
    assert [metric.name for metric in parse_metrics([raw(name="a"), raw(name="b")], "m")] == ["a", "b"]


@pytest.mark.parametrize("metric", [None, [], "x"])
def test_what_is_no_mapping_is_refused(metric):
    with pytest.raises(errors.ConfigurationError, match="a mapping"):
        parse_metric(metric, "m")
