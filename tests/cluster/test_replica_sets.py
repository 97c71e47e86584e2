"""Plan: rollbacks in the window as Argo counts them; births; how often the ReplicaSets are listed."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from canary_operator.cluster.api import Api
from canary_operator.cluster.replica_sets import ReplicaSets, Revision, births, number_of, revisions, rolls_back
from canary_operator.errors import ClusterUnavailable
from canary_operator.model.facts import Births
from canary_operator.model.rollout import Rollout, parse_rollout
from tests.builders import CANARY, STABLE, T0, UID, at_a_pause

Body = dict[str, Any]

LABELS = {"app": "guestbook"}


def a_replica_set(pod_hash: str, minute: int, *, experiment: bool = False, owner: str = UID) -> Body:
    return {
        "metadata": {
            "creationTimestamp": f"2026-09-14T10:{minute:02}:00Z",
            "labels": {"rollouts-pod-template-hash": pod_hash},
            "annotations": {"experiment.argoproj.io/name": "e"} if experiment else {},
            "ownerReferences": [{"uid": owner}],
        }
    }


class Listing:
    """Stands where the Api stands, and counts."""

    def __init__(self, *bodies: Body) -> None:
        self.bodies = bodies
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.down = False

    async def list_replica_sets(self, namespace: str, labels: Mapping[str, str]) -> tuple[Body, ...]:
        self.asked.append((namespace, labels))
        if self.down:
            raise ClusterUnavailable("down")
        return self.bodies

    def known(self) -> ReplicaSets:
        return ReplicaSets(cast("Api", self))


def canary(**status: Any) -> Rollout:
    return parse_rollout(at_a_pause() | {"status": at_a_pause()["status"] | status})


@pytest.mark.parametrize(
    ("replica_sets", "window", "expected"),
    [
        ([a_replica_set(CANARY, 1), a_replica_set(STABLE, 5)], 1, True),
        ([a_replica_set(CANARY, 1), a_replica_set("between", 3), a_replica_set(STABLE, 5)], 1, False),
        ([a_replica_set(CANARY, 1), a_replica_set("between", 3), a_replica_set(STABLE, 5)], 2, True),
        ([a_replica_set(CANARY, 1), a_replica_set("e", 3, experiment=True), a_replica_set(STABLE, 5)], 1, True),
        ([a_replica_set(CANARY, 1), a_replica_set("x", 3, owner="another"), a_replica_set(STABLE, 5)], 1, True),
        ([a_replica_set(CANARY, 1), a_replica_set("same-second", 1), a_replica_set(STABLE, 5)], 1, True),
        ([a_replica_set(CANARY, 9), a_replica_set(STABLE, 5)], 3, False),
        ([a_replica_set(STABLE, 5)], 3, False),
        ([a_replica_set(CANARY, 1)], 3, False),
    ],
)
def test_a_rollback_is_an_older_replica_set_with_few_between(
    replica_sets: list[Body], window: int, *, expected: bool
) -> None:
    assert rolls_back(revisions(replica_sets, UID), CANARY, STABLE, window) is expected


@pytest.mark.parametrize(
    ("replica_sets", "expected"),
    [
        ([a_replica_set(CANARY, 5), a_replica_set(STABLE, 1)], Births(T0 + 300, T0 + 60)),
        ([a_replica_set(CANARY, 1), a_replica_set(STABLE, 5)], Births(T0 + 60, T0 + 300)),
        ([a_replica_set(CANARY, 5), a_replica_set(STABLE, 1, owner="another")], Births(T0 + 300, None)),
        ([a_replica_set(CANARY, 5, experiment=True)], Births()),
        ([], Births()),
    ],
)
def test_a_version_is_born_with_its_replica_set(replica_sets: list[Body], expected: Births) -> None:
    assert births(revisions(replica_sets, UID), canary()) == expected


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({"rollout.argoproj.io/revision": "7"}, 7),
        ({"rollout.argoproj.io/revision": ""}, None),
        ({"rollout.argoproj.io/revision": "seven"}, None),
        ({}, None),
    ],
)
def test_argo_numbers_its_revisions(annotations: dict[str, str], expected: int | None) -> None:
    body = a_replica_set(STABLE, 1)
    body["metadata"]["annotations"] = annotations

    assert number_of(revisions([body], UID), STABLE) == expected
    assert number_of(revisions([], UID), STABLE) is None


async def test_they_are_listed_once_for_a_release_whoever_asks() -> None:
    listing = Listing(a_replica_set(CANARY, 5), a_replica_set(STABLE, 1))
    known = listing.known()

    found = [await known.of(canary(), LABELS) for _ in range(3)]

    assert found == [{CANARY: Revision(T0 + 300, None), STABLE: Revision(T0 + 60, None)}] * 3
    assert listing.asked == [("shop", LABELS)]


@pytest.mark.parametrize("bodies", [[], [a_replica_set(CANARY, 5)], [a_replica_set(STABLE, 1)]])
async def test_a_missing_answer_is_not_remembered(bodies: list[Body]) -> None:
    listing = Listing(*bodies)
    known = listing.known()

    await known.of(canary(), LABELS)
    await known.of(canary(), LABELS)

    assert len(listing.asked) == 2


async def test_a_failure_is_not_remembered() -> None:
    listing = Listing(a_replica_set(CANARY, 5), a_replica_set(STABLE, 1))
    known = listing.known()
    listing.down = True
    with pytest.raises(ClusterUnavailable):
        await known.of(canary(), LABELS)
    listing.down = False

    assert len(await known.of(canary(), LABELS)) == 2


async def test_another_release_and_a_forgotten_one_are_asked_for_anew() -> None:
    listing = Listing(a_replica_set(CANARY, 5), a_replica_set(STABLE, 1), a_replica_set("next", 9))
    known = listing.known()
    await known.of(canary(), LABELS)

    await known.of(canary(currentPodHash="next"), LABELS)
    known.forget(canary().ref)
    await known.of(canary(currentPodHash="next"), LABELS)

    assert len(listing.asked) == 3
