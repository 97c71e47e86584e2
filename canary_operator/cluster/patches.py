"""From an action to the guarded JSON Patch that carries it out, and the check that comes before it.

Every patch first tests what was judged; the API server evaluates tests and change as one. A hold is an ordinary
pause whose start lies in the future, so releasing it is the same patch with another time.

Law: pure. What may be written to a Rollout stands here and nowhere else.
"""

import json
from typing import Any, assert_never

from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind
from canary_operator.model.pause import PauseReason
from canary_operator.model.rollout import Body, Fence, Rollout

Operation = dict[str, Any]

# The pauses that end by their start time. Others wait for a person, and their start is not ours to move.
_TIMED = (PauseReason.CANARY_STEP.value, PauseReason.BLUE_GREEN.value)
_WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
_NUDGE = "canary-operator asks the controller to look again"


def patch_for(action: Action, current: Body) -> list[Operation]:
    """Compose the JSON Patch on ``/status`` of a Rollout.

    Args:

        action: what was decided; its fence names what must be unchanged.

        current: the Rollout as it was just re-read, for what the fence does not carry.

    Raises:

        ValueError: if a hold, release or promotion names no pause, or a hold or release no start time.
    """
    fence = action.fence
    match action.kind:
        case ActionKind.HOLD | ActionKind.RELEASE:
            return [*_same_object(fence, current), *_same_pause(fence), _move_start(action)]
        case ActionKind.PROMOTE:
            return [
                *_same_object(fence, current),
                *_same_pause(fence),
                # Without it the controller is just consuming a promotion, and a second one skips the next pause.
                _test("/status/controllerPause", True),
                {"op": "remove", "path": "/status/pauseConditions"},
            ]
        case ActionKind.ABORT:
            return [*_same_object(fence, current), *_abort(fence)]
        case ActionKind.NUDGE:
            return [*_same_version(fence), _add("/status/message", _nudge(current))]
        case _:
            assert_never(action.kind)


def still_judged(fence: Fence, rollout: Rollout, kind: ActionKind) -> bool:
    """Whether the Rollout as it was just re-read is still the one that was judged, as far as the action cares.

    It tells most of what the patch tests without a request, and what the patch cannot test: that Argo has seen
    the newest version of a referenced workload, and that nobody asked for a full promotion, which outranks an abort.
    """
    fresh = rollout.fence
    same_version = (fence.uid, fence.generation, fence.pod_hash) == (fresh.uid, fresh.generation, fresh.pod_hash)
    same_object = same_version and fence.observed_generation == fresh.observed_generation
    match kind:
        case ActionKind.HOLD | ActionKind.RELEASE | ActionKind.PROMOTE:
            same_pause = (fence.step_index, fence.pause_conditions) == (fresh.step_index, fresh.pause_conditions)
            return same_object and same_pause and rollout.in_sync
        case ActionKind.ABORT:
            return same_object and fence.promote_full is fresh.promote_full
        case ActionKind.NUDGE:
            return same_version
        case _:
            assert_never(kind)


def _same_version(fence: Fence) -> list[Operation]:
    return [
        _test("/metadata/uid", fence.uid),
        _test("/metadata/generation", fence.generation),
        _test("/status/currentPodHash", fence.pod_hash),
    ]


def _same_object(fence: Fence, current: Body) -> list[Operation]:
    tests = [*_same_version(fence), _test("/status/observedGeneration", fence.observed_generation)]
    mirrored = (current["metadata"].get("annotations") or {}).get(_WORKLOAD_GENERATION)
    if mirrored is not None:
        # A change of a referenced workload does not raise the Rollout's generation.
        tests.append(_test(f"/metadata/annotations/{_WORKLOAD_GENERATION.replace('/', '~1')}", mirrored))
    return tests


def _same_pause(fence: Fence) -> list[Operation]:
    step = [] if fence.step_index is None else [_test("/status/currentStepIndex", fence.step_index)]
    return [*step, _test("/status/pauseConditions", _conditions(fence))]


def _move_start(action: Action) -> Operation:
    if action.start_time is None:
        raise ValueError(f"{action.kind.value} without a start time")
    for index, condition in enumerate(_conditions(action.fence)):
        if condition.get("reason") in _TIMED:
            path = f"/status/pauseConditions/{index}/startTime"
            return {"op": "replace", "path": path, "value": durations.format_time(action.start_time)}
    raise ValueError(f"{action.kind.value} of a Rollout without a pause of its own")


def _conditions(fence: Fence) -> list[dict[str, Any]]:
    conditions: list[dict[str, Any]] = json.loads(fence.pause_conditions or "[]")
    if not conditions:
        raise ValueError("an action on a pause of a Rollout that has none")
    return conditions


def _abort(fence: Fence) -> list[Operation]:
    # While promoteFull is set Argo erases an abort.
    withdrawn = [_add("/status/promoteFull", False)] if fence.promote_full else []
    return [_add("/status/abort", True), *withdrawn]


def _nudge(current: Body) -> str:
    # The text must differ from what stands there: a patch that changes nothing wakes nobody.
    standing = (current.get("status") or {}).get("message")
    return f"{_NUDGE} (again)" if standing == _NUDGE else _NUDGE


def _test(path: str, value: Any) -> Operation:
    return {"op": "test", "path": path, "value": value}


def _add(path: str, value: Any) -> Operation:
    return {"op": "add", "path": path, "value": value}
