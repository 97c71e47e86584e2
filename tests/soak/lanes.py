"""Rollouts that release again and again, each from its own draws, and what a test does to end what nobody can judge.

Law: what is seen is what `kubectl get` shows; the operator is never asked whether it is well.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e.routing import blue_green
from tests.e2e.scenes import WITH_POLICY, override
from tests.e2e.stage import ARGO, OURS, Stage
from tests.soak.judging import Chain, Course, Record
from tests.soak.releases import End, Ending, Release, Shape, Truth, drawn

Body = Mapping[str, Any]

_AVAILABILITY = {
    "name": "availability",
    "objective": "99",
    "indicator": {"ratio": {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}},
}
_TEMPLATES = {"canary-operator.io/analysis-templates": "errors"}
_GATED = {"canary-operator.io/gate": "enforce"}
_REQUESTS_PER_SECOND = 60.0


@dataclass(frozen=True)
class Pace:
    """How fast things go, in seconds.

    The user's timed pauses, how often a template looks, how long a release without data is left alone, how long a
    Rollout rests after a release, and how long a release may take at most.
    """

    pause: float = 30.0
    interval: float = 3.0
    silence: float = 20.0
    rest: float = 0.0
    patience: float = 600.0


@dataclass
class Lane:
    """One Rollout and its releases. Without `wanted` it begins no other release."""

    stage: Stage
    name: str
    shape: Shape
    pace: Pace
    draws: Iterator[Release]
    next: Release
    is_wanted: bool = True
    courses: list[Course] = field(default_factory=list)
    rested_since: float = 0.0
    hash_before: str = ""
    records: dict[int, Record] = field(default_factory=dict)

    @property
    def course(self) -> Course | None:
        """The release that is in progress, None between two."""
        last = self.courses[-1] if self.courses else None
        return last if last is not None and last.end is End.NONE and not last.took else None

    def tick(self, rollout: Body, gate: Body) -> None:
        """Look once, and do what is due."""
        course, now = self.course, time.time()
        if course is None:
            self._begin(rollout, now)
            return
        if not _is_of(rollout, course.release):
            return
        if not course.pod_hash and _pod_hash(rollout) != self.hash_before:
            course.pod_hash = _pod_hash(rollout)
        course.last_word = _word(gate)
        if course.release.truth is Truth.SILENT and not course.is_ended_by_us:
            self._wait_in_silence(course, rollout, gate, now)
        self._end(course, _end(course, rollout, gate), now)

    def _begin(self, rollout: Body, now: float) -> None:
        # What has begun is told from the Rollout: the reply to a push can be lost.
        if _image(rollout) == self.next.image:
            self.courses.append(Course(self.next, self.shape, now, uid=rollout["metadata"]["uid"]))
            self.next = next(self.draws)
        elif self.is_wanted and now >= self.rested_since + self.pace.rest and _is_settled(rollout):
            # Argo can have seen the new generation and still name the old hash.
            self.hash_before = _pod_hash(rollout)
            self._push(self.next)

    def _push(self, release: Release) -> None:
        world, namespace = self.stage.lab.world, self.stage.namespace
        world.set_behaviour(namespace, self.name, release.image, error_ratio=float(release.truth is Truth.BAD))
        if release.truth is Truth.SILENT:
            world.silence(namespace, self.name, release.image)
        containers = [{"name": "main", "image": release.image}]
        self.stage.patch({"spec": {"template": {"spec": {"containers": containers}}}}, self.name)

    def _wait_in_silence(self, course: Course, rollout: Body, gate: Body, now: float) -> None:
        if not (_is_held_without_data(gate, course) and (rollout.get("status") or {}).get("pauseConditions")):
            return
        course.silent_since = course.silent_since or now
        if now >= course.silent_since + self.pace.silence:
            course.ended_by_us_at = course.ended_by_us_at or now
            self._end_silence(course.release)
            course.is_ended_by_us = True

    def _end_silence(self, release: Release) -> None:
        match release.ending:
            case Ending.DATA_COME:
                self.stage.lab.world.silence(self.stage.namespace, self.name, release.image, silent=False)
            case Ending.PERSON_ABORTS:
                self.stage.patch({"status": {"abort": True}}, self.name, status=True)
            case Ending.PERSON_PROMOTES:
                self.stage.patch({"status": {"promoteFull": True}}, self.name, status=True)
            case Ending.OVERRIDE_ABORTS:
                override(self.stage, "Abort", name=self.name)
            case Ending.BY_ITSELF:
                raise AssertionError("what ends by itself is not silent")

    def _end(self, course: Course, end: End, now: float) -> None:
        if end is End.NONE and now < course.began + self.pace.patience:
            return
        self._collect()
        if end is End.NONE:
            # It is stuck: left as it is, for whoever looks.
            self.is_wanted = False
        elif course.release.ending is Ending.OVERRIDE_ABORTS:
            self.stage.gate_patch({"override": None}, self.name)
        # What a person has promoted is the stable version now, and the next release is compared with it.
        self.stage.lab.world.silence(self.stage.namespace, self.name, course.release.image, silent=False)
        course.end, course.took, self.rested_since = end, now - course.began, now

    def chain(self) -> Chain:
        """The records of this Rollout, and the head that its gate names."""
        self._collect()
        gate = self.stage.gate(self.name)
        head = int(gate.get("sequence", 0)), str(gate.get("recordHash", ""))
        state = f"{gate.get('phase')}, pending {gate.get('pending')}"
        return Chain(self.name, list(self.records.values()), *head, state)

    def _collect(self) -> None:
        # Retention deletes the oldest ones.
        for record in self.stage.decisions(self.name):
            number = int(record["sequence"])
            assert self.records.setdefault(number, record) == record, f"record {number} of {self.name} has changed"


def prepare(stage: Stage, pace: Pace) -> None:
    """Create what all Rollouts of a namespace are judged by."""
    stage.template(failure_limit=2, interval=f"{pace.interval:g}s")
    stage.policy(objectives=[_AVAILABILITY], timing={"warmUp": "0s", "settle": "0s"})


def lane(stage: Stage, name: str, shape: Shape, pace: Pace, seed: int) -> Lane:
    """Create a Rollout, and return its lane; its first deploy is not waited for."""
    annotations = {
        **_GATED,
        **({} if shape is Shape.OBJECTIVES else _TEMPLATES),
        **(WITH_POLICY if shape in {Shape.OBJECTIVES, Shape.BOTH} else {}),
    }
    strategy = _strategy(stage, name, shape, f"{pace.pause:g}s")
    stage.rollout(name, strategy=strategy, gate=None, annotations=annotations, rate=_REQUESTS_PER_SECOND, wait=False)
    stage.lab.world.set_preview_rate(stage.namespace, name, _REQUESTS_PER_SECOND / 2)
    draws = drawn(name, seed)
    return Lane(stage, name, shape, pace, draws, next(draws))


def _strategy(stage: Stage, name: str, shape: Shape, pause: str) -> dict[str, Any]:
    match shape:
        case Shape.PREVIEW:
            return blue_green(stage, name, autoPromotionEnabled=False)
        case Shape.TIMED_PREVIEW:
            return blue_green(stage, name, autoPromotionSeconds=int(float(pause[:-1])))
        case Shape.OBJECTIVES:
            pauses = ({}, {"duration": pause})
        case _:
            pauses = ({"duration": pause}, {})
    first, second = pauses
    return {"canary": {"steps": [{"setWeight": 50}, {"pause": first}, {"setWeight": 75}, {"pause": second}]}}


def tick_all(stage: Stage, lanes: list[Lane]) -> None:
    """Look once at all Rollouts of a namespace."""
    rollouts = _listed(stage, f"{ARGO}/namespaces/{stage.namespace}/rollouts")
    gates = _listed(stage, f"{OURS}/namespaces/{stage.namespace}/canarygates")
    for each in lanes:
        if each.name in rollouts:
            each.tick(rollouts[each.name], gates.get(each.name, {}).get("status") or {})


def _listed(stage: Stage, path: str) -> dict[str, Body]:
    return {body["metadata"]["name"]: body for body in (stage.admin.get(path) or {}).get("items") or ()}


def _is_settled(rollout: Body) -> bool:
    """Whether the next release would be one: Argo has nothing else to do."""
    status = rollout.get("status") or {}
    return _is_observed(rollout) and (status.get("phase") == "Healthy" or bool(status.get("abort")))


def _is_observed(rollout: Body) -> bool:
    return str((rollout.get("status") or {}).get("observedGeneration")) == str(rollout["metadata"]["generation"])


def _is_of(rollout: Body, release: Release) -> bool:
    return _is_observed(rollout) and _image(rollout) == release.image


def _image(rollout: Body) -> str:
    return str(rollout["spec"]["template"]["spec"]["containers"][0]["image"])


def _pod_hash(rollout: Body) -> str:
    return str((rollout.get("status") or {}).get("currentPodHash") or "")


def _is_held_without_data(gate: Body, course: Course) -> bool:
    held = gate.get("verdict") == "Hold" and gate.get("reason") in {"NoData", "NoTraffic"}
    return held and _is_about(gate, course)


def _is_about(gate: Body, course: Course) -> bool:
    return bool(course.pod_hash) and (gate.get("rollout") or {}).get("podHash") == course.pod_hash


def _end(course: Course, rollout: Body, gate: Body) -> End:
    status = rollout.get("status") or {}
    if (
        not course.pod_hash
        or gate.get("phase") != "Ended"
        or (gate.get("rollout") or {}).get("podHash") != course.pod_hash
    ):
        return End.NONE
    is_promoted = status.get("stableRS") == course.pod_hash and status.get("phase") == "Healthy"
    match is_promoted, bool(status.get("abort")), gate.get("endedBy"), gate.get("verdict"):
        case True, False, "Gate", "Promote":
            return End.PROMOTED_BY_GATE
        case False, True, "Gate", "Abort":
            return End.ABORTED_BY_GATE
        case True, False, "Person", _:
            return End.PROMOTED_BY_PERSON
        case False, True, "Person", _:
            return End.ABORTED_BY_PERSON
        case False, False, _, _:
            return End.NONE
        case _:
            return End.OTHER


def _word(gate: Body) -> str:
    told = " ".join(str(gate.get(key)) for key in ("phase", "endedBy", "verdict", "reason"))
    return f"{told}: {gate.get('message')}; pending {gate.get('pending')}"
