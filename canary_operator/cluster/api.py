"""Reading and writing objects: the only place that talks to the API server.

Raw bodies in and out. What is a normal outcome is a value: an object that is gone, one that had moved on, one that
was already there, one that may not be written. Only an API server that cannot be asked is an exception.

Law: every request is a row of calls.py. Nothing is judged here and nothing is repeated.
"""

import enum
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from kubernetes.client import Configuration

from canary_operator.cluster import calls, kinds
from canary_operator.cluster.calls import Call
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.transport import (
    DEFAULT_LIMITS,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    Limits,
    Observe,
    Reply,
    Transport,
    Turnstile,
    nobody_waits,
    observe_nothing,
)
from canary_operator.errors import ClusterRefused, ClusterUnavailable
from canary_operator.model.decision import Applied, Outcome
from canary_operator.model.gate import GateStatus
from canary_operator.model.lease import LeaseRecord
from canary_operator.model.pods import POD_HASH_LABEL
from canary_operator.model.rollout import Body, RolloutRef

# Bounds the memory that one answer takes: 500 Rollouts are about 4 MB of JSON.
PAGE_SIZE = 500

MANAGED_BY = "app.kubernetes.io/managed-by"
# Argo's controller leaves runs of a foreign instance alone, its tools show them all the same.
INSTANCE_ID = "argo-rollouts.argoproj.io/controller-instance-id"
OURS = "canary-operator"

Query = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write, the HTTP status of the answer, and the object as it is now, where known.

    STALE: it was already there when it was to be created, or another object of the name is there.
    """

    outcome: Outcome
    message: str = ""
    body: Body | None = None
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind, as they were at one version of the collection."""

    items: tuple[Body, ...]
    resource_version: str


class Lack(enum.Enum):
    """Why an object that was asked for by name is not there."""

    OBJECT = "no object of this name"
    KIND = "the kind is not installed"
    RIGHT = "it may not be read"


