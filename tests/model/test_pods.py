"""A pod as Kubernetes writes it, from its first second to its end."""

from typing import Any

import pytest

from canary_operator.model.pods import PodFacts, parse_pod
from tests.builders import CANARY, T0

Body = dict[str, Any]


def at(second: int) -> str:
    return f"2026-09-14T10:{second // 60:02}:{second % 60:02}Z"


RUNNING = {"running": {"startedAt": at(2)}}
READY = {"type": "Ready", "status": "True", "lastTransitionTime": at(5)}


def ended(start: int, end: int, reason: str = "Error", code: int = 1) -> Body:
    return {"terminated": {"startedAt": at(start), "finishedAt": at(end), "reason": reason, "exitCode": code}}


def waiting(reason: str) -> Body:
    return {"waiting": {"reason": reason}}


def a_container(state: Body = RUNNING, last: Body | None = None, count: int = 0, name: str = "app") -> Body:
    return {
        "name": name,
        "state": state,
        "lastState": last or {},
        "restartCount": count,
        "ready": "running" in state,
        "image": "app:1",
        "imageID": f"registry.example/{name}@sha256:{name}",
    }


def a_pod(*containers: Body, meta: Body | None = None, spec: Body | None = None, **status: Any) -> Body:
    """A pod that runs and is ready, unless told otherwise."""
    given = containers or (a_container(),)
    return {
        "metadata": {
            "name": f"guestbook-{CANARY}-x7k2p",
            "labels": {"app": "guestbook", "rollouts-pod-template-hash": CANARY},
            "ownerReferences": [{"kind": "ReplicaSet", "name": f"guestbook-{CANARY}", "uid": "r", "controller": True}],
            **(meta or {}),
        },
        "spec": {"nodeName": "node-1", "containers": [{"name": each["name"]} for each in given], **(spec or {})},
        "status": {
            "phase": "Running",
            "startTime": at(1),
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at(0)}, READY],
            "containerStatuses": list(given),
            **status,
        },
    }


def test_a_pod_that_runs() -> None:
    assert parse_pod(a_pod()) == PodFacts(
        name=f"guestbook-{CANARY}-x7k2p",
        pod_hash=CANARY,
        replica_set=f"guestbook-{CANARY}",
        phase="Running",
        started=T0 + 1,
        ready_since=T0 + 5,
        terminating=False,
        restarts=(),
        restart_count=0,
        reason="",
        last_exit="",
        node="node-1",
        images=(("app", "registry.example/app@sha256:app"),),
    )


def test_a_pod_that_nobody_has_taken_yet() -> None:
    body = a_pod()
    body["status"] = {"phase": "Pending"}
    body["spec"].pop("nodeName")

    pod = parse_pod(body)

    assert (pod.started, pod.ready_since, pod.node, pod.images) == (None, None, "", ())
    assert (pod.phase, pod.reason, pod.restart_count) == ("Pending", "", 0)


def test_a_pod_without_a_status_or_an_owner() -> None:
    pod = parse_pod({"metadata": {"name": "bare"}})

    assert (pod.pod_hash, pod.replica_set, pod.phase, pod.started) == ("", "", "Unknown", None)


@pytest.mark.parametrize(
    ("container", "restarts"),
    [
        (a_container(), []),
        (a_container({"running": {"startedAt": at(40)}}, ended(2, 30), 1), [40]),
        (a_container({"running": {"startedAt": at(90)}}, ended(40, 60), 2), [40, 90]),
        (a_container({"running": {"startedAt": at(200)}}, ended(90, 150), 7), [90, 200]),
        (a_container(waiting("CrashLoopBackOff"), ended(2, 30), 0), []),
        (a_container(waiting("CrashLoopBackOff"), ended(40, 60), 1), [40]),
        (a_container(ended(40, 60), ended(2, 30), 1), [40]),
        (a_container({"running": {"startedAt": at(40)}}, None, 1), [40]),
        (
            a_container({"running": {"startedAt": at(40)}}, {"terminated": {"startedAt": "1970-01-01T00:00:00Z"}}, 2),
            [40],
        ),
        (a_container({"running": {"startedAt": at(40)}}, {"terminated": {"exitCode": 137}}, 2), [40]),
    ],
)
def test_restarts_are_the_starts_but_for_the_first(container: Body, restarts: list[int]) -> None:
    assert parse_pod(a_pod(container)).restarts == tuple(T0 + second for second in restarts)


RESTARTED = a_container({"running": {"startedAt": at(40)}}, ended(2, 30), 1)


