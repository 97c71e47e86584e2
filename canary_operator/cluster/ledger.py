"""The chain of GateDecisions of each Rollout: adding to it, going on with it after a crash, deleting its beginning.

Law: records come from journal/. One that was already there is as good as one that was just written. Nothing is
deleted before the gate's status says so, nor before every sink has it.
"""

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

import pydantic
import structlog

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.errors import ClusterRefused
from canary_operator.journal import records
from canary_operator.journal.inputs import Inputs
from canary_operator.journal.records import Origin
from canary_operator.model.decision import Outcome
from canary_operator.model.gate import GateStatus, Retired
from canary_operator.model.record import GateDecisionSpec, RecordedAction
from canary_operator.model.rollout import Body, RolloutRef
from canary_operator.model.sink import Sink

log = structlog.get_logger()

UID_LABEL = "canary-operator.io/rollout-uid"
# Old records are deleted a batch at a time, because finding them means listing all.
RETIRED_EVERY = 25
# What one interrupted cycle can have recorded and not remembered: a verdict and an action.
LEFT_BEHIND = 2


class Ledger:
    """Writes GateDecisions.

    Args:

        keep: how many records of a Rollout are kept at least; up to twice ``RETIRED_EVERY`` more are there.

        sinks: who else keeps records. They are told of each, and none is deleted that one of them does not have.
    """

    def __init__(self, api: Api, origin: Origin, keep: int, sinks: Sequence[Sink] = ()) -> None:
        self._api = api
        self._origin = origin
        self._keep = keep
        self._sinks = sinks

    async def record(self, inputs: Inputs, status: GateStatus, action: RecordedAction | None) -> GateStatus:
        """Add a GateDecision to the gate's chain. Returns the status with the new head of the chain.

        What a crash has left behind, recorded but not remembered, is caught up with first and not told twice. A gate
        that was deleted goes on with the chain it had, of which the first records may be gone.

        Raises:

            ClusterError: if the records cannot be read or written.
        """
        ref = inputs.snapshot.rollout.ref
        wanted = records.decision_record(inputs, status, action, self._origin)
        if status.sequence > 0:
            added = await self._add(ref, status, wanted)
            if added is not None:
                return added
        status, told = await self._catch_up(ref, status, wanted)
        if told:
            return status
        added = await self._add(ref, status, records.linked(wanted, status))
        if added is None:
            raise ClusterRefused(f"GateDecision {status.sequence + 1} of {ref} cannot be found")
        return added

    async def _add(self, ref: RolloutRef, status: GateStatus, record: GateDecisionSpec) -> GateStatus | None:
        """The status with the new head of the chain; None where its place is taken."""
        written = await self._api.create_decision(ref.namespace, _body(ref, record))
        if written.outcome is Outcome.STALE:
            return None
        if written.outcome is not Outcome.APPLIED:
            log.error("decision_not_recorded", rollout=str(ref), outcome=written.outcome.value, message=written.message)
            return status
        for sink in self._sinks:
            sink.keep(ref, record)
        added = _at_head(status, record.sequence, record.hash)
        return await self._retire(ref, added, record) if record.sequence % RETIRED_EVERY == 0 else added

    async def _catch_up(self, ref: RolloutRef, status: GateStatus, wanted: GateDecisionSpec) -> tuple[GateStatus, bool]:
        """The status with the head of the stored chain, or with the record that tells already what is wanted."""
        stored = await self._stored(ref, wanted.rollout.uid)
        known = _with_beginning(status, stored)
        ahead = [body["spec"] for body in stored if _sequence(body) > status.sequence]
        for spec in ahead[-LEFT_BEHIND:]:
            # A crash may have come before the sinks were told.
            _tell(self._sinks, ref, spec)
            if _tells_the_same(spec, wanted):
                return _at_head(known, spec["sequence"], spec["hash"]), True
        return (_at_head(known, ahead[-1]["sequence"], ahead[-1]["hash"]) if ahead else known), False

    async def _stored(self, ref: RolloutRef, uid: str) -> list[Body]:
        """The GateDecisions of the Rollout's chain, oldest first."""
        bodies = await self._api.list_decisions(ref.namespace, {UID_LABEL: uid})
        return sorted((body for body in bodies if body["spec"]["rollout"]["uid"] == uid), key=_sequence)

    async def _retire(self, ref: RolloutRef, status: GateStatus, newest: GateDecisionSpec) -> GateStatus:
        """Delete what the gate's status gives up already, and say in it what is given up next.

        The status is remembered after this, so that at any moment the chain is as long as it says, or longer.
        """
        stored = await self._stored(ref, newest.rollout.uid)
        given_up = status.retired.sequence if status.retired is not None else 0
        for body in takewhile(lambda each: _sequence(each) <= given_up, stored):
            await self._api.delete_decision(ref.namespace, body["metadata"]["name"], body["metadata"]["uid"])
        old = [body for body in stored if given_up < _sequence(body) <= newest.sequence - self._keep]
        # All are asked for, also behind one that is not safe: a sink is told again of each that it lacks.
        asked = [(body, self._is_safe(ref, body)) for body in old]
        safe = [_place(body) for body, is_safe in takewhile(lambda each: each[1], asked)]
        return status.model_copy(update={"retired": safe[-1] if safe else status.retired})

    def _is_safe(self, ref: RolloutRef, body: Body) -> bool:
        """Whether every sink has this record; one that has not is told again."""
        lacking = [sink for sink in self._sinks if not sink.is_kept(body["spec"]["rollout"]["uid"], _sequence(body))]
        _tell(lacking, ref, body["spec"])
        return not lacking


def _tell(sinks: Sequence[Sink], ref: RolloutRef, spec: Body) -> None:
    if not sinks:
        return
    try:
        record = GateDecisionSpec.model_validate(spec)
    except pydantic.ValidationError as error:
        # Written by another version; what cannot be kept is not deleted either.
        log.warning("decision_unreadable", rollout=str(ref), sequence=spec["sequence"], message=str(error)[:500])
        return
    for sink in sinks:
        sink.keep(ref, record)


def _sequence(body: Body) -> int:
    return int(body["spec"]["sequence"])


def _place(body: Body) -> Retired:
    return Retired(sequence=_sequence(body), hash=body["spec"]["hash"])


def _at_head(status: GateStatus, sequence: int, record_hash: str) -> GateStatus:
    return status.model_copy(update={"sequence": sequence, "record_hash": record_hash})


def _with_beginning(status: GateStatus, stored: Sequence[Body]) -> GateStatus:
    """The status that says where the chain begins: a gate that was deleted has forgotten it."""
    if status.retired is not None or not stored or _sequence(stored[0]) == 1:
        return status
    before = Retired(sequence=_sequence(stored[0]) - 1, hash=stored[0]["spec"]["previousHash"])
    return status.model_copy(update={"retired": before})


def _tells_the_same(stored: Mapping[str, Any], record: GateDecisionSpec) -> bool:
    """Whether a stored record tells this action, or without one this verdict; times and sentences may differ."""
    action = stored.get("action")
    if action is None or record.action is None:
        told = (stored.get("verdict"), stored["reason"])
        return action is None and record.action is None and told == (record.verdict, record.reason)
    return (action["decisionId"], action["outcome"]) == (record.action.decision_id, record.action.outcome)


def _body(ref: RolloutRef, record: GateDecisionSpec) -> dict[str, Any]:
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
