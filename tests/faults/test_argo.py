"""Argo's controller dies, or misses what it was told: no gate is skipped, nothing is done twice, nothing is lost."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canary_operator.model.pause import Hold
from lab.cluster import Lab
from lab.plane import commands
from tests.e2e.apiproxy import ApiProxy, Exchange, api_proxy
from tests.e2e.scenes import ended
from tests.e2e.stage import V2, Stage
from tests.faults.scenarios import Sees, scenario

pytestmark = pytest.mark.xdist_group("argo's own lab")

ARGO = "Argo Rollouts"
TWO = ({"setWeight": 50}, {"pause": {}}, {"pause": {}})
TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})
# Longer than an action may wait for Argo before it is nudged.
DEAD_SECONDS = 8.0


@pytest.fixture
def own_api(own_stage: Stage, tmp_path: Path) -> Iterator[ApiProxy]:
    """A proxy between the operator and the API server of the lab whose controller may be stopped."""
    with api_proxy(own_stage.identity, tmp_path, own_stage.admin.ca) as proxy:
        yield proxy


@pytest.fixture
def argos_api(own_stage: Stage, own_cluster: Lab, tmp_path: Path) -> Iterator[ApiProxy]:
    """A proxy between Argo's controller and the API server."""
    folder = tmp_path / "argo"
    folder.mkdir()
    with api_proxy(own_cluster.kubeconfig, folder, own_stage.admin.ca) as proxy:
        own_cluster.stop_controller(grace=0)
        command = commands.rollouts_controller(own_cluster.plane)
        through = [f"--kubeconfig={proxy.kubeconfig}" if "--kubeconfig=" in each else each for each in command]
        own_cluster.supervision.start("rollouts-controller", through)
        try:
            yield proxy
        finally:
            own_cluster.restart_controller()


class Killer:
    """Kills Argo's controller at a promotion, and starts it again some time later."""

    def __init__(self, stage: Stage, when: str) -> None:
        self._stage = stage
        self._when = when
        self.done = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        """The controller dies before the promotion is written, or once it was taken up."""
        if self._when == "before it takes it up":
            self._stage.lab.stop_controller(grace=0)
            exchange.forward()
        else:
            exchange.forward()
            self._stage.until(lambda: self._stage.step() != 1, "the promotion to be taken up")
            self._stage.lab.stop_controller(grace=0)
        self.done.set()


@contextlib.contextmanager
def _dead(stage: Stage, killer: Killer) -> Iterator[None]:
    """Wait until the controller was killed; it is started again afterwards."""
    try:
        assert killer.done.wait(60), stage.picture()
        yield
    finally:
        stage.lab.start_controller()


MOMENTS = ("before it takes it up", "after it has taken it up")


@scenario(
    component=ARGO,
    fault="its controller is killed in the middle of a promotion, {moment}, and is away for 8 s",
    expected="promotes once, judges the next pause by itself",
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_promotion_outlives_argos_controller(own_stage: Stage, own_api: ApiProxy, moment: str, seen: Sees) -> None:
    stage, killer = own_stage, Killer(own_stage, moment)
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=own_api.kubeconfig)
    own_api.on_action("Promote", killer)
    stage.release()

    with _dead(stage, killer):
        stage.throughout(lambda: _done(own_api) == ["Promote"], DEAD_SECONDS, "one promotion and no other action")

    stage.until(stage.is_promoted, "the promotion", timeout=120)
    gate = ended(stage, timeout=30)
    assert _done(own_api) == ["Promote", "Promote"]
    assert [each["step"]["index"] for each in stage.decisions() if "action" in each] == [1, 2]
    assert gate["endedBy"] == "Gate"
    seen(f"one promotion at each of two pauses, {own_api.actions().count('Nudge')} nudges")


@scenario(
    component=ARGO,
    fault="its controller is killed in the middle of a promotion, {moment}, and the canary begins to fail meanwhile",
    expected="aborts at the next pause, once",
    twin=True,
)
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_canary_that_fails_after_it_is_aborted(own_stage: Stage, own_api: ApiProxy, moment: str, seen: Sees) -> None:
    stage, killer = own_stage, Killer(own_stage, moment)
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=own_api.kubeconfig)

    def fail(exchange: Exchange) -> None:
        stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=1.0)
        killer(exchange)

    own_api.on_action("Promote", fail)
    stage.release()

    with _dead(stage, killer):
        stage.throughout(lambda: _done(own_api) in (["Promote"], ["Promote", "Abort"]), DEAD_SECONDS, "one promotion")

    stage.until(lambda: stage.phase() == "Degraded", "the abort", timeout=120)
    gate = ended(stage, timeout=30)
    assert _done(own_api) == ["Promote", "Abort"]
    assert (gate["verdict"], gate["endedBy"]) == ("Abort", "Gate")
    seen("promoted once, then aborted once with ConditionsFailed")


