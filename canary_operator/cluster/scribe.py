"""Showing what was decided: the CanaryGate, Events, AnalysisRuns.

Law: bodies come from journal/.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api, Written
from canary_operator.cluster.snapshot import gate_status
from canary_operator.cluster.store import Store
from canary_operator.engine.judged import JudgedMetric, judged_metrics
from canary_operator.errors import ClusterError, ClusterRefused, ConfigurationError
from canary_operator.journal import analysis_run, events
from canary_operator.model.decision import Outcome, Snapshot
from canary_operator.model.gate import Condition, GateStatus, PauseStatus
from canary_operator.model.pods import POD_HASH_LABEL
from canary_operator.model.rollout import Body, RolloutRef

log = structlog.get_logger()

# A gate whose spec changes between reading and writing more often than this is judged again first.
_ATTEMPTS = 3
# All runs of the current release are shown, within reason: Argo reads them all, and a release can be retried for ever.
KEPT_RUNS_OF_RELEASE = 50

_REVISION = "rollout.argoproj.io/revision"


class Scribe:
    """Writes our own kinds, and tells the store what it has written.

    ``link`` says the address of a gate's page, empty where there is none.
    """

    def __init__(self, api: Api, store: Store, link: Callable[[RolloutRef], str]) -> None:
        self._api = api
        self._store = store
        self._link = link

    async def remember(self, snapshot: Snapshot, status: GateStatus, over: GateStatus) -> None:
        """Write the status of the Rollout's CanaryGate, and create the gate where there is none.

        What stands there must be what was judged, or ``over``, which the same look may have written before: another
        replica that leads by now, or a write of ours whose reply was lost, is read and not overwritten.

        Raises:

            ClusterRefused: if the API server does not take it, or something else stands there.
        """
        ref, uid = snapshot.rollout.ref, snapshot.rollout.fence.uid
        gate = self._store.gate(ref)
        if gate is None or not _is_owned(gate, uid):
            gate = self._kept(await self._api.create_gate(ref, uid))
        for _ in range(_ATTEMPTS):
            if gate_status(gate) not in (snapshot.status, over, status):
                break
            written = await self._api.replace_gate_status(ref, gate, status)
            if written.outcome is not Outcome.STALE:
                self._kept(written)
                return
            # A person may have changed what the gate is told, its spec; the status then stands as it was.
            gate = await self._read_again(ref)
        raise ClusterRefused(f"CanaryGate {ref}: its status is not the one that was judged: it is judged again")

    async def _read_again(self, ref: RolloutRef) -> Body:
        gate = await self._api.get_gate(ref)
        if gate is None:
            raise ClusterRefused(f"CanaryGate {ref} is gone")
        self._store.put(kinds.CANARY_GATES, gate)
        return gate

    def _kept(self, written: Written) -> Body:
        if written.body is None:
            raise ClusterRefused(f"CanaryGate: {written.outcome.value}: {written.message}")
        self._store.put(kinds.CANARY_GATES, written.body)
        return written.body

    async def tell(self, ref: RolloutRef, status: GateStatus, now: float) -> None:
        """Post the Event of a changed verdict; an equal one is renewed. Nothing else waits for one that cannot be."""
        await self._post(ref, events.verdict_event(ref, status, now, self._link(ref)))

    async def caution(self, ref: RolloutRef, status: GateStatus, caution: Condition, now: float) -> None:
        """Post the Event of a caution, as that of a verdict."""
        await self._post(ref, events.caution_event(ref, status, caution, now, self._link(ref)))

    async def _post(self, ref: RolloutRef, event: Mapping[str, Any]) -> None:
        try:
            written = await self._posted(ref.namespace, event)
        except ClusterError as error:
            log.warning("event_not_posted", rollout=str(ref), error=type(error).__name__, message=str(error))
            return
        if written.outcome is not Outcome.APPLIED:
            log.warning("event_not_posted", rollout=str(ref), outcome=written.outcome.value, message=written.message)

    async def _posted(self, namespace: str, event: Mapping[str, Any]) -> Written:
        written = await self._api.create_event(namespace, dict(event))
        return await self._renew(namespace, event) if written.outcome is Outcome.STALE else written

    async def _renew(self, namespace: str, event: Mapping[str, Any]) -> Written:
        # The first patch tells how often the Event was seen: the operator may not read Events.
        name, again = event["metadata"]["name"], {key: event[key] for key in ("message", "lastTimestamp", "type")}
        written = await self._api.patch_event(namespace, name, again)
        if written.body is None:
            return written
        return await self._api.patch_event(namespace, name, {"count": int(written.body.get("count") or 1) + 1})

    async def show(self, snapshot: Snapshot, status: GateStatus, now: float) -> GateStatus:
        """Create or update the AnalysisRun of the judged pause. Returns the status with the run's name."""
        pause, ref = status.pause, snapshot.rollout.ref
        assert pause is not None
        try:
            return await self._shown(snapshot, status, pause, now)
        except ClusterError as error:
            # What is only shown never stops what is judged and done; the next change shows it again.
            log.warning("analysis_run_not_written", rollout=str(ref), message=str(error))
            return status

    async def _shown(self, snapshot: Snapshot, status: GateStatus, pause: PauseStatus, now: float) -> GateStatus:
        ref = snapshot.rollout.ref
        content = analysis_run.run_content(status, _metrics(snapshot), now, self._link(ref))
        if pause.analysis_run:
            written = await self._api.patch_analysis_run(ref.namespace, pause.analysis_run, content)
            if written.outcome is not Outcome.GONE:
                self._complain(ref, written)
                return status
        name = await self._create_run(ref, status, content)
        return status.model_copy(update={"pause": pause.model_copy(update={"analysis_run": name})})

    async def _create_run(self, ref: RolloutRef, status: GateStatus, content: Mapping[str, Any]) -> str:
        meta = analysis_run.run_metadata(ref, status)
        runs = {body["metadata"]["name"]: body for body in await self._own_runs(ref, status)}
        name = _free_name(analysis_run.run_name(ref, status), analysis_run.pause_key(status), runs)
        if name in runs:
            written = await self._api.patch_analysis_run(ref.namespace, name, content)
        else:
            body = {"apiVersion": kinds.ANALYSIS_RUNS.api_version, "kind": kinds.ANALYSIS_RUNS.kind, **content}
            written = await self._api.create_analysis_run(ref.namespace, {**body, "metadata": {**meta, "name": name}})
        self._complain(ref, written)
        for run in _superfluous(list(runs.values()), meta):
            await self._api.delete_analysis_run(ref.namespace, run["metadata"]["name"], run["metadata"]["uid"])
        return name

    async def _own_runs(self, ref: RolloutRef, status: GateStatus) -> list[Body]:
        assert status.rollout is not None
        runs = await self._api.list_analysis_runs(ref.namespace, {analysis_run.ROLLOUT_LABEL: status.rollout.uid})
        return list(runs)

    def _complain(self, ref: RolloutRef, written: Written) -> None:
        if written.outcome is not Outcome.APPLIED:
            log.warning(
                "analysis_run_not_written", rollout=str(ref), outcome=written.outcome.value, message=written.message
            )


