"""Argo's controller with its informer: it computes from what it has cached, and writes only what differs from that.

Up to 1.9.1 the object that a write returned replaces what the informer has heard meanwhile; it stays until the next
event. What the controller makes of a Rollout is tests/scenarios/argo.py.

Law: pure functions of texts.
"""

import functools
import json
from dataclasses import replace

from tests.protocol.nouns import Argo, Body, text_of
from tests.scenarios.argo import Argo as Controller


@functools.cache
def computed(cache: str, now: float) -> str:
    """The Rollout after one reconcile of what is cached.

    A new generation is said to be seen in a write of its own, a moment before the version that it brings.
    """
    body: Body = json.loads(cache)
    generation = str(body["metadata"]["generation"])
    if body["status"].get("observedGeneration") != generation:
        body["status"]["observedGeneration"] = generation
        return text_of(body)
    controller = Controller(body)
    controller.status.pop("message", None)
    controller.reconcile(now)
    return text_of(controller.body)


@functools.cache
def wakes(cache: str, now: float) -> float:
    """When a timer of what is cached ends."""
    return Controller(json.loads(cache)).wakes(now)


def written(argo: Argo, now: float, stored: str) -> str | None:
    """The stored Rollout after what Argo writes, None where it writes nothing."""
    after = computed(argo.cache, now)
    if after == argo.cache:
        return None
    before, wanted = json.loads(argo.cache), json.loads(after)
    body = json.loads(stored)
    for part in ("metadata", "status"):
        _merge(body[part], _difference(before[part], wanted[part]))
    return text_of(body)


def has_written(argo: Argo, result: str, falls_back: bool) -> Argo:
    """After a write; the informer gets what it returned in a step of its own."""
    return replace(argo, in_hand=result) if falls_back else replace(argo, due=False)


def has_kept(argo: Argo) -> Argo:
    """The informer has what the last write returned, whatever it has heard since."""
    return replace(argo, cache=argo.in_hand, in_hand="", due=argo.due or argo.in_hand != argo.cache)


def has_heard(argo: Argo, stored: str) -> Argo:
    """The watch has told what is stored."""
    return replace(argo, cache=stored, heard=stored, due=True)


def _difference(before: Body, after: Body) -> Body:
    patch: Body = {}
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        patch[key] = _difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else new
    return patch


def _merge(target: Body, patch: Body) -> None:
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value