@pytest.mark.parametrize(
    "body",
    [
        a_pod(RESTARTED, a_container(name="proxy")),
        a_pod(RESTARTED, spec={"containers": [{"name": "app"}, {"name": "proxy"}]}),
        a_pod(RESTARTED, spec={"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]}),
    ],
)
def test_nobody_knows_whose_counters_began_anew_in_a_pod_of_several_containers(body: Body) -> None:
    pod = parse_pod(body)

    assert (pod.restarts, pod.restart_count) == ((), 1)


def test_what_initialises_a_pod_is_no_sidecar() -> None:
    body = a_pod(RESTARTED, spec={"initContainers": [{"name": "migrate"}]})
    body["status"]["initContainerStatuses"] = [a_container(ended(0, 1, "Completed", 0), count=2, name="migrate")]

    pod = parse_pod(body)

    assert (pod.restarts, pod.restart_count, pod.reason) == ((T0 + 40,), 3, "")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (a_pod(), ""),
        (a_pod(a_container(waiting("ContainerCreating"))), ""),
        (a_pod(a_container(waiting("PodInitializing"))), ""),
        (a_pod(a_container(waiting("CrashLoopBackOff"), ended(2, 30, "OOMKilled", 137), 1)), "CrashLoopBackOff"),
        (a_pod(a_container(waiting("ImagePullBackOff"))), "ImagePullBackOff"),
        (a_pod(a_container(ended(2, 30, "OOMKilled", 137))), "OOMKilled"),
        (a_pod(a_container(ended(2, 30, "", 3))), "Error"),
        (a_pod(a_container(ended(2, 30, "Completed", 0))), ""),
        (a_pod(a_container(), a_container(waiting("ErrImagePull"), name="proxy")), "ErrImagePull"),
        (a_pod(phase="Failed", reason="Evicted"), "Evicted"),
        (
            a_pod(
                phase="Pending",
                containerStatuses=[],
                conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}],
            ),
            "Unschedulable",
        ),
        (
            a_pod(
                a_container(waiting("PodInitializing")),
                initContainerStatuses=[a_container(waiting("CrashLoopBackOff"), name="migrate")],
            ),
            "CrashLoopBackOff",
        ),
    ],
)
def test_what_keeps_a_pod_from_running_is_named(body: Body, reason: str) -> None:
    assert parse_pod(body).reason == reason


@pytest.mark.parametrize(
    ("containers", "last_exit"),
    [
        ([a_container()], ""),
        ([RESTARTED], "Error"),
        ([a_container(last=ended(2, 30, "OOMKilled", 137), count=1), a_container(last=ended(2, 9))], "OOMKilled"),
        ([a_container(ended(40, 60, "Error"), ended(2, 30, "OOMKilled", 137), 1)], "Error"),
    ],
)
def test_how_a_container_last_ended_is_kept_while_it_runs_again(containers: list[Body], last_exit: str) -> None:
    assert parse_pod(a_pod(*containers)).last_exit == last_exit


def test_a_pod_that_was_deleted_is_still_there_for_a_while() -> None:
    assert parse_pod(a_pod(meta={"deletionTimestamp": at(50)})).terminating


def test_a_pod_that_is_not_ready_has_no_time_of_it() -> None:
    body = a_pod(conditions=[READY | {"status": "False"}])

    assert parse_pod(body).ready_since is None


@pytest.mark.parametrize(
    ("ready", "expected"),
    [
        pytest.param(False, T0 + 7, id="its probe fails"),
        pytest.param(True, None, id="its node was lost: nobody asked the container"),
    ],
)
def test_a_pod_that_runs_and_is_not_ready(ready: bool, expected: float | None) -> None:
    body = a_pod(
        {**a_container(), "ready": ready},
        conditions=[{"type": "Ready", "status": "False", "lastTransitionTime": at(7)}],
    )
    assert parse_pod(body).unready_since == expected


def test_only_the_controller_tells_whose_pod_it_is() -> None:
    owners = [{"kind": "ReplicaSet", "name": "other"}, {"kind": "Job", "name": "job", "controller": True}]

    assert parse_pod(a_pod(meta={"ownerReferences": owners})).replica_set == ""


def test_images_are_told_by_container_once_they_are_known() -> None:
    unknown = a_container(waiting("ContainerCreating"), name="proxy") | {"imageID": ""}

    assert [name for name, _ in parse_pod(a_pod(unknown, a_container())).images] == ["app"]


@pytest.mark.parametrize(
    ("image_id", "image"),
    [
        ("registry.example/app@sha256:1f", "registry.example/app@sha256:1f"),
        ("docker-pullable://registry.example/app@sha256:1f", "registry.example/app@sha256:1f"),
        ("docker://sha256:1f", "sha256:1f"),
        ("sha256:1f", "sha256:1f"),
    ],
)
def test_an_image_is_told_by_its_digest_whichever_runtime_says_so(image_id: str, image: str) -> None:
    assert parse_pod(a_pod(a_container() | {"imageID": image_id})).images == (("app", image),)
