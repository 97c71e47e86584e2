"""A ratio over few requests passes nothing: it is measured on until it could have shown a breach."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.engine.sampling import sample_of
from canary_operator.model.policy import SLOPolicySpec
from tests.builders import EMPTY, T0, a_metric, a_template, at_a_pause, vector
from tests.scenarios.world import World

RATIO = 'sum(rate(errors_total{a="b"}[5m])) / sum(rate(requests_total{a="b"}[5m]))'
LATENCY = 'sum(rate(h_bucket{le="0.5"}[1m])) / sum(rate(h_count[1m]))'
# Columns: query, successCondition, failureCondition, requests over the last 60 s, the share that is allowed.
SAMPLES = {
    "errors": (RATIO, "result[0] < 0.05", "", 'sum(increase(requests_total{a="b"}[360s]))', "1/20"),
    "a failure condition": (RATIO, "", "result[0] > 0.05", 'sum(increase(requests_total{a="b"}[360s]))', "1/20"),
    "good ones": (f"1 - {RATIO}", "result[0] >= 0.99", "", 'sum(increase(requests_total{a="b"}[360s]))', "1/100"),
    "percent": (f"100 * {RATIO}", "result[0] <= 5", "", 'sum(increase(requests_total{a="b"}[360s]))', "1/20"),
    "latency": (LATENCY, "result[0] >= 0.95", "", "sum(increase(h_count[120s]))", "1/20"),
    "two totals": (
        "sum(increase(e[90s])) / (sum(increase(a[90s])) + sum(increase(b[90s])))",
        "result[0] < 0.1",
        "",
        "sum(increase(a[150s])) + sum(increase(b[150s]))",
        "1/10",
    ),
    "a day": ("sum(rate(e[1d2h]))/sum(rate(t[1d2h]))", "result[0] < 0.1", "", "sum(increase(t[93660s]))", "1/10"),
}


@pytest.mark.parametrize(("query", "success", "failure", "requests", "allowed"), SAMPLES.values(), ids=SAMPLES.keys())
def test_a_ratio_of_counters_has_a_sample(query, success, failure, requests, allowed):
    found = sample_of(query, success, failure)

    assert (requests, allowed) == (found.query(60), str(found.allowed))


# Columns: query, successCondition.
NONE = {
    "one number": ("up", "result[0] < 0.05"),
    "a quantile": ("histogram_quantile(0.9, sum by (le) (rate(h_bucket[5m])))", "result[0] < 0.05"),
    "grouped": ("sum by (pod) (rate(e[5m])) / sum by (pod) (rate(t[5m]))", "all(result, # < 0.05)"),
    "the last two samples": ("sum(irate(e[5m])) / sum(irate(t[5m]))", "result[0] < 0.05"),
    "no comparison": (RATIO, "result[0] < 0.05 and len(result) == 1"),
    "a limit of 1": (RATIO, "result[0] < 1"),
    "no PromQL": ("sum(", "result[0] < 0.05"),
    "no condition": (RATIO, ""),
}


@pytest.mark.parametrize(("query", "success"), NONE.values(), ids=NONE.keys())
def test_everything_else_has_none(query, success):
    assert sample_of(query, success, "") is None


@given(st.sampled_from([0.01, 0.05, 0.2]), st.sampled_from([0.01, 0.05, 0.2]))
def test_a_canary_that_just_breaks_the_condition_shows_it(limit, risk):
    needed = sample_of(RATIO, f"result[0] < {limit}", "").needed(risk)

    assert (1 - limit) ** needed <= risk
    # The bound is not far from exact: nobody waits for many requests in vain.
    assert (1 - limit) ** ((needed - 1) * 0.85) > risk


class Served(dict):
    """A Prometheus that knows the ratio, and how many requests there were at a time."""

    def __init__(self, requests, ratio=lambda _: vector(0.0)):
        super().__init__({RATIO: ratio})
        self.requests = requests

    def __missing__(self, promql):
        assert "increase(requests_total" in promql
        return self.requests


def world(requests, seconds, compatibility="safe", ratio=lambda _: vector(0.0), **fields):
    metric = a_metric(successCondition="result[0] < 0.05", provider={"prometheus": {"query": RATIO}}, **fields)
    template = a_template({key: value for key, value in metric.items() if value is not None})
    policy = SLOPolicySpec.model_validate({"compatibility": compatibility})
    found = World(at_a_pause(None), templates={"errors": template}, policy=policy, prometheus=Served(requests, ratio))
    return found.until(seconds)


ENOUGH = math.ceil(math.log(20) / 0.05)


def test_enough_requests_promote():
    assert world(lambda _: vector(float(ENOUGH)), 60).verdicts[-1][2] == "ConditionsMet"


def test_one_too_few_holds_and_says_how_many_it_takes():
    found = world(lambda _: vector(ENOUGH - 1.0), 60)

    assert found.verdict == ("Hold", "LowTraffic")
    assert f"over {ENOUGH - 1} requests only; {ENOUGH} could show a breach" in found.status.message
    assert found.status.evidence[0].requests_needed == 1


def test_it_waits_until_there_are_enough():
    found = world(lambda at: vector(float(at)), 200)

    assert [reason for _, _, reason in found.verdicts] == ["Collecting", "LowTraffic", "ConditionsMet"]
    assert found.verdicts[-1][0] >= ENOUGH


def test_a_metric_that_is_measured_once_is_measured_on():
    found = world(lambda at: vector(float(at)), 200, interval=None)

    assert found.verdicts[-1][2] == "ConditionsMet"
    assert found.verdicts[-1][0] >= ENOUGH


def test_what_is_measured_on_can_still_fail():
    found = world(lambda at: vector(1.0), 60, interval=None, ratio=lambda at: vector(0.0 if at < 30 else 0.5))

    assert found.verdicts[-1][2] == "ConditionsFailed"


@pytest.mark.parametrize("counted", [EMPTY, vector(math.nan), vector(math.inf)])
def test_no_count_is_no_request(counted):
    assert world(lambda _: counted, 60).verdict == ("Hold", "LowTraffic")


def test_a_breach_needs_no_minimum():
    found = world(lambda _: vector(2.0), 60, ratio=lambda _: vector(0.5))

    assert found.verdicts[-1][2] == "ConditionsFailed"


def test_argo_asks_for_no_requests():
    found = world(lambda _: vector(0.0), 60, compatibility="argo")

    assert found.verdicts[-1][2] == "ConditionsMet"
    assert {question.promql for _, question in found.asked} == {RATIO}


def test_the_requests_are_those_that_all_measurements_looked_at():
    found = world(lambda _: vector(1.0), 25)

    counted = [(round(q.at - T0), q.promql) for _, q in found.asked if q.promql != RATIO]
    assert [(at, f"[{300 + at}s]" in promql) for at, promql in counted] == [(0, True), (10, True), (20, True)]
