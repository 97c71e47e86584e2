"""Plan: what is put together for one look, and that nothing an API server does or leaves undone raises or hangs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.gathering import Gatherer
from canary_operator.cluster.replica_sets import ReplicaSets
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterRefused
from canary_operator.model.facts import Births, Facts, SLORefKey
from canary_operator.model.pods import VersionPods
from canary_operator.model.rollout import parse_rollout
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import CANARY, STABLE, T0, UID, at_a_pause
from tests.cluster_in_memory import ClusterInMemory

Body = dict[str, Any]

API = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "api")
WEB = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "web")


def a_cluster() -> ClusterInMemory:
    """A canary and its stable version, one pod each, and one SLO."""
    cluster = ClusterInMemory(Store())
    for version, created in ((STABLE, "2026-09-14T09:00:00Z"), (CANARY, "2026-09-14T10:00:00Z")):
        owned = {"creationTimestamp": created, "labels": {"rollouts-pod-template-hash": version}}
        owner = [{"uid": UID}]
        name = f"guestbook-{version}"
        cluster.put(kinds.REPLICA_SETS, {"metadata": {"name": name, "ownerReferences": owner, **owned}}, told=False)
        controller = [{"kind": "ReplicaSet", "name": name, "controller": True}]
        cluster.put(kinds.PODS, {"metadata": {"name": f"{name}-a", "ownerReferences": controller}}, told=False)
    cluster.put(kinds.SERVICE_LEVEL_OBJECTIVES, {"metadata": {"name": "api", "namespace": "shop"}}, told=False)
    return cluster


async def gathered(cluster: ClusterInMemory, *references: SLORefKey, patience: float = 5.0) -> Facts:
    api = cast("Api", cluster)
    gatherer = Gatherer(api, ReplicaSets(api), patience)
    return await gatherer.facts(parse_rollout(at_a_pause()), {}, references)


async def test_pods_births_and_definitions_are_put_together() -> None:
    cluster = a_cluster()

    facts = await gathered(cluster, API, WEB)

    assert isinstance(facts.pods, VersionPods)
    assert (len(facts.pods.canary), len(facts.pods.stable)) == (1, 1)
    assert facts.births == Births(canary=T0, stable=T0 - 3600)
    assert facts.definitions[API] == cluster.objects["servicelevelobjectives"]["api"]
    assert isinstance(facts.definitions[WEB], Absent)


async def test_nothing_is_read_that_nobody_names() -> None:
    cluster = a_cluster()

    assert (await gathered(cluster)).definitions == {}
    assert "get_definition" not in cluster.calls


@pytest.mark.parametrize(
    ("call", "unknown"),
    [("pods", {"pods"}), ("list_replica_sets", {"births"}), ("get_definition", {"definition"})],
)
async def test_what_cannot_be_read_now_leaves_the_others_alone(call: str, unknown: set[str]) -> None:
    cluster = a_cluster()
    cluster.broken.add(call)

    facts = await gathered(cluster, API)

    found = {"pods": facts.pods, "definition": facts.definitions[API]}
    missing = {name: one for name, one in found.items() if isinstance(one, Absent)}
    assert missing.keys() | ({"births"} if facts.births == Births() else set()) == unknown
    assert {absent.reason for absent in missing.values()} <= {HoldReason.NO_DATA}


class Silent(ClusterInMemory):
    """Never says anything about pods."""

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        await asyncio.Event().wait()
        yield {}


class Forbidding(ClusterInMemory):
    """Does not show pods."""

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        raise ClusterRefused("list pods: 403: pods is forbidden")
        yield {}


async def test_an_api_server_that_stays_silent_is_not_waited_for() -> None:
    facts = await gathered(Silent(Store()), patience=0.05)

    assert facts.pods == Absent(HoldReason.NO_DATA, "the pods cannot be read within 0.05 s")


async def test_a_missing_right_is_a_mistake_of_the_installation() -> None:
    facts = await gathered(Forbidding(Store()))

    assert facts.pods == Absent(
        HoldReason.CONFIGURATION_ERROR, "the pods cannot be read: list pods: 403: pods is forbidden"
    )
