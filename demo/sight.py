"""What one look at the cluster shows of a release: Argo's Rollout and the gate's CanaryGate.

Law: the parser at the border; it reads, and judges nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = Mapping[str, Any]

_PLACE = re.compile(r"^(?:held at|may leave|passed|aborted at) step \d+/\d+(?: \(\d+ %\))?: ")
_NEXT_LOOK = re.compile(r", next look in [^,;]*$")


@dataclass(frozen=True, slots=True)
class Turn:
    """What the gate said at a moment. `step` is counted as Argo's own tools do, such as 3/8.

    `at` is an RFC 3339 time, empty for what it says just now.
    """

    step: str
    weight: int | None
    verdict: str
    reason: str
    message: str
    at: str = ""

    @property
    def told(self) -> str:
        """The sentence without what stands beside it: the step, and the seconds to the next look."""
        return _NEXT_LOOK.sub("", _PLACE.sub("", self.message))


@dataclass(frozen=True, slots=True)
class Sight:
    """A release at one moment. Texts are empty and numbers None where nothing says so (yet).

    Verdict, reason, message, `ended_by` and `history` are the gate's about this very version (`version` is its pod
    template hash). `weight` is the canary's share in percent, `settled` says that Argo has nothing left to do.
    """

    step: str
    weight: int | None
    version: str
    image: str
    stable_image: str
    is_stable: bool
    aborted: bool
    settled: bool
    verdict: str = ""
    reason: str = ""
    message: str = ""
    phase: str = ""
    ended_by: str = ""
    history: tuple[Turn, ...] = ()

    @property
    def turn(self) -> Turn:
        """What the timeline shows of this moment."""
        return Turn(self.step, self.weight, self.verdict, self.reason, self.message)

    @property
    def over(self) -> bool:
        """Whether the release has ended and Argo is done with it."""
        return self.phase == "Ended" and self.settled


def parse_sight(objects: Sequence[Body]) -> Sight | None:
    """Return what a listing of Rollout, CanaryGate and ReplicaSets shows; None without a Rollout that Argo has seen."""
    rollout = next((one for one in objects if one["kind"] == "Rollout"), None)
    if rollout is None or not _is_current(rollout):
        return None
    gate = next((one for one in objects if one["kind"] == "CanaryGate"), None)
    return _sight(rollout, _images(objects), _judged(rollout, gate))


def _is_current(rollout: Body) -> bool:
    seen = (rollout.get("status") or {}).get("observedGeneration")
    return str(seen) == str(rollout["metadata"]["generation"])


def _sight(rollout: Body, images: Mapping[str, str], judged: Body) -> Sight:
    status = rollout["status"]
    current, stable = status.get("currentPodHash", ""), status.get("stableRS", "")
    weights = (status.get("canary") or {}).get("weights") or {}
    return Sight(
        step=_step(rollout),
        weight=(weights.get("canary") or {}).get("weight"),
        version=current,
        # Not the spec's: Argo says that it has seen a change a moment before it names the new version.
        image=images.get(current, ""),
        stable_image=images.get(stable, ""),
        is_stable=bool(stable) and current == stable,
        aborted=bool(status.get("abort")),
        settled=status.get("phase") == "Healthy" or bool(status.get("abortedAt")),
        verdict=judged.get("verdict") or "",
        reason=judged.get("reason") or "",
        message=judged.get("message") or "",
        phase=judged.get("phase") or "",
        ended_by=judged.get("endedBy") or "",
        history=tuple(map(_turn, judged.get("history") or ())),
    )


def _step(rollout: Body) -> str:
    index, steps = rollout["status"].get("currentStepIndex"), rollout["spec"]["strategy"]["canary"]["steps"]
    return "" if index is None else f"{index}/{len(steps)}"


def _turn(entry: Body) -> Turn:
    """A change of the verdict as the gate remembers it: none is missed between two looks."""
    return Turn(entry["step"], entry.get("weight"), entry["verdict"], entry["reason"], entry["message"], entry["at"])


def _judged(rollout: Body, gate: Body | None) -> Body:
    """The gate's status if it is about the Rollout's present version; what it says of an earlier one is old."""
    status: Body = (gate or {}).get("status") or {}
    judged = (status.get("rollout") or {}).get("podHash")
    return status if judged == rollout["status"].get("currentPodHash") else {}


def _images(objects: Sequence[Body]) -> dict[str, str]:
    """The image of every version, by its pod template hash."""
    return {
        one["metadata"]["labels"]["rollouts-pod-template-hash"]: one["spec"]["template"]["spec"]["containers"][0][
            "image"
        ]
        for one in objects
        if one["kind"] == "ReplicaSet"
    }
