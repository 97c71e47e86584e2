"""A release judged by what a server has scraped of it, look by look, after the fact.

Law: the questions go the operator's own way to the server and back. The worlds of tests begin at a time of their own,
so questions are moved to the time of the scrapes, and answers back, by whole seconds.
"""

import asyncio
import dataclasses
from collections.abc import Iterable, Mapping

from canary_operator.model.facts import Births, Facts
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import (
    Absent,
    Answer,
    NativeSeries,
    Question,
    RawQuery,
    Sample,
    Series,
)
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Flavour, Provider
from tests.builders import CANARY, NAME, STABLE, T0, TEMPLATES, a_rollout, pause, set_weight
from tests.compat.script import PODS, THRESHOLD, Pod
from tests.scenarios.world import World

POLICY = SLOPolicySpec.model_validate(
    {
        "objectives": [
            {
                "name": "availability",
                "objective": "98",
                "indicator": {"ratio": {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}},
            },
            {
                "name": "latency",
                "objective": "95",
                "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": THRESHOLD}},
            },
        ],
        "timing": {"warmUp": "15s"},
    }
)
# Longer than the script: the gate goes on looking after it has found enough.
_STEPS = (set_weight(25), pause("600s"))


class Server:
    """A server with the history of all releases.

    Args:

        began: when the releases began, Unix seconds.
    """

    def __init__(self, url: str, flavour: Flavour, began: float, *, timeout: str = "10s") -> None:
        self._runner = asyncio.Runner()
        provider = Provider.model_validate({"name": "default", "url": url, "flavour": flavour, "timeout": timeout})
        # A server that does not answer is left alone for a while, which is one of the time that is told again.
        self._providers = Providers([provider], clock=lambda: self._now)
        self._shift = began - T0
        self._now = began

    def close(self) -> None:
        self._providers.close()
        self._runner.close()

    def ask(self, questions: Iterable[Question]) -> dict[Question, Answer | Absent]:
        """The answers to questions of a world, at once."""
        moved = {each: dataclasses.replace(each, at=each.at + self._shift) for each in questions}
        self._now = max(each.at for each in moved.values())
        answers = self._runner.run(self._providers.fetch(moved.values()))
        return {each: self._back(answers[asked]) for each, asked in moved.items()}

    def _back(self, answer: Answer | Absent) -> Answer | Absent:
        if isinstance(answer, Absent):
            return answer
        series = (Series(each.labels, tuple(map(self._sample_back, each.samples))) for each in answer.series)
        return dataclasses.replace(answer, series=tuple(series), native=tuple(map(self._native_back, answer.native)))

    def _sample_back(self, sample: Sample) -> Sample:
        return Sample(sample.at - self._shift, sample.value)

    def _native_back(self, series: NativeSeries) -> NativeSeries:
        samples = (dataclasses.replace(sample, at=sample.at - self._shift) for sample in series.samples)
        return dataclasses.replace(series, samples=tuple(samples))


class Scraped:
    """The pods of one namespace, as Kubernetes and the server know them."""

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._pods = [pod for pod in PODS if pod.namespace == namespace]

    def facts(self, now: float) -> Facts:
        alive = [pod for pod in self._pods if pod.lives(now - T0)]
        canary, stable = (
            tuple(_facts(pod, now) for pod in alive if pod.version == version) for version in (CANARY, STABLE)
        )
        return Facts(VersionPods(canary, stable, at=now), births=Births(T0, T0 - 3600))

    def answer(self, question: RawQuery) -> Answer | Absent:
        return self._server.ask([question])[question]


def _facts(pod: Pod, now: float) -> PodFacts:
    restarts = (T0 + pod.restarted,) if pod.restarted <= now - T0 else ()
    started = T0 + max(pod.born, -3600.0)
    return PodFacts(
        name=pod.name,
        pod_hash=pod.version,
        replica_set=f"{NAME}-{pod.version}",
        phase="Running",
        started=started,
        ready_since=started,
        terminating=False,
        restarts=restarts,
        restart_count=len(restarts),
        reason="",
        last_exit="Error" if restarts else "",
        node="node-1",
        images=(),
    )


def release(server: Server, namespace: str) -> World:
    """A gate that has not looked yet."""
    body = a_rollout(_STEPS)
    body["metadata"]["namespace"] = namespace
    del body["metadata"]["annotations"][TEMPLATES]
    fleet: object = Scraped(server, namespace)
    return World(body, policy=POLICY, fleet=fleet).release()  # type: ignore[arg-type]


Counts = Mapping[str, tuple[tuple[int, int], tuple[int, int]]]


def counts(world: World) -> list[tuple[float, Counts]]:
    """At each look (bad, total) of canary and stable for every objective."""
    return [
        (
            now - T0,
            {
                each.name: ((each.canary.bad, each.canary.total), (each.stable.bad, each.stable.total))
                for each in decision.status.evidence
            },
        )
        for _, _, now, decision in world.decisions
    ]
