"""Plan: what only a real API server and a real Argo can tell, asked with the identity and rights of the manifests."""

import asyncio
import pathlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import yaml

from canary_operator.cluster import calls, kinds
from canary_operator.cluster.api import INSTANCE_ID, OURS, Api, Lack, owner_reference
from canary_operator.cluster.calls import Call, Verb
from canary_operator.cluster.credentials import load_credentials
from canary_operator.cluster.definitions import Definitions
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.patches import patch_for, still_judged
from canary_operator.cluster.pods import Pods
from canary_operator.cluster.replica_sets import ReplicaSets, births
from canary_operator.cluster.snapshot import Reader
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterRefused
from canary_operator.model import durations
from canary_operator.model.decision import Action, ActionKind, Outcome
from canary_operator.model.facts import SLORefKey
from canary_operator.model.gate import GateStatus
from canary_operator.model.pause import FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS, Hold
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import Body, Rollout, RolloutRef, parse_rollout
from canary_operator.model.samples import Absent
from lab.cluster import Lab

pytestmark = pytest.mark.e2e

ROOT = pathlib.Path(__file__).parents[2]
OPERATOR = ("canary-operator", "canary-operator")


@pytest.fixture(scope="session")
def installed(cluster: Lab) -> Lab:
    """The lab with the shipped manifests; the program itself does not run, its Deployment waits for an image."""
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--kustomize", str(ROOT / "manifests"))
    cluster.kubectl("scale", "deployment/canary-operator", "--replicas=0", namespace="canary-operator")
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return cluster


@pytest.fixture
async def api(installed: Lab) -> AsyncIterator[Api]:
    kubeconfig = installed.service_account_kubeconfig(*OPERATOR)
    client = Api(load_credentials(str(kubeconfig)))
    yield client
    await client.close()


def a_rollout(name: str, namespace: str, *, image: str = "app:1", pause: str | None = None) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": {"canary-operator.io/gate": "enforce"},
            },
            "spec": {
                "replicas": 2,
                "rollbackWindow": {"revisions": 2},
                "selector": {"matchLabels": {"app": name}},
                "strategy": {
                    "canary": {
                        "steps": [
                            {"setWeight": 50},
                            {"pause": {"duration": pause} if pause else {}},
                            {"setWeight": 80},
                            {"pause": {}},
                        ]
                    }
                },
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "app", "image": image}]},
                },
            },
        }
    )


async def until(
    api: Api, ref: RolloutRef, what: Callable[[Rollout], bool], within: float = 60.0
) -> tuple[Rollout, Body]:
    began = nudged = time.monotonic()
    while time.monotonic() < began + within:
        body = await api.get_rollout(ref)
        if body is not None and what(parse_rollout(body)):
            return parse_rollout(body), body
        if body is not None and time.monotonic() > nudged + 3:
            # Argo up to 1.9.1 can lose a write that lands while it writes itself; a nudge makes it look again.
            nudged = time.monotonic()
            await api.patch_rollout_status(ref, patch_for(an_action(ActionKind.NUDGE, parse_rollout(body)), body))
        await asyncio.sleep(0.1)
    raise AssertionError(f"not within {within} s: {body}")


async def paused(installed: Lab, api: Api, ref: RolloutRef, pause: str | None = None) -> tuple[Rollout, Body]:
    installed.apply(a_rollout(ref.name, ref.namespace, pause=pause))
    await until(api, ref, lambda rollout: rollout.in_sync and rollout.stable_hash == rollout.pod_hash != "")
    # ReplicaSets are told apart by age in whole seconds, here as in Argo.
    await asyncio.sleep(1.1)
    installed.apply(a_rollout(ref.name, ref.namespace, image="app:2", pause=pause))
    return await until(api, ref, is_paused_at(1))


def is_paused_at(index: int) -> Callable[[Rollout], bool]:
    return lambda rollout: (
        rollout.in_sync and rollout.controller_pause and rollout.step_index == index and bool(rollout.pauses)
    )


def an_action(kind: ActionKind, rollout: Rollout, start: float | None = None) -> Action:
    return Action(kind, "d", rollout.ref, rollout.fence, start)


