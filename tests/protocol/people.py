"""What people do to a Rollout and its gate, with Argo's commands, with Git and with the gate's own override.

Law: pure functions; None where there is nothing to do it to.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.builders import GATE, STABLE, set_weight
from tests.protocol.nouns import Body, Objects, text_of

THIRD = "5c6b8dd4f9"


def _promote(body: Body) -> bool:
    return body["status"].pop("pauseConditions", None) is not None


def _promote_full(body: Body) -> bool:
    body["status"]["promoteFull"] = True
    return body["status"]["currentPodHash"] != body["status"]["stableRS"]


def _abort(body: Body) -> bool:
    if body["status"].get("abort") or body["status"]["currentPodHash"] == body["status"]["stableRS"]:
        return False
    body["status"]["abort"] = True
    return True


def _retry(body: Body) -> bool:
    if not body["status"].get("abort"):
        return False
    body["status"]["abort"] = False
    return True


def _template(version: str) -> Callable[[Body], bool]:
    def push(body: Body) -> bool:
        body["metadata"]["generation"] += 1
        changed = body["spec"]["template"]["hash"] != version
        body["spec"]["template"]["hash"] = version
        return changed

    return push


def _edit_steps(body: Body) -> bool:
    body["metadata"]["generation"] += 1
    steps = body["spec"]["strategy"]["canary"]["steps"]
    if steps[0] == set_weight(10):
        return False
    steps[0] = set_weight(10)
    return True


def _pause(paused: bool) -> Callable[[Body], bool]:
    def change(body: Body) -> bool:
        body["metadata"]["generation"] += 1
        changed = bool(body["spec"].get("paused")) != paused
        body["spec"]["paused"] = paused
        return changed

    return change


def _scale(body: Body) -> bool:
    body["metadata"]["generation"] += 1
    body["spec"]["replicas"] += 1
    return True


def _annotate(mode: str) -> Callable[[Body], bool]:
    def change(body: Body) -> bool:
        annotations = body["metadata"]["annotations"]
        changed = annotations[GATE] != mode
        annotations[GATE] = mode
        return bool(changed)

    return change


_TO_ROLLOUT: Mapping[str, Callable[[Body], bool]] = {
    "promotes": _promote,
    "promotes in full": _promote_full,
    "aborts": _abort,
    "retries": _retry,
    "undoes": _template(STABLE),
    "pushes a third version": _template(THIRD),
    "edits the steps": _edit_steps,
    "pauses the Rollout": _pause(True),
    "unpauses the Rollout": _pause(False),
    "scales": _scale,
    "takes the gate away": _annotate("off"),
    "gives the gate back": _annotate("enforce"),
}
_WISHES: Mapping[str, str] = {
    "wishes a promotion": "Promote",
    "wishes an abort": "Abort",
    "wishes a hold": "Hold",
    "wishes nothing any more": "",
}
ALL: tuple[str, ...] = (*_TO_ROLLOUT, *_WISHES)


def done(act: str, objects: Objects) -> Objects | None:
    """The objects after what somebody does."""
    if act in _WISHES:
        return None if objects.wish == _WISHES[act] else replace(objects, wish=_WISHES[act])
    body = json.loads(objects.rollout)
    return replace(objects, rollout=text_of(body)) if _TO_ROLLOUT[act](body) else None
