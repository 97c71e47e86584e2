"""Plan: a chain that goes on, whatever was deleted; retention that says first what it gives up; sinks that are told."""

import asyncio
import itertools
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterRefused
from canary_operator.journal import records
from canary_operator.journal.inputs import Inputs
from canary_operator.journal.records import Origin
from canary_operator.model.gate import GateStatus, Retired
from canary_operator.model.record import GateDecisionSpec, RecordedAction
from canary_operator.model.rollout import RolloutRef
from tests.builders import CANARY, NAME, NAMESPACE, T0, UID, a_snapshot
from tests.cluster_in_memory import ClusterInMemory

REF = RolloutRef(NAMESPACE, NAME)
HOLD = RecordedAction(kind="Hold", decision_id="d-1", outcome="Applied")
RELEASE = RecordedAction(kind="Release", decision_id="d-2", outcome="Applied")
KEPT = 60


def a_status(reason: str) -> GateStatus:
    judged = {"uid": UID, "generation": 1, "revision": 2, "podHash": CANARY, "stableHash": "b"}
    return GateStatus.model_validate(
        {"phase": "Judging", "rollout": judged, "verdict": "Hold", "reason": reason, "message": "1 of 40"}
    )


class Shelf:
    """A sink that has what it was told of, but for the sequences in ``lost``."""

    def __init__(self) -> None:
        self.lost: set[int] = set()
        self.told: list[int] = []

    def keep(self, ref: RolloutRef, record: GateDecisionSpec) -> None:
        assert ref == REF
        self.told.append(record.sequence)

    def is_kept(self, uid: str, sequence: int) -> bool:
        return uid == UID and sequence in self.told and sequence not in self.lost


class Desk:
    """A ledger, its cluster, and what the gate remembers of its chain."""

    def __init__(self) -> None:
        self.api = ClusterInMemory(Store())
        self.sink = Shelf()
        self.ledger = Ledger(cast("Api", self.api), Origin("configuration"), KEPT, [self.sink])
        self.inputs = Inputs(a_snapshot(), {}, T0)
        self.head: dict[str, Any] = {}

    async def record(self, reason: str = "Collecting", action: RecordedAction | None = None) -> None:
        status = await self.ledger.record(self.inputs, a_status(reason).model_copy(update=self.head), action)
        self.head = {name: getattr(status, name) for name in ("sequence", "record_hash", "retired")}

    @property
    def chain(self) -> list[GateDecisionSpec]:
        found = (GateDecisionSpec.model_validate(body["spec"]) for body in self.api.all(kinds.GATE_DECISIONS))
        return sorted(found, key=lambda record: record.sequence)

    @property
    def told(self) -> list[str]:
        return [record.action.kind if record.action else record.reason for record in self.chain]


def is_a_chain(chain: list[GateDecisionSpec]) -> bool:
    links = itertools.pairwise(chain)
    return all(records.record_hash(each) == each.hash for each in chain) and all(
        (after.sequence, after.previous_hash) == (before.sequence + 1, before.hash) for before, after in links
    )


# The chain.


async def test_a_record_hangs_on_the_one_before() -> None:
    desk = Desk()
    for reason in ("Collecting", "NoData", "Collecting"):
        await desk.record(reason)
    await desk.record(action=HOLD)

    assert desk.told == ["Collecting", "NoData", "Collecting", "Hold"]
    assert is_a_chain(desk.chain)
    assert (desk.head["sequence"], desk.head["record_hash"]) == (4, desk.chain[-1].hash)


@pytest.mark.parametrize("lost", [1, 2])
async def test_what_an_interrupted_cycle_recorded_is_not_told_twice(lost: int) -> None:
    desk = Desk()
    heads = []
    for reason, action in (("NoData", None), ("Collecting", None), ("Collecting", HOLD)):
        heads.append(desk.head)
        await desk.record(reason, action)
    desk.head = heads[-lost]

    if lost > 1:
        await desk.record("Collecting")
    await desk.record("Collecting", HOLD)
    await desk.record("Collecting", RELEASE)

    assert desk.told == ["NoData", "Collecting", "Hold", "Release"]
    assert is_a_chain(desk.chain)


async def a_long_chain() -> Desk:
    desk = Desk()
    for number in range(120):
        await desk.record(("Collecting", "NoData")[number % 2])
    return desk


async def test_a_deleted_gate_goes_on_with_its_chain_and_asks_for_it_once() -> None:
    desk = await a_long_chain()
    desk.head = {}
    desk.api.calls.clear()

    for reason in ("WarmUp", "Collecting", "NoData", "Collecting"):
        await desk.record(reason)

    assert desk.api.calls.count("list_decisions") == 1
    assert desk.told[-5:] == ["NoData", "WarmUp", "Collecting", "NoData", "Collecting"]
    assert is_a_chain(desk.chain)


