"""What is no gated release is left alone, and the gate says why."""

from __future__ import annotations

import time

from tests.e2e.scenes import INDEFINITE, ended, held_without_traffic, is_held, timed, traffic
from tests.e2e.stage import ARGO, OURS, V1, V2, V3, Stage


def is_idle(stage: Stage, said: str) -> bool:
    """Whether the gate says that it does not gate, and why."""
    gate = stage.gate()
    return (gate.get("phase"), gate.get("reason"), gate.get("verdict")) == ("Idle", "NotGated", None) and (
        said in gate["message"]
    )


def test_a_first_deploy_has_nothing_to_go_back_to(stage: Stage) -> None:
    stage.template()
    stage.operator()

    # Argo calls its version stable within a second, so that "first deploy" may have been said before anybody looks.
    stage.rollout(rate=0, wait=False)

    stage.until(
        lambda: is_idle(stage, "first deploy") or is_idle(stage, "no release in progress"), "the gate to say so"
    )
    stage.until(lambda: stage.is_promoted(image=V1), "the first deploy")
    stage.until(lambda: is_idle(stage, "no release in progress"), "the gate to say so")
    assert stage.decisions() == []
    assert stage.runs() == []


def test_a_release_that_is_taken_back_in_the_middle_is_let_go(stage: Stage) -> None:
    held_without_traffic(stage)

    stage.release(V1)

    stage.until(lambda: stage.is_promoted(image=V1), "the return to stable")
    stage.until(lambda: is_idle(stage, "no release in progress"), "the gate to say so", timeout=15)
    assert stage.actions() == [("Hold", "Applied")]


def test_a_rollback_inside_the_window_is_not_held(stage: Stage) -> None:
    stage.template()
    stage.rollout(rate=0, rollbackWindow={"revisions": 2})
    stage.operator()
    stage.release(V2)
    stage.at_pause()
    stage.argo("promote", "web", "--full")
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion by a person")
    assert ended(stage)["endedBy"] == "Person"

    # The pods of the old version are not available before that was seen.
    stage.patch({"spec": {"minReadySeconds": 300}})
    stage.release(V1)

    stage.until(lambda: is_idle(stage, "rollback inside spec.rollbackWindow"), "the gate to say so")
    stage.patch({"spec": {"minReadySeconds": 0}})
    stage.until(lambda: stage.is_promoted(image=V1), "the rollback")
    assert stage.actions() == []


def test_an_older_revision_outside_of_any_window_is_a_release_like_every_other(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    stage.operator()
    stage.release(V2)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")

    stage.release(V1)

    stage.until(lambda: stage.is_promoted(image=V1), "the promotion")
    ended(stage)
    assert stage.actions() == [("Promote", "Applied")] * 2


def test_a_release_that_is_scaled_to_zero_is_not_gated_and_what_is_held_stays_until_it_serves_again(
    stage: Stage,
) -> None:
    stage.template()
    stage.rollout(steps=timed("4s"), rate=0)
    stage.operator()
    stage.release()
    stage.until(lambda: is_held(stage), "the hold")

    stage.patch({"spec": {"replicas": 0}})
    traffic(stage)

    stage.until(lambda: is_idle(stage, "scaled to zero"), "the gate to say so")
    stage.throughout(lambda: is_held(stage), 3, "the hold")
    stage.patch({"spec": {"replicas": 2}})
    stage.until(stage.is_promoted, "the promotion")


def test_a_strategy_without_a_pause_leaves_nothing_to_hold_at(stage: Stage) -> None:
    stage.template()
    stage.rollout(rate=0, steps=[{"setWeight": 50}])
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the end without a gate")
    stage.until(lambda: is_idle(stage, "no pause step to hold at"), "the gate to say so", timeout=15)


def test_a_rollout_that_did_not_ask_for_a_gate_gets_none(stage: Stage) -> None:
    stage.template()
    stage.rollout(gate=None, rate=0, steps=[{"setWeight": 50}, {"pause": {"duration": "2s"}}])
    operator = stage.operator()
    stage.release()

    stage.until(stage.is_promoted, "the end without a gate")

    assert stage.admin.get(f"{OURS}/namespaces/{stage.namespace}/canarygates/web") is None
    assert (stage.decisions(), stage.runs(), stage.events()) == ([], [], [])
    assert not [line for line in operator.logged() if line.get("event") == "look_failed"]
    assert stage.admin.get(f"{ARGO}/namespaces/{stage.namespace}/analysisruns")["items"] == []


def test_an_inline_analysis_is_left_to_argo_between_two_pauses_that_are_held(stage: Stage) -> None:
    stage.template()
    address = stage.lab.prometheus_url
    metric = {"name": "answer", "successCondition": "result > 41", "count": 3, "interval": "1s"}
    provider = {"prometheus": {"address": address, "query": "scalar(vector(42))"}}
    stage.template("own", spec={"metrics": [{**metric, "provider": provider}]})
    pause = {"pause": {"duration": "3s"}}
    analysis = {"analysis": {"templates": [{"templateName": "own"}]}}
    stage.rollout(steps=[{"setWeight": 50}, pause, analysis, pause])
    stage.operator()

    stage.release()

    stage.until(lambda: stage.step() == 2, "the analysis")
    began = time.time()
    stage.until(stage.is_promoted, "the promotion")
    assert time.time() - began >= 2, "Argo measured three times"
    gate = ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")] * 2
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")


def test_a_failed_inline_analysis_of_argo_ends_the_release_and_is_told_so(stage: Stage) -> None:
    stage.template()
    provider = {"prometheus": {"address": stage.lab.prometheus_url, "query": "scalar(vector(42))"}}
    stage.template(
        "own", spec={"metrics": [{"name": "answer", "successCondition": "result < 0", "provider": provider}]}
    )
    analysis = {"analysis": {"templates": [{"templateName": "own"}]}}
    stage.rollout(steps=[*INDEFINITE, analysis])
    stage.operator()

    stage.release(V3)

    stage.until(lambda: stage.status().get("abort"), "the abort by Argo")
    gate = ended(stage)
    assert gate["endedBy"] == "Argo"
    assert "aborted by Argo" in gate["message"]
    assert stage.actions() == [("Promote", "Applied")]
