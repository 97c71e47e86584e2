"""Whether the records of one Rollout are the chain that was written: nothing changed, missing, moved or put in.

Law: pure. A record shows by its hash that it is as it was, the next one that it stands where it stood; where the chain
begins and ends only the gate's status says.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pydantic

from canary_operator.journal import records
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef


@dataclass(frozen=True, slots=True)
class Stored:
    """A record where it was found: the name of its object and its spec, of whatever kind that is."""

    ref: RolloutRef
    name: str
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong at one place of the chain, as a sentence; place 0 is one that cannot be read.

    ``beyond`` is true of records after the one that the gate remembers: a cycle that is under way has left them, or
    was cut off, or somebody else.
    """

    place: int
    sentence: str
    beyond: bool = False


def flaws(stored: Sequence[Stored], gate: GateStatus | None) -> tuple[Flaw, ...]:
    """Everything that is wrong with the records of one Rollout; in any order, none means that the chain holds.

    Args:

        gate: the status of the Rollout's CanaryGate; None where there is none, so that nobody knows where the chain
            begins and ends.
    """
    found, chain = [], []
    for each in stored:
        try:
            record = GateDecisionSpec.model_validate(each.spec)
        except pydantic.ValidationError:
            found.append(Flaw(0, f"{each.name}: changed, or written by another version: it cannot be read"))
            continue
        found += _alone(each, record)
        chain.append(record)
    chain.sort(key=lambda record: record.sequence)
    found += [flaw for one, other in pairwise(chain) for flaw in _between(one, other)]
    if gate is not None:
        found += [*_at_the_beginning(chain, gate), *_at_the_end(chain, gate)]
    return tuple(sorted(found, key=lambda flaw: flaw.place))


def _alone(stored: Stored, record: GateDecisionSpec) -> Iterator[Flaw]:
    place = record.sequence
    if records.record_hash(record) != record.hash:
        yield Flaw(place, f"record {place} was changed: its hash is not that of what it says")
    if stored.name != records.record_name(stored.ref, record) or stored.ref.name != record.rollout_name:
        yield Flaw(place, f"record {place} is called {stored.name}, which is not its place in the chain")


def _between(one: GateDecisionSpec, other: GateDecisionSpec) -> Iterator[Flaw]:
    place = other.sequence
    if place == one.sequence:
        yield Flaw(place, f"record {place} is there twice")
    elif place > one.sequence + 1:
        yield Flaw(one.sequence + 1, _missing(one.sequence + 1, place - 1))
    elif other.previous_hash != one.hash:
        yield Flaw(place, f"record {place} was written after another record {one.sequence} than the one that is there")


def _at_the_beginning(chain: Sequence[GateDecisionSpec], gate: GateStatus) -> Iterator[Flaw]:
    before, known = (0, "") if gate.retired is None else (gate.retired.sequence, gate.retired.hash)
    if not chain:
        return
    first = chain[0]
    if first.sequence > before + 1:
        yield Flaw(before + 1, _missing(before + 1, first.sequence - 1))
        return
    hashes = {first.sequence - 1: first.previous_hash, **{record.sequence: record.hash for record in chain}}
    if hashes.get(before, known) != known:
        yield Flaw(before, f"record {before} has another hash than the gate remembers of it")


def _at_the_end(chain: Sequence[GateDecisionSpec], gate: GateStatus) -> Iterator[Flaw]:
    last = chain[-1].sequence if chain else 0 if gate.retired is None else gate.retired.sequence
    if last < gate.sequence:
        yield Flaw(last + 1, _missing(last + 1, gate.sequence))
    for record in chain:
        if record.sequence == gate.sequence and record.hash != gate.record_hash:
            yield Flaw(gate.sequence, f"record {gate.sequence} has another hash than the gate remembers of it")
        if record.sequence > gate.sequence:
            yield Flaw(
                record.sequence, f"record {record.sequence} comes after {gate.sequence}, the gate's last", beyond=True
            )


def _missing(first: int, last: int) -> str:
    return f"record {first} is missing" if first == last else f"records {first} to {last} are missing"
