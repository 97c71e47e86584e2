"""The example's times, divided.

Law: pure. Objects in, new objects out; what is not a time of the release stays as its author wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.model.durations import parse_duration

# At 12, a window of a minute is 5 s: five scrapes of the lab's Prometheus, and 100 requests of a canary at 10 %.
FASTEST = 12.0
_SHORTEST_WINDOW_SECONDS = 5.0
_SHORTEST_INTERVAL_SECONDS = 1.0
_EVALUATION_SECONDS = 15.0
_OUTAGE_SECONDS = 20.0

_DELAY = "scaleDownDelaySeconds"
_WINDOW = re.compile(r"\[((?:\d+(?:ms|s|m|h))+)\]")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pace:
    """How many times faster than the example everything goes; 1 is the real thing."""

    speed: float

    @property
    def evaluation_interval(self) -> str:
        """The operator's evaluationInterval; it takes no less than a second."""
        return _written(max(_SHORTEST_INTERVAL_SECONDS, _EVALUATION_SECONDS / self.speed))

    @property
    def patience_seconds(self) -> float:
        """How long a release may take at most: what it waits for by itself is scaled, the machine is not."""
        return 120.0 + 900.0 / self.speed

    def outage_seconds(self, pause_seconds: float) -> float:
        """How long Prometheus is away: longer than the pause, which would be over by then without a gate."""
        return max(_OUTAGE_SECONDS, 1.5 * pause_seconds)

    def applied_to(self, body: Body) -> dict[str, Any]:
        """Return the object with its times divided; one without times comes back as it is."""
        if self.speed == 1:
            return dict(body)
        match body["kind"]:
            case "Rollout":
                return self._rollout(body)
            case "AnalysisTemplate":
                metrics = [self._metric(metric) for metric in body["spec"]["metrics"]]
                return {**body, "spec": {**body["spec"], "metrics": metrics}}
            case _:
                return dict(body)

    def _rollout(self, body: Body) -> dict[str, Any]:
        spec, canary = body["spec"], body["spec"]["strategy"]["canary"]
        quicker = {**canary, "steps": [self._step(step) for step in canary["steps"]]}
        if _DELAY in canary:
            quicker[_DELAY] = self._whole(canary[_DELAY])
        return {**body, "spec": {**spec, "strategy": {**spec["strategy"], "canary": quicker}}}

    def _step(self, step: Body) -> Body:
        duration = (step.get("pause") or {}).get("duration")
        if duration is None:
            return step
        return {**step, "pause": {**step["pause"], "duration": f"{self._whole(_seconds(duration))}s"}}

    def _whole(self, seconds: float) -> int:
        # Argo cuts a pause to whole seconds, and one of zero lasts for ever.
        return max(1, round(seconds / self.speed))

    def _metric(self, metric: Body) -> Body:
        provider = metric["provider"]["prometheus"]
        quicker = {**provider, "query": _WINDOW.sub(self._window, provider["query"])}
        times = {name: self._interval(metric[name]) for name in ("interval", "initialDelay") if name in metric}
        return {**metric, **times, "provider": {**metric["provider"], "prometheus": quicker}}

    def _interval(self, text: str) -> str:
        return _written(max(_SHORTEST_INTERVAL_SECONDS, parse_duration(text) / self.speed))

    def _window(self, match: re.Match[str]) -> str:
        seconds = parse_duration(match[1])
        shortest = min(seconds, _SHORTEST_WINDOW_SECONDS)
        return f"[{_written(max(shortest, seconds / self.speed))}]"


def pause_seconds(rollout: Body, step: int) -> float:
    """Return how long the pause at `step` (counted from 0) lasts by itself. It must have a duration."""
    return _seconds(rollout["spec"]["strategy"]["canary"]["steps"][step]["pause"]["duration"])


def _seconds(duration: int | str) -> float:
    # Argo reads a bare number as seconds.
    return float(duration) if str(duration).isdigit() else parse_duration(str(duration))


def _written(seconds: float) -> str:
    # Prometheus takes no fractions; Go and Prometheus both take milliseconds.
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"
