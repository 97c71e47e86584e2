"""Every look of a scenario is decided again from what a record of it keeps, and every record is replayed."""

from canary_operator import engine
from canary_operator.journal import occasions
from canary_operator.journal.inputs import Inputs, pack, unpack
from canary_operator.journal.records import Origin, decision_record
from canary_operator.journal.replaying import Identical, replay
from canary_operator.model.decision import Decision
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec

ORIGIN = Origin("configuration")


def decides_again(inputs: Inputs, decision: Decision) -> None:
    again = unpack(pack(inputs))
    assert engine.decide(again.snapshot, again.samples, again.now) == decision


def recorded(inputs: Inputs, status: GateStatus) -> tuple[GateDecisionSpec, ...]:
    """The records of a look as the API server gives them back; each is replayed."""
    before = inputs.snapshot.status
    told = [None] if occasions.is_new_verdict(before, status) else []
    action = occasions.new_action(before, status)
    records = []
    for each in [*told, *([action] if action is not None else [])]:
        record = decision_record(inputs, status, each, ORIGIN)
        stored = GateDecisionSpec.model_validate_json(record.model_dump_json(by_alias=True, exclude_none=True))
        assert replay(stored) == Identical()
        status = status.model_copy(update={"sequence": record.sequence, "record_hash": record.hash})
        records.append(record)
    return tuple(records)
