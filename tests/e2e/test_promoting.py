"""The gate promotes when, and only when, the evidence allows it, and only what it has judged."""

from __future__ import annotations

import time

import pytest

from canary_operator.model import durations
from canary_operator.model.pause import Hold
from tests.e2e.apiproxy import ApiProxy, Exchange
from tests.e2e.scenes import WITH_POLICY, ended, held_without_traffic, timed, traffic, waiting_without_traffic
from tests.e2e.stage import V2, V3, Stage


def test_an_indefinite_pause_is_promoted_once_the_conditions_are_met(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    gate = ended(stage)
    assert stage.actions() == [("Promote", "Applied")]
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")


def test_a_timed_pause_is_held_at_once_and_released_at_its_end(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=timed("6s"))
    stage.operator()

    stage.release()

    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]


def test_a_timed_pause_is_held_past_its_end_while_nothing_is_known(stage: Stage) -> None:
    held_without_traffic(stage)

    stage.throughout(lambda: stage.step() == 1, 6, "the hold past the end of a pause of 4 s")
    assert stage.verdict() == ("Hold", "NoData")
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion once there is traffic")


def test_a_timed_pause_ends_early_where_the_policy_says_so(stage: Stage) -> None:
    stage.template()
    stage.policy(timing={"promoteEarly": True})
    stage.rollout(steps=timed("10m"), annotations=WITH_POLICY)
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion long before the end")
    gate = ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Promote", "Applied")]
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")


def test_every_pause_is_judged_on_evidence_of_its_own(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=[{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}])
    stage.operator()
    stage.release()
    stage.until(lambda: stage.actions() == [("Promote", "Applied")], "the first promotion")
    stage.at_pause(step=3)

    stage.until(stage.is_promoted, "the second promotion")

    ended(stage)
    passed = {spec["step"]["index"]: spec for spec in stage.decisions() if spec["verdict"] == "Promote"}
    first, second = passed[1], passed[3]
    ends = durations.parse_time(first["evidence"][0]["measurements"]["lastAt"])
    # Times of a pause have whole seconds, so the second may begin in the second in which the first was judged.
    assert durations.parse_time(second["evidence"][0]["since"]) >= ends
    assert second["evidence"][0]["measurements"]["successful"] >= 3
    assert stage.actions() == [("Promote", "Applied")] * 2


def test_a_new_revision_in_the_middle_of_a_pause_is_judged_anew(stage: Stage) -> None:
    stage.template(failure_limit=9)
    stage.rollout()
    stage.operator()
    stage.release(V2, errors=0.5)
    stage.until(lambda: "failures" in stage.gate().get("message", ""), "failures of the second version")

    stage.release(V3)

    stage.until(lambda: stage.is_promoted(image=V3), "the promotion of the third version")
    gate = ended(stage)
    assert gate["rollout"]["revision"] == 3
    assert gate["evidence"][0]["measurements"]["failed"] == 0
    assert stage.actions() == [("Promote", "Applied")]


@pytest.mark.parametrize("seen", [False, True], ids=["not yet seen by Argo", "already pausing"])
def test_a_promotion_never_reaches_a_revision_that_was_pushed_after_the_verdict(
    stage: Stage, api: ApiProxy, seen: bool
) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)

    def push(_: Exchange) -> None:
        # The third version gets no traffic, so that nothing allows its promotion.
        traffic(stage, 0)
        old = stage.status()["currentPodHash"]
        stage.release(V3)
        if seen:
            stage.until(lambda: stage.status()["currentPodHash"] != old, "Argo to see it", timeout=20)
            stage.at_pause()

    rule = api.on_action("Promote", push)

    stage.release(V2)

    stage.until(lambda: rule.seen and rule.seen[0].status, "the write")
    assert rule.seen[0].status == 422
    stage.until(lambda: stage.actions() == [("Promote", "Stale")], "the record of it", timeout=15)
    stage.until(lambda: stage.gate().get("rollout", {}).get("revision") == 3, "the gate of the third version")
    # The status of the Rollout still shows the pause of the second version until Argo has seen the third.
    stage.until(lambda: stage.status()["currentPodHash"] == stage.gate()["rollout"]["podHash"], "Argo to see it")
    stage.at_pause()
    # What was asked of Prometheus for the second version says nothing about the third.
    stage.throughout(lambda: stage.step() == 1, 3, "the pause of the third version")
    assert api.actions() == []


def test_an_abort_never_reaches_a_revision_that_was_pushed_after_the_verdict(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    rule = api.on_action("Abort", lambda _: stage.release(V3))

    stage.release(V2, errors=0.5)

    stage.until(lambda: rule.seen and rule.seen[0].status, "the write")
    assert rule.seen[0].status == 422
    stage.until(lambda: stage.is_promoted(image=V3), "the promotion of the third version")
    ended(stage)
    assert stage.actions() == [("Abort", "Stale"), ("Promote", "Applied")]


def test_two_releases_of_one_namespace_get_a_verdict_each(stage: Stage) -> None:
    stage.template()
    stage.rollout("good")
    stage.rollout("bad")
    stage.operator()

    stage.release(name="good")
    stage.release(name="bad", errors=0.5)

    stage.until(lambda: stage.is_promoted("good"), "the promotion of the good one")
    stage.until(lambda: stage.status("bad").get("abort"), "the abort of the bad one")
    good, bad = ended(stage, "good"), ended(stage, "bad")
    assert (good["verdict"], good["reason"]) == ("Promote", "ConditionsMet")
    assert (bad["verdict"], bad["reason"]) == ("Abort", "ConditionsFailed")
    assert stage.actions("good") == [("Promote", "Applied")]
    assert stage.actions("bad") == [("Abort", "Applied")]


def test_a_release_that_cannot_be_judged_does_not_stop_the_one_beside_it(stage: Stage) -> None:
    stage.template()
    for name in ("misspelt", "untold", "unreadable", "good"):
        stage.rollout(name, replicas=1)
    stage.annotate("slo-policy", "policcy", "misspelt")
    stage.annotate("analysis-templates", "no-such-template", "untold")
    stage.operator()
    # Argo refuses a duration that it cannot read, and so do we.
    steps = [{"setWeight": 50}, {"pause": {"duration": "soon"}}]
    stage.patch({"spec": {"strategy": {"canary": {"steps": steps}}}}, "unreadable")

    for name in ("misspelt", "untold", "unreadable", "good"):
        stage.release(name=name)

    stage.until(lambda: stage.is_promoted("good"), "the promotion of the good one")
    for name, said in (("misspelt", "SLOPolicy policcy does not exist"), ("untold", "no-such-template does not exist")):
        stage.until(lambda name=name: stage.verdict(name) == ("Hold", "ConfigurationError"), f"the verdict on {name}")
        assert said in stage.gate(name)["message"]
        assert stage.step(name) == 1
    assert not stage.is_promoted("unreadable")
    # A mistake that is mended is forgotten.
    stage.annotate("slo-policy", None, "misspelt")
    stage.until(lambda: stage.is_promoted("misspelt"), "the promotion of the mended one")


def test_no_traffic_for_hours_is_no_evidence_and_the_first_requests_are(stage: Stage) -> None:
    waiting_without_traffic(stage)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the verdict")
    before = time.time()

    traffic(stage)

    stage.until(stage.is_promoted, "the promotion")
    taken = ended(stage)["evidence"][0]["measurements"]["recent"]
    good = [measured for measured in taken if measured["phase"] == "Successful"]
    assert all(durations.parse_time(measured["at"]) > before - 2 for measured in good)
    assert len(good) >= 3
