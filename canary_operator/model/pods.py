"""The pods of a version, as far as judging looks at them: when they started, whether they serve, why they do not.

Law: nouns and the parser at the border. What a restart or an image means is judged elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.model import durations

Body = Mapping[str, Any]

POD_HASH_LABEL = "rollouts-pod-template-hash"

# A container that waits with these is on its way, not in trouble.
_ON_ITS_WAY = frozenset({"", "ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One pod. Its times are Unix seconds, cut to whole seconds by Kubernetes.

    Args:

        name: as metrics call it.

        pod_hash: of its pod template.

        replica_set: which ReplicaSet controls it, "" for none. Two Rollouts with equal templates have equal hashes,
            their ReplicaSets have different names.

        phase: ``Pending``, ``Running``, ``Succeeded``, ``Failed`` or ``Unknown``.

        started: when its node took it, None before.

        ready_since: None while it is not ready.

        terminating: it was deleted and is shutting down; it may still answer.

        restarts: when its container was started again; the last one or two, Kubernetes remembers no more. Empty for
            a pod with several containers (a sidecar counts), because nobody knows whose counters began anew.

        restart_count: how often any of its containers was started again, those that initialise it included.

        reason: why it does not run, such as ``CrashLoopBackOff``, ``ImagePullBackOff``, ``OOMKilled``, ``Evicted``
            or ``Unschedulable``; "" where nothing is wrong.

        last_exit: why a container of it last ended, such as ``OOMKilled`` or ``Error``; "" where none has.

        node: where it runs, "" while it is not scheduled.

        images: (container, image by digest) of the containers whose image is known, sorted: what really runs, as
            ``registry/app@sha256:…``, or the bare ``sha256:…`` of an image that no registry has named.

        last_restart: when any of its containers was last started again, None if never or if nobody knows.

        unready_since: since when a container of it runs and fails its readiness probe; None where none does. A node
            that was lost takes the pod's readiness away and says nothing about containers.
    """

    name: str
    pod_hash: str
    replica_set: str
    phase: str
    started: float | None
    ready_since: float | None
    terminating: bool
    restarts: tuple[float, ...]
    restart_count: int
    reason: str
    last_exit: str
    node: str
    images: tuple[tuple[str, str], ...]
    last_restart: float | None = None
    unready_since: float | None = None


@dataclass(frozen=True, slots=True)
class VersionPods:
    """The pods of both versions, sorted by name, as they were at one moment.

    Args:

        canary: of the new version; empty where it has none, and after a release has ended.

        stable: of the stable version.

        at: when they were asked for, Unix seconds: nothing that happened later is known.
    """

    canary: tuple[PodFacts, ...]
    stable: tuple[PodFacts, ...]
    at: float


def parse_pod(body: Body) -> PodFacts:
    """A pod from its API object."""
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    containers: Sequence[Body] = status.get("containerStatuses") or ()
    initial: Sequence[Body] = status.get("initContainerStatuses") or ()
    return PodFacts(
        name=meta["name"],
        pod_hash=(meta.get("labels") or {}).get(POD_HASH_LABEL) or "",
        replica_set=_controller(meta),
        phase=status.get("phase") or "Unknown",
        started=durations.parse_time(status["startTime"]) if status.get("startTime") else None,
        ready_since=_changed(status, "True"),
        terminating=bool(meta.get("deletionTimestamp")),
        restarts=_restarts(containers[0]) if len(containers) == 1 and not _has_sidecar(spec) else (),
        restart_count=sum(int(each.get("restartCount") or 0) for each in (*initial, *containers)),
        reason=_reason(status, (*initial, *containers)),
        last_exit=_last_exit(containers),
        node=spec.get("nodeName") or "",
        images=tuple(sorted((each["name"], _image(each["imageID"])) for each in containers if each.get("imageID"))),
        last_restart=max((at for each in containers for at in _restarts(each)), default=None),
        unready_since=_changed(status, "False") if any(map(_fails_its_probe, containers)) else None,
    )


def _image(image_id: str) -> str:
    # Docker says by which of its ways it has come to know an image: docker-pullable://registry/app@sha256:…
    return image_id.rpartition("://")[2]


def _controller(meta: Body) -> str:
    owners = (owner for owner in meta.get("ownerReferences") or () if owner.get("controller"))
    return next((str(owner["name"]) for owner in owners if owner["kind"] == "ReplicaSet"), "")


def _has_sidecar(spec: Body) -> bool:
    # A sidecar is a container that is started first and stays.
    several = len(spec.get("containers") or ()) > 1
    return several or any(each.get("restartPolicy") == "Always" for each in spec.get("initContainers") or ())


def _changed(status: Body, ready: str) -> float | None:
    """Since when the condition Ready is what is asked for; None where it is not."""
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("Ready", ready):
            return durations.parse_time(condition["lastTransitionTime"])
    return None


def _fails_its_probe(container: Body) -> bool:
    return "running" in (container.get("state") or {}) and container.get("ready") is False


def _restarts(container: Body) -> tuple[float, ...]:
    """The starts of the container but for its first, as far as its status tells them."""
    runs = sorted(
        durations.parse_time(run["startedAt"])
        for state in (container.get("lastState"), container.get("state"))
        for run in ((state or {}).get("running"), (state or {}).get("terminated"))
        # Kubernetes writes 1970 for a run whose start nobody saw.
        if run and run.get("startedAt") and not run["startedAt"].startswith("1970-")
    )
    count = int(container.get("restartCount") or 0)
    return tuple(runs[-count:]) if count else ()


def _reason(status: Body, containers: Iterable[Body]) -> str:
    troubles = (status.get("reason") or "", *map(_trouble, containers), *_unscheduled(status))
    return next(filter(None, troubles), "")


def _trouble(container: Body) -> str:
    state = container.get("state") or {}
    waiting, ended = (state.get("waiting") or {}).get("reason") or "", state.get("terminated") or {}
    if waiting not in _ON_ITS_WAY:
        return str(waiting)
    # What has initialised a pod ends with 0 and stays ended.
    return str(ended.get("reason") or "Error") if ended.get("exitCode") else ""


def _unscheduled(status: Body) -> Iterator[str]:
    for condition in status.get("conditions") or ():
        if (condition.get("type"), condition.get("status")) == ("PodScheduled", "False"):
            yield str(condition.get("reason") or "")


def _last_exit(containers: Iterable[Body]) -> str:
    states = (each.get(name) or {} for each in containers for name in ("state", "lastState"))
    ended = [state["terminated"] for state in states if state.get("terminated")]
    newest: Body = max(ended, key=lambda run: str(run.get("finishedAt") or ""), default={})
    return str(newest.get("reason") or "")
