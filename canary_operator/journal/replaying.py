"""Deciding again what a record says was decided, from the inputs that it keeps.

Law: pure. Only the reply of the API server is taken from the record; everything else is computed and compared.
"""

from dataclasses import dataclass
from typing import Any

import canary_operator
from canary_operator import engine
from canary_operator.engine import memory
from canary_operator.errors import ConfigurationError
from canary_operator.journal import exact, occasions
from canary_operator.journal.inputs import Inputs, unpack
from canary_operator.journal.records import Origin, decision_record, signed
from canary_operator.model.decision import Applied, Outcome
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec, RecordedAction

_MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Identical:
    """Every field of the record and its hash were computed again.

    ``other_version`` is the version of the operator that wrote it, where that is not the one that replays; else "".
    """

    other_version: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """A field whose recorded value is not the one that was computed; both as JSON, cut."""

    field: str
    recorded: str
    computed: str


@dataclass(frozen=True, slots=True)
class Differs:
    """The record says something else than what follows from its inputs."""

    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class NotReplayable:
    """The record does not keep what it would take, and why."""

    why: str


Replayed = Identical | Differs | NotReplayable


def replay(record: GateDecisionSpec) -> Replayed:
    """Compute a record again, and compare it field by field."""
    try:
        inputs = unpack(record.inputs)
    except ConfigurationError as error:
        return NotReplayable(str(error))
    status = _status_after(inputs, record)
    if record.action is None and not occasions.is_new_verdict(inputs.snapshot.status, status):
        return Differs((Difference("verdict", "changed", "not changed"),))
    again = _recorded(inputs, status, record)
    differences = tuple(_differences(record, again))
    if differences:
        return Differs(differences)
    return Identical("" if record.operator_version == canary_operator.__version__ else record.operator_version)


def _status_after(inputs: Inputs, record: GateDecisionSpec) -> GateStatus:
    """What the gate said after the look, at the place in the chain that the record has."""
    decision = engine.decide(inputs.snapshot, inputs.samples, inputs.now)
    status = decision.status
    if decision.action is not None and record.action is not None:
        status = memory.concluded(status, _reply(record.action))
    return status.model_copy(update={"sequence": record.sequence - 1, "record_hash": record.previous_hash})


def _reply(action: RecordedAction) -> Applied:
    return Applied(Outcome(action.outcome), action.message, action.code)


def _recorded(inputs: Inputs, status: GateStatus, record: GateDecisionSpec) -> GateDecisionSpec:
    action = None if record.action is None else occasions.new_action(inputs.snapshot.status, status)
    origin = Origin(record.configuration, record.operator_version)
    again = decision_record(inputs, status, action, origin)
    same_text = (again.inputs.digest, again.inputs.size) == (record.inputs.digest, record.inputs.size)
    # Another zlib may compress the same text to other bytes.
    return signed(again.model_copy(update={"inputs": record.inputs})) if same_text else again


def _differences(record: GateDecisionSpec, again: GateDecisionSpec) -> list[Difference]:
    recorded, computed = (each.model_dump(mode="json", by_alias=True) for each in (record, again))
    return [
        Difference(name, _shown(recorded[name]), _shown(computed[name]))
        for name in recorded
        if recorded[name] != computed[name]
    ]


def _shown(value: Any) -> str:
    text = exact.canonical(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"