class Api:
    """The API server as the operator sees it.

    Every method raises ClusterUnavailable when there was no usable answer, after which nobody knows whether a write
    was done. Methods that read raise ClusterRefused when they are not allowed to, or the kind is not installed.
    """

    def __init__(
        self,
        configuration: Configuration,
        limits: Limits = DEFAULT_LIMITS,
        observe: Observe = observe_nothing,
        turnstile: Turnstile = nobody_waits,
    ) -> None:
        self._transport = Transport(configuration, limits, observe, turnstile)

    async def close(self) -> None:
        """End all threads and connections."""
        await self._transport.close()

    async def get_rollout(self, ref: RolloutRef) -> Body | None:
        """Read the Rollout as it is now, None where there is none."""
        return await self._get(calls.GET_ROLLOUT, ref.namespace, ref.name)

    async def patch_rollout_status(self, ref: RolloutRef, json_patch: list[dict[str, Any]]) -> Applied:
        """Apply a guarded patch to ``/status``. Whatever the outcome, it was sent once."""
        call = calls.PATCH_ROLLOUT_STATUS
        written = await self._patch(call, ref.namespace, ref.name, json_patch, JSON_PATCH)
        return Applied(written.outcome, written.message, written.code)

    async def list_watched(self, resource: Resource, namespace: str | None = None) -> Listing:
        """List all objects of a watched kind, of one namespace or of all."""
        return await self._list(calls.LIST_WATCHED[resource], namespace)

    async def list_replica_sets(self, namespace: str, labels: Mapping[str, str]) -> tuple[Body, ...]:
        """List the ReplicaSets of Rollouts whose labels match; the caller tells by owner whose they are."""
        query = _selecting(labels, POD_HASH_LABEL)
        return (await self._list(calls.LIST_REPLICA_SETS, namespace, query)).items

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        """Go through the pods of the namespace's Rollouts; no more than a page of them is in memory."""
        async for page in self._pages(calls.LIST_PODS, namespace, _selecting({}, POD_HASH_LABEL)):
            for body in page.get("items") or ():
                yield body

    async def get_definition(self, resource: Resource, namespace: str, name: str) -> Body | Lack:
        """Read an object that defines an SLO, one of ``kinds.DEFINITIONS``."""
        call = calls.GET_DEFINITION[resource]
        reply = await self._transport.ask(call, _path(call, namespace, name))
        if reply.status == 403:
            return Lack.RIGHT
        if reply.status == 404:
            return Lack.OBJECT if _is_gone(reply) else Lack.KIND
        return _granted(call, reply).document

    async def create_analysis_run(self, namespace: str, body: Body) -> Written:
        """Create a run, its status included; STALE if the name is taken."""
        return await self._create(calls.CREATE_ANALYSIS_RUN, namespace, body)

    async def patch_analysis_run(self, namespace: str, name: str, merge_patch: Body) -> Written:
        """Change a run; the kind has no status subresource, so this changes its status too."""
        return await self._patch(calls.PATCH_ANALYSIS_RUN, namespace, name, merge_patch, MERGE_PATCH)

    async def list_analysis_runs(
        self, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> tuple[Body, ...]:
        """List the runs that carry our instance id, and these labels if any are given."""
        query = _selecting({INSTANCE_ID: OURS, **(labels or {})})
        return (await self._list(calls.LIST_ANALYSIS_RUNS, namespace, query)).items

    async def delete_analysis_run(self, namespace: str, name: str, uid: str) -> Written:
        """Delete this very run."""
        return await self._delete(calls.DELETE_ANALYSIS_RUN, namespace, name, uid)

    async def create_event(self, namespace: str, body: Body) -> Written:
        """Create a core/v1 Event; STALE if the name is taken."""
        return await self._create(calls.CREATE_EVENT, namespace, body)

    async def patch_event(self, namespace: str, name: str, merge_patch: Body) -> Written:
        """Count an Event once more; GONE when the API server has forgotten it, as it does after an hour."""
        return await self._patch(calls.PATCH_EVENT, namespace, name, merge_patch, MERGE_PATCH)

    async def create_gate(self, ref: RolloutRef, rollout_uid: str) -> Written:
        """Create the CanaryGate of a Rollout. STALE comes with the gate that was already there."""
        written = await self._create(calls.CREATE_GATE, ref.namespace, gate_body(ref, rollout_uid))
        if written.outcome is not Outcome.STALE:
            return written
        return Written(Outcome.STALE, written.message, await self.get_gate(ref))

    async def get_gate(self, ref: RolloutRef) -> Body | None:
        """Read a CanaryGate as it is now, None where there is none."""
        return await self._get(calls.GET_GATE, ref.namespace, ref.name)

    async def replace_gate_status(self, ref: RolloutRef, gate: Body, status: GateStatus) -> Written:
        """Replace the whole status of this very version of a CanaryGate. The body carries the next version.

        STALE: it has changed since, or another gate has its name.
        """
        document = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        json_patch = [
            {"op": "test", "path": "/metadata/uid", "value": gate["metadata"]["uid"]},
            {"op": "test", "path": "/metadata/resourceVersion", "value": gate["metadata"]["resourceVersion"]},
            {"op": "add", "path": "/status", "value": document},
        ]
        return await self._patch(calls.PATCH_GATE_STATUS, ref.namespace, ref.name, json_patch, JSON_PATCH)

    async def create_decision(self, namespace: str, body: Body) -> Written:
        """Record a decision. STALE, it is already recorded, is as good as APPLIED.

        Unknown fields are refused, not dropped in silence: what is stored must be what was hashed.
        """
        return await self._create(calls.CREATE_DECISION, namespace, body, [("fieldValidation", "Strict")])

    async def list_decisions(
        self, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> tuple[Body, ...]:
        """List the recorded decisions, all or those with these labels."""
        return (await self._list(calls.LIST_DECISIONS, namespace, _selecting(labels or {}))).items

    async def decisions(self, namespace: str | None) -> AsyncIterator[Body]:
        """Go through all recorded decisions; no more than a page of them is in memory."""
        async for page in self._pages(calls.LIST_DECISIONS, namespace, ()):
            for body in page.get("items") or ():
                yield body

    async def delete_decision(self, namespace: str, name: str, uid: str) -> Written:
        """Delete this very decision."""
        return await self._delete(calls.DELETE_DECISION, namespace, name, uid)

    async def get_lease(self, namespace: str, name: str) -> LeaseRecord | None:
        """Read a Lease, None where there is none."""
        body = await self._get(calls.GET_LEASE, namespace, name)
        return None if body is None else parse_lease(body)

    async def put_lease(self, namespace: str, name: str, record: LeaseRecord) -> Written:
        """Create a Lease where ``record.version`` is empty, else replace that very version. STALE: it has moved on."""
        body = lease_body(namespace, name, record)
        if not record.version:
            return await self._create(calls.CREATE_LEASE, namespace, body)
        path = _path(calls.UPDATE_LEASE, namespace, name)
        return _written(await self._transport.ask(calls.UPDATE_LEASE, path, body=body, content_type=JSON))

    async def _get(self, call: Call, namespace: str, name: str) -> Body | None:
        reply = await self._transport.ask(call, _path(call, namespace, name))
        if _is_gone(reply):
            return None
        return _granted(call, reply).document

    async def _list(self, call: Call, namespace: str | None, query: Query = ()) -> Listing:
        items: list[Body] = []
        version = ""
        async for page in self._pages(call, namespace, query):
            items += page.get("items") or ()
            version = page["metadata"]["resourceVersion"]
        return Listing(tuple(items), version)

    async def _pages(self, call: Call, namespace: str | None, query: Query) -> AsyncIterator[Body]:
        page: list[tuple[str, str]] = []
        while True:
            asked = [*query, ("limit", str(PAGE_SIZE)), *page]
            reply = await self._transport.ask(call, _path(call, namespace), query=asked)
            if reply.status == 410:
                # The pages took longer than the API server keeps old versions.
                raise ClusterUnavailable(f"list {call.resource.plural}: {reply.message}")
            document = _granted(call, reply).document
            yield document
            proceed = document["metadata"].get("continue")
            if not proceed:
                return
            page = [("continue", proceed)]

    async def _create(self, call: Call, namespace: str, body: Body, query: Query = ()) -> Written:
        reply = await self._transport.ask(call, _path(call, namespace), query=query, body=body, content_type=JSON)
        return _written(reply)

    async def _patch(self, call: Call, namespace: str, name: str, patch: Any, content_type: str) -> Written:
        path = _path(call, namespace, name)
        return _written(await self._transport.ask(call, path, body=patch, content_type=content_type))

    async def _delete(self, call: Call, namespace: str, name: str, uid: str) -> Written:
        options = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        reply = await self._transport.ask(call, _path(call, namespace, name), body=options, content_type=JSON)
        written = _written(reply)
        return Written(written.outcome, written.message, code=written.code)


def gate_body(ref: RolloutRef, rollout_uid: str) -> dict[str, Any]:
    """Compose a new CanaryGate, which goes with its Rollout and does not keep it from going."""
    return {
        "apiVersion": kinds.CANARY_GATES.api_version,
        "kind": kinds.CANARY_GATES.kind,
        "metadata": {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": {MANAGED_BY: OURS},
            "ownerReferences": [owner_reference(ref, rollout_uid)],
        },
    }


def parse_lease(body: Body) -> LeaseRecord:
    """Read a Lease; one without a duration is over at once."""
    spec = body.get("spec") or {}
    return LeaseRecord(
        holder=str(spec.get("holderIdentity") or ""),
        renewed=str(spec.get("renewTime") or ""),
        acquired=str(spec.get("acquireTime") or ""),
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        version=body["metadata"]["resourceVersion"],
    )


def lease_body(namespace: str, name: str, record: LeaseRecord) -> dict[str, Any]:
    """Compose a Lease. Its duration has whole seconds, so a part of one is a whole one to the others."""
    meta = {"name": name, "namespace": namespace, "labels": {MANAGED_BY: OURS}}
    spec = {
        "holderIdentity": record.holder,
        "renewTime": record.renewed,
        "acquireTime": record.acquired,
        "leaseDurationSeconds": math.ceil(record.duration),
        "leaseTransitions": record.transitions,
    }
    version = {"resourceVersion": record.version} if record.version else {}
    kind = {"apiVersion": kinds.LEASES.api_version, "kind": kinds.LEASES.kind}
    return {**kind, "metadata": {**meta, **version}, "spec": spec}


def owner_reference(ref: RolloutRef, uid: str) -> dict[str, Any]:
    """Refer to the Rollout as an owner that does not control: Argo competes for what it controls."""
    return {
        "apiVersion": kinds.ROLLOUTS.api_version,
        "kind": kinds.ROLLOUTS.kind,
        "name": ref.name,
        "uid": uid,
        "controller": False,
        "blockOwnerDeletion": False,
    }


def _path(call: Call, namespace: str | None, name: str = "") -> str:
    return call.resource.path(namespace and quote(namespace, safe=""), quote(name, safe=""), call.subresource)


def _selecting(labels: Mapping[str, str], *present: str) -> Query:
    terms = [*present, *(f"{key}={value}" for key, value in sorted(labels.items()))]
    return [("labelSelector", ",".join(terms))] if terms else []


def _granted(call: Call, reply: Reply) -> Reply:
    if not reply.ok:
        raise ClusterRefused(f"{call.verb.value} {call.resource.plural}: {reply.message}")
    return reply


def _written(reply: Reply) -> Written:
    if reply.ok:
        return Written(Outcome.APPLIED, body=reply.document, code=reply.status)
    if _is_gone(reply):
        return Written(Outcome.GONE, reply.message, code=reply.status)
    if reply.status == 409 or _is_failed_test(reply):
        return Written(Outcome.STALE, reply.message, code=reply.status)
    return Written(Outcome.REFUSED, reply.message, code=reply.status)


def _is_gone(reply: Reply) -> bool:
    # A kind or subresource that is not served is 404 too, but then no object is named.
    details = reply.document.get("details") or {}
    return reply.status == 404 and bool(details.get("name"))


def _is_failed_test(reply: Reply) -> bool:
    # A patch whose result breaks the schema is 422 too, and then names the fields: a mistake of ours, not a race.
    causes = (reply.document.get("details") or {}).get("causes") or ()
    return reply.status == 422 and not any(cause.get("field") for cause in causes)
