"""A hold lasts as long as the gate says so, whatever else happens to the Rollout, and leaves nothing behind."""

from __future__ import annotations

import pytest

from canary_operator.model import durations
from canary_operator.model.pause import Hold
from tests.e2e.routing import pods_wanted
from tests.e2e.scenes import (
    WITH_POLICY,
    ended,
    first_start,
    held_without_traffic,
    is_held,
    left_at,
    traffic,
    written_start,
)
from tests.e2e.stage import V1, V2, Stage


def test_a_gate_that_is_switched_off_gives_the_pause_the_start_back_that_argo_wrote(stage: Stage) -> None:
    since = held_without_traffic(stage, "60s")
    first = first_start(stage, since)

    for value in ("off", "observe", None):
        stage.annotate("gate", value)
        stage.until(lambda: written_start(stage) == first, f"the release with the gate {value}", timeout=15)
        stage.annotate("gate", "enforce")
        stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold to be taken up again", timeout=15)
    stage.gate_patch({"suspend": True})
    stage.until(lambda: written_start(stage) == first, "the release of a suspended gate", timeout=15)

    assert "suspend" in stage.gate()["message"]
    expected = [("Hold", "Applied"), ("Release", "Applied")] * 4
    stage.until(lambda: stage.actions() == expected, "the records of it", timeout=15)


def test_a_pause_released_before_its_end_ends_at_the_second_of_the_user(stage: Stage) -> None:
    since = held_without_traffic(stage, "14s")
    stage.annotate("gate", "off")
    stage.until(lambda: stage.hold() is Hold.NONE, "the release", timeout=10)

    stage.until(stage.is_promoted, "the end by Argo's own timer")

    lasted = left_at(stage, since) - durations.parse_time(first_start(stage, since))
    assert 13 <= lasted <= 18, f"a pause of 14 s lasted {lasted:.1f} s"


def test_a_pause_released_after_its_end_is_left_at_once(stage: Stage) -> None:
    held_without_traffic(stage)
    stage.throughout(lambda: stage.step() == 1, 5, "the hold past the end of a pause of 4 s")

    stage.annotate("gate", "off")

    stage.until(stage.is_promoted, "the end of the pause", timeout=15)


def test_a_release_scales_while_it_is_held_and_is_judged_on(stage: Stage) -> None:
    held_without_traffic(stage)

    stage.patch({"spec": {"replicas": 6}})

    stage.until(lambda: pods_wanted(stage) == {V1: 3, V2: 3}, "three pods of each version", timeout=20)
    stage.throughout(lambda: is_held(stage), 3, "the hold after the scaling")
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]


@pytest.mark.xdist_group("own-lab")
def test_a_hold_outlasts_a_restart_of_argos_controller(own_stage: Stage) -> None:
    stage = own_stage
    held_without_traffic(stage)

    stage.lab.restart_controller()

    stage.throughout(lambda: is_held(stage), 6, "the hold after the restart")
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion")


def test_without_the_operator_a_hold_stays_until_the_command_release_ends_it(stage: Stage) -> None:
    held_without_traffic(stage)
    stage.operators[0].stop()

    named = stage.command("release", f"--namespace={stage.namespace}", "--dry-run")

    assert named.returncode == 0, named.stderr
    assert named.stdout.startswith(f"{stage.namespace}/web: held since ")
    assert "ungated" in named.stdout
    stage.throughout(lambda: is_held(stage), 4, "the hold after a dry run")
    released = stage.command("release", f"--namespace={stage.namespace}")
    assert released.returncode == 0, released.stderr
    assert released.stdout.splitlines()[-1] == f"{stage.namespace}/web: released"
    stage.until(stage.is_promoted, "the end by Argo's own timer", timeout=20)
    nothing = stage.command("release", f"--namespace={stage.namespace}")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing is held\n")


def test_when_the_longest_hold_is_over_a_person_decides_and_the_message_keeps_the_reason(stage: Stage) -> None:
    stage.policy(timing={"maxHold": "5s", "onMaxHold": "Promote"})
    held_without_traffic(stage, annotations=WITH_POLICY)

    stage.until(lambda: stage.verdict() == ("Hold", "MaxHold"), "the end of maxHold", timeout=20)

    assert "before it NoData" in stage.gate()["message"]
    stage.throughout(lambda: stage.step() == 1, 3, "the hold: nothing is promoted without data")


def test_when_the_longest_hold_is_over_a_release_with_evidence_is_promoted_if_the_policy_says_so(stage: Stage) -> None:
    stage.template()
    stage.policy(timing={"maxHold": "9s", "onMaxHold": "Promote", "minMeasurements": 1000})
    stage.rollout(annotations=WITH_POLICY)
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"]) == ("Promote", "MaxHold")
    assert "before it Collecting" in gate["message"]


def test_when_the_longest_hold_is_over_a_release_goes_back_if_the_policy_says_so(stage: Stage) -> None:
    stage.policy(timing={"maxHold": "4s", "onMaxHold": "Abort"})
    held_without_traffic(stage, annotations=WITH_POLICY)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=20)

    assert (ended(stage)["verdict"], ended(stage)["reason"]) == ("Abort", "MaxHold")


def test_during_the_warm_up_nothing_is_asked_and_nothing_promoted(stage: Stage) -> None:
    stage.template()
    stage.policy(timing={"warmUp": "5s"})
    stage.rollout(annotations=WITH_POLICY)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.verdict() == ("Hold", "WarmUp"), "the warm-up", timeout=20)
    stage.until(stage.is_promoted, "the promotion")
    gate = ended(stage)
    began, evidence = durations.parse_time(gate["pause"]["startTime"]), gate["evidence"][0]
    assert durations.parse_time(evidence["measurements"]["recent"][0]["at"]) >= began + 5
