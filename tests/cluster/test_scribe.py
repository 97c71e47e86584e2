"""Plan: a chain that goes on, whatever was deleted; runs that are made again and kept; Events that are counted."""

import asyncio
import itertools
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.scribe import KEPT_RUNS_OF_RELEASE, Scribe
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterRefused
from canary_operator.journal import records
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec, RecordedAction
from canary_operator.model.rollout import RolloutRef
from tests.builders import CANARY, NAME, NAMESPACE, T0, UID, a_snapshot
from tests.cluster_in_memory import ClusterInMemory

REF = RolloutRef(NAMESPACE, NAME)
HOLD = RecordedAction(kind="Hold", decision_id="d-1", outcome="Applied")
RELEASE = RecordedAction(kind="Release", decision_id="d-2", outcome="Applied")


def a_status(reason: str = "Collecting", *, step: int = 1, revision: int = 2, **fields: Any) -> GateStatus:
    start = durations.format_time(T0 + 100 * step)
    judged = {"uid": UID, "generation": 1, "revision": revision, "podHash": CANARY, "stableHash": "b"}
    known = {
        "phase": "Judging",
        "rollout": judged,
        "verdict": "Hold",
        "reason": reason,
        "message": f"{step} of 40",
        "rolloutStep": f"{step}/80",
        "pause": {"startTime": start, "stepIndex": step},
    }
    return GateStatus.model_validate(known | fields)


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
    """A scribe, its cluster, and what it keeps of the status."""

    def __init__(self) -> None:
        self.api = ClusterInMemory(Store())
        self.sink = Shelf()
        self.scribe = Scribe(cast("Api", self.api), Store(), lambda _: "", [self.sink])
        self.snapshot: Snapshot = a_snapshot()
        self.head = (0, "")

    async def record(self, reason: str = "Collecting", action: RecordedAction | None = None) -> None:
        sequence, record_hash = self.head
        status = a_status(reason, sequence=sequence, recordHash=record_hash)
        status = await self.scribe.record(self.snapshot, status, T0, action)
        self.head = (status.sequence, status.record_hash)

    async def show(self, status: GateStatus) -> GateStatus:
        return await self.scribe.show(self.snapshot, status, T0)

    @property
    def chain(self) -> list[GateDecisionSpec]:
        found = (GateDecisionSpec.model_validate(body["spec"]) for body in self.api.all(kinds.GATE_DECISIONS))
        return sorted(found, key=lambda record: record.sequence)

    @property
    def told(self) -> list[str]:
        return [record.action.kind if record.action else record.reason for record in self.chain]

    @property
    def runs(self) -> list[str]:
        return sorted(body["metadata"]["name"] for body in self.api.all(kinds.ANALYSIS_RUNS))


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
    assert desk.head == (4, desk.chain[-1].hash)


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
    desk.head = (0, "")
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
    desk.head = (0, "")

    await desk.record("WarmUp")

    assert desk.head[0] == 121
    assert is_a_chain(desk.chain)


async def test_a_deleted_gate_that_thinks_as_before_tells_nothing_new() -> None:
    desk = await a_long_chain()
    desk.head = (0, "")

    await desk.record("NoData")

    assert desk.head == (120, desk.chain[-1].hash)
    assert len(desk.chain) == 120


async def test_what_was_told_long_ago_is_told_again() -> None:
    desk = Desk()
    for reason in ("WarmUp", "NoData", "Collecting", "NoData"):
        await desk.record(reason)
    desk.head = (0, "")

    await desk.record("WarmUp")

    assert desk.told == ["WarmUp", "NoData", "Collecting", "NoData", "WarmUp"]


async def test_the_chain_of_another_rollout_of_the_name_is_not_ours() -> None:
    desk = Desk()
    await desk.record()
    (body,) = desk.api.all(kinds.GATE_DECISIONS)
    body["spec"]["rollout"]["uid"] = "another"
    body["metadata"]["labels"]["canary-operator.io/rollout-uid"] = "another"
    desk.head = (0, "")

    # Its name stands where ours would.
    with pytest.raises(ClusterRefused, match="cannot be found"):
        await desk.record()