def _lost_promotion(event: dict[str, Any]) -> bool:
    status = event["object"].get("status") or {}
    return bool(status.get("controllerPause")) and not status.get("pauseConditions")


def _lost_abort(event: dict[str, Any]) -> bool:
    status = event["object"].get("status") or {}
    return bool(status.get("abort")) and status.get("phase") != "Degraded"


def _lost_release(event: dict[str, Any]) -> bool:
    """The pause is back at the user's start, after a hold of 40,000 days was seen."""
    begun = [each["startTime"] for each in (event["object"].get("status") or {}).get("pauseConditions") or ()]
    manager = max(event["object"]["metadata"]["managedFields"], key=lambda each: each["time"])["manager"]
    return bool(begun) and begun[0] < "2100" and "rollouts-controller" not in manager


LOST: dict[str, tuple[Callable[[dict[str, Any]], bool], Any, list[str]]] = {
    "a promotion": (_lost_promotion, ({"setWeight": 50}, {"pause": {}}), ["Promote"]),
    "the end of a hold": (_lost_release, TIMED, ["Hold", "Hold", "Release"]),
}


@scenario(
    component=ARGO,
    fault="it never hears of {what}, as versions up to 1.9.1 can",
    expected="finds out and nudges it; the release ends, and nothing is done twice",
)
@pytest.mark.parametrize("what", LOST)
def test_what_argo_has_missed_is_repeated_safely(
    own_stage: Stage, own_api: ApiProxy, argos_api: ApiProxy, what: str, seen: Sees
) -> None:
    stage = own_stage
    where, steps, done = LOST[what]
    stage.template()
    stage.rollout(steps=steps)
    stage.operator(kubeconfig=own_api.kubeconfig)
    lost = argos_api.withhold(where, "rollouts")

    stage.release()

    stage.until(lambda: lost.events, "the event that Argo misses", timeout=120)
    stage.until(stage.is_promoted, "the promotion", timeout=120)
    ended(stage, timeout=30)
    assert _done(own_api) == done
    nudges = own_api.actions().count("Nudge")
    assert nudges >= 1
    seen(f"{', '.join(done)}, {nudges} nudges, then promoted")


@scenario(
    component=ARGO,
    fault="it never hears of an abort",
    expected="finds out and nudges it; the canary is gone, and nothing is done twice",
    twin=True,
)
def test_an_abort_that_argo_has_missed_is_repeated_safely(
    own_stage: Stage, own_api: ApiProxy, argos_api: ApiProxy, seen: Sees
) -> None:
    stage = own_stage
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=own_api.kubeconfig)
    lost = argos_api.withhold(_lost_abort, "rollouts")

    stage.release(errors=1.0)

    stage.until(lambda: lost.events, "the event that Argo misses", timeout=120)
    stage.until(lambda: stage.phase() == "Degraded", "the abort", timeout=120)
    assert _done(own_api) == ["Abort"]
    seen(f"one abort, {own_api.actions().count('Nudge')} nudges")


@scenario(
    component=ARGO,
    fault="it never hears of the first write of a hold",
    expected="holds past the end of the pause: every hold is written twice",
)
def test_a_hold_that_argo_has_missed_is_written_again(
    own_stage: Stage, own_api: ApiProxy, argos_api: ApiProxy, seen: Sees
) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(steps=TIMED, rate=0)
    stage.operator(kubeconfig=own_api.kubeconfig)
    lost = argos_api.withhold(lambda event: _starts_after(event, "2100"), "rollouts")

    stage.release()

    stage.until(lambda: lost.events, "the event that Argo misses", timeout=120)
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the second write")
    stage.throughout(lambda: stage.step() == 1, 8, "the hold past the end of a pause of 6 s")
    seen("held past the end of a pause of 6 s")


def _starts_after(event: dict[str, Any], year: str) -> bool:
    begun = [each["startTime"] for each in (event["object"].get("status") or {}).get("pauseConditions") or ()]
    return bool(begun) and begun[0] > year


def _done(api: ApiProxy) -> list[str]:
    """The actions that the API server accepted, without nudges."""
    return [action for action in api.actions() if action != "Nudge"]
