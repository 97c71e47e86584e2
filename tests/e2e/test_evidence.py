"""What is wrong with the evidence is told, and nothing is promoted or aborted on it."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.e2e.scenes import ended
from tests.e2e.stage import V2, Stage
from tests.e2e.test_objectives import AVAILABILITY, RATIO, evidence, gated_by

LATENCY = {
    "name": "latency",
    "objective": "95",
    "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": "0.5"}},
}
OTHER_LABEL = {**AVAILABILITY, "indicator": {"ratio": {**RATIO, "bad": 'http_requests_total{code=~"5.."}'}}}
NO_BUCKET = {**LATENCY, "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": "0.31"}}}
NO_METRIC = {**AVAILABILITY, "indicator": {"ratio": {"bad": 'no_such_total{status="500"}', "total": "no_such_total"}}}


def silent(stage: Stage) -> None:
    stage.lab.world.silence(stage.namespace, "web", V2)


def cut_off(stage: Stage) -> None:
    stage.lab.world.cut_off(stage.namespace, "web", V2)


def without_requests(stage: Stage) -> None:
    stage.lab.world.misroute(stage.namespace, "web", {V2: 0.0})


def misrouted(stage: Stage) -> None:
    stage.lab.world.misroute(stage.namespace, "web", {V2: 0.04})


@pytest.mark.parametrize(
    ("what", "reason", "told"),
    [
        (silent, "NoTraffic", "http_requests_total"),
        (cut_off, "NoData", "canary"),
        (without_requests, "NoTraffic", "canary"),
        (misrouted, "RoutingMismatch", "weight is 50"),
    ],
)
def test_a_canary_whose_requests_cannot_be_believed_is_held_with_the_reason(
    stage: Stage, what: Any, reason: str, told: str
) -> None:
    gated_by(stage)
    stage.operator()
    what(stage)

    stage.release()
    stage.at_pause()

    stage.until(lambda: stage.verdict() == ("Hold", reason), f"the hold with {reason}", timeout=120)
    assert told in stage.gate()["message"]
    assert not stage.is_promoted()
    assert not stage.status().get("abort")


@pytest.mark.parametrize(
    ("objective", "reason", "told"),
    [
        (OTHER_LABEL, "ConfigurationError", 'no label "code"'),
        (NO_BUCKET, "ConfigurationError", "0.31 is no bucket"),
        (NO_METRIC, "NoData", "no_such_total"),
    ],
)
def test_an_objective_that_finds_nothing_to_count_holds_and_says_what_there_is(
    stage: Stage, objective: Any, reason: str, told: str
) -> None:
    gated_by(stage, objective)
    stage.operator()

    stage.release()
    stage.at_pause()

    stage.until(lambda: stage.verdict() == ("Hold", reason), f"the hold with {reason}")
    assert told in stage.gate()["message"]


def test_a_canary_that_is_down_at_one_request_a_second_is_aborted_after_a_few_requests(stage: Stage) -> None:
    gated_by(stage, rate=2.0)
    stage.operator()

    stage.release(errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=120)
    gate = ended(stage)
    assert gate["verdict"] == "Abort"
    assert evidence(stage)[0]["canary"]["bad"] <= 20


def test_a_fault_that_begins_late_at_half_of_the_traffic_is_aborted(stage: Stage) -> None:
    gated_by(stage, steps=[{"setWeight": 25}, {"pause": {"duration": "5s"}}, {"setWeight": 50}, {"pause": {}}])
    stage.operator()
    stage.release()
    stage.until(lambda: stage.step() == 3, "the second pause", timeout=180)

    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.2)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=90)
    assert ended(stage)["reason"] == "CanaryRegression"


def test_a_slow_canary_is_aborted_by_its_latency_objective(stage: Stage) -> None:
    gated_by(stage, AVAILABILITY, LATENCY)
    stage.operator()
    stage.lab.world.set_behaviour(stage.namespace, "web", V2, latency_seconds=0.6)

    stage.release()

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=90)
    gate = ended(stage)
    assert gate["reason"] == "CanaryRegression"
    assert "latency" in gate["message"]


def test_an_operator_that_is_killed_counts_on_where_it_was(stage: Stage) -> None:
    gated_by(stage)
    operator = stage.operator()
    stage.release()
    stage.at_pause()
    stage.until(lambda: evidence(stage) and evidence(stage)[0]["canary"]["total"] > 200, "some requests")
    before = evidence(stage)[0]

    operator.stop(signal.SIGKILL)
    stage.operator()

    stage.until(lambda: evidence(stage)[0]["canary"]["total"] > before["canary"]["total"], "more requests")
    assert evidence(stage)[0]["since"] == before["since"]
    stage.until(stage.is_promoted, "the promotion", timeout=180)
    counted = evidence(stage)[0]["canary"]["total"]
    truth = stage.lab.world.totals(stage.namespace, "web")[stage.status()["currentPodHash"]]
    assert before["canary"]["total"] < counted <= truth.total