async def test_old_records_of_this_rollout_are_deleted_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canary_operator.cluster.scribe.KEPT_DECISIONS", 60)
    desk = Desk()
    foreign = {"name": "foreign", "labels": {"canary-operator.io/rollout-uid": "another"}}
    desk.api.put(kinds.GATE_DECISIONS, {"metadata": foreign, "spec": {"sequence": 1}}, told=False)
    for number in range(100):
        await desk.record(("Collecting", "NoData")[number % 2])

    stored = desk.api.objects[kinds.GATE_DECISIONS.plural]
    assert sorted(body["spec"]["sequence"] for name, body in stored.items() if name != "foreign") == [*range(41, 101)]
    assert "foreign" in stored


# Sinks.


async def test_sinks_are_told_of_every_record_once_it_is_written() -> None:
    desk = Desk()
    await desk.record("NoData")
    await desk.record(action=HOLD)

    assert desk.sink.told == [1, 2]


async def test_sinks_are_told_again_of_what_a_crash_may_have_kept_from_them() -> None:
    desk = Desk()
    await desk.record("NoData")
    desk.head, desk.sink.told = (0, ""), []

    await desk.record("NoData")

    assert desk.sink.told == [1]


async def test_nothing_is_deleted_from_the_first_record_on_that_a_sink_does_not_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("canary_operator.cluster.scribe.KEPT_DECISIONS", 60)
    desk = Desk()
    desk.sink.lost = {7}
    for number in range(100):
        await desk.record(("Collecting", "NoData")[number % 2])

    assert [record.sequence for record in desk.chain] == [*range(7, 101)]
    assert desk.sink.told.count(7) == 2


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
            desk.head = {"remembered": desk.head, "interrupted": known, "gate deleted": (0, "")}[ending]
        return desk

    desk = asyncio.run(all_of_them())

    assert is_a_chain(desk.chain)
    assert [record.sequence for record in desk.chain] == [*range(1, len(desk.chain) + 1)]
    reasons = [reason for (reason, _), _ in cycles]
    assert {record.reason for record in desk.chain} == set(reasons)


# AnalysisRuns.


async def test_a_deleted_run_is_made_again_with_the_next_change() -> None:
    desk = Desk()
    shown = await desk.show(a_status("NoData"))
    desk.api.objects[kinds.ANALYSIS_RUNS.plural].clear()

    again = await desk.show(shown.model_copy(update={"reason": "Collecting"}))

    assert again.pause is not None
    assert desk.runs == [again.pause.analysis_run]
    assert again.pause == shown.pause


async def test_a_run_that_is_there_is_changed_and_not_made_again() -> None:
    desk = Desk()
    shown = await desk.show(a_status("NoData"))

    assert await desk.show(shown) == shown
    assert desk.api.calls.count("create_analysis_run") == 1


async def test_all_runs_of_the_current_release_are_kept() -> None:
    desk = Desk()
    for step in range(1, 31):
        await desk.show(a_status(step=step))

    assert len(desk.runs) == 30


async def test_a_release_that_is_retried_for_ever_does_not_fill_the_namespace() -> None:
    desk = Desk()
    for step in range(1, 71):
        desk.api.created = durations.format_time(T0 + step)
        await desk.show(a_status(step=step))

    assert len(desk.runs) == KEPT_RUNS_OF_RELEASE
    assert f"{NAME}-{CANARY}-2-gate-70" in desk.runs
    assert f"{NAME}-{CANARY}-2-gate-20" not in desk.runs


async def test_few_runs_of_older_releases_are_kept() -> None:
    desk = Desk()
    for step in range(1, 31):
        desk.api.created = durations.format_time(T0 + step)
        await desk.show(a_status(step=step, revision=2))
    desk.api.created = durations.format_time(T0 + 100)
    await desk.show(a_status(step=1, revision=3))

    assert len(desk.runs) == 10
    assert f"{NAME}-{CANARY}-3-gate-1" in desk.runs


# Events.


async def test_an_event_counts_how_often_its_verdict_came_back() -> None:
    desk = Desk()

    for second in range(4):
        await desk.scribe.tell(REF, a_status(), T0 + second)

    (event,) = desk.api.all(kinds.EVENTS)
    assert event["count"] == 4
    assert (event["firstTimestamp"], event["lastTimestamp"]) == tuple(map(durations.format_time, (T0, T0 + 3)))


async def test_an_event_of_another_reason_is_another_event() -> None:
    desk = Desk()

    await desk.scribe.tell(REF, a_status("NoData"), T0)
    await desk.scribe.tell(REF, a_status("Collecting"), T0)

    assert [event["count"] for event in desk.api.all(kinds.EVENTS)] == [1, 1]