async def test_a_timed_pause_is_held_twice_outlives_its_duration_and_is_released(
    installed: Lab, api: Api, namespace: str
) -> None:
    ref = RolloutRef(namespace, "timed")
    rollout, body = await paused(installed, api, ref, pause="5s")
    start = rollout.pauses[0].written_start

    hold = an_action(ActionKind.HOLD, rollout, start + FIRST_SHIFT_SECONDS)
    assert still_judged(hold.fence, rollout, ActionKind.HOLD)
    assert (await api.patch_rollout_status(ref, patch_for(hold, body))).outcome is Outcome.APPLIED
    assert (await api.patch_rollout_status(ref, patch_for(hold, body))).outcome is Outcome.STALE
    # Both writes in the moment in which the pause begins have been lost together; this is why the second one waits.
    await asyncio.sleep(1.5)
    held, body = await until(api, ref, lambda found: bool(found.pauses) and found.pauses[0].hold(start) is Hold.WRITTEN)
    again = an_action(ActionKind.HOLD, held, start + SECOND_SHIFT_SECONDS)
    assert (await api.patch_rollout_status(ref, patch_for(again, body))).outcome is Outcome.APPLIED
    await asyncio.sleep(7)
    held, body = await until(api, ref, is_paused_at(1))
    assert held.pauses[0].hold(start) is Hold.CONFIRMED
    assert held.pauses[0].user_start(start) == start
    assert held.fence.generation == rollout.fence.generation

    release = an_action(ActionKind.RELEASE, held, start)
    assert (await api.patch_rollout_status(ref, patch_for(release, body))).outcome is Outcome.APPLIED
    await until(api, ref, is_paused_at(3))


async def test_a_promotion_is_done_once_and_an_abort_needs_no_pause(installed: Lab, api: Api, namespace: str) -> None:
    ref = RolloutRef(namespace, "waiting")
    rollout, body = await paused(installed, api, ref)

    promotion = patch_for(an_action(ActionKind.PROMOTE, rollout), body)
    assert (await api.patch_rollout_status(ref, promotion)).outcome is Outcome.APPLIED
    assert (await api.patch_rollout_status(ref, promotion)).outcome is Outcome.STALE
    rollout, body = await until(api, ref, is_paused_at(3))

    nudge = await api.patch_rollout_status(ref, patch_for(an_action(ActionKind.NUDGE, rollout), body))
    assert nudge.outcome is Outcome.APPLIED
    abort = await api.patch_rollout_status(ref, patch_for(an_action(ActionKind.ABORT, rollout), body))
    assert abort.outcome is Outcome.APPLIED
    aborted, _ = await until(api, ref, lambda found: found.abort_seen)
    assert aborted.step_index == 0


async def test_a_rollout_that_is_gone_is_an_outcome(api: Api, namespace: str) -> None:
    ref = RolloutRef(namespace, "nobody")

    assert await api.get_rollout(ref) is None
    assert (await api.patch_rollout_status(ref, [])).outcome is Outcome.GONE


async def test_a_rollback_inside_the_window_is_told_from_the_replica_sets(
    installed: Lab, api: Api, namespace: str
) -> None:
    ref = RolloutRef(namespace, "back")
    rollout, body = await paused(installed, api, ref)
    store = Store()
    reader = Reader(store, api, ProviderAddresses({}), 15.0)
    store.put(kinds.ROLLOUTS, body)

    found = await reader.read(ref)

    assert found is not None
    assert not found.rollout.rolls_back
    # The same two ReplicaSets the other way round: now the new version is the older one.
    turned = {**body, "status": {**body["status"], "currentPodHash": rollout.stable_hash, "stableRS": rollout.pod_hash}}
    other = Store()
    other.put(kinds.ROLLOUTS, turned)
    found = await Reader(other, api, ProviderAddresses({}), 15.0).read(ref)
    assert found is not None
    assert found.rollout.rolls_back


async def test_pods_and_births_of_both_versions_are_told(installed: Lab, api: Api, namespace: str) -> None:
    ref = RolloutRef(namespace, "seen")
    rollout, _ = await paused(installed, api, ref)

    pods, revisions = await Pods(api).of(rollout), await ReplicaSets(api).of(rollout, {})

    assert len(pods.canary) == 1
    assert len(pods.stable) >= 1
    for pod in (*pods.canary, *pods.stable):
        assert pod.started is not None
        assert pod.ready_since is not None
        assert (pod.phase, pod.restart_count, pod.reason) == ("Running", 0, "")
        assert revisions[pod.pod_hash].born <= pod.started <= pods.at + 1
        assert pod.node
    assert {pod.pod_hash for pod in pods.canary} == {rollout.pod_hash}
    born = births(revisions, rollout)
    assert born.canary is not None
    assert born.stable is not None
    assert born.stable < born.canary


