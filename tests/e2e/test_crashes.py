"""The operator is killed at the worst moments: the release ends as it must, every action happens once."""

import signal
import threading
from typing import Any

import pytest

from canary_operator.model.pause import Hold
from tests.e2e import apiproxy
from tests.e2e.apiproxy import DECISIONS, PATCH_STATUS, ApiProxy, Exchange
from tests.e2e.stage import V1, Stage

# A pause that began while the operator was gone runs on the user's timer: long enough for a restart.
STEPS = ({"setWeight": 50}, {"pause": {"duration": "15s"}}, {"pause": {}}, {"pause": {}})

MOMENTS = ["before the write", "after the write", "before the record", "after the record"]


class Killer:
    """Kills the operator at a moment of an action, and starts it again."""

    def __init__(self, stage: Stage, api: ApiProxy) -> None:
        self.stage = stage
        self.api = api
        self.killed = 0
        self._dead = threading.Event()

    def at(self, moment: str, action: str) -> None:
        """Kill once, when this action is at this moment."""
        is_before = moment.startswith("before")
        act = apiproxy.instead(self._kill) if is_before else apiproxy.after(self._kill)
        if moment.endswith("write"):
            self.api.on("PATCH", PATCH_STATUS, act, where=lambda exchange: exchange.action() == action)
        else:
            self.api.on("POST", DECISIONS, act, where=lambda exchange: _recorded(exchange) == action)

    def revive_until(self, true: Any, what: str) -> None:
        """Start the operator whenever it was killed, until something is true."""

        def is_true() -> Any:
            if self._dead.is_set():
                self._dead.clear()
                self.stage.operator(kubeconfig=self.api.kubeconfig)
            return true()

        self.stage.until(is_true, what, timeout=120)

    def _kill(self) -> None:
        self.stage.operators[-1].stop(signal.SIGKILL)
        self.killed += 1
        self._dead.set()


def _recorded(exchange: Exchange) -> str:
    return str((exchange.document()["spec"].get("action") or {}).get("kind", ""))


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_operator_promotes_once_and_skips_no_gate(stage: Stage, api: ApiProxy, moment: str) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout(steps=STEPS)
    stage.operator(kubeconfig=api.kubeconfig)
    # A hold that was never written cannot outlive a slow restart: it has a test of its own.
    killed = ("Release", "Promote") if moment == "before the write" else ("Hold", "Release", "Promote")
    for action in killed:
        killer.at(moment, action)

    stage.release()
    killer.revive_until(stage.is_promoted, "the promotion")

    assert killer.killed == len(killed)
    assert api.actions() == ["Hold", "Hold", "Release", "Promote", "Promote"]
    done = [kind for kind, outcome in stage.actions() if outcome == "Applied"]
    assert done == ["Hold", "Release", "Promote", "Promote"]
    assert {outcome for _, outcome in stage.actions()} <= {"Applied", "Stale"}
    places = [each["step"]["index"] for each in stage.decisions() if _did(each, "Promote")]
    assert places == [2, 3], "each pause is judged by itself"
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=10)
    assert (stage.verdict(), stage.gate()["endedBy"]) == (("Promote", "ConditionsMet"), "Gate")
    assert stage.gate().get("pending") is None
    assert [each["sequence"] for each in stage.decisions()] == list(range(1, len(stage.decisions()) + 1))


def test_a_hold_that_was_meant_and_not_written_is_written_after_the_restart(stage: Stage, api: ApiProxy) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "90s"}}))
    stage.operator(kubeconfig=api.kubeconfig)
    killer.at("before the write", "Hold")

    stage.release()
    killer.revive_until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")

    assert killer.killed == 1
    stage.until(lambda: api.actions() == ["Hold", "Hold"], "the two writes of one hold, and no more")
    stage.until(lambda: stage.actions() == [("Hold", "Stale"), ("Hold", "Applied")], "both to be recorded")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_operator_aborts_once(stage: Stage, api: ApiProxy, moment: str) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    killer.at(moment, "Abort")

    stage.release(errors=1.0)
    killer.revive_until(lambda: stage.gate().get("phase") == "Ended", "the gate to end")

    assert killer.killed == 1
    assert api.actions() == ["Abort"]
    assert [kind for kind, outcome in stage.actions() if outcome == "Applied"] == ["Abort"]
    assert (stage.verdict(), stage.gate()["endedBy"]) == (("Abort", "ConditionsFailed"), "Gate")
    events = [event for event in stage.events() if event["action"] == "Abort"]
    assert len(events) == 1, "the verdict is told, although the operator was killed over it"
    stage.argo("undo", "web")
    stage.until(lambda: stage.is_promoted(image=V1), "the way back")


def test_a_restart_keeps_the_evidence(stage: Stage) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    first = stage.operator()
    stage.release()
    stage.until(lambda: _successful(stage) >= 3, "three measurements")
    first.stop(signal.SIGKILL)
    before = stage.gate()["evidence"][0]

    stage.operator()

    stage.until(lambda: _successful(stage) > before["measurements"]["successful"] + 1, "further measurements")
    after = stage.gate()["evidence"][0]
    assert after["since"] == before["since"]
    assert stage.gate()["pause"]["startTime"] == stage.status()["pauseConditions"][0]["startTime"]


def test_a_restart_between_two_failures_forgives_none_of_them(stage: Stage) -> None:
    stage.template(failure_limit=3)
    stage.rollout()
    first = stage.operator()
    stage.release(errors=1.0)
    stage.until(lambda: _counted(stage, "failed") >= 2, "two failures")
    first.stop(signal.SIGKILL)
    failed = _counted(stage, "failed")

    stage.operator()

    stage.until(lambda: stage.status().get("abort"), "the abort")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=5)
    assert failed < 4, "the operator had aborted before it was killed"
    assert _counted(stage, "failed") == 4


def _did(decision: dict[str, Any], kind: str) -> bool:
    action = decision.get("action") or {}
    return (action.get("kind"), action.get("outcome")) == (kind, "Applied")


def _counted(stage: Stage, what: str) -> int:
    evidence = stage.gate().get("evidence") or [{}]
    return int((evidence[0].get("measurements") or {}).get(what, 0))


def _successful(stage: Stage) -> int:
    return _counted(stage, "successful")
