"""A made-up town of gates for the page: a store with Rollouts and CanaryGates, and looks at them."""

import copy
import random
from typing import Any

from canary_operator.cluster import kinds
from canary_operator.cluster.snapshot import snapshot
from canary_operator.cluster.store import Store
from canary_operator.model import durations
from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Look
from canary_operator.model.policy import Mode
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.web import Board, Sight, Sources, Trail
from tests import builders

Body = dict[str, Any]

ADDRESSES = ProviderAddresses({"default": ("http://prometheus.monitoring:9090",)})
INTERVAL = 15.0
STEPS = (
    builders.set_weight(5),
    builders.pause("5m"),
    builders.set_weight(25),
    builders.pause("10m"),
    builders.set_weight(50),
    builders.pause(),
    builders.set_weight(100),
)


class Records:
    """An API server that has recorded decisions, and counts how often it is asked."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []
        self.asked = 0
        self.error: Exception | None = None

    async def list_decisions(self, namespace: str, labels: dict[str, str]) -> tuple[Body, ...]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return tuple(self.bodies)


class Town:
    """Gates, what is heard of them, and what time it is."""

    def __init__(self, now: float = builders.T0) -> None:
        self.now = now
        self.store = Store(Mode.ENFORCE)
        self.board = Board()
        self.records = Records()
        self._version = 0

    @property
    def sources(self) -> Sources:
        sight = Sight(self.store, ADDRESSES, INTERVAL)
        return Sources(sight, self.board, Trail(self.records, lambda: self.now), lambda: self.now)  # type: ignore[arg-type]

    def gate(self, ref: RolloutRef, status: Body, *, rollout: Body | None = None, spec: Body | None = None) -> None:
        """Put a gate, and its Rollout, into the store as if the watch had told."""
        if rollout is not None:
            self._put(kinds.ROLLOUTS, ref, copy.deepcopy(rollout))
        self._put(kinds.CANARY_GATES, ref, {"spec": spec or {}, "status": status})
        self.board.notice(ref)

    def look(self, ref: RolloutRef, status: Body) -> None:
        """Let the operator look at a gate, which then says this."""
        self._put(kinds.CANARY_GATES, ref, {"spec": {}, "status": status})
        found = snapshot(self.store, ref, ADDRESSES, INTERVAL)
        assert found is not None
        self.board.looked(Look(found, GateStatus.model_validate(status), self.now, verdict_changed=True))

    def delete(self, ref: RolloutRef) -> None:
        """Delete a Rollout and its gate."""
        for kind in (kinds.ROLLOUTS, kinds.CANARY_GATES):
            self.store.remove(kind, body_of(ref, kind))
        self.board.forget(ref)

    def _put(self, kind: Any, ref: RolloutRef, body: Body) -> None:
        self._version += 1
        meta = {"generation": 1, **(body.get("metadata") or {})}
        meta |= {"name": ref.name, "namespace": ref.namespace, "uid": uid_of(ref, kind)}
        self.store.put(kind, {**body, "metadata": {**meta, "resourceVersion": str(self._version)}})


def uid_of(ref: RolloutRef, kind: Any = kinds.ROLLOUTS) -> str:
    return f"{kind.plural}-{ref}"


def body_of(ref: RolloutRef, kind: Any) -> Body:
    """What the watch tells of an object that is deleted, as far as anybody reads it."""
    return {"metadata": {"name": ref.name, "namespace": ref.namespace, "uid": uid_of(ref, kind)}}


def at(seconds: float) -> str:
    return durations.format_time(seconds)


def a_rollout(step: int = 3, *, started: float = builders.T0, **rollout: Any) -> Body:
    """A canary with two timed pauses and one without an end, at one of its steps."""
    body = builders.a_rollout(STEPS, **rollout)
    body["spec"]["template"]["hash"] = builders.CANARY
    body["status"] |= {"currentPodHash": builders.CANARY, "currentStepIndex": step}
    if "pause" in STEPS[step]:
        condition = {"reason": "CanaryPauseStep", "startTime": at(started)}
        body["status"] |= {"controllerPause": True, "pauseConditions": [condition]}
    weights = [each["setWeight"] for each in STEPS[: step + 1] if "setWeight" in each]
    body["status"]["canary"] = {"weights": {"canary": {"weight": weights[-1] if weights else 0}}}
    return body


def an_evidence(name: str = "availability", **fields: Any) -> Body:
    return {
        "name": name,
        "kind": "Ratio",
        "source": f"SLOPolicy/api/{name}",
        "digest": "default/0123456789abcdef",
        "since": at(builders.T0),
        "canary": {"bad": 7, "total": 4210},
        "stable": {"bad": 31, "total": 12644},
        "towardsAbort": 0.04,
        "towardsPromote": 0.62,
        "message": "7 of 4,210 requests were bad (0.17 %), stable 0.25 %",
        "attribution": "pod hash",
        **fields,
    }


def judged(ref: RolloutRef, **fields: Any) -> Body:
    """What a rollout was judged on: its release."""
    return {
        "uid": uid_of(ref),
        "generation": 1,
        "revision": 2,
        "podHash": builders.CANARY,
        "stableHash": builders.STABLE,
        **fields,
    }


def held(ref: RolloutRef, *, since: float = builders.T0, step: int = 3, weight: int = 25, **fields: Any) -> Body:
    """A gate that holds and collects evidence."""
    where = f"{step}/{len(STEPS)}"
    message = f"held at step {where} ({weight} %): availability needs 1,200 more requests, next look in 15 s"
    evidence = an_evidence(since=at(since - 900), requestsNeeded=1200, eta=at(since + 1020))
    return {
        "phase": "Judging",
        "mode": "enforce",
        "rollout": judged(ref),
        "step": {"index": step, "count": len(STEPS), "kind": "pause", "weight": weight},
        "rolloutStep": where,
        "requests": 4210,
        "verdict": "Hold",
        "reason": "Collecting",
        "message": message,
        "since": at(since),
        "evidence": [evidence],
        "pause": {"startTime": at(since), "stepIndex": step},
        "lastAction": {"action": "Hold", "decisionId": "d-41", "at": at(since), "outcome": "Applied"},
        "history": [
            entry(
                since - 900,
                "1/7",
                5,
                "Hold",
                "WarmUp",
                "held at step 1/7 (5 %): warm-up until the first minute is over",
            ),
            entry(since - 600, "1/7", 5, "Promote", "EvidenceSufficient", "passed step 1/7 (5 %): all of 1 pass"),
            entry(since, where, weight, "Hold", "Collecting", message),
        ],
        **fields,
    }


def entry(when: float, step: str, weight: int, verdict: str, reason: str, message: str) -> Body:
    return {"at": at(when), "step": step, "weight": weight, "verdict": verdict, "reason": reason, "message": message}


def a_record(ref: RolloutRef, sequence: int, promote: float, seconds: float, **release: Any) -> GateDecisionSpec:
    """What was recorded of a gate some seconds after T0."""
    return GateDecisionSpec.model_validate(
        {
            "rolloutName": ref.name,
            "rollout": judged(ref, **release),
            "at": at(builders.T0 + seconds),
            "mode": "enforce",
            "verdict": "Hold",
            "reason": "Collecting",
            "message": "held",
            "evidence": [an_evidence(towardsPromote=promote)],
            "operatorVersion": "1",
            "actor": {"kind": "Operator"},
            "configuration": "",
            "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
            "sequence": sequence,
            "previousHash": "",
            "hash": f"h{sequence}",
        }
    )


def promoting(ref: RolloutRef, **fields: Any) -> Body:
    message = "passed step 3/7 (25 %): availability is under twice its budget; the pause ends by itself"
    evidence = an_evidence(towardsAbort=0.01, towardsPromote=1.0)
    said = {"verdict": "Promote", "reason": "EvidenceSufficient", "message": message, "evidence": [evidence]}
    return held(ref, **{**said, **fields})


def regressing(ref: RolloutRef, **fields: Any) -> Body:
    message = (
        "aborted at step 3/7 (25 %): availability: 96 of 3,180 requests were bad (3.0 %), stable 0.24 %; "
        "worse than 1.25 times stable and outside 99.5 %"
    )
    canary, stable = {"bad": 96, "total": 3180}, {"bad": 23, "total": 9552}
    evidence = an_evidence(towardsAbort=1.0, towardsPromote=0.0, canary=canary, stable=stable)
    said = {"verdict": "Abort", "reason": "CanaryRegression", "message": message, "evidence": [evidence]}
    ended = {"phase": "Ended", "endedBy": "Gate", "endedAt": at(fields.get("since", builders.T0))}
    return held(ref, **{**said, **ended, **fields})


_REASONS = ("NoData", "ConfigurationError", "TelemetryUnavailable")


def broken(ref: RolloutRef, reason: str = "NoData", **fields: Any) -> Body:
    words = {
        "NoData": "held at step 1/7 (5 %): error-ratio: Prometheus has no series for the canary since 10:02:15",
        "ConfigurationError": "held at step 1/7 (5 %): SLOPolicy api does not exist in this namespace",
        "TelemetryUnavailable": "held at step 1/7 (5 %): the provider default does not answer within 10 s",
    }
    kind = {"kind": "Condition", "canary": None, "stable": None, "value": "NaN"}
    evidence = an_evidence("error-ratio", towardsAbort=0.0, towardsPromote=0.0, message=words[reason], **kind)
    evidence = {key: value for key, value in evidence.items() if value is not None}
    said = {"reason": reason, "message": words[reason], "evidence": [evidence], "requests": None}
    return {k: v for k, v in held(ref, step=1, weight=5, **{**said, **fields}).items() if v is not None}


def ended(ref: RolloutRef, **fields: Any) -> Body:
    message = "promoted: availability was under twice its budget over 18,204 requests"
    said = {"phase": "Ended", "endedBy": "Gate", "endedAt": at(fields.get("since", builders.T0)), "message": message}
    return promoting(ref, **{**said, "requests": 18204, "rolloutStep": "7/7", **fields})


def idle(_: RolloutRef, **fields: Any) -> Body:
    return {"phase": "Idle", "mode": "enforce", "reason": "NotGated", "message": "no release is in progress", **fields}


_ROLLOUT_OF = {held: 3, promoting: 3, regressing: 0, ended: 6, broken: 1, idle: 6}
_SERVICES = (
    "api",
    "web",
    "cart",
    "search",
    "payments",
    "login",
    "images",
    "mail",
    "stock",
    "prices",
    "orders",
    "reviews",
)
_TEAMS = ("shop", "checkout", "identity", "media", "warehouse", "platform-services")


def populate(town: Town, gates: int, seed: int = 7) -> list[RolloutRef]:
    """Fill a town with gates as a company has them: most are idle, some are judged, a few need somebody."""
    chance = random.Random(seed)
    kinds_of = [*[held] * 8, *[promoting] * 3, *[regressing] * 2, broken, *[ended] * 14, *[idle] * 22]
    refs = []
    for number in range(gates):
        service, team = _SERVICES[number % len(_SERVICES)], _TEAMS[number // len(_SERVICES) % len(_TEAMS)]
        generation = number // (len(_SERVICES) * len(_TEAMS))
        ref = RolloutRef(team, f"{service}-service" if generation == 0 else f"{service}-{generation}")
        kind = chance.choice(kinds_of)
        begun = town.now - chance.uniform(60, 3000)
        said = [chance.choice(_REASONS)] if kind is broken else []
        status = kind(ref) if kind is idle else kind(ref, *said, since=begun)
        town.gate(ref, status, rollout=a_rollout(_ROLLOUT_OF[kind], started=begun))
        refs.append(ref)
    return refs


def walk(town: Town, ref: RolloutRef, looks: int, seed: int = 3) -> None:
    """Let the operator look at a gate again and again while its evidence grows."""
    chance, abort = random.Random(seed), 0.1
    end = town.now
    for number in range(looks):
        town.now = end - (looks - 1 - number) * INTERVAL
        promote = 0.62 * (number + 1) / looks
        abort = min(0.8, max(0.01, abort + chance.uniform(-0.06, 0.055)))
        total = 4210 * (number + 1) // looks
        sides = {"canary": {"bad": total // 600, "total": total}, "stable": {"bad": total // 136, "total": 3 * total}}
        grown = an_evidence(
            since=at(end - 1500),
            towardsAbort=round(abort, 3),
            towardsPromote=round(promote, 3),
            requestsNeeded=1200,
            eta=at(end + 420),
            **sides,
        )
        town.look(ref, held(ref, since=end - 600, evidence=[grown]))
