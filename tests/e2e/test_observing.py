"""A gate that observes decides, records and explains, and never touches the Rollout."""

from __future__ import annotations

from tests.e2e.scenes import WITH_POLICY, ended, is_held, override, timed
from tests.e2e.stage import V2, Stage


def managers(stage: Stage) -> set[str]:
    """Who has written to the Rollout."""
    return {entry["manager"] for entry in stage.get()["metadata"]["managedFields"]}


def test_who_writes_to_a_rollout_can_be_told(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=timed("60s"))
    before = managers(stage)
    stage.operator()

    stage.release()

    stage.until(lambda: is_held(stage), "the hold")
    assert len(managers(stage) - before) == 1, "the operator is seen where it has written"


def test_an_observed_bad_canary_is_explained_and_goes_on_as_without_a_gate(stage: Stage) -> None:
    stage.template()
    stage.rollout(gate="observe", steps=timed("6s"))
    before = managers(stage)
    stage.operator()
    since = stage.version()

    stage.release(errors=0.5)

    stage.until(lambda: stage.verdict() == ("Abort", "ConditionsFailed"), "the verdict")
    assert stage.gate()["message"].startswith("would abort at step 1/2 (50 %): error-rate 0.")
    stage.until(lambda: stage.is_promoted(image=V2), "the end by Argo's own timer")
    gate = ended(stage)
    assert (gate["mode"], gate["verdict"], gate["endedBy"]) == ("observe", "Abort", "Argo")
    assert "promoted by Argo; the gate's last word: would abort" in gate["message"]
    assert managers(stage) == before, "only Argo and the test have written"
    conditions = [body["status"].get("pauseConditions") or () for body in stage.versions(since)]
    assert len({condition["startTime"] for each in conditions for condition in each}) == 1
    assert stage.actions() == []
    (run,) = stage.runs()
    assert run["metadata"]["name"] == f"web-{stage.status()['currentPodHash']}-2-gate-1"
    assert run["status"]["phase"] == "Failed"
    assert [decision["verdict"] for decision in stage.decisions()][-1] == "Abort"
    assert any(event["reason"] == "ConditionsFailed" for event in stage.events())


def test_an_observed_good_canary_waits_for_a_person_as_without_a_gate(stage: Stage) -> None:
    stage.template()
    stage.rollout(gate="observe")
    before = managers(stage)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.verdict() == ("Promote", "ConditionsMet"), "the verdict")
    override(stage, "Promote")
    stage.until(lambda: stage.verdict() == ("Promote", "Override"), "the override to be told", timeout=15)
    stage.throughout(lambda: stage.step() == 1, 3, "the pause of the user")
    assert managers(stage) == before
    assert stage.actions() == []


def test_an_observed_release_tells_of_mistakes_as_well(stage: Stage) -> None:
    stage.rollout(gate="observe", steps=timed("60s"), annotations=WITH_POLICY)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the verdict")
    assert "SLOPolicy policy does not exist" in stage.gate()["message"]
