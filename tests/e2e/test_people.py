"""What a person does with Argo's tools, or says to the gate, is respected and told."""

from __future__ import annotations

import pytest

from tests.e2e.routing import pods_wanted
from tests.e2e.scenes import (
    ended,
    held_without_traffic,
    is_held,
    left_at,
    override,
    traffic,
    waiting_without_traffic,
)
from tests.e2e.stage import V1, V2, Stage


def test_while_a_person_pauses_the_rollout_a_good_canary_waits_for_them(stage: Stage) -> None:
    waiting_without_traffic(stage)
    stage.patch({"spec": {"paused": True}})
    traffic(stage)

    stage.until(lambda: stage.verdict() == ("Promote", "ConditionsMet"), "the verdict")
    stage.throughout(lambda: stage.step() == 1 and stage.actions() == [], 3, "their pause")
    assert "paused by a person (spec.paused)" in stage.gate()["message"]

    stage.patch({"spec": {"paused": False}})
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)
    assert stage.actions() == [("Promote", "Applied")]


def test_while_a_person_pauses_the_rollout_a_bad_canary_is_aborted_and_stays_up_until_they_clear_it(
    stage: Stage,
) -> None:
    waiting_without_traffic(stage, errors=0.5)
    stage.patch({"spec": {"paused": True}})
    traffic(stage)

    stage.until(lambda: stage.status().get("abort"), "the abort")

    assert "paused by a person (spec.paused): the canary stays up until they clear it" in ended(stage)["message"]
    stage.throughout(lambda: pods_wanted(stage) == {V1: 1, V2: 1}, 3, "the canary's pods")
    stage.patch({"spec": {"paused": False}})
    stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the return to stable")
    assert stage.status().get("abort")


@pytest.mark.parametrize("command", [("abort",), ("promote",), ("promote", "--full")], ids=" ".join)
def test_a_person_ends_a_release_with_argos_own_tool(stage: Stage, command: tuple[str, ...]) -> None:
    held_without_traffic(stage, "60s")

    stage.argo(command[0], "web", *command[1:])

    if command == ("abort",):
        stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the return to stable")
    else:
        stage.until(stage.is_promoted, "the promotion")
    gate = ended(stage, timeout=10)
    done = "aborted" if command == ("abort",) else "promoted"
    assert gate["endedBy"] == "Person"
    assert (gate["verdict"], gate["reason"]) == ("Hold", "NoData"), "the gate's last word stays"
    assert gate["message"].startswith(f"{done} by a person; the gate's last word: held at step 1/2 (50 %)")
    assert stage.actions() == [("Hold", "Applied")]


def test_a_retry_after_an_abort_is_judged_anew(stage: Stage) -> None:
    waiting_without_traffic(stage, errors=0.5)
    traffic(stage)
    stage.until(lambda: stage.gate().get("endedBy") == "Gate", "the abort")
    stage.release()
    canary = stage.status()["currentPodHash"]
    served = f'rate(http_requests_total{{namespace="{stage.namespace}",rollouts_pod_template_hash="{canary}"}}[5s])'
    stage.until(lambda: not stage.lab.prometheus.query(served), "its old errors to leave the window")

    stage.argo("retry", "rollout", "web")

    stage.until(stage.is_promoted, "the promotion")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")
    assert stage.actions() == [("Abort", "Applied"), ("Promote", "Applied")]
    names = sorted(run["metadata"]["name"] for run in stage.runs())
    assert names == [f"web-{canary}-2-gate-1", f"web-{canary}-2-gate-1.2"]


def test_a_person_promotes_through_the_gate_without_evidence(stage: Stage) -> None:
    held_without_traffic(stage, "60s")

    override(stage, "Promote")

    stage.until(stage.is_promoted, "the promotion", timeout=30)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "Override", "Gate")
    assert stage.actions() == [("Hold", "Applied"), ("Promote", "Applied")]
    assert "admin says Promote" in stage.decisions()[-1]["message"]
    assert "a test wants it" in stage.decisions()[-1]["message"]


def test_a_person_aborts_through_the_gate_although_the_canary_is_good(stage: Stage) -> None:
    held_without_traffic(stage, "60s")

    override(stage, "Abort")

    stage.until(lambda: pods_wanted(stage) == {V1: 2}, "the return to stable", timeout=30)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "Override", "Gate")


def test_a_person_holds_a_good_canary_until_the_override_expires(stage: Stage) -> None:
    since = held_without_traffic(stage)
    expiry = override(stage, "Hold", 12)
    traffic(stage)

    stage.until(lambda: stage.verdict() == ("Hold", "Override"), "the override", timeout=12)
    assert is_held(stage)

    stage.until(stage.is_promoted, "the promotion")
    assert left_at(stage, since) >= expiry - 1
    ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
