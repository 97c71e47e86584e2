"""A small model of Argo Rollouts: the state of one Rollout, moved by its spec, by patches and by time.

It knows the rules that a gate relies on: pauses begin and end, promotions are consumed in two reconciles, aborts
go back to stable, a new version resets everything.
"""

import copy
import json
from typing import Any

from canary_operator.model import durations

Body = dict[str, Any]


class Argo:
    """One Rollout and its controller. ``deaf`` makes it miss writes until the one after."""

    def __init__(self, body: Body) -> None:
        self.body = copy.deepcopy(body)
        self.analysis: str | None = "Successful"
        self.deaf = False
        self.down = False
        self.status.setdefault("currentStepHash", self._step_hash)

    @property
    def status(self) -> Body:
        return self.body["status"]

    @property
    def _strategy(self) -> Any:
        return copy.deepcopy(self.body["spec"]["strategy"].get("canary", {}).get("steps"))

    @property
    def _step_hash(self) -> str:
        return json.dumps(self._strategy)

    def change(self, **spec: Any) -> None:
        """What a person or Git changes in the spec."""
        self.body["spec"] |= spec
        self.body["metadata"]["generation"] += 1

    def settle(self, now: float) -> None:
        """Reconcile until nothing changes any more."""
        for _ in range(100):
            before = copy.deepcopy(self.body)
            self.reconcile(now)
            if before == self.body:
                return
        raise AssertionError(f"the Rollout does not come to rest: {self.status}")

    def wakes(self, now: float) -> float:
        """When a timer ends."""
        ends = [end for end in (self._end_of(condition) for condition in self._conditions) if end >= now]
        return float("inf") if self.down else min(ends, default=float("inf")) + 0.001

    @property
    def _conditions(self) -> list[Body]:
        return self.status.get("pauseConditions") or []

    def _end_of(self, condition: Body) -> float:
        seconds = self._seconds(condition["reason"])
        return float("inf") if seconds is None else durations.parse_time(condition["startTime"]) + seconds

    def _seconds(self, reason: str) -> float | None:
        if reason == "BlueGreenPause":
            blue_green = self.body["spec"]["strategy"]["blueGreen"]
            seconds = blue_green.get("autoPromotionSeconds")
            return None if blue_green.get("autoPromotionEnabled") is False else seconds
        step = self._step() or {}
        duration = (step.get("pause") or {}).get("duration")
        if reason != "CanaryPauseStep" or duration is None:
            return None
        return float(duration) if str(duration).isdigit() else float(int(durations.parse_duration(duration)))

    def _step(self) -> Body | None:
        steps, index = self._strategy or [], self.status.get("currentStepIndex")
        return steps[index] if index is not None and index < len(steps) else None

    def reconcile(self, now: float) -> None:
        """Look at the Rollout once, as the controller does after every change."""
        if self.deaf or self.down:
            return None
        spec, status = self.body["spec"], self.status
        wanted = spec["template"]["hash"]
        status["observedGeneration"] = str(self.body["metadata"]["generation"])
        if status["currentPodHash"] != wanted or status["currentStepHash"] != self._step_hash:
            return self._reset(wanted)
        if status["stableRS"] in {"", wanted}:
            return self._finish()
        if status.get("promoteFull"):
            status["abort"] = False
            return self._finish()
        if status.get("abort"):
            return self._abort(now)
        if spec.get("paused"):
            return None
        return self._blue_green(now) if "blueGreen" in spec["strategy"] else self._canary(now)

    def _reset(self, wanted: str) -> None:
        back = wanted == self.status["stableRS"]
        self.status["currentStepHash"] = self._step_hash
        self._unpause()
        for field in ("abort", "abortedAt", "promoteFull", "conditions"):
            self.status.pop(field, None)
        self.status["currentPodHash"] = wanted
        annotations = self.body["metadata"]["annotations"]
        annotations["rollout.argoproj.io/revision"] = str(int(annotations["rollout.argoproj.io/revision"]) + 1)
        if self._strategy is not None:
            self.status["currentStepIndex"] = len(self._strategy) if back else 0
            self._set_weight(0)

    def _finish(self) -> None:
        self._unpause()
        self.status.pop("promoteFull", None)
        self.status["stableRS"] = self.status["currentPodHash"]
        if self._strategy is not None:
            self.status["currentStepIndex"] = len(self._strategy)

    def _abort(self, now: float) -> None:
        self._unpause()
        self.status.setdefault("abortedAt", durations.format_time(now))
        message = self.status.pop("why", "Rollout aborted update to revision 2")
        self.status.setdefault("conditions", [{"type": "Progressing", "reason": "RolloutAborted", "message": message}])
        if self._strategy is not None:
            self.status["currentStepIndex"] = 0
            self._set_weight(0)

    def _unpause(self) -> None:
        self.status.pop("pauseConditions", None)
        self.status["controllerPause"] = False

    def _pause(self, reason: str, now: float) -> None:
        self.status["pauseConditions"] = [{"reason": reason, "startTime": durations.format_time(now)}]
        self.status["controllerPause"] = True

    def _set_weight(self, percent: int) -> None:
        self.status["canary"] = {"weights": {"canary": {"weight": percent}}}

    def _canary(self, now: float) -> None:
        if self.status.get("abortedAt"):
            # A person has taken the abort back.
            self.status.pop("abortedAt")
            self.status.pop("conditions")
        step = self._step()
        if step is None:
            return self._finish()
        if "pause" in step:
            return self._pause_step(now)
        if "analysis" in step:
            return self._analysis_step(now)
        if "setWeight" in step:
            self._set_weight(step["setWeight"])
        return self._next()

    def _next(self) -> None:
        self._unpause()
        self.status["currentStepIndex"] += 1

    def _pause_step(self, now: float) -> None:
        if not self._conditions:
            return self._next() if self.status.get("controllerPause") else self._pause("CanaryPauseStep", now)
        return self._next() if now > self._end_of(self._conditions[0]) else None

    def _analysis_step(self, now: float) -> None:
        match self.analysis:
            case "Successful":
                self._next()
            case "Failed":
                self.status["abort"] = True
                self.status["why"] = "Rollout aborted update to revision 2: Step-based analysis phase failed"
            case "Inconclusive" if not self._conditions:
                self._pause("InconclusiveAnalysisRun", now)

    def _blue_green(self, now: float) -> None:
        blue_green = self.body["spec"]["strategy"]["blueGreen"]
        disabled = blue_green.get("autoPromotionEnabled") is False
        if not disabled and not blue_green.get("autoPromotionSeconds"):
            return self._finish()
        if self._conditions:
            return self._finish() if now > self._end_of(self._conditions[0]) else None
        if self.status.get("controllerPause"):
            # Where the pause has an end, Argo 1.9 does not know that it was ended by a person: it pauses again.
            return self._finish() if disabled else self._unpause()
        return self._pause("BlueGreenPause", now)
