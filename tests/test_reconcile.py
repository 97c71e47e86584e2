"""The cycle against an API server in memory: what is written, in which order, and what a crash leaves behind."""

import asyncio
import contextlib
import copy
import dataclasses
import math

import pytest

from canary_operator.cluster import kinds
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.scribe import Scribe
from canary_operator.cluster.snapshot import Reader
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterError, ClusterRefused, ClusterUnavailable
from canary_operator.journal import records
from canary_operator.journal.records import Origin
from canary_operator.model.gate import GateStatus
from canary_operator.model.pause import Hold
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef, parse_rollout
from canary_operator.reconcile import World, reconcile
from canary_operator.telemetry import Telemetry
from tests.builders import BAD, EMPTY, GATE, GOOD, NAME, NAMESPACE, T0, a_template, at_a_pause
from tests.cluster_in_memory import ClusterInMemory

REF = RolloutRef(NAMESPACE, NAME)


def with_rollback_window(body):
    return {**body, "spec": {**body["spec"], "rollbackWindow": {"revisions": 3}}}


class Stage:
    """A cycle and what is around it."""

    def __init__(self, rollout, answer=GOOD):
        self.store, self.now, self.answer = Store(), T0, answer
        self.api = ClusterInMemory(self.store)
        self.api.put(kinds.ROLLOUTS, rollout)
        template = {"metadata": {"name": "errors", "namespace": NAMESPACE}, **a_template()}
        self.api.put(kinds.ANALYSIS_TEMPLATES, template)
        addresses = ProviderAddresses({"default": ("http://prometheus:9090",)})
        self.telemetry = Telemetry()
        self.world = World(
            reader=Reader(self.store, self.api, addresses, 15.0),
            fetch=self.fetch,
            api=self.api,
            scribe=Scribe(self.api, self.store, lambda _: ""),
            ledger=Ledger(self.api, Origin("configuration"), 100),
            telemetry=self.telemetry,
            clock=lambda: self.now,
        )

    async def fetch(self, queries):
        return dict.fromkeys(queries, self.answer)

    async def look(self, at=0.0):
        self.now = T0 + at
        return await reconcile(self.world, REF) - T0

    @property
    def status(self):
        return GateStatus.model_validate(self.api.objects["canarygates"][NAME]["status"])

    @property
    def hold(self):
        return parse_rollout(self.api.objects["rollouts"][NAME]).pauses[0].hold(self.now)

    @property
    def records(self):
        return [GateDecisionSpec.model_validate(body["spec"]) for body in self.api.all(kinds.GATE_DECISIONS)]


async def test_the_intention_is_written_before_the_rollout_and_the_outcome_after_it():
    stage = Stage(at_a_pause())

    await stage.look()

    writes = [call for call in stage.api.calls if not call.startswith(("get", "list"))]
    assert writes == [
        *("create_gate", "replace_gate_status", "patch_rollout_status"),
        *("create_decision", "create_decision", "create_event", "replace_gate_status"),
    ]
    assert stage.status.pending is None
    assert stage.status.last_action.outcome == "Applied"


async def test_a_pause_is_held_even_if_the_gate_cannot_be_written():
    stage = Stage(at_a_pause())
    stage.api.broken = {"create_gate"}

    with pytest.raises(ClusterUnavailable):
        await stage.look()

    assert "patch_rollout_status" in stage.api.calls


WHATEVER_ELSE = [
    {"get_rollout"},
    {"list_decisions"},
    {"create_decision"},
    {"create_gate"},
    {"replace_gate_status"},
    {"get_rollout", "create_decision"},
    {"get_rollout", "list_decisions", "create_decision", "create_gate", "replace_gate_status", "create_event"},
]


@pytest.mark.parametrize("how", ["broken", "refused"])
@pytest.mark.parametrize("calls", WHATEVER_ELSE, ids=lambda calls: " and ".join(sorted(calls)))
async def test_a_pause_is_held_by_both_writes_whatever_else_cannot_be_asked(calls, how):
    stage = Stage(at_a_pause())
    setattr(stage.api, how, calls)

    for at in (0, 1, 3, 5, 9):
        with contextlib.suppress(ClusterError):
            await stage.look(at)

    assert stage.hold is Hold.CONFIRMED
    assert stage.api.calls.count("patch_rollout_status") == 2


@pytest.mark.parametrize("call", ["get_rollout", "create_gate", "replace_gate_status"])
async def test_a_pause_is_held_in_time_whatever_else_does_not_answer(call, monkeypatch):
    monkeypatch.setattr("canary_operator.cluster.acting.HOLD_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr("canary_operator.reconcile.HOLD_PATIENCE_SECONDS", 0.01)
    stage = Stage(at_a_pause())
    stage.api.hanging = {call}

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stage.look(), 1)

    assert stage.hold is Hold.WRITTEN


async def test_a_pause_is_held_in_time_while_nobody_says_whether_it_is_a_rollback(monkeypatch):
    monkeypatch.setattr("canary_operator.cluster.snapshot.PATIENCE_SECONDS", 0.01)
    stage = Stage(with_rollback_window(at_a_pause()))
    stage.api.hanging = {"list_replica_sets"}

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stage.look(), 1)

    assert stage.hold is Hold.WRITTEN


