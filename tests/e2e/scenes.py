"""Scenes that many tests begin with, and what is told about how they ended."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from canary_operator.model import durations
from canary_operator.model.pause import Hold
from tests.e2e.stage import Stage

INDEFINITE = ({"setWeight": 50}, {"pause": {}})
WITH_POLICY = {"canary-operator.io/slo-policy": "policy"}


def timed(duration: str) -> Sequence[Any]:
    """Return steps with one timed pause."""
    return ({"setWeight": 50}, {"pause": {"duration": duration}})


def traffic(stage: Stage, rate: float = 100.0, name: str = "web") -> None:
    """Let users send requests, or none."""
    stage.lab.world.set_rate(stage.namespace, name, rate)


def waiting_without_traffic(stage: Stage, *, errors: float = 0.0, **rollout: Any) -> None:
    """Bring a release to a pause without an end, where it stays as long as there is no traffic."""
    stage.template()
    stage.rollout(rate=0, **rollout)
    stage.operator()
    stage.release(errors=errors)
    stage.at_pause()


def held_without_traffic(stage: Stage, duration: str = "4s", *, errors: float = 0.0, **rollout: Any) -> str:
    """Bring a release to a timed pause that is held as long as there is no traffic. Returns the version before it."""
    stage.template()
    stage.rollout(steps=timed(duration), rate=0, **rollout)
    stage.operator()
    before = stage.version()
    stage.release(errors=errors)
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")
    return before


def is_held(stage: Stage, step: int | None = 1) -> bool:
    """Whether the Rollout is held at a step."""
    return (stage.step(), stage.hold()) == (step, Hold.CONFIRMED)


def override(stage: Stage, action: str, seconds: float = 300.0, name: str = "web") -> float:
    """Overrule the gate as the lab's administrator. Returns when that expires, Unix seconds."""
    at = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).replace(microsecond=0)
    said = {"action": action, "reason": "a test wants it", "requestedBy": "admin", "expiresAt": at.isoformat()}
    stage.gate_patch({"override": said}, name)
    return at.timestamp()


def ended(stage: Stage, name: str = "web", timeout: float = 15.0) -> dict[str, Any]:
    """Wait until the gate has ended, and return its status."""
    stage.until(lambda: stage.gate(name).get("phase") == "Ended", f"the gate of {name} to end", timeout=timeout)
    return stage.gate(name)


def first_start(stage: Stage, since: str, name: str = "web") -> str:
    """Return the start of the pause as Argo wrote it first."""
    bodies = [body for body in stage.versions(since, name) if body["status"].get("pauseConditions")]
    return str(bodies[0]["status"]["pauseConditions"][0]["startTime"])


def written_start(stage: Stage) -> str | None:
    """Return the start of the pause as it stands in the Rollout."""
    conditions = stage.status().get("pauseConditions")
    return str(conditions[0]["startTime"]) if conditions else None


def left_at(stage: Stage, since: str, step: int = 2, name: str = "web") -> float:
    """Return when Argo wrote that it had left the pause for the next step, Unix seconds."""
    was_paused = False
    for body in stage.versions(since, name):
        was_paused = was_paused or bool(body["status"].get("pauseConditions"))
        if was_paused and body["status"].get("currentStepIndex") == step:
            return max(durations.parse_time(entry["time"]) for entry in body["metadata"]["managedFields"])
    raise AssertionError("the pause was never left")
