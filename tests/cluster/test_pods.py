"""Plan: whose pods are told from whose, and what one listing serves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from canary_operator.cluster.api import Api
from canary_operator.cluster.pods import Pods
from canary_operator.errors import ClusterRefused
from canary_operator.model.rollout import Rollout, parse_rollout
from tests.builders import CANARY, STABLE, a_rollout, at_a_pause

Body = dict[str, Any]


class Listing:
    """Stands where the Api stands, and counts."""

    def __init__(self, *bodies: Body) -> None:
        self.bodies = bodies
        self.asked: list[str] = []
        self.forbidden = False
        self.now = 1000.0

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        self.asked.append(namespace)
        if self.forbidden:
            raise ClusterRefused("list pods: 403: forbidden")
        for body in self.bodies:
            # Reading takes a while.
            self.now += 0.25
            yield body

    def known(self, max_age: float = 10.0) -> Pods:
        return Pods(cast("Api", self), lambda: self.now, max_age)


def a_pod(owner: str, name: str, *, kind: str = "ReplicaSet") -> Body:
    pod_hash = owner.rpartition("-")[2]
    return {
        "metadata": {
            "name": f"{owner}-{name}",
            "labels": {"rollouts-pod-template-hash": pod_hash},
            "ownerReferences": [{"kind": kind, "name": owner, "controller": True}],
        },
        "status": {"phase": "Running"},
    }


def canary() -> Rollout:
    return parse_rollout(at_a_pause())


async def test_pods_are_told_by_version_and_sorted_by_name() -> None:
    listing = Listing(
        a_pod(f"guestbook-{STABLE}", "b"),
        a_pod(f"guestbook-{CANARY}", "c"),
        a_pod(f"guestbook-{STABLE}", "a"),
        a_pod("guestbook-older", "d"),
    )

    pods = await listing.known().of(canary())

    assert [pod.name for pod in pods.canary] == [f"guestbook-{CANARY}-c"]
    assert [pod.name for pod in pods.stable] == [f"guestbook-{STABLE}-a", f"guestbook-{STABLE}-b"]


@pytest.mark.parametrize(
    "stranger",
    [
        a_pod(f"other-{CANARY}", "a"),
        a_pod(f"guestbook-v2-{CANARY}", "a"),
        a_pod(f"guestbook-{CANARY}", "a", kind="Job"),
    ],
)
async def test_an_equal_hash_makes_no_pod_ours(stranger: Body) -> None:
    assert (await Listing(stranger).known().of(canary())).canary == ()


async def test_a_rollout_without_a_release_has_stable_pods_only() -> None:
    pods = await Listing(a_pod(f"guestbook-{STABLE}", "a")).known().of(parse_rollout(a_rollout()))

    assert (len(pods.canary), len(pods.stable)) == (0, 1)


async def test_a_first_deployment_has_no_stable_pods() -> None:
    body = at_a_pause(status={"stableRS": ""})

    pods = await Listing(a_pod(f"guestbook-{CANARY}", "a"), a_pod("guestbook-", "b")).known().of(parse_rollout(body))

    assert (len(pods.canary), len(pods.stable)) == (1, 0)


async def test_a_listing_is_as_old_as_its_question() -> None:
    listing = Listing(a_pod(f"guestbook-{CANARY}", "a"))

    assert (await listing.known().of(canary())).at == 1000.0


async def test_one_listing_serves_all_rollouts_of_a_namespace_for_a_while() -> None:
    listing = Listing()
    pods = listing.known(max_age=10.0)
    elsewhere = at_a_pause()
    elsewhere["metadata"]["namespace"] = "bank"

    await asyncio.gather(*(pods.of(canary()) for _ in range(100)), pods.of(parse_rollout(elsewhere)))
    listing.now += 9
    await pods.of(canary())
    assert sorted(listing.asked) == ["bank", "shop"]

    listing.now += 1
    await pods.of(canary())
    assert sorted(listing.asked) == ["bank", "shop", "shop"]


async def test_pods_that_may_not_be_listed_are_an_error() -> None:
    listing = Listing()
    listing.forbidden = True

    with pytest.raises(ClusterRefused):
        await listing.known().of(canary())
