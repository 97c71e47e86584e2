"""The pods gate: a canary whose containers keep crashing or stay unready is unhealthy, whatever its requests say.

Only containers count: a pod that was evicted, drained, lost with its node or cannot be scheduled says something about
nodes, not about the version.

Law: pure; what the API server has not told is no evidence.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.engine.look import Ground, Said
from canary_operator.model import durations
from canary_operator.model.caution import Caution, Matter
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.samples import Absent, Question, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason

_CRASHING = "CrashLoopBackOff"
# Crashes of both versions that are no further apart may have one cause; without any for as long it is over. Seconds.
_TOGETHER = 600.0
# Longer than a pause of garbage collection or a rolling restart of what a readiness probe asks. Seconds.
_UNREADY = 180.0


@dataclass(frozen=True, slots=True)
class Look:
    """The pods as they were when they were listed."""

    pods: VersionPods
    max_restarts: int

    def questions(self) -> tuple[Question, ...]:
        """Nothing: the API server knows."""
        return ()

    def judge(self, _samples: Samples) -> Said:
        """What keeps crashing or stays unready, or nothing."""
        restarts = sum(pod.restart_count for pod in self.pods.canary)
        crashes = self._crashes(restarts) if restarts > self.max_restarts else None
        return Said(evidence=(), findings=tuple(filter(None, (crashes, self._unready()))))

    def _unready(self) -> Finding | None:
        """At least half of the canary's pods are up and do not say that they are ready."""
        unready = [pod for pod in self.pods.canary if self.pods.at - _since(pod) >= _UNREADY]
        if 2 * len(unready) < len(self.pods.canary) or not unready:
            return None
        first = min(unready, key=_since)
        length = durations.format_duration(self.pods.at - _since(first))
        said = (
            f"{len(unready)} of {len(self.pods.canary)} pods of the canary run and are not ready, pod {first.name} "
            f"for {length}"
        )
        if beside := next((pod.name for pod in self.pods.stable if pod.unready_since is not None), ""):
            return Finding(HoldReason.ENVIRONMENT_UNHEALTHY, f"{said}; nor is pod {beside} of stable")
        return Finding(AbortReason.CANARY_UNHEALTHY, said)

    def _crashes(self, restarts: int) -> Finding | None:
        worst = max(self.pods.canary, key=lambda pod: pod.restart_count)
        looping = sum(pod.reason == _CRASHING for pod in self.pods.canary)
        said = f"containers of the canary were restarted {restarts} times, {self.max_restarts} are allowed: "
        said += f"most often in pod {worst.name}" + (f" ({worst.last_exit})" if worst.last_exit else "")
        said += f"; {looping} of {len(self.pods.canary)} pods in {_CRASHING}" if looping else ""
        if crashed := self._stable_crashes():
            # What both versions need may be broken, or was: that is not the canary's fault.
            if not looping and self._last_crash() < self.pods.at - _TOGETHER:
                return None
            return Finding(HoldReason.ENVIRONMENT_UNHEALTHY, f"{said}; stable crashes too, in pod {crashed}")
        return Finding(AbortReason.CANARY_UNHEALTHY, said)

    def _stable_crashes(self) -> str:
        """The name of a pod of stable that has crashed since the canary began and about when it did, "" for none."""
        begun = min((pod.started for pod in self.pods.canary if pod.started is not None), default=math.inf)
        since = begun if math.isinf(self._last_crash()) else max(begun, self._last_crash() - _TOGETHER)
        crashed = (
            pod for pod in self.pods.stable if pod.reason == _CRASHING or (pod.last_restart or -math.inf) >= since
        )
        return next((pod.name for pod in crashed), "")

    def _last_crash(self) -> float:
        """When a container of the canary was last started again, Unix seconds; infinity if nobody knows."""
        known = (pod.last_restart for pod in self.pods.canary if pod.last_restart is not None)
        return max(known, default=math.inf)


def _since(pod: PodFacts) -> float:
    return math.inf if pod.unready_since is None else pod.unready_since


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody told of the pods: nothing is held for it, and it is not silent."""

    why: Absent

    def questions(self) -> tuple[Question, ...]:
        """Nothing: the API server knows."""
        return ()

    def judge(self, _samples: Samples) -> Said:
        """What goes unseen."""
        said = f"neither crashes nor changes of images are seen: {self.why.message}"
        return Said(evidence=(), findings=(), cautions=(Caution(Matter.PODS_KNOWN, said),))


def looks(ground: Ground) -> Sequence[Look | Unknown]:
    """The pods of the canary, where objectives judge; that they are not known, whatever judges."""
    pods = ground.snapshot.facts.pods
    if isinstance(pods, Absent):
        return (Unknown(pods),)
    if not ground.policy.objectives or not pods.canary:
        return ()
    return (Look(pods, ground.policy.guards.max_restarts),)
