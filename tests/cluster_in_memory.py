"""An API server in memory, as far as the cycle needs one; it keeps the promises of cluster/api.py."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any

import jsonpatch

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Lack, Written, gate_body
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterRefused, ClusterUnavailable
from canary_operator.model.decision import Applied, Outcome
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef

Body = dict[str, Any]


class ClusterInMemory:
    """Objects by plural and name. What is in ``broken`` cannot be asked, what is in ``refused`` may not be, and what is
    in ``hanging`` never answers; every call is noted in ``calls``.

    ``forbidden`` holds plurals of kinds that may not be read, ``missing`` those that are not installed; ``created`` is
    when new objects are created.
    """

    def __init__(self, store: Store) -> None:
        self.objects: dict[str, dict[str, Body]] = {}
        self.calls: list[str] = []
        self.broken: set[str] = set()
        self.refused: set[str] = set()
        self.hanging: set[str] = set()
        self.forbidden: set[str] = set()
        self.missing: set[str] = set()
        self.created = "2026-09-14T10:00:00Z"
        self._store = store
        self._version = 100

    def put(self, kind: Resource, body: Body, *, told: bool = True) -> Body:
        """Store an object; the watch tells it at once."""
        self._version += 1
        body["metadata"] = {"uid": f"uid-{body['metadata']['name']}", "generation": 1, **body["metadata"]}
        body["metadata"] |= {"resourceVersion": str(self._version)}
        body["metadata"].setdefault("creationTimestamp", self.created)
        self.objects.setdefault(kind.plural, {})[body["metadata"]["name"]] = body
        if told:
            self._store.put(kind, copy.deepcopy(body))
        return body

    def all(self, kind: Resource) -> list[Body]:
        return list(self.objects.get(kind.plural, {}).values())

    def _labelled(self, kind: Resource, labels: Mapping[str, str] | None) -> list[Body]:
        wanted = (labels or {}).items()
        return [body for body in self.all(kind) if wanted <= (body["metadata"].get("labels") or {}).items()]

    def _asked(self, call: str) -> None:
        self.calls.append(call)
        if call in self.broken:
            raise ClusterUnavailable(call)

    async def _read(self, call: str) -> None:
        self._asked(call)
        if call in self.refused:
            raise ClusterRefused(call)
        await self._answered(call)

    async def _answered(self, call: str) -> None:
        if call in self.hanging:
            await asyncio.Event().wait()

    async def _create(self, call: str, kind: Resource, body: Mapping[str, Any]) -> Written:
        self._asked(call)
        await self._answered(call)
        if call in self.refused:
            return Written(Outcome.REFUSED, "403: forbidden")
        known = self.objects.get(kind.plural, {}).get(body["metadata"]["name"])
        if known is not None:
            return Written(Outcome.STALE, "already exists", known)
        return Written(Outcome.APPLIED, body=self.put(kind, copy.deepcopy(dict(body)), told=False))

    async def get_rollout(self, ref: RolloutRef) -> Body | None:
        await self._read("get_rollout")
        return copy.deepcopy(self.objects["rollouts"].get(ref.name))

    async def patch_rollout_status(self, ref: RolloutRef, json_patch: list[Body]) -> Applied:
        self._asked("patch_rollout_status")
        try:
            body = jsonpatch.apply_patch(self.objects["rollouts"][ref.name], json_patch)
        except jsonpatch.JsonPatchTestFailed:
            return Applied(Outcome.STALE)
        self.put(kinds.ROLLOUTS, body)
        return Applied(Outcome.APPLIED)

    async def list_replica_sets(self, namespace: str, labels: Mapping[str, str]) -> tuple[Body, ...]:
        await self._read("list_replica_sets")
        return tuple(self.all(kinds.REPLICA_SETS))

    async def pods(self, namespace: str) -> AsyncIterator[Body]:
        await self._read("pods")
        for body in self.all(kinds.PODS):
            yield body

    async def get_definition(self, resource: Resource, namespace: str, name: str) -> Body | Lack:
        self._asked("get_definition")
        if resource.plural in self.missing | self.forbidden:
            return Lack.KIND if resource.plural in self.missing else Lack.RIGHT
        return self.objects.get(resource.plural, {}).get(name, Lack.OBJECT)

    async def create_gate(self, ref: RolloutRef, rollout_uid: str) -> Written:
        return await self._create("create_gate", kinds.CANARY_GATES, gate_body(ref, rollout_uid))

    async def get_gate(self, ref: RolloutRef) -> Body | None:
        self._asked("get_gate")
        return copy.deepcopy(self.objects["canarygates"].get(ref.name))

    async def replace_gate_status(self, ref: RolloutRef, known: Body, status: GateStatus) -> Written:
        self._asked("replace_gate_status")
        await self._answered("replace_gate_status")
        if "replace_gate_status" in self.refused:
            return Written(Outcome.REFUSED, "403: forbidden")
        gate = copy.deepcopy(self.objects["canarygates"][ref.name])
        if known["metadata"]["resourceVersion"] != gate["metadata"]["resourceVersion"]:
            return Written(Outcome.STALE, "422: the server rejected our request")
        gate["status"] = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        return Written(Outcome.APPLIED, body=self.put(kinds.CANARY_GATES, gate, told=False))

    async def create_decision(self, namespace: str, body: Body) -> Written:
        return await self._create("create_decision", kinds.GATE_DECISIONS, body)

    async def list_decisions(self, namespace: str, labels: Any = None) -> tuple[Body, ...]:
        await self._read("list_decisions")
        return tuple(self._labelled(kinds.GATE_DECISIONS, labels))

    async def delete_decision(self, namespace: str, name: str, uid: str) -> Written:
        del self.objects["gatedecisions"][name]
        return Written(Outcome.APPLIED)

    async def create_event(self, namespace: str, body: Body) -> Written:
        return await self._create("create_event", kinds.EVENTS, body)

    async def patch_event(self, namespace: str, name: str, merge_patch: Body) -> Written:
        self._asked("patch_event")
        self.objects["events"][name] |= merge_patch
        return Written(Outcome.APPLIED, body=self.objects["events"][name])

    async def list_analysis_runs(self, namespace: str, labels: Any = None) -> tuple[Body, ...]:
        await self._read("list_analysis_runs")
        return tuple(self._labelled(kinds.ANALYSIS_RUNS, labels))

    async def create_analysis_run(self, namespace: str, body: Body) -> Written:
        return await self._create("create_analysis_run", kinds.ANALYSIS_RUNS, body)

    async def patch_analysis_run(self, namespace: str, name: str, merge_patch: Body) -> Written:
        self._asked("patch_analysis_run")
        if name not in self.objects.get("analysisruns", {}):
            return Written(Outcome.GONE, "404: not found")
        self.objects["analysisruns"][name] |= merge_patch
        return Written(Outcome.APPLIED)

    async def delete_analysis_run(self, namespace: str, name: str, uid: str) -> Written:
        del self.objects["analysisruns"][name]
        return Written(Outcome.APPLIED)
