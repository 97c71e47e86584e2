"""Plan: runs that are made again and kept; Events that are counted."""

from typing import Any, cast

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.scribe import KEPT_RUNS_OF_RELEASE, Scribe
from canary_operator.cluster.store import Store
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import RecordedAction
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


class Desk:
    """A scribe, its cluster, and what it keeps of the status."""

    def __init__(self) -> None:
        self.api = ClusterInMemory(Store())
        self.scribe = Scribe(cast("Api", self.api), Store(), lambda _: "")
        self.snapshot: Snapshot = a_snapshot()

    async def show(self, status: GateStatus) -> GateStatus:
        return await self.scribe.show(self.snapshot, status, T0)

    @property
    def runs(self) -> list[str]:
        return sorted(body["metadata"]["name"] for body in self.api.all(kinds.ANALYSIS_RUNS))


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
