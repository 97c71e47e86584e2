"""Releases that wait although their evidence suffices: for each other, for the brake, for the calendar; and images."""

from __future__ import annotations

import datetime
from typing import Any

from tests.e2e.scenes import INDEFINITE, WITH_POLICY, override, traffic
from tests.e2e.stage import V2, Stage
from tests.e2e.test_costs import status
from tests.e2e.test_counting import pods_with

DIGEST = "registry.example/web@sha256:"


def rollouts(stage: Stage, *names: str, **rollout: Any) -> None:
    """Bring up Rollouts that AnalysisTemplates judge."""
    stage.template()
    for name in names:
        stage.rollout(name, steps=INDEFINITE, **rollout)


def later(seconds: float) -> str:
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).isoformat(timespec="seconds")


def test_one_release_at_a_time_goes_on_over_a_restart_and_the_next_when_it_ends(stage: Stage) -> None:
    rollouts(stage, "one", "two", rate=0)
    stage.operator(fleet={"perNamespace": 1})
    stage.release(name="one")
    stage.until(lambda: stage.gate("one").get("inProgressSince"), "the place of the first")
    stage.release(name="two")
    traffic(stage, name="two")
    stage.until(lambda: stage.verdict("two") == ("Hold", "FleetLimit"), "the second to wait", timeout=90)
    assert f"began before: {stage.namespace}/one" in stage.gate("two")["message"]

    stage.operators[-1].stop()
    stage.operator(fleet={"perNamespace": 1})
    stage.throughout(lambda: stage.step("two") == 1, 5, "the second waits after a restart")
    traffic(stage, name="one")

    stage.until(lambda: stage.is_promoted("one"), "the first to be promoted", timeout=120)
    stage.until(lambda: stage.is_promoted("two"), "the second to be promoted", timeout=120)


def test_a_bad_release_is_aborted_though_others_are_ahead_and_the_brake_holds_the_next(stage: Stage) -> None:
    rollouts(stage, "one", "two")
    stage.operator(fleet={"brake": {"aborts": 1, "within": "1m"}})
    stage.release(name="one", errors=0.5)
    stage.until(lambda: stage.status("one").get("abort"), "the abort", timeout=90)

    stage.release(name="two")

    stage.until(lambda: stage.verdict("two") == ("Hold", "FleetBrake"), "the brake", timeout=50)
    assert f"{stage.namespace}/one at " in stage.gate("two")["message"]
    stage.until(lambda: stage.is_promoted("two"), "the brake to let go by itself", timeout=150)


def test_a_person_lets_one_release_pass_the_brake(stage: Stage) -> None:
    rollouts(stage, "one", "two")
    stage.operator(fleet={"brake": {"aborts": 1, "within": "1h"}})
    stage.release(name="one", errors=0.5)
    stage.until(lambda: stage.status("one").get("abort"), "the abort", timeout=90)
    stage.release(name="two")
    stage.until(lambda: stage.verdict("two") == ("Hold", "FleetBrake"), "the brake", timeout=90)

    said = {"action": "Promote", "reason": "a test", "requestedBy": "admin", "expiresAt": later(300)}
    stage.gate_patch({"override": said}, name="two")

    stage.until(lambda: stage.is_promoted("two"), "the promotion by a person", timeout=60)


def test_a_freeze_holds_and_ends_by_itself(stage: Stage) -> None:
    rollouts(stage, "web", annotations=WITH_POLICY)
    stage.operator()
    stage.policy(freezeWindows=[{"from": later(-60), "until": later(60), "reason": "the sale"}])

    stage.release()

    stage.until(lambda: stage.verdict() == ("Hold", "Frozen"), "the freeze", timeout=50)
    assert "frozen until " in stage.gate()["message"]
    assert stage.gate()["message"].partition("Z: ")[2].startswith("the sale")
    stage.until(stage.is_promoted, "the end of the freeze", timeout=150)


def test_a_window_that_says_nothing_clear_is_refused_at_the_door(stage: Stage) -> None:
    path = f"/apis/canary-operator.io/v1alpha1/namespaces/{stage.namespace}/slopolicies"
    body = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "SLOPolicy", "metadata": {"name": "calm"}}
    good = {"schedule": "0 16 * * 5", "duration": "64h", "timeZone": "Europe/Berlin"}
    once = {"from": "2030-12-20T00:00:00Z", "until": "2030-12-21T00:00:00Z"}
    refused = (
        ({"schedule": "0 16 * * 5"}, "should have either schedule and duration, or from and until"),
        (good | once, "should have either"),
        (once | {"until": "2030-12-20T00:00:00Z"}, "from should be before until"),
        (good | {"duration": "745h"}, "duration should be between 1m and 744h"),
    )
    for window, sentence in refused:
        answer = stage.admin.ask("POST", path, body | {"spec": {"freezeWindows": [window]}})
        assert (answer.status_code, sentence in answer.text) == (422, True), answer.text
    stage.admin.post(path, body | {"spec": {"freezeWindows": [good, once]}})


def runs(stage: Stage, number: int, digest: str) -> None:
    """Say which image a pod of the new version runs, as a kubelet would."""
    pod = pods_with(stage, V2)[number]
    containers = [{**each, "imageID": DIGEST + digest} for each in pod["status"]["containerStatuses"]]
    status(stage, pod, {"containerStatuses": containers})


def test_an_image_that_changes_under_a_release_holds_it_over_a_restart_until_a_person_says_so(stage: Stage) -> None:
    rollouts(stage, "web", rate=0)
    stage.operator()
    stage.release()
    stage.at_pause()
    runs(stage, 0, "a" * 64)
    stage.until(lambda: stage.gate().get("images"), "the image to be seen", timeout=60)
    stage.operators[-1].stop()

    runs(stage, 0, "b" * 64)
    stage.operator()
    traffic(stage)

    stage.until(lambda: stage.verdict() == ("Hold", "ImageChanged"), "the change to be seen", timeout=90)
    assert "sha256:aaaaaaaaaaaa before" in stage.gate()["message"]
    told = [event["message"] for event in stage.events() if event["reason"] == "ImagesFixed"]
    assert any(f"container main runs {V2}, and a tag can be moved" in message for message in told)
    stage.throughout(lambda: stage.step() == 1, 5, "it stays held")
    override(stage, "Promote")
    stage.until(stage.is_promoted, "the promotion by a person", timeout=90)