@pytest.mark.parametrize("calls", WHATEVER_ELSE[:3], ids=lambda calls: " and ".join(sorted(calls)))
async def test_a_hold_that_could_not_be_recorded_is_recorded_once_as_soon_as_it_can(calls):
    stage = Stage(at_a_pause())
    stage.api.broken = calls
    for at in (0, 1, 3, 5, 9):
        with contextlib.suppress(ClusterError):
            await stage.look(at)
    stage.api.broken = set()

    for at in (10, 20, 30):
        await stage.look(at)

    actions = [(record.action.kind, record.action.outcome) for record in stage.records if record.action]
    assert actions[:1] == [("Hold", "Applied")]
    assert [kind for kind, _ in actions].count("Hold") == 1


@pytest.mark.parametrize("answer", [GOOD, BAD], ids=["good", "bad"])
async def test_nothing_is_promoted_or_aborted_while_the_rollout_cannot_be_read_again(answer):
    stage = Stage(at_a_pause(None), answer=answer)
    stage.api.refused = {"get_rollout"}

    for at in (0, 10, 20, 30):
        with contextlib.suppress(ClusterError):
            await stage.look(at)

    assert "patch_rollout_status" not in stage.api.calls


async def test_a_verdict_is_told_before_it_is_remembered():
    stage = Stage(at_a_pause(None), answer=EMPTY)
    stage.api.broken = {"replace_gate_status"}

    with pytest.raises(ClusterUnavailable):
        await stage.look()

    assert len(stage.api.all(kinds.EVENTS)) == 1


async def test_nothing_waits_for_an_event_that_cannot_be_posted():
    stage = Stage(at_a_pause(None), answer=EMPTY)
    stage.api.broken = {"create_event"}

    await stage.look()

    assert (stage.status.verdict, stage.status.reason) == ("Hold", "NoData")


async def test_nothing_is_promoted_if_the_intention_cannot_be_written():
    stage = Stage(at_a_pause(None))
    await stage.look(0)
    await stage.look(10)
    stage.api.broken = {"replace_gate_status"}

    with pytest.raises(ClusterUnavailable):
        await stage.look(20)

    assert "patch_rollout_status" not in stage.api.calls


def rewritten(stage, **changed):
    """The gate is written by somebody else, and the watch has not told it yet."""
    gate = copy.deepcopy(stage.api.objects["canarygates"][NAME])
    gate = {**gate, **changed}
    stage.api.put(kinds.CANARY_GATES, gate, told=False)


async def test_what_another_replica_has_said_is_read_and_never_overwritten():
    stage = Stage(at_a_pause("60s"))
    await stage.look(0)
    said = {**stage.api.objects["canarygates"][NAME]["status"], "message": "another replica leads"}
    rewritten(stage, status=said)

    with pytest.raises(ClusterRefused, match="judged again"):
        await stage.look(10)

    assert stage.status.message == "another replica leads"
    await stage.look(11)
    assert stage.status.message != "another replica leads", "it was judged again, from what the other has said"


async def test_a_replica_that_hears_of_another_in_the_middle_of_a_look_does_not_overwrite_it():
    stage = Stage(at_a_pause("60s"))
    await stage.look(0)

    async def heard(queries):
        said = {**stage.api.objects["canarygates"][NAME]["status"], "message": "another replica leads"}
        stage.api.put(kinds.CANARY_GATES, {**copy.deepcopy(stage.api.objects["canarygates"][NAME]), "status": said})
        return dict.fromkeys(queries, stage.answer)

    stage.world = dataclasses.replace(stage.world, fetch=heard)
    with pytest.raises(ClusterRefused, match="judged again"):
        await stage.look(10)

    assert stage.status.message == "another replica leads"


async def test_a_person_who_changes_what_a_gate_is_told_does_not_void_what_it_says():
    stage = Stage(at_a_pause("60s"))
    await stage.look(0)
    rewritten(stage, spec={"override": {"action": "Hold", "reason": "wait", "requestedBy": "me"}})

    await stage.look(10)

    assert stage.api.calls[-2:] != ["replace_gate_status", "replace_gate_status"]
    assert stage.status.pause is not None
    assert stage.api.objects["canarygates"][NAME]["spec"]["override"]["action"] == "Hold"


async def test_a_lost_reply_is_told_from_the_rollout_and_recorded_once():
    stage = Stage(at_a_pause(None), answer=BAD)
    perform = stage.api.patch_rollout_status

    async def without_reply(ref, patch):
        await perform(ref, patch)
        raise ClusterUnavailable("the connection was closed")

    stage.api.patch_rollout_status = without_reply
    await stage.look(0)
    with pytest.raises(ClusterUnavailable):
        await stage.look(2)
    stage.api.patch_rollout_status = perform
    for _ in range(3):
        await stage.look(3)

    actions = [(record.action.kind, record.action.outcome) for record in stage.records if record.action]
    assert actions == [("Abort", "Applied")]
    assert stage.api.calls.count("patch_rollout_status") == 1


