"""Requests counted from a Prometheus that really scrapes, against what the traffic world knows that it sent."""

from __future__ import annotations

import asyncio
import datetime
import math
import time
from typing import Any

import pytest

from canary_operator.counting import asking, folding, watermark
from canary_operator.counting.tallies import Arm, Epoch, Folded, Pod, Reading, Rules, Selection
from canary_operator.model.indicator import Events, Matcher, MatchKind, Ratio, Selector
from canary_operator.model.pods import parse_pod
from canary_operator.model.samples import Answer, RawQuery
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Provider
from lab.traffic.client import Tally
from tests.e2e.scenes import INDEFINITE, traffic
from tests.e2e.stage import V1, V2, Stage

pytestmark = pytest.mark.xdist_group("own lab of counting")

TOTAL = Selector("http_requests_total")
FIVE = Matcher("status", MatchKind.REGEX, "5..")
WAY = asking.ways(Ratio(Events.BAD, (Selector(TOTAL.metric, (FIVE,)),), (TOTAL,)))[0]
UP = Selector("up")
RULES = Rules(tick_seconds=1.0)


class Watch:
    """Counts both versions of a Rollout from before its first pod on, one look after the other."""

    def __init__(self, stage: Stage, started: float) -> None:
        self._stage = stage
        self._epoch = Epoch(started)
        self._hashes: dict[Arm, str] = {}
        self.state = folding.begin(self._epoch)

    def versions(self) -> None:
        """Learn which versions are meant."""
        status = self._stage.status()
        self._hashes = {Arm.CANARY: status["currentPodHash"], Arm.STABLE: status["stableRS"]}

    def look(self) -> bool:
        """Count what there is; False while Prometheus does not answer."""
        at = time.time()
        window = math.ceil(at - watermark.since(self.state, self._epoch, at))
        asked = {arm: [self._question(each, arm, window, at) for each in (*WAY.selectors, UP)] for arm in Arm}
        answers = asyncio.run(self._fetch([question for each in asked.values() for question in each]))
        arms = {}
        for arm, questions in asked.items():
            counted, up = (answers[question] for question in questions)
            if not isinstance(counted, Answer) or not isinstance(up, Answer):
                return False
            arms[arm] = asking.read(WAY, [counted], RULES, up)
            assert isinstance(arms[arm], Selection), arms[arm]
        folded = folding.fold(self.state, Reading(arms, at - window, at, self._pods()), self._epoch, RULES)
        assert isinstance(folded, Folded), folded
        self.state = folded.state
        self._invents_nothing()
        return True

    def counted(self) -> dict[str, Tally]:
        """Return what is counted, by hash."""
        tallies = {Arm.CANARY: self.state.canary.tally, Arm.STABLE: self.state.stable.tally}
        return {self._hashes[arm]: Tally(each.bad, each.total) for arm, each in tallies.items()}

    def truth(self) -> dict[str, Tally]:
        """Return what really happened, by hash."""
        return self._stage.lab.world.totals(self._stage.namespace, "web")

    def _invents_nothing(self) -> None:
        truth = self.truth()
        for version, tally in self.counted().items():
            assert tally.total <= truth[version].total, (self.counted(), truth)
            assert tally.bad <= truth[version].bad, (self.counted(), truth)

    def _question(self, selector: Selector, arm: Arm, window: int, at: float) -> RawQuery:
        identity = (
            Matcher("namespace", MatchKind.EQUAL, self._stage.namespace),
            Matcher("rollouts_pod_template_hash", MatchKind.EQUAL, self._hashes[arm]),
        )
        return RawQuery("default", selector, identity, window, at)

    async def _fetch(self, questions: list[RawQuery]) -> dict[Any, Any]:
        provider = Provider.model_validate({"name": "default", "url": self._stage.lab.prometheus_url, "timeout": "5s"})
        providers = Providers([provider])
        try:
            return await providers.fetch(questions)
        finally:
            providers.close()

    def _pods(self) -> dict[str, Pod]:
        pods = [parse_pod(body) for body in pods_of(self._stage)]
        return {pod.name: Pod(pod.started, pod.restarts) for pod in pods if pod.started is not None}