PYRRA = SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "api")
CONFIG_MAP = SLORefKey("v1", "ConfigMap", "slos")


async def why_not(api: Api, namespace: str, key: SLORefKey) -> str:
    found = await Definitions(api).find(namespace, key)
    assert isinstance(found, Absent)
    return found.message


async def test_an_slo_in_a_config_map_is_read_by_name(installed: Lab, api: Api, namespace: str) -> None:
    assert await why_not(api, namespace, CONFIG_MAP) == f"ConfigMap slos does not exist in namespace {namespace}"
    installed.kubectl(
        "create", "configmap", "slos", "--from-literal=slo.yaml=version: prometheus/v1", namespace=namespace
    )

    found = await Definitions(api).find(namespace, CONFIG_MAP)

    assert not isinstance(found, Absent)
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")
    assert found["data"] == {"slo.yaml": "version: prometheus/v1"}


@pytest.mark.parametrize(("group", "version"), [("slo.example", "v1"), ("apps", "v1"), ("argoproj.io", "v1alpha1")])
async def test_a_kind_that_is_not_installed_is_told_from_an_object_that_is_not_there(
    installed: Lab, namespace: str, monkeypatch: pytest.MonkeyPatch, group: str, version: str
) -> None:
    # Other tests may install the kinds that an SLOPolicy can name, so this is one that nobody has.
    absent = Resource(group, version, "objectives", "Objective")
    monkeypatch.setitem(calls.GET_DEFINITION, absent, Call(absent, Verb.GET, "a test"))
    admin = Api(load_credentials(str(installed.kubeconfig)))

    found = await admin.get_definition(absent, namespace, "api")

    await admin.close()
    assert found is Lack.KIND


async def test_an_slo_that_may_not_be_read_names_the_right(installed: Lab, namespace: str) -> None:
    nobody = Api(load_credentials(str(installed.service_account_kubeconfig(namespace, "nobody"))))

    said = [await why_not(nobody, namespace, key) for key in (PYRRA, CONFIG_MAP)]
    with pytest.raises(ClusterRefused, match="pods is forbidden"):
        assert [body async for body in nobody.pods(namespace)]

    await nobody.close()
    assert "the right to get on servicelevelobjectives of pyrra.dev in namespace" in said[0]
    assert "the right to get on configmaps in namespace" in said[1]


async def test_a_gate_is_created_once_and_only_its_status_is_written(installed: Lab, api: Api, namespace: str) -> None:
    ref = RolloutRef(namespace, "gated")
    installed.apply(a_rollout(ref.name, namespace))
    body = await api.get_rollout(ref)
    assert body is not None

    created = await api.create_gate(ref, body["metadata"]["uid"])
    again = await api.create_gate(ref, body["metadata"]["uid"])
    assert (created.outcome, again.outcome) == (Outcome.APPLIED, Outcome.STALE)
    assert created.body is not None
    assert again.body is not None
    assert again.body["metadata"]["uid"] == created.body["metadata"]["uid"]

    status = GateStatus(phase="Judging", rollout_step="1/4", verdict="Hold", reason="Collecting", requests=12)
    written = await api.replace_gate_status(ref, created.body, status)
    assert written.outcome is Outcome.APPLIED, written.message
    assert written.body is not None
    assert GateStatus.model_validate(written.body["status"]) == status
    assert written.body["metadata"]["generation"] == created.body["metadata"]["generation"]
    another = {"metadata": {**written.body["metadata"], "uid": "another"}}
    assert (await api.replace_gate_status(ref, another, status)).outcome is Outcome.STALE
    assert (await api.replace_gate_status(ref, created.body, status)).outcome is Outcome.STALE, "it has changed since"

    header, row = installed.kubectl("get", "cg", "gated", namespace=namespace).splitlines()
    assert header.split() == ["NAME", "STEP", "WEIGHT", "VERDICT", "REASON", "REQUESTS", "AGE"]
    # No weight is known here, so its column is empty.
    assert row.split()[:5] == ["gated", "1/4", "Hold", "Collecting", "12"]

    # The main resource does not carry the status, the subresource does not carry the spec.
    installed.kubectl(
        "patch",
        "cg",
        "gated",
        "--type=merge",
        '-p={"status":{"phase":"Ended"},"spec":{"suspend":true}}',
        namespace=namespace,
    )
    gate = installed.get("canarygate", "gated", namespace=namespace)
    assert (gate["status"]["phase"], gate["spec"]["suspend"]) == ("Judging", True)


