"""The proxy between the operator and the API server in a long run: it keeps what was written to Rollouts, and no more.

Law: whatever no act is about passes unchanged.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from canary_operator.model import durations
from canary_operator.model.pause import Pause, PauseReason
from tests.e2e.apiproxy import ApiProxy, Exchange
from tests.soak.judging import Write

_ROLLOUT = re.compile(r"/rollouts/([^/]+)/status")

Act = Callable[["Tap", Exchange], None]


class Tap(ApiProxy):
    """`act` decides what becomes of a request that is no watch; `writes` is what was done to Rollouts."""

    def __init__(self, identity: Path, folder: Path, ca: Path) -> None:
        self.act: Act = Tap.pass_on
        self.writes: list[Write] = []
        super().__init__(identity, folder, ca)

    def pass_on(self, exchange: Exchange) -> None:
        """Send it to the API server, and keep the reply."""
        status = exchange.forward()
        found = _ROLLOUT.search(exchange.path)
        if found and exchange.method == "PATCH" and status < 300:
            self.writes.append(_write(found.group(1), exchange))

    def serve(self, exchange: Exchange) -> None:
        """Let the act decide; nothing is kept of it."""
        self.act(self, exchange)

    def watch_rule(self, exchange: Exchange) -> None:
        """Watches pass."""


def _write(rollout: str, exchange: Exchange) -> Write:
    tests = {each["path"]: each["value"] for each in exchange.document() if each["op"] == "test"}
    conditions = tests.get("/status/pauseConditions") or [None]
    pause = ""
    if conditions[0] is not None:
        start = Pause(PauseReason.CANARY_STEP, durations.parse_time(conditions[0]["startTime"]))
        pause = durations.format_time(start.user_start(time.time()))
    return Write(
        rollout,
        tests["/metadata/uid"],
        tests["/status/currentPodHash"],
        tests.get("/status/currentStepIndex"),
        pause,
        exchange.action(),
    )