async def test_every_record_hangs_on_the_one_before():
    stage = Stage(at_a_pause())
    for at in (0, 1.5, 2, 10, 20, 30):
        await stage.look(at)

    hashes = [record.hash for record in stage.records]
    assert [record.sequence for record in stage.records] == list(range(1, len(hashes) + 1))
    assert [record.previous_hash for record in stage.records] == ["", *hashes[:-1]]
    assert [records.record_hash(record) for record in stage.records] == hashes
    assert stage.status.record_hash == hashes[-1]


async def test_a_record_that_a_crash_left_behind_is_not_told_twice():
    stage = Stage(at_a_pause(None), answer=EMPTY)
    stage.api.broken = {"replace_gate_status"}
    with pytest.raises(ClusterUnavailable):
        await stage.look(0)
    stage.api.broken = set()

    await stage.look(1)

    assert [(record.verdict, record.reason) for record in stage.records] == [("Hold", "NoData")]


async def test_an_analysis_run_shows_the_pause():
    stage = Stage(at_a_pause(None), answer=EMPTY)

    await stage.look(0)

    (run,) = stage.api.all(kinds.ANALYSIS_RUNS)
    assert run["metadata"]["name"] == f"{NAME}-6c54544bf9-2-gate-1"
    assert run["status"]["phase"] == "Running"
    assert stage.status.pause.analysis_run == run["metadata"]["name"]


async def test_the_analysis_run_is_final_once_the_pause_was_left():
    stage = Stage(at_a_pause(None))
    for at in (0, 10, 20, 21, 22):
        await stage.look(at)

    (run,) = stage.api.all(kinds.ANALYSIS_RUNS)
    assert run["status"]["phase"] == "Successful"


async def test_an_equal_event_is_counted_and_not_repeated():
    stage = Stage(at_a_pause(None), answer=EMPTY)
    await stage.look(0)
    stage.answer = GOOD
    await stage.look(10)
    stage.answer = EMPTY
    await stage.look(20)

    assert "patch_event" in stage.api.calls
    assert len(stage.api.all(kinds.EVENTS)) == 2


async def test_a_rollout_that_never_opted_in_costs_nothing():
    stage = Stage(at_a_pause(mode=None))

    again = await stage.look()

    assert again == math.inf
    assert stage.api.calls == []


async def test_a_rollout_that_is_gone_is_looked_at_no_more():
    stage = Stage(at_a_pause())
    stage.store.remove(kinds.ROLLOUTS, stage.api.objects["rollouts"][NAME])

    assert await stage.look() == math.inf


async def test_the_same_look_again_writes_nothing_new():
    stage = Stage(at_a_pause(None), answer=EMPTY)
    await stage.look(0)
    before = list(stage.api.calls)

    await stage.look(0.001)
    await stage.look(0.002)

    assert len(stage.api.calls) <= len(before) + 3
    assert len(stage.records) == 1


async def test_counters_say_what_has_happened():
    stage = Stage(at_a_pause())

    await stage.look()

    value = stage.telemetry.registry.get_sample_value
    assert value("canary_operator_actions_total", {"action": "Hold", "outcome": "Applied"}) == 1
    labels = {"namespace": NAMESPACE, "rollout": NAME, "verdict": "Hold", "reason": "Collecting"}
    assert value("canary_operator_decisions_total", labels) == 1


async def test_the_last_word_is_known_once_it_is_written_down():
    stage = Stage(at_a_pause("60s", annotations={GATE: "observe"}))

    await stage.look()

    last = stage.world.last_words[REF]
    assert (last.status, last.at) == (stage.status, T0)


async def test_a_word_that_could_not_be_written_down_is_not_told():
    stage = Stage(at_a_pause("60s", annotations={GATE: "observe"}))
    stage.api.broken = {"replace_gate_status"}

    with pytest.raises(ClusterUnavailable):
        await stage.look()

    assert stage.world.last_words == {}


async def test_a_look_that_judges_nothing_makes_no_word_younger():
    stage = Stage(at_a_pause("60s", annotations={GATE: "observe"}))
    await stage.look()
    unseen = at_a_pause("60s", annotations={GATE: "observe"})
    unseen["metadata"]["generation"] = 2
    stage.api.put(kinds.ROLLOUTS, unseen)

    await stage.look(10)

    assert stage.world.last_words[REF].at == T0


async def test_the_last_word_about_a_rollout_goes_with_it():
    stage = Stage(at_a_pause("60s", annotations={GATE: "observe"}))
    await stage.look()
    stage.store.remove(kinds.ROLLOUTS, stage.api.objects["rollouts"][NAME])

    await stage.look(10)

    assert stage.world.last_words == {}


async def test_who_wakes_up_late_writes_nothing_over_what_another_has_written_since():
    stage = Stage(at_a_pause(None))
    await stage.look()
    gate = copy.deepcopy(stage.api.objects["canarygates"][NAME])
    gate["status"]["message"] = "another replica says this"
    stage.api.put(kinds.CANARY_GATES, gate, told=False)

    with pytest.raises(ClusterRefused):
        await stage.look(100)

    assert stage.status.message == "another replica says this"