async def test_a_status_that_breaks_the_schema_is_refused_and_not_stale(
    installed: Lab, api: Api, namespace: str
) -> None:
    ref = RolloutRef(namespace, "broken")
    # Without a living owner the garbage collector would take the gate within the second.
    installed.apply(a_rollout(ref.name, namespace))
    owner = await api.get_rollout(ref)
    assert owner is not None
    created = await api.create_gate(ref, owner["metadata"]["uid"])
    assert created.body is not None

    wrong = GateStatus.model_construct(phase="Nonsense", evidence=(), history=(), conditions=())
    written = await api.replace_gate_status(ref, created.body, wrong)

    assert written.outcome is Outcome.REFUSED
    assert "phase" in written.message


def a_decision(namespace: str, name: str, **changed: Any) -> dict[str, Any]:
    rollout = {"uid": "u", "generation": 1, "revision": 1, "podHash": "a", "stableHash": "b"}
    spec = GateDecisionSpec.model_validate(
        {
            "rolloutName": "guestbook",
            "rollout": rollout,
            "at": "2026-09-14T10:00:00Z",
            "mode": "enforce",
            "verdict": "Hold",
            "reason": "Collecting",
            "message": "12 of 40 requests",
            "action": {"kind": "Hold", "decisionId": "d-1", "outcome": "Applied"},
            "operatorVersion": "0.1.0",
            "actor": {"kind": "Operator"},
            "configuration": "",
            "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
            "sequence": 1,
            "previousHash": "",
            "hash": "sha256:1",
        }
    ).model_dump(mode="json", by_alias=True, exclude_none=True)
    return {
        "apiVersion": "canary-operator.io/v1alpha1",
        "kind": "GateDecision",
        "metadata": {"name": name, "namespace": namespace, "labels": {"canary-operator.io/rollout-uid": "u"}},
        "spec": spec | changed,
    }


async def test_a_decision_is_stored_as_it_was_written_and_cannot_be_changed(
    installed: Lab, api: Api, namespace: str
) -> None:
    body = a_decision(namespace, "d-1")

    assert (await api.create_decision(namespace, body)).outcome is Outcome.APPLIED
    assert (await api.create_decision(namespace, body)).outcome is Outcome.STALE
    unknown = await api.create_decision(namespace, a_decision(namespace, "d-2", surprise=1))
    assert unknown.outcome is Outcome.REFUSED
    assert "surprise" in unknown.message
    for change in ('{"spec":{"verdict":"Promote"}}', '{"metadata":{"labels":{"seen":"yes"}}}'):
        with pytest.raises(Exception, match="cannot be changed"):
            installed.kubectl("patch", "gatedecision", "d-1", "--type=merge", f"-p={change}", namespace=namespace)

    (stored,) = await api.list_decisions(namespace, {"canary-operator.io/rollout-uid": "u"})
    assert stored["spec"] == body["spec"]
    header, row = installed.kubectl("get", "gd", namespace=namespace).splitlines()
    assert header.split() == ["NAME", "ROLLOUT", "VERDICT", "REASON", "ACTION", "OUTCOME", "AT"]
    assert row.split() == ["d-1", "guestbook", "Hold", "Collecting", "Hold", "Applied", "2026-09-14T10:00:00Z"]
    meta = stored["metadata"]
    assert (await api.delete_decision(namespace, meta["name"], "another")).outcome is Outcome.STALE
    assert (await api.delete_decision(namespace, meta["name"], meta["uid"])).outcome is Outcome.APPLIED
    assert (await api.delete_decision(namespace, meta["name"], meta["uid"])).outcome is Outcome.GONE


def a_policy(spec: dict[str, Any]) -> str:
    meta = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "SLOPolicy", "metadata": {"name": "p"}}
    return yaml.safe_dump(meta | {"spec": spec})


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"riks": {}}, "field not declared in schema|unknown field"),
        ({"timing": {"warmUp": "soon"}}, "warmUp"),
        ({"failAction": "Explode"}, "Unsupported value"),
    ],
)
def test_a_mistake_in_a_policy_is_refused(installed: Lab, namespace: str, spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Exception, match=said):
        installed.apply(a_policy(spec), namespace=namespace)