def pods_of(stage: Stage) -> list[dict[str, Any]]:
    """Return the pods of the namespace that are not being deleted."""
    bodies = (stage.admin.get(f"/api/v1/namespaces/{stage.namespace}/pods") or {}).get("items") or ()
    return [body for body in bodies if not body["metadata"].get("deletionTimestamp")]


def pods_with(stage: Stage, image: str) -> list[dict[str, Any]]:
    """Return those with an image."""
    return [body for body in pods_of(stage) if body["spec"]["containers"][0]["image"] == image]


def quiet(stage: Stage, watch: Watch) -> None:
    """Stop all requests, and wait until a scrape after the last one is counted."""
    traffic(stage, 0)
    stopped = time.time()
    newest = f'min(timestamp(up{{namespace="{stage.namespace}",pod!=""}}))'

    def scraped() -> float:
        at = stage.lab.prometheus.value(newest) or 0.0
        return at if at > stopped + 1 else 0.0

    scrape = stage.until(scraped, "a scrape after the last request")
    # A scrape counts once its tick is over.
    stage.until(lambda: watch.look() and (watch.state.watermark_ms or 0) >= scrape * 1000, "the tick of that scrape")


def served(stage: Stage, watch: Watch, image: str, requests: int) -> None:
    """Look again and again until a version has got so many more requests."""
    version = pods_with(stage, image)[0]["metadata"]["labels"]["rollouts-pod-template-hash"]
    goal = watch.truth()[version].total + requests

    def enough() -> bool:
        watch.look()
        return watch.truth()[version].total >= goal

    stage.until(enough, f"{requests} requests")


def restart(stage: Stage, pod: dict[str, Any]) -> None:
    """Let a pod's container end and start again, as a kubelet would report it."""
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    (container,) = pod["status"]["containerStatuses"]
    before = container["state"]["running"]["startedAt"]
    again = {
        **container,
        "restartCount": 1,
        "state": {"running": {"startedAt": now}},
        "lastState": {"terminated": {"startedAt": before, "finishedAt": now, "exitCode": 1, "reason": "Error"}},
    }
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{pod['metadata']['name']}/status"
    stage.admin.patch(path, {"status": {"containerStatuses": [again]}})


def test_every_request_of_a_release_is_counted(own_stage: Stage) -> None:
    stage = own_stage
    world, namespace = stage.lab.world, stage.namespace
    watch = Watch(stage, time.time() - 1)
    # No requests yet: pods of the old version end when the new one begins, and nobody sees what they did at last.
    stage.rollout(steps=INDEFINITE, replicas=4, gate=None, rate=0)
    stage.release(errors=0.05)
    stage.at_pause()
    watch.versions()
    traffic(stage, 80)
    stage.until(lambda: len(watch.truth()) == 2, "requests to both versions")
    served(stage, watch, V2, 200)

    # Pods are born in the middle of it.
    stage.patch({"spec": {"replicas": 6}})
    served(stage, watch, V2, 200)

    # A burst of errors, in both versions.
    world.set_behaviour(namespace, "web", V2, error_ratio=0.5)
    world.set_behaviour(namespace, "web", V1, error_ratio=0.2)
    served(stage, watch, V2, 200)
    world.set_behaviour(namespace, "web", V2, error_ratio=0.01)
    world.set_behaviour(namespace, "web", V1, error_ratio=0.001)

    # Pods die and begin anew. What they did after their last scrape would be lost, so they do nothing then.
    quiet(stage, watch)
    assert watch.counted() == watch.truth()
    old = {body["metadata"]["name"] for body in pods_of(stage)}
    for image in (V1, V2):
        first, second, _ = pods_with(stage, image)
        restart(stage, first)
        stage.admin.delete(f"/api/v1/namespaces/{namespace}/pods/{second['metadata']['name']}")
    stage.until(lambda: len({body["metadata"]["name"] for body in pods_of(stage)} - old) == 2, "two new pods")
    traffic(stage, 300)
    served(stage, watch, V2, 400)

    # Prometheus is away, and requests go on.
    stage.lab.prometheus.stop()
    served(stage, watch, V2, 600)
    stage.lab.prometheus.start()
    served(stage, watch, V2, 300)
    quiet(stage, watch)

    assert watch.counted() == watch.truth()
    assert all(tally.bad > 0 for tally in watch.counted().values())
