"""Plan: the object that is named, or the sentence why it cannot be had; how often it is asked for."""

import asyncio
from typing import Any, cast

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.definitions import Definitions
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterUnavailable
from canary_operator.model.facts import SLORefKey
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.cluster_in_memory import ClusterInMemory

PYRRA = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "api")
SLOTH = SLORefKey("sloth.slok.dev/v1", "PrometheusServiceLevel", "api")
CONFIG_MAP = SLORefKey("v1", "ConfigMap", "slos")

READ = {PYRRA: kinds.SERVICE_LEVEL_OBJECTIVES, SLOTH: kinds.PROMETHEUS_SERVICE_LEVELS, CONFIG_MAP: kinds.CONFIG_MAPS}


class Cluster(ClusterInMemory):
    """An API server in memory, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__(Store())
        self.definitions = Definitions(cast("Api", self), lambda: self.now, max_age=30.0)

    async def sentence(self, key: SLORefKey) -> str:
        found = await self.definitions.find("shop", key)
        assert isinstance(found, Absent)
        assert found.reason is HoldReason.CONFIGURATION_ERROR
        return found.message


def an_object(key: SLORefKey, **parts: Any) -> dict[str, Any]:
    meta = {"name": key.name, "namespace": "shop"}
    return {"apiVersion": key.api_version, "kind": key.kind, "metadata": meta, **parts}


@pytest.mark.parametrize("key", READ, ids=str)
async def test_an_object_is_read_by_its_name(key: SLORefKey) -> None:
    cluster = Cluster()
    stored = cluster.put(READ[key], an_object(key, spec={"target": "99"}), told=False)

    assert await cluster.definitions.find("shop", key) == stored
    assert cluster.calls == ["get_definition"]


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (PYRRA, "ServiceLevelObjective api does not exist in namespace shop"),
        (CONFIG_MAP, "ConfigMap slos does not exist in namespace shop"),
        (
            SLORefKey("pyrra.dev/v1beta1", "ServiceLevelObjective", "api"),
            "ServiceLevelObjective api: apiVersion pyrra.dev/v1beta1 is not read; allowed is pyrra.dev/v1alpha1",
        ),
        (
            SLORefKey("v1", "ServiceLevelObjective", "api"),
            "ServiceLevelObjective api: apiVersion v1 is not read; allowed is pyrra.dev/v1alpha1",
        ),
        (
            SLORefKey("v1", "Secret", "token"),
            f"Secret token: the kind is not one of {', '.join(key.kind for key in READ)}",
        ),
    ],
    ids=str,
)
async def test_what_is_not_there_is_said(key: SLORefKey, sentence: str) -> None:
    assert await Cluster().sentence(key) == sentence


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (PYRRA, "api cannot exist: pyrra.dev/v1alpha1 ServiceLevelObjective is not installed in this cluster"),
        (SLOTH, "api cannot exist: sloth.slok.dev/v1 PrometheusServiceLevel is not installed in this cluster"),
    ],
    ids=str,
)
async def test_a_kind_that_is_not_installed_is_told_from_a_missing_object(key: SLORefKey, sentence: str) -> None:
    cluster = Cluster()
    cluster.missing.add(READ[key].plural)

    assert await cluster.sentence(key) == f"{key.kind} {sentence}"


@pytest.mark.parametrize(
    ("key", "right"),
    [
        (PYRRA, "get on servicelevelobjectives of pyrra.dev"),
        (SLOTH, "get on prometheusservicelevels of sloth.slok.dev"),
        (CONFIG_MAP, "get on configmaps"),
    ],
    ids=str,
)
async def test_a_missing_right_is_named(key: SLORefKey, right: str) -> None:
    cluster = Cluster()
    cluster.forbidden.add(READ[key].plural)

    assert await cluster.sentence(key) == (
        f"{key} may not be read: the operator lacks the right to {right} in namespace shop"
    )


async def test_an_api_server_that_does_not_answer_is_no_sentence_about_the_object() -> None:
    cluster = Cluster()
    cluster.broken.add("get_definition")

    with pytest.raises(ClusterUnavailable):
        await cluster.definitions.find("shop", PYRRA)


async def test_many_policies_ask_once_and_a_change_is_seen_after_a_while() -> None:
    cluster = Cluster()
    await asyncio.gather(*(cluster.definitions.find("shop", PYRRA) for _ in range(100)))
    stored = cluster.put(kinds.SERVICE_LEVEL_OBJECTIVES, an_object(PYRRA), told=False)

    cluster.now += 29
    assert isinstance(await cluster.definitions.find("shop", PYRRA), Absent)
    assert cluster.calls == ["get_definition"]

    cluster.now += 1
    assert await cluster.definitions.find("shop", PYRRA) == stored


async def test_namespaces_do_not_share_what_has_the_same_name() -> None:
    cluster = Cluster()

    await cluster.definitions.find("shop", PYRRA)
    await cluster.definitions.find("bank", PYRRA)

    assert len(cluster.calls) == 2