def test_a_policy_shows_its_defaults(installed: Lab, namespace: str) -> None:
    installed.apply(a_policy({}), namespace=namespace)

    spec = installed.get("slopolicy", "p", namespace=namespace)["spec"]
    assert spec["timing"]["maxHold"] == "3600s"
    assert spec["failAction"] == "Abort"


@pytest.mark.parametrize(
    "path", ["slopolicy.spec.timing.maxHold", "cg.spec.override.expiresAt", "gd.spec.evidence.eta"]
)
def test_every_field_is_explained(installed: Lab, path: str) -> None:
    assert "DESCRIPTION" in installed.kubectl("explain", path)
    assert "<empty>" not in installed.kubectl("explain", path)


async def test_our_analysis_runs_are_kept_live_and_few(installed: Lab, api: Api, namespace: str) -> None:
    ref = RolloutRef(namespace, "shown")
    installed.apply(a_rollout(ref.name, namespace))
    rollout = await api.get_rollout(ref)
    assert rollout is not None
    run = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {
            "name": "shown-gate-1",
            "labels": {INSTANCE_ID: OURS},
            "ownerReferences": [owner_reference(ref, rollout["metadata"]["uid"])],
        },
        "spec": {"metrics": [{"name": "m", "provider": {"prometheus": {"query": "1"}}}]},
        "status": {"phase": "Running"},
    }

    assert (await api.create_analysis_run(namespace, run)).outcome is Outcome.APPLIED
    assert (await api.create_analysis_run(namespace, run)).outcome is Outcome.STALE
    patched = await api.patch_analysis_run(namespace, "shown-gate-1", {"status": {"phase": "Successful"}})
    assert patched.outcome is Outcome.APPLIED
    (found,) = await api.list_analysis_runs(namespace)
    assert found["status"]["phase"] == "Successful"
    deleted = await api.delete_analysis_run(namespace, "shown-gate-1", found["metadata"]["uid"])
    assert deleted.outcome is Outcome.APPLIED
    assert await api.list_analysis_runs(namespace) == ()


async def test_events_are_created_and_counted(api: Api, namespace: str) -> None:
    now = durations.format_time(time.time())
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": namespace},
        "involvedObject": {"kind": "Rollout", "name": "r", "namespace": namespace},
        "reason": "Collecting",
        "message": "12 of 40 requests",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
    }

    assert (await api.create_event(namespace, event)).outcome is Outcome.APPLIED
    assert (await api.create_event(namespace, event)).outcome is Outcome.STALE
    counted = await api.patch_event(namespace, "e", {"count": 2})
    assert counted.body is not None
    assert counted.body["count"] == 2
    assert (await api.patch_event(namespace, "forgotten", {"count": 2})).outcome is Outcome.GONE


async def test_all_watched_kinds_can_be_listed(installed: Lab, api: Api, namespace: str) -> None:
    installed.apply(a_policy({}), namespace=namespace)
    for resource in kinds.WATCHED:
        listing = await api.list_watched(resource)
        assert int(listing.resource_version) > 0
    listing = await api.list_watched(kinds.SLO_POLICIES, namespace)
    assert [body["metadata"]["name"] for body in listing.items] == ["p"]


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("patch", "rollouts.argoproj.io/status", True),
        ("patch", "rollouts.argoproj.io", False),
        ("update", "rollouts.argoproj.io", False),
        ("get", "secrets", False),
        ("list", "pods", True),
        ("watch", "pods", False),
        ("get", "configmaps", True),
        ("list", "configmaps", False),
        ("list", "servicelevelobjectives.pyrra.dev", False),
        ("patch", "gatedecisions.canary-operator.io", False),
        ("patch", "canarygates.canary-operator.io", False),
        ("create", "rolebindings.rbac.authorization.k8s.io", False),
    ],
)
def test_the_operator_has_no_other_rights(
    installed: Lab, namespace: str, verb: str, resource: str, *, allowed: bool
) -> None:
    kind, _, subresource = resource.partition("/")
    account = f"--as=system:serviceaccount:{OPERATOR[0]}:{OPERATOR[1]}"
    extra = [f"--subresource={subresource}"] if subresource else []
    try:
        answer = installed.kubectl("auth", "can-i", verb, kind, account, *extra, namespace=namespace)
    except Exception as refusal:  # noqa: BLE001 - kubectl answers no with an error
        answer = str(refusal)
    assert answer.startswith("yes") is allowed