async def test_a_deleted_gate_goes_on_even_if_the_first_records_are_gone() -> None:
    desk = await a_long_chain()
    stored = desk.api.objects[kinds.GATE_DECISIONS.plural]
    for name in sorted(stored)[:100]:
        del stored[name]
    desk.head = {}

    await desk.record("WarmUp")

    assert desk.head["sequence"] == 121
    assert is_a_chain(desk.chain)


async def test_a_deleted_gate_that_thinks_as_before_tells_nothing_new() -> None:
    desk = await a_long_chain()
    desk.head = {}

    await desk.record("NoData")

    assert (desk.head["sequence"], desk.head["record_hash"]) == (120, desk.chain[-1].hash)
    assert len(desk.chain) == 105


async def test_what_was_told_long_ago_is_told_again() -> None:
    desk = Desk()
    for reason in ("WarmUp", "NoData", "Collecting", "NoData"):
        await desk.record(reason)
    desk.head = {}

    await desk.record("WarmUp")

    assert desk.told == ["WarmUp", "NoData", "Collecting", "NoData", "WarmUp"]


async def test_the_chain_of_another_rollout_of_the_name_is_not_ours() -> None:
    desk = Desk()
    await desk.record()
    (body,) = desk.api.all(kinds.GATE_DECISIONS)
    body["spec"]["rollout"]["uid"] = "another"
    body["metadata"]["labels"]["canary-operator.io/rollout-uid"] = "another"
    desk.head = {}

    # Its name stands where ours would.
    with pytest.raises(ClusterRefused, match="cannot be found"):
        await desk.record()


async def test_old_records_of_this_rollout_are_deleted_and_no_others() -> None:
    desk = Desk()
    foreign = {"name": "foreign", "labels": {"canary-operator.io/rollout-uid": "another"}}
    desk.api.put(kinds.GATE_DECISIONS, {"metadata": foreign, "spec": {"sequence": 1}}, told=False)
    for number in range(100):
        await desk.record(("Collecting", "NoData")[number % 2])

    stored = desk.api.objects[kinds.GATE_DECISIONS.plural]
    assert sorted(body["spec"]["sequence"] for name, body in stored.items() if name != "foreign") == [*range(16, 101)]
    assert "foreign" in stored


async def test_nothing_is_deleted_before_the_gate_says_that_it_is_given_up() -> None:
    desk = Desk()
    for number in range(75):
        await desk.record(("Collecting", "NoData")[number % 2])

    assert desk.head["retired"] == Retired(sequence=15, hash=desk.chain[14].hash)
    assert len(desk.chain) == 75

    desk.head["retired"] = None  # a status that was lost on its way
    for number in range(25):
        await desk.record(("NoData", "Collecting")[number % 2])

    assert desk.head["retired"] == Retired(sequence=40, hash=desk.chain[39].hash)
    assert len(desk.chain) == 100


async def test_a_gate_that_was_deleted_learns_from_its_records_where_the_chain_begins() -> None:
    desk = await a_long_chain()
    desk.head = {}

    await desk.record("WarmUp")

    first = desk.chain[0]
    assert desk.head["retired"] == Retired(sequence=first.sequence - 1, hash=first.previous_hash)


# Sinks.


async def test_sinks_are_told_of_every_record_once_it_is_written() -> None:
    desk = Desk()
    await desk.record("NoData")
    await desk.record(action=HOLD)

    assert desk.sink.told == [1, 2]


async def test_sinks_are_told_again_of_what_a_crash_may_have_kept_from_them() -> None:
    desk = Desk()
    await desk.record("NoData")
    desk.head, desk.sink.told = {}, []

    await desk.record("NoData")

    assert desk.sink.told == [1]


async def test_nothing_is_deleted_from_the_first_record_on_that_a_sink_does_not_have() -> None:
    desk = Desk()
    desk.sink.lost = {7}
    for number in range(100):
        await desk.record(("Collecting", "NoData")[number % 2])

    assert [record.sequence for record in desk.chain] == [*range(7, 101)]
    assert desk.sink.told.count(7) == 3


THOUGHTS = st.tuples(st.sampled_from(["Collecting", "NoData"]), st.sampled_from([None, HOLD, RELEASE]))
ENDINGS = st.sampled_from(["remembered", "interrupted", "gate deleted"])


@settings(max_examples=60, deadline=None)
@given(cycles=st.lists(st.tuples(THOUGHTS, ENDINGS), max_size=12))
def test_whatever_is_interrupted_or_deleted_there_is_one_chain(
    cycles: list[tuple[tuple[str, RecordedAction | None], str]],
) -> None:
    async def all_of_them() -> Desk:
        desk = Desk()
        for (reason, action), ending in cycles:
            known = desk.head
            await desk.record(reason)
            if action is not None:
                await desk.record(reason, action)
            desk.head = {"remembered": desk.head, "interrupted": known, "gate deleted": {}}[ending]
        return desk

    desk = asyncio.run(all_of_them())

    assert is_a_chain(desk.chain)
    assert [record.sequence for record in desk.chain] == [*range(1, len(desk.chain) + 1)]
    reasons = [reason for (reason, _), _ in cycles]
    assert {record.reason for record in desk.chain} == set(reasons)
