"""A preview becomes active once the evidence allows it, and not before."""

from __future__ import annotations

from tests.e2e.routing import blue_green, selected
from tests.e2e.scenes import ended, is_held
from tests.e2e.stage import V2, Stage


def test_a_good_preview_is_promoted(stage: Stage) -> None:
    stage.template()
    stage.rollout(strategy=blue_green(stage, autoPromotionEnabled=False))
    stable = stage.status()["stableRS"]
    stage.lab.world.set_preview_rate(stage.namespace, "web", 50)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    preview = stage.status()["currentPodHash"]
    assert selected(stage, "web-active") == preview != stable
    gate = ended(stage)
    assert stage.actions() == [("Promote", "Applied")]
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")
    assert gate["message"].startswith("passed the promotion: error-rate 0")
    (run,) = stage.runs()
    assert run["metadata"]["name"] == f"web-{preview}-2-gate-pre"
    assert run["status"]["phase"] == "Successful"


def test_a_bad_preview_never_becomes_active(stage: Stage) -> None:
    stage.template()
    stage.rollout(strategy=blue_green(stage, autoPromotionEnabled=False))
    stable = stage.status()["stableRS"]
    stage.lab.world.set_preview_rate(stage.namespace, "web", 50)
    stage.operator()

    stage.release(errors=0.5)

    stage.until(lambda: stage.status().get("abort"), "the abort")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "ConditionsFailed", "Gate")
    stage.until(lambda: stage.status().get("abortedAt"), "Argo to take it up")
    assert selected(stage, "web-active") == stable


def test_a_promotion_by_timer_is_held_past_its_time_until_the_preview_has_requests(stage: Stage) -> None:
    stage.template()
    stage.rollout(strategy=blue_green(stage, autoPromotionSeconds=4))
    stable = stage.status()["stableRS"]
    stage.lab.world.set_preview_rate(stage.namespace, "web", 0)
    stage.operator()

    stage.release()

    stage.until(lambda: is_held(stage, None), "the hold")
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the verdict")
    stage.throughout(lambda: is_held(stage, None) and selected(stage, "web-active") == stable, 6, "the hold")
    stage.lab.world.set_preview_rate(stage.namespace, "web", 50)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert selected(stage, "web-active") == stage.status()["currentPodHash"]
    ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
