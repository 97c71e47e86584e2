"""What a bad release costs: few failed requests where there are few, a budget of them, pods that crash."""

from __future__ import annotations

from typing import Any

from tests.e2e.scenes import INDEFINITE, ended
from tests.e2e.stage import V2, Stage
from tests.e2e.test_counting import pods_with
from tests.e2e.test_evidence import LATENCY
from tests.e2e.test_objectives import AVAILABILITY, QUICK, RATIO, evidence, gated_by


def test_a_canary_that_fails_everything_is_aborted_within_six_requests_though_few_come(stage: Stage) -> None:
    # A request of the canary every eighth look and scrape: as one every two minutes is with scrapes every 15 s, at 15
    # times the pace.
    stage.policy(objectives=[AVAILABILITY], timing=QUICK)
    ours = {"canary-operator.io/gate": "enforce", "canary-operator.io/slo-policy": "policy"}
    steps = ({"setWeight": 25}, {"pause": {}})
    stage.rollout(gate=None, annotations=ours, steps=steps, replicas=4, rate=0.5)
    stage.operator()

    stage.release(errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=120)
    gate = ended(stage)
    assert gate["verdict"] == "Abort"
    assert 2 <= evidence(stage)[0]["canary"]["bad"] <= 6


def test_a_fault_that_comes_and_goes_inside_the_objective_is_aborted_by_what_it_has_cost(stage: Stage) -> None:
    lenient = {"name": "lenient", "objective": "80", "indicator": {"ratio": RATIO}}
    gated_by(stage, lenient, rate=200.0, risk={"maxExcessBad": 100})
    stage.operator()
    stage.release()
    stage.at_pause()

    turns = 0

    def flaps() -> Any:
        # A second or so of trouble, and as long without any.
        nonlocal turns
        turns += 1
        ratio = 0.15 if turns // 10 % 2 else 0.0
        stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=ratio)
        return stage.status().get("abort")

    stage.until(flaps, "the abort", timeout=90)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "ExposureSpent")
    assert "and 100 are allowed" in gate["message"]
    counted = evidence(stage)[0]["canary"]
    assert 100 < counted["bad"] < 400
    assert counted["bad"] < 0.2 * counted["total"]


def test_of_several_objectives_the_message_names_the_one_that_the_canary_fails(stage: Stage) -> None:
    strict = {**LATENCY, "name": "slow", "objective": "99"}
    gated_by(stage, AVAILABILITY, strict, {**AVAILABILITY, "name": "lenient", "objective": "90"})
    stage.operator()
    stage.lab.world.set_behaviour(stage.namespace, "web", V2, latency_seconds=0.3)

    stage.release()

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=60)
    gate = ended(stage)
    assert gate["reason"] == "CanaryRegression"
    assert "slow: " in gate["message"]
    assert "availability" not in gate["message"]
    assert "lenient" not in gate["message"]


def crash(stage: Stage, image: str, times: int) -> str:
    """Let a pod's container crash again and again, as a kubelet would report it; returns the pod's name."""
    pod = pods_with(stage, image)[0]
    (container,) = pod["status"]["containerStatuses"]
    ended_at = container["state"]["running"]["startedAt"]
    again = {
        **container,
        "restartCount": times,
        "ready": False,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {
            "terminated": {"startedAt": ended_at, "finishedAt": ended_at, "exitCode": 137, "reason": "OOMKilled"}
        },
    }
    status(stage, pod, {"containerStatuses": [again]})
    return str(pod["metadata"]["name"])


def status(stage: Stage, pod: dict[str, Any], body: dict[str, Any]) -> None:
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{pod['metadata']['name']}/status"
    stage.admin.patch(path, {"status": body})


def test_a_canary_whose_containers_crash_is_aborted_and_the_message_names_the_pod_and_why(stage: Stage) -> None:
    gated_by(stage)
    stage.operator()
    stage.release()
    stage.at_pause()

    name = crash(stage, V2, times=4)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=40)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "CanaryUnhealthy")
    assert name in gate["message"]
    assert "OOMKilled" in gate["message"]


def test_a_canary_that_crashes_before_its_first_pause_is_aborted_there(stage: Stage) -> None:
    gated_by(stage)
    stage.operator()
    # A pod that starts again and again never lets Argo reach the pause.
    stage.patch({"spec": {"minReadySeconds": 300}})
    stage.release()
    stage.until(lambda: pods_with(stage, V2) and "containerStatuses" in pods_with(stage, V2)[0]["status"], "its pod")

    name = crash(stage, V2, times=4)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=40)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "CanaryUnhealthy", "Gate")
    assert gate["message"].startswith("aborted at step 0/2")
    assert name in gate["message"]


def test_a_canary_whose_node_is_drained_is_not_blamed_for_it(stage: Stage) -> None:
    # So strict that nothing is promoted meanwhile.
    gated_by(stage, {**AVAILABILITY, "objective": "99.99"}, steps=INDEFINITE)
    stage.operator()
    stage.release()
    stage.at_pause()
    stage.until(lambda: evidence(stage) and evidence(stage)[0]["canary"]["total"] > 100, "some requests")

    # What `kubectl drain` does.
    drained = pods_with(stage, V2)[0]["metadata"]["name"]
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{drained}/eviction"
    meta = {"name": drained, "namespace": stage.namespace}
    stage.admin.post(path, {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta})
    another = stage.until(
        lambda: next((pod for pod in pods_with(stage, V2) if pod["metadata"]["name"] != drained), None), "another pod"
    )
    # What a kubelet does that has no memory left.
    status(stage, another, {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"})
    gone = {drained, another["metadata"]["name"]}
    stage.until(lambda: any(pod["metadata"]["name"] not in gone for pod in pods_with(stage, V2)), "a third pod")

    counted = evidence(stage)[0]["canary"]["total"]
    stage.until(lambda: evidence(stage)[0]["canary"]["total"] > counted + 500, "requests to the third pod", timeout=60)
    assert stage.gate()["verdict"] != "Abort"
    assert not [each for each in stage.gate()["history"] if each["verdict"] == "Abort"]
    assert stage.status().get("abort") is None
