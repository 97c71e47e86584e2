"""The pods gate: a canary whose containers keep crashing is unhealthy, whatever its requests say.

Only crashes count: a pod that was evicted, drained or cannot be scheduled says something about nodes, not about the
version.

Law: pure; what the API server has not told is no evidence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.engine.look import Ground, Said
from canary_operator.model.pods import VersionPods
from canary_operator.model.samples import Absent, Question, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason

_CRASHING = "CrashLoopBackOff"


@dataclass(frozen=True, slots=True)
class Look:
    """The pods as they were when they were listed."""

    pods: VersionPods
    max_restarts: int

    def questions(self) -> tuple[Question, ...]:
        """Nothing: the API server knows."""
        return ()

    def judge(self, _samples: Samples) -> Said:
        """What keeps crashing, or nothing."""
        restarts = sum(pod.restart_count for pod in self.pods.canary)
        findings = (self._finding(restarts),) if restarts > self.max_restarts else ()
        return Said(evidence=(), findings=findings)

    def _finding(self, restarts: int) -> Finding:
        worst = max(self.pods.canary, key=lambda pod: pod.restart_count)
        looping = sum(pod.reason == _CRASHING for pod in self.pods.canary)
        said = f"containers of the canary were restarted {restarts} times, {self.max_restarts} are allowed: "
        said += f"most often in pod {worst.name}" + (f" ({worst.last_exit})" if worst.last_exit else "")
        said += f"; {looping} of {len(self.pods.canary)} pods in {_CRASHING}" if looping else ""
        if crashed := self._stable_crashes():
            # What both versions need may be broken: that is not the canary's fault.
            return Finding(HoldReason.ENVIRONMENT_UNHEALTHY, f"{said}; stable crashes too, in pod {crashed}")
        return Finding(AbortReason.CANARY_UNHEALTHY, said)

    def _stable_crashes(self) -> str:
        """The name of a pod of stable that has crashed since the canary began, "" where none has."""
        begun = min((pod.started for pod in self.pods.canary if pod.started is not None), default=math.inf)
        crashed = (
            pod for pod in self.pods.stable if pod.reason == _CRASHING or max(pod.restarts, default=0.0) >= begun
        )
        return next((pod.name for pod in crashed), "")


def looks(ground: Ground) -> Sequence[Look]:
    """The pods of the canary, where objectives judge and the pods are known."""
    pods = ground.snapshot.facts.pods
    if isinstance(pods, Absent) or not pods.canary:
        return ()
    return (Look(pods, ground.policy.guards.max_restarts),)
