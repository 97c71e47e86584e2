"""The fleet: Rollouts and their pods, as the traffic world needs them.

Law: frozen nouns, and one pure function that makes them out of Kubernetes objects.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lab.traffic.shares import HASH_LABEL, Split, split


class Key(NamedTuple):
    """A Rollout."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that exists and is not being deleted. `life` changes when its counters start anew."""

    namespace: str
    name: str
    life: tuple[str, int]
    version: str
    images: tuple[str, ...]
    ready: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A Rollout with its pods and with who gets its requests."""

    key: Key
    split: Split
    pods: tuple[Pod, ...] = field(default_factory=tuple)


def fleet(
    rollouts: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    services: Iterable[Mapping[str, Any]],
) -> list[Service]:
    """Return every Rollout with its pods."""
    selectors: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for service in services:
        metadata = service["metadata"]
        selectors[metadata["namespace"]][metadata["name"]] = service["spec"].get("selector") or {}
    mine: dict[Key, list[Pod]] = defaultdict(list)
    for body in pods:
        owner = _owner(body)
        if owner and not body["metadata"].get("deletionTimestamp"):
            mine[owner].append(_pod(body))
    return [_service(rollout, mine, selectors) for rollout in rollouts]


def _service(
    rollout: Mapping[str, Any],
    pods: Mapping[Key, list[Pod]],
    selectors: Mapping[str, Mapping[str, Mapping[str, str]]],
) -> Service:
    key = Key(rollout["metadata"]["namespace"], rollout["metadata"]["name"])
    mine = tuple(pods.get(key, ()))
    ready = Counter(pod.version for pod in mine if pod.ready)
    return Service(key, split(rollout, selectors.get(key.namespace, {}), ready), mine)


def _owner(pod: Mapping[str, Any]) -> Key | None:
    """Return the Rollout of a pod, told by its ReplicaSet, which is called ROLLOUT-HASH."""
    metadata = pod["metadata"]
    version = metadata.get("labels", {}).get(HASH_LABEL)
    for owner in metadata.get("ownerReferences", ()):
        if version and owner["kind"] == "ReplicaSet" and owner["name"].endswith(f"-{version}"):
            return Key(metadata["namespace"], owner["name"].removesuffix(f"-{version}"))
    return None


def _pod(body: Mapping[str, Any]) -> Pod:
    metadata, status = body["metadata"], body.get("status", {})
    restarts = sum(one.get("restartCount", 0) for one in status.get("containerStatuses", ()))
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        life=(metadata["uid"], restarts),
        version=metadata["labels"][HASH_LABEL],
        images=tuple(container["image"] for container in body["spec"]["containers"]),
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions", ())),
    )
