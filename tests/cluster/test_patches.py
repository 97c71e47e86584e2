"""Plan: every action on the object it was made for, and refused by each single fact that has changed.

The patches are applied to realistic bodies by an independent implementation of RFC 6902, which refuses a failed test
as the API server does.
"""

import copy
import itertools
from collections.abc import Callable
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.cluster.patches import patch_for, still_judged
from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind
from canary_operator.model.pause import FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS
from canary_operator.model.rollout import parse_rollout

Body = dict[str, Any]
Builder = Callable[[], Body]

START = durations.parse_time("2026-09-14T10:00:00Z")
ON_A_PAUSE = (ActionKind.HOLD, ActionKind.RELEASE, ActionKind.PROMOTE)
WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"


def action_for(kind: ActionKind, body: Body, start_time: float | None = START + FIRST_SHIFT_SECONDS) -> Action:
    rollout = parse_rollout(body)
    timed = kind in {ActionKind.HOLD, ActionKind.RELEASE}
    return Action(kind, "d-1", rollout.ref, rollout.fence, start_time if timed else None)


def applied(patch: list[dict[str, Any]], body: Body) -> Body:
    return jsonpatch.apply_patch(body, patch)


def referenced(body: Body) -> Body:
    body["metadata"]["annotations"][WORKLOAD_GENERATION] = "4"
    body["status"]["workloadObservedGeneration"] = "4"
    body["spec"]["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "guestbook"}
    return body


def _other_uid(body: Body) -> None:
    body["metadata"]["uid"] = "6f1c2c0e-0000-4000-8000-000000000002"


def _other_generation(body: Body) -> None:
    body["metadata"]["generation"] = 18


def _other_observed_generation(body: Body) -> None:
    body["status"]["observedGeneration"] = "18"


def _other_pod_hash(body: Body) -> None:
    body["status"]["currentPodHash"] = "555d5d5d5d"


def _other_workload(body: Body) -> None:
    body["metadata"]["annotations"][WORKLOAD_GENERATION] = "5"


def _other_step(body: Body) -> None:
    body["status"]["currentStepIndex"] = 3


def _other_start(body: Body) -> None:
    body["status"]["pauseConditions"][0]["startTime"] = "2026-09-14T10:00:01Z"


def _further_condition(body: Body) -> None:
    body["status"]["pauseConditions"].append({"reason": "InconclusiveAnalysisRun", "startTime": "2026-09-14T10:00:00Z"})


def _no_conditions(body: Body) -> None:
    del body["status"]["pauseConditions"]


def _being_promoted(body: Body) -> None:
    body["status"]["controllerPause"] = False


IDENTITY = [_other_uid, _other_generation, _other_observed_generation, _other_pod_hash, _other_workload]
PAUSE = [_other_step, _other_start, _further_condition, _no_conditions]
REFUSING = (
    [(kind, change) for kind in ON_A_PAUSE for change in IDENTITY + PAUSE]
    + [(ActionKind.PROMOTE, _being_promoted)]
    + [(ActionKind.ABORT, change) for change in IDENTITY]
    + [(ActionKind.NUDGE, change) for change in (_other_uid, _other_generation, _other_pod_hash)]
)


@pytest.mark.parametrize(("kind", "change"), REFUSING)
def test_a_single_changed_fact_refuses_the_patch(
    kind: ActionKind, change: Callable[[Body], None], a_rollout: Builder
) -> None:
    judged = referenced(a_rollout())
    patch = patch_for(action_for(kind, judged), judged)
    moved = copy.deepcopy(judged)
    change(moved)

    with pytest.raises((jsonpatch.JsonPatchTestFailed, jsonpatch.JsonPointerException, jsonpatch.JsonPatchConflict)):
        applied(patch, moved)


@pytest.mark.parametrize("change", PAUSE)
def test_an_abort_is_not_refused_because_the_step_or_the_pause_has_moved_on(
    change: Callable[[Body], None], a_rollout: Builder
) -> None:
    judged = a_rollout()
    patch = patch_for(action_for(ActionKind.ABORT, judged), judged)
    moved = copy.deepcopy(judged)
    change(moved)

    assert applied(patch, moved)["status"]["abort"] is True


@pytest.mark.parametrize(("kind", "change"), REFUSING)
def test_the_comparison_before_the_write_sees_the_same_changes(
    kind: ActionKind, change: Callable[[Body], None], a_rollout: Builder
) -> None:
    judged = referenced(a_rollout())
    fence = parse_rollout(judged).fence
    moved = copy.deepcopy(judged)
    change(moved)

    # What only the patch can tell: a promotion that is being consumed, and for an abort the workload's annotation.
    only_in_the_patch = change is _being_promoted or (kind is ActionKind.ABORT and change is _other_workload)
    assert still_judged(fence, parse_rollout(judged), kind)
    assert only_in_the_patch is still_judged(fence, parse_rollout(moved), kind)


def test_an_abort_is_stale_when_somebody_has_asked_for_a_full_promotion_meanwhile(a_rollout: Builder) -> None:
    fence = parse_rollout(a_rollout()).fence
    promoted = a_rollout()
    promoted["status"]["promoteFull"] = True

    assert not still_judged(fence, parse_rollout(promoted), ActionKind.ABORT)


@pytest.mark.parametrize("kind", [ActionKind.HOLD, ActionKind.RELEASE])
def test_a_hold_and_a_release_change_nothing_but_the_start_of_the_pause(kind: ActionKind, a_rollout: Builder) -> None:
    body = a_rollout()
    expected = a_rollout()
    expected["status"]["pauseConditions"][0]["startTime"] = "2126-08-21T10:00:00Z"

    assert expected == applied(patch_for(action_for(kind, body), body), body)


def test_a_blue_green_pause_is_held_without_a_step(blue_green: Body) -> None:
    patch = patch_for(action_for(ActionKind.HOLD, blue_green), blue_green)

    assert "/status/currentStepIndex" not in {operation["path"] for operation in patch}
    held = applied(patch, blue_green)["status"]["pauseConditions"]
    assert held == [{"reason": "BlueGreenPause", "startTime": "2126-08-21T10:00:00Z"}]


def test_the_pause_of_the_controller_is_found_beside_others(a_rollout: Builder) -> None:
    body = a_rollout()
    inconclusive = {"reason": "InconclusiveAnalysisRun", "startTime": "2026-09-14T10:00:05Z"}
    body["status"]["pauseConditions"].insert(0, inconclusive)

    held = applied(patch_for(action_for(ActionKind.HOLD, body), body), body)

    assert inconclusive == held["status"]["pauseConditions"][0]
    assert held["status"]["pauseConditions"][1]["startTime"] == "2126-08-21T10:00:00Z"


def test_a_promotion_removes_the_pause_and_nothing_else(a_rollout: Builder) -> None:
    body, expected = a_rollout(), a_rollout()
    del expected["status"]["pauseConditions"]

    assert expected == applied(patch_for(action_for(ActionKind.PROMOTE, body), body), body)


def test_a_promotion_cannot_be_repeated(a_rollout: Builder) -> None:
    body = a_rollout()
    patch = patch_for(action_for(ActionKind.PROMOTE, body), body)

    with pytest.raises((jsonpatch.JsonPatchTestFailed, jsonpatch.JsonPointerException, jsonpatch.JsonPatchConflict)):
        applied(patch, applied(patch, body))


def test_an_abort_withdraws_a_full_promotion_in_the_same_patch(a_rollout: Builder) -> None:
    body = a_rollout()
    body["status"]["promoteFull"] = True

    status = applied(patch_for(action_for(ActionKind.ABORT, body), body), body)["status"]

    assert (status["abort"], status["promoteFull"]) == (True, False)


def test_an_abort_tests_four_facts(a_rollout: Builder) -> None:
    body = a_rollout()
    patch = patch_for(action_for(ActionKind.ABORT, body), body)

    tested = {operation["path"] for operation in patch if operation["op"] == "test"}
    assert tested == {
        "/metadata/uid",
        "/metadata/generation",
        "/status/observedGeneration",
        "/status/currentPodHash",
    }
    assert {"op": "test", "path": "/status/observedGeneration", "value": "17"} in patch


def test_every_nudge_changes_the_message(a_rollout: Builder) -> None:
    body = a_rollout()
    messages = [body["status"]["message"]]
    for _ in range(3):
        body = applied(patch_for(action_for(ActionKind.NUDGE, body), body), body)
        messages.append(body["status"]["message"])

    assert all(one != other for one, other in itertools.pairwise(messages))


@pytest.mark.parametrize("kind", ON_A_PAUSE)
def test_an_action_on_a_pause_that_is_not_there_is_a_mistake_of_ours(kind: ActionKind, a_rollout: Builder) -> None:
    body = a_rollout()
    _no_conditions(body)

    with pytest.raises(ValueError, match="pause"):
        patch_for(action_for(kind, body), body)


def test_a_hold_without_a_time_is_a_mistake_of_ours(a_rollout: Builder) -> None:
    body = a_rollout()
    with pytest.raises(ValueError, match="start time"):
        patch_for(action_for(ActionKind.HOLD, body, start_time=None), body)


@given(
    start=st.integers(min_value=0, max_value=4_000_000_000),
    shift=st.sampled_from([FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS]),
)
def test_shifting_and_shifting_back_is_the_identity(start: int, shift: int) -> None:
    body = _paused_at(start)
    held = applied(patch_for(action_for(ActionKind.HOLD, body, float(start + shift)), body), body)
    pause = parse_rollout(held).pauses[0]
    released = applied(
        patch_for(action_for(ActionKind.RELEASE, held, pause.user_start(float(start))), held),
        held,
    )

    assert body == released


def _paused_at(start: int) -> Body:
    condition = {"reason": "CanaryPauseStep", "startTime": durations.format_time(start)}
    return {
        "metadata": {"name": "guestbook", "namespace": "shop", "uid": "u", "generation": 1},
        "spec": {"strategy": {"canary": {"steps": [{"pause": {"duration": 30}}]}}},
        "status": {
            "observedGeneration": "1",
            "currentPodHash": "abc",
            "currentStepIndex": 0,
            "controllerPause": True,
            "pauseConditions": [condition],
        },
    }
