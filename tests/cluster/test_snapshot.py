"""Plan: what is found under the names a Rollout refers to; a gate that cannot be read; rollbacks in the window."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, cast

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.snapshot import Reader, references, snapshot
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterUnavailable
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.facts import NO_FACTS, Births, SLORefKey
from canary_operator.model.gate import GateStatus
from canary_operator.model.pods import VersionPods
from canary_operator.model.policy import CanaryGateSpec, SLOPolicySpec
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import RolloutRef, TemplateRef

Body = dict[str, Any]
Builder = Callable[[], Body]

REF = RolloutRef("shop", "guestbook")
# 2026-09-14T10:00:00Z
START = 1_789_380_000.0
ADDRESSES = ProviderAddresses({"default": ("http://prometheus:9090",)})


def an_object(name: str, *, namespace: str | None = "shop", **parts: Any) -> Body:
    meta = {"name": name, "uid": f"uid-of-{name}", "resourceVersion": "5", "generation": 3}
    return {"metadata": meta | ({"namespace": namespace} if namespace else {}), **parts}


def taken(store: Store) -> Snapshot:
    found = snapshot(store, REF, ADDRESSES, 15.0)
    assert found is not None
    return found


@pytest.fixture
def store(a_rollout: Builder) -> Store:
    store = Store()
    store.put(kinds.ROLLOUTS, a_rollout())
    return store


def test_a_missing_object_is_a_missing_key(store: Store) -> None:
    found = taken(store)

    assert (found.policies, found.templates) == ({}, {})
    assert (found.gate_spec, found.gate_generation, found.status) == (CanaryGateSpec(), None, GateStatus())


def test_what_the_rollout_refers_to_is_found_templates_of_templates_too(store: Store) -> None:
    store.put(kinds.SLO_POLICIES, an_object("strict", spec={"failAction": "Hold"}))
    nesting = {"templates": [{"templateName": "base", "clusterScope": True}]}
    store.put(kinds.ANALYSIS_TEMPLATES, an_object("error-rate", spec=nesting))
    circle = {"templates": [{"templateName": "base", "clusterScope": True}]}
    store.put(kinds.CLUSTER_ANALYSIS_TEMPLATES, an_object("base", namespace=None, spec=circle))
    store.put(kinds.ANALYSIS_TEMPLATES, an_object("unrelated"))

    found = taken(store)

    assert {"strict": SLOPolicySpec(fail_action="Hold")} == found.policies
    assert {TemplateRef("error-rate"), TemplateRef("base", cluster=True)} == set(found.templates)


def test_a_policy_that_cannot_be_read_is_the_reason(store: Store) -> None:
    store.put(kinds.SLO_POLICIES, an_object("strict", spec={"riks": {}}))

    text = taken(store).policies["strict"]
    assert isinstance(text, str)
    assert "riks" in text


def test_the_gate_is_read_back_as_it_was_written(store: Store) -> None:
    status = GateStatus(phase="Judging", requests=7, message="12 of 40 requests")
    document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
    store.put(kinds.CANARY_GATES, an_object("guestbook", spec={"suspend": True}, status=document))

    found = taken(store)

    assert (found.status, found.gate_spec, found.gate_generation) == (status, CanaryGateSpec(suspend=True), 3)


def test_a_gate_that_cannot_be_read_is_the_reason_and_a_fresh_start(store: Store) -> None:
    spec = {"override": {"action": "Promote", "reason": "r", "requestedBy": "me", "expiresAt": "tomorrow"}}
    store.put(kinds.CANARY_GATES, an_object("guestbook", spec=spec, status={"phase": "Judging", "fromTheFuture": 1}))

    found = taken(store)

    assert isinstance(found.gate_spec, str)
    assert "tomorrow" in found.gate_spec
    assert found.status == GateStatus()


def test_no_snapshot_of_what_is_not_there_or_cannot_be_read(store: Store) -> None:
    store.put(kinds.ROLLOUTS, an_object("broken", spec={"strategy": {"canary": {"steps": [{"setWeight": "x"}]}}}))

    assert snapshot(store, RolloutRef("shop", "nobody"), ADDRESSES, 15.0) is None
    assert snapshot(store, RolloutRef("shop", "broken"), ADDRESSES, 15.0) is None


def a_replica_set(pod_hash: str, minute: int, *, owner: str = "") -> Body:
    return {
        "metadata": {
            "creationTimestamp": f"2026-09-14T10:{minute:02}:00Z",
            "labels": {"rollouts-pod-template-hash": pod_hash},
            "ownerReferences": [{"uid": owner or "6f1c2c0e-0000-4000-8000-000000000001"}],
        }
    }


NEW, STABLE = "6c54544bf9", "7d8f9cbb44"


class ReplicaSets:
    """Stands where the Api stands, and counts; there are no pods."""

    def __init__(self, *bodies: Body) -> None:
        self.bodies = bodies
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.pods_asked = 0
        self.rollout: Body | None = None
        self.down = False

    async def get_rollout(self, ref: RolloutRef) -> Body | None:
        return self.rollout

    async def list_replica_sets(self, namespace: str, labels: Mapping[str, str]) -> tuple[Body, ...]:
        self.asked.append((namespace, labels))
        if self.down:
            raise ClusterUnavailable("down")
        return self.bodies

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        self.pods_asked += 1
        return
        yield {}


def a_reader(store: Store, api: ReplicaSets) -> Reader:
    return Reader(store, cast("Api", api), ADDRESSES, 15.0)


async def test_nobody_is_asked_without_a_rollback_window(store: Store) -> None:
    api = ReplicaSets()

    found = await a_reader(store, api).read(REF)

    assert found is not None
    assert not found.rollout.rolls_back
    assert api.asked == []


async def test_nobody_is_asked_when_no_release_is_in_progress(a_rollout: Builder) -> None:
    store, body, api = Store(), a_rollout(), ReplicaSets()
    body["spec"]["rollbackWindow"] = {"revisions": 3}
    body["status"]["stableRS"] = body["status"]["currentPodHash"]
    store.put(kinds.ROLLOUTS, body)

    await a_reader(store, api).read(REF)

    assert api.asked == []


async def test_a_rollback_in_the_window_is_asked_for_once_and_told(a_rollout: Builder) -> None:
    store, body = Store(), a_rollout()
    body["spec"]["rollbackWindow"] = {"revisions": 1}
    store.put(kinds.ROLLOUTS, body)
    foreign = a_replica_set("foreign", 3, owner="somebody-else")
    api = ReplicaSets(a_replica_set(NEW, 1), foreign, a_replica_set(STABLE, 5))
    reader = a_reader(store, api)

    found = [await reader.read(REF), await reader.read(REF)]

    assert all(one is not None and one.rollout.rolls_back for one in found)
    assert api.asked == [("shop", {"app": "guestbook"})]


async def test_a_missing_answer_is_not_remembered(a_rollout: Builder) -> None:
    store, body = Store(), a_rollout()
    body["spec"]["rollbackWindow"] = {"revisions": 1}
    store.put(kinds.ROLLOUTS, body)
    api = ReplicaSets(a_replica_set(STABLE, 5))
    reader = a_reader(store, api)
    api.down = True
    held = await reader.read(REF)
    api.down = False

    await reader.read(REF)
    await reader.read(REF)

    assert held is not None
    assert not held.rollout.rolls_back
    assert len(api.asked) == 3


PYRRA = {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "name": "api"}
SLO = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "api")


INLINE = {
    "name": "inline",
    "objective": "99",
    "indicator": {"ratio": {"bad": 'x_total{code="500"}', "total": "x_total"}},
}


def a_policy(*objectives: Body) -> Body:
    return an_object("strict", spec={"objectives": list(objectives) or [INLINE]})


async def test_facts_are_asked_for_where_a_policy_judges(held: Body) -> None:
    store = Store()
    store.put(kinds.ROLLOUTS, held)
    store.put(kinds.SLO_POLICIES, a_policy())
    api = ReplicaSets(a_replica_set(NEW, 5), a_replica_set(STABLE, 1))

    found = await a_reader(store, api).read(REF)

    assert found is not None
    assert isinstance(found.facts.pods, VersionPods)
    assert found.facts.births == Births(canary=START + 300, stable=START + 60)
    assert found.facts.definitions == {}


def ended(now: float) -> Body:
    """The status of a gate whose release was promoted a moment ago."""
    judged = {
        "uid": "6f1c2c0e-0000-4000-8000-000000000001",
        "generation": 3,
        "revision": 5,
        "podHash": NEW,
        "stableHash": NEW,
    }
    at = durations.format_micro_time(now)
    return {"phase": "Ended", "verdict": "Promote", "rollout": judged, "endedAt": at, "baseline": STABLE}


async def test_facts_of_the_version_before_are_asked_for_as_long_as_a_promoted_one_bakes(held: Body) -> None:
    store, body = Store(), held
    body["status"] |= {"stableRS": NEW, "pauseConditions": None, "currentStepIndex": 2}
    store.put(kinds.ROLLOUTS, body)
    policy = a_policy()
    policy["spec"]["timing"] = {"bake": "10m"}
    store.put(kinds.SLO_POLICIES, policy)
    store.put(kinds.CANARY_GATES, an_object("guestbook", spec={}, status=ended(START)))
    before = a_replica_set(STABLE, 1)
    before["metadata"]["annotations"] = {"rollout.argoproj.io/revision": "4"}
    api = ReplicaSets(a_replica_set(NEW, 5), before)
    reader = Reader(store, cast("Api", api), ADDRESSES, 15.0, clock=lambda: START + 60)

    found = await reader.read(REF)

    assert found is not None
    assert found.facts.births == Births(canary=START + 300, stable=START + 60)
    assert found.facts.stable_revision == 4
    later = await Reader(store, cast("Api", api), ADDRESSES, 15.0, clock=lambda: START + 700).read(REF)
    assert later is not None
    assert later.facts == NO_FACTS


async def test_the_replica_sets_are_listed_once_for_both_uses(held: Body) -> None:
    store, body = Store(), held
    body["spec"]["rollbackWindow"] = {"revisions": 3}
    store.put(kinds.ROLLOUTS, body)
    store.put(kinds.SLO_POLICIES, a_policy())
    api = ReplicaSets(a_replica_set(NEW, 5), a_replica_set(STABLE, 1))
    reader = a_reader(store, api)

    for _ in range(3):
        await reader.read(REF)

    assert api.asked == [("shop", {"app": "guestbook"})]
    assert api.pods_asked == 1


@pytest.fixture
def held(a_rollout: Builder) -> Body:
    """At a timed pause whose hold is written twice."""
    body = a_rollout()
    body["status"]["pauseConditions"][0]["startTime"] = "2136-03-20T10:00:00Z"
    return body


def at_a_pause_without_an_end(body: Body) -> None:
    body["status"] |= {"currentStepIndex": 3, "pauseConditions": [{**A_PAUSE, "startTime": "2026-09-14T10:00:00Z"}]}


def between_pauses(body: Body) -> None:
    body["status"] |= {"currentStepIndex": 2, "pauseConditions": None, "controllerPause": False}


def in_observe_mode(body: Body) -> None:
    body["metadata"]["annotations"]["canary-operator.io/gate"] = "observe"
    body["status"]["pauseConditions"] = [{**A_PAUSE, "startTime": "2026-09-14T10:00:00Z"}]


def held_twice(_: Body) -> None:
    pass


A_PAUSE = {"reason": "CanaryPauseStep"}


@pytest.mark.parametrize("state", [held_twice, at_a_pause_without_an_end, between_pauses, in_observe_mode])
async def test_facts_are_asked_for_wherever_something_is_judged(held: Body, state: Callable[[Body], None]) -> None:
    store, api = Store(), ReplicaSets()
    state(held)
    store.put(kinds.ROLLOUTS, held)
    store.put(kinds.SLO_POLICIES, a_policy())

    await a_reader(store, api).read(REF)

    assert api.pods_asked == 1


def not_held_yet(body: Body) -> None:
    body["status"]["pauseConditions"][0]["startTime"] = "2026-09-14T10:00:00Z"


def held_once(body: Body) -> None:
    body["status"]["pauseConditions"][0]["startTime"] = "2126-08-21T10:00:00Z"


def unseen_by_argo(body: Body) -> None:
    body["status"]["observedGeneration"] = "16"


def off(body: Body) -> None:
    body["metadata"]["annotations"]["canary-operator.io/gate"] = "off"


def in_no_release(body: Body) -> None:
    body["status"]["stableRS"] = body["status"]["currentPodHash"]


def in_its_first_deployment(body: Body) -> None:
    body["status"]["stableRS"] = ""


def aborted(body: Body) -> None:
    body["status"]["abort"] = True


def rolled_back(body: Body) -> None:
    body["spec"]["rollbackWindow"] = {"revisions": 3}


@pytest.mark.parametrize(
    "state",
    [
        *(not_held_yet, held_once, unseen_by_argo, off),
        *(in_no_release, in_its_first_deployment, aborted, rolled_back),
    ],
)
async def test_nobody_is_asked_for_facts_where_they_change_nothing_or_a_hold_must_be_written(
    held: Body, state: Callable[[Body], None]
) -> None:
    store, body, api = Store(), held, ReplicaSets(a_replica_set(NEW, 1), a_replica_set(STABLE, 5))
    state(body)
    store.put(kinds.ROLLOUTS, body)
    store.put(kinds.SLO_POLICIES, a_policy())

    found = await a_reader(store, api).read(REF)

    assert found is not None
    assert (api.pods_asked, found.facts) == (0, NO_FACTS)


@pytest.mark.parametrize("names", ["canary", "nobodys"])
async def test_pods_are_asked_for_whatever_judges(held: Body, names: str) -> None:
    store, api = Store(), ReplicaSets(a_replica_set(NEW, 1), a_replica_set(STABLE, 5))
    held["metadata"]["annotations"]["canary-operator.io/slo-policy"] = names
    store.put(kinds.ROLLOUTS, held)

    found = await a_reader(store, api).read(REF)

    assert found is not None
    assert (api.pods_asked, isinstance(found.facts.pods, VersionPods)) == (1, True)


async def test_nobody_is_asked_for_facts_while_an_action_is_pending(held: Body) -> None:
    store, api = Store(), ReplicaSets(a_replica_set(NEW, 1), a_replica_set(STABLE, 5))
    pending = {"action": "Hold", "decisionId": "d-1", "at": "2026-09-14T10:00:00Z"}
    store.put(kinds.ROLLOUTS, held)
    api.rollout = held
    store.put(kinds.CANARY_GATES, an_object("guestbook", spec={}, status={"pending": pending}))

    found = await a_reader(store, api).read(REF)

    assert found is not None
    assert (api.pods_asked, found.facts) == (0, NO_FACTS)


def test_objectives_refer_to_objects_each_once(store: Store) -> None:
    inline = {"ratio": {"bad": 'http_requests_total{code=~"5.."}', "total": "http_requests_total"}}
    objectives = (
        {"name": "one", "sloRef": PYRRA},
        {"name": "two", "sloRef": PYRRA | {"entry": "latency"}},
        {"name": "three", "objective": "99.5", "indicator": inline},
    )
    store.put(kinds.SLO_POLICIES, a_policy(*objectives))

    assert references(taken(store)) == {SLO}


def test_a_policy_that_cannot_be_read_refers_to_nothing(store: Store) -> None:
    store.put(kinds.SLO_POLICIES, a_policy({"name": "one", "sloRef": PYRRA | {"kind": "Secret"}}))

    assert references(taken(store)) == frozenset()