def _superfluous(runs: list[Body], new: Mapping[str, Any]) -> list[Body]:
    """The runs to delete beside a new one: old ones, but for those of the release that the new one belongs to."""
    newest_first = sorted(runs, key=lambda run: str(run["metadata"]["creationTimestamp"]), reverse=True)
    return [
        run
        for older, run in enumerate(newest_first, start=1)
        if older >= (KEPT_RUNS_OF_RELEASE if _release(run["metadata"]) == _release(new) else analysis_run.KEPT_RUNS)
    ]


def _release(meta: Mapping[str, Any]) -> tuple[str, str]:
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    return labels.get(POD_HASH_LABEL) or "", annotations.get(_REVISION) or ""


def _free_name(wanted: str, key: str, runs: Mapping[str, Body]) -> str:
    """The name of the run of this very pause, else the first that is free: a retried release pauses here again."""
    for name, body in runs.items():
        same_pause = (body["metadata"].get("annotations") or {}).get(analysis_run.PAUSE_ANNOTATION) == key
        if same_pause and re.sub(r"\.\d+$", "", name) == wanted:
            return name
    name, number = wanted, 1
    while name in runs:
        number += 1
        name = f"{wanted}.{number}"
    return name


def _metrics(snapshot: Snapshot) -> tuple[JudgedMetric, ...]:
    try:
        return judged_metrics(snapshot)
    except ConfigurationError:
        return ()


def _is_owned(gate: Body, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in gate["metadata"].get("ownerReferences") or ())
