"""Writing down what was decided: the CanaryGate, the chain of GateDecisions, Events, AnalysisRuns.

Law: bodies come from journal/. A record that was already there is as good as one that was just written.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api, Written
from canary_operator.cluster.store import Store
from canary_operator.engine.judged import JudgedMetric, judged_metrics
from canary_operator.errors import ClusterError, ClusterRefused, ConfigurationError
from canary_operator.journal import analysis_run, events, records
from canary_operator.model.decision import Outcome, Snapshot
from canary_operator.model.gate import GateStatus, PauseStatus
from canary_operator.model.pods import POD_HASH_LABEL
from canary_operator.model.record import GateDecisionSpec, RecordedAction
from canary_operator.model.rollout import Body, RolloutRef
from canary_operator.model.sink import Sink

log = structlog.get_logger()

# GateDecisions of one Rollout beyond this many are deleted, oldest first, a batch at a time.
KEPT_DECISIONS = 500
_PRUNE_EVERY = 50
# What one interrupted cycle can have recorded and not remembered: a verdict and an action.
_LEFT_BEHIND = 2
# All runs of the current release are shown, within reason: Argo reads them all, and a release can be retried for ever.
KEPT_RUNS_OF_RELEASE = 50

UID_LABEL = "canary-operator.io/rollout-uid"
_REVISION = "rollout.argoproj.io/revision"


class Scribe:
    """Writes our own kinds, and tells the store what it has written.

    ``link`` says the address of a gate's page, empty where there is none. ``sinks`` are told of every record, and
    none is deleted that one of them does not have.
    """

    def __init__(self, api: Api, store: Store, link: Callable[[RolloutRef], str], sinks: Sequence[Sink] = ()) -> None:
        self._api = api
        self._store = store
        self._link = link
        self._sinks = sinks

    async def remember(self, snapshot: Snapshot, status: GateStatus) -> None:
        """Write the status of the Rollout's CanaryGate, and create the gate where there is none.

        Raises:

            ClusterRefused: if the API server does not take it.
        """
        ref, uid = snapshot.rollout.ref, snapshot.rollout.fence.uid
        gate = self._store.gate(ref)
        if gate is None or not _is_owned(gate, uid):
            gate = self._kept(await self._api.create_gate(ref, uid))
        self._kept(await self._api.replace_gate_status(ref, gate["metadata"]["uid"], status))

    def _kept(self, written: Written) -> Body:
        if written.body is None:
            raise ClusterRefused(f"CanaryGate: {written.outcome.value}: {written.message}")
        self._store.put(kinds.CANARY_GATES, written.body)
        return written.body

    async def record(
        self, snapshot: Snapshot, status: GateStatus, now: float, action: RecordedAction | None
    ) -> GateStatus:
        """Add a GateDecision to the gate's chain. Returns the status with the new head of the chain.

        What a crash has left behind, recorded but not remembered, is caught up with first and not told twice. A gate
        that was deleted goes on with the chain it had, of which the first records may be gone.

        Raises:

            ClusterError: if the records cannot be read or written.
        """
        if status.sequence > 0:
            added = await self._add(snapshot, status, now, action)
            if added is not None:
                return added
        wanted = records.decision_record(snapshot, status, now, action)
        status, told = await self._catch_up(snapshot.rollout.ref, status, wanted)
        if told:
            return status
        added = await self._add(snapshot, status, now, action)
        if added is None:
            raise ClusterRefused(f"GateDecision {status.sequence + 1} of {snapshot.rollout.ref} cannot be found")
        return added

    async def _add(
        self, snapshot: Snapshot, status: GateStatus, now: float, action: RecordedAction | None
    ) -> GateStatus | None:
        """The status with the new head of the chain; None where its place is taken."""
        ref = snapshot.rollout.ref
        record = records.decision_record(snapshot, status, now, action)
        written = await self._api.create_decision(ref.namespace, _decision_body(ref, record))
        if written.outcome is Outcome.STALE:
            return None
        if written.outcome is not Outcome.APPLIED:
            log.error("decision_not_recorded", rollout=str(ref), outcome=written.outcome.value, message=written.message)
            return status
        self._tell_sinks(ref, record)
        if record.sequence % _PRUNE_EVERY == 0:
            await self._prune(ref, record.rollout.uid, record.sequence - KEPT_DECISIONS)
        return _at_head(status, record.sequence, record.hash)

    async def _catch_up(self, ref: RolloutRef, status: GateStatus, wanted: GateDecisionSpec) -> tuple[GateStatus, bool]:
        """The status with the head of the stored chain, or with the record that tells already what is wanted."""
        stored = [body["spec"] for body in await self._stored(ref, wanted.rollout.uid)]
        ahead = sorted(
            (spec for spec in stored if spec["sequence"] > status.sequence), key=lambda spec: spec["sequence"]
        )
        for spec in ahead[-_LEFT_BEHIND:]:
            # A crash may have come before the sinks were told.
            self._tell_sinks(ref, GateDecisionSpec.model_validate(spec))
            if _tells_the_same(spec, wanted):
                return _at_head(status, spec["sequence"], spec["hash"]), True
        return (_at_head(status, ahead[-1]["sequence"], ahead[-1]["hash"]) if ahead else status), False

    async def _stored(self, ref: RolloutRef, uid: str) -> list[Body]:
        bodies = await self._api.list_decisions(ref.namespace, {UID_LABEL: uid})
        return [body for body in bodies if body["spec"]["rollout"]["uid"] == uid]

    async def _prune(self, ref: RolloutRef, uid: str, newest: int) -> None:
        old = [body for body in await self._stored(ref, uid) if body["spec"]["sequence"] <= newest]
        for body in self._kept_elsewhere(ref, sorted(old, key=_sequence)):
            await self._api.delete_decision(ref.namespace, body["metadata"]["name"], body["metadata"]["uid"])

    def _kept_elsewhere(self, ref: RolloutRef, old: Iterable[Body]) -> Iterable[Body]:
        """The records, oldest first, up to the first that a sink does not have; it is told of that one again."""
        for body in old:
            record = GateDecisionSpec.model_validate(body["spec"])
            lacking = [sink for sink in self._sinks if not sink.is_kept(record.rollout.uid, record.sequence)]
            if lacking:
                for sink in lacking:
                    sink.keep(ref, record)
                return
            yield body

    def _tell_sinks(self, ref: RolloutRef, record: GateDecisionSpec) -> None:
        for sink in self._sinks:
            sink.keep(ref, record)

    async def tell(self, ref: RolloutRef, status: GateStatus, now: float) -> None:
        """Post the Event of a changed verdict; an equal one is renewed."""
        event = dict(events.verdict_event(ref, status, now, self._link(ref)))
        written = await self._api.create_event(ref.namespace, event)
        if written.outcome is Outcome.STALE:
            written = await self._renew(ref.namespace, event)
        if written.outcome is not Outcome.APPLIED:
            log.warning("event_not_posted", rollout=str(ref), outcome=written.outcome.value, message=written.message)

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


def _at_head(status: GateStatus, sequence: int, record_hash: str) -> GateStatus:
    return status.model_copy(update={"sequence": sequence, "record_hash": record_hash})


def _tells_the_same(stored: Mapping[str, Any], record: GateDecisionSpec) -> bool:
    """Whether a stored record tells this action, or without one this verdict; times and sentences may differ."""
    action = stored.get("action")
    if action is None or record.action is None:
        told = (stored.get("verdict"), stored["reason"])
        return action is None and record.action is None and told == (record.verdict, record.reason)
    return (action["decisionId"], action["outcome"]) == (record.action.decision_id, record.action.outcome)


def _sequence(body: Body) -> int:
    return int(body["spec"]["sequence"])


def _is_owned(gate: Body, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in gate["metadata"].get("ownerReferences") or ())


def _decision_body(ref: RolloutRef, record: GateDecisionSpec) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GATE_DECISIONS.api_version,
        "kind": kinds.GATE_DECISIONS.kind,
        "metadata": {
            "name": records.record_name(ref, record),
            "namespace": ref.namespace,
            "labels": {
                "app.kubernetes.io/managed-by": "canary-operator",
                UID_LABEL: record.rollout.uid,
            },
        },
        "spec": record.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
