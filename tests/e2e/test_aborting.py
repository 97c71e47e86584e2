"""A bad canary goes back to stable, whole and soon, wherever the release stands."""

from __future__ import annotations

from tests.e2e.routing import load_balancer, load_balancer_weights, pods_wanted, selected
from tests.e2e.scenes import INDEFINITE, WITH_POLICY, ended, is_held, override, timed
from tests.e2e.stage import V1, V2, Stage


def test_a_bad_canary_behind_a_load_balancer_goes_back_whole(stage: Stage) -> None:
    stage.template()
    strategy = load_balancer(stage, [{"setWeight": 40}, {"pause": {}}], abortScaleDownDelaySeconds=1)
    stage.rollout(strategy=strategy)
    stable = stage.status()["stableRS"]
    stage.operator()
    since = stage.version()

    stage.release(errors=0.5)

    stage.until(lambda: stage.status().get("abort"), "the abort")
    reached = [((body["status"].get("canary") or {}).get("weights") or {}) for body in stage.versions(since)]
    assert any(weights.get("canary", {}).get("weight") == 40 for weights in reached), "it had its weight before"
    stage.until(lambda: load_balancer_weights(stage) == {"web-stable": 100}, "the load balancer to be set back")
    stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the canary's pods to be gone")
    assert stage.status()["canary"]["weights"]["canary"]["weight"] == 0
    assert stage.status()["canary"]["weights"]["stable"]["weight"] == 100
    assert {selected(stage, "web-canary"), selected(stage, "web-stable")} == {stable}
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "ConditionsFailed", "Gate")
    assert stage.actions() == [("Abort", "Applied")]


def test_a_bad_canary_is_aborted_out_of_a_hold(stage: Stage) -> None:
    stage.template(failure_limit=4)
    stage.rollout(steps=timed("60s"))
    stage.operator()

    stage.release(errors=0.5)

    stage.until(lambda: is_held(stage), "the hold")
    stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the return to stable")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "ConditionsFailed", "Gate")
    assert gate["message"].startswith("aborted at step 1/2 (50 %): error-rate 0.")
    assert stage.status()["phase"] == "Degraded"
    assert stage.actions() == [("Hold", "Applied"), ("Abort", "Applied")]


def test_a_person_may_abort_through_the_gate_while_argo_sets_a_weight(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    stage.operator()
    # The new pod is not available for a minute, so that the weight is not reached.
    stage.patch({"spec": {"minReadySeconds": 60}})
    stage.release()
    stage.until(lambda: "setting the weight to 50 %" in stage.gate().get("message", ""), "the step in progress")

    override(stage, "Abort")

    stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the return to stable")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "Override", "Gate")
    assert "admin says Abort" in gate["message"]
    assert stage.actions() == [("Abort", "Applied")]


def test_a_bad_canary_is_only_held_where_the_policy_says_so(stage: Stage) -> None:
    stage.template()
    stage.policy(failAction="Hold")
    stage.rollout(steps=INDEFINITE, annotations=WITH_POLICY)
    stage.operator()

    stage.release(errors=0.5)

    stage.until(lambda: stage.verdict() == ("Hold", "ConditionsFailed"), "the hold")
    stage.throughout(lambda: stage.step() == 1 and not stage.status().get("abort"), 3, "the hold")
    assert "(failAction is Hold)" in stage.gate()["message"]
    assert stage.actions() == []


def test_a_bad_canary_is_only_told_where_the_policy_says_so(stage: Stage) -> None:
    stage.template()
    stage.policy(failAction="Notify")
    stage.rollout(steps=timed("4s"), annotations=WITH_POLICY)
    stage.operator()

    stage.release(errors=0.5)

    stage.until(lambda: stage.verdict() == ("Abort", "ConditionsFailed"), "the verdict")
    stage.until(lambda: stage.is_promoted(image=V2), "the end of the pause as without a gate")
    gate = ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    assert any(event["type"] == "Warning" and event["reason"] == "ConditionsFailed" for event in stage.events())
    assert (gate["verdict"], gate["reason"]) == ("Abort", "ConditionsFailed")
    assert "failing at step 1/2 (50 %)" in gate["message"]
