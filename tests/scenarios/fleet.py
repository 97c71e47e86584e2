"""Pods that serve and count requests, and Prometheus that has scraped them: what a gate with objectives asks.

Nothing is random but by seed. Times are seconds since the world began; rates are requests a second of one pod.
"""

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from canary_operator.model.facts import Births, Facts
from canary_operator.model.indicator import Matcher, MatchKind
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.samples import Answer, RawQuery, ResultKind, Sample, Series
from tests.builders import CANARY, NAME, NAMESPACE, STABLE, T0

SCRAPE = 15
Ratio = Callable[[float], float]


@dataclass
class Version:
    """The pods of one version. ``errors`` and ``slow`` are shares of its requests at a time."""

    hash: str
    pods: int = 1
    born: float = 0.0
    rate: float = 10.0
    errors: Ratio = lambda _: 0.0
    slow: Ratio = lambda _: 0.0
    labels: Mapping[str, str] = field(default_factory=dict)
    status_label: str = "status"
    rate_at: Callable[[float], float] | None = None
    gone_at: float = float("inf")
    errors_of: Callable[[int, float], float] | None = None
    # Of each route its share of the requests and its share of errors; without any, there is no label.
    routes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    up: int = 1
    # Numbers of the pods that Prometheus does not reach.
    unscraped: frozenset[int] = frozenset()
    # Of the first so many pods the containers have not been ready since a time.
    unready: int = 0
    unready_since: float = 0.0
    restarts: int = 0
    restarted_at: float | None = None
    containers: int = 1
    # What the container of the pod with a number runs at a time.
    image: Callable[[int, float], str] = lambda _number, _at: "registry.example/app@sha256:aaaa"

    def names(self) -> list[str]:
        return [f"{NAME}-{self.hash}-{n}x" for n in range(self.pods)]


class Fleet:
    """Both versions, scraped every 15 s; ``regular`` requests come at equal distances."""

    def __init__(
        self, canary: Version | None = None, stable: Version | None = None, seed: int = 1, *, regular: bool = False
    ) -> None:
        self.canary = canary or Version(CANARY, born=0.0)
        self.stable = stable or Version(STABLE, pods=3, born=-3600.0)
        self.stable_revision: int | None = 3
        self._chance = random.Random(seed)
        self._regular = regular
        self._pages: dict[tuple[str, int], list[tuple[float, dict[str, int]]]] = {}

    def facts(self, now: float) -> Facts:
        """What the API server says."""
        versions = [
            tuple(_pod(number, name, each, now) for number, name in enumerate(each.names()))
            if each.born + T0 <= now
            else ()
            for each in (self.canary, self.stable)
        ]
        births = Births(self.canary.born + T0, self.stable.born + T0)
        return Facts(VersionPods(versions[0], versions[1], at=now), births=births, stable_revision=self.stable_revision)

    def answer(self, question: RawQuery) -> Answer:
        """Raw samples after ``at - window``, up to ``at``."""
        series = []
        for version in (self.canary, self.stable):
            for number, pod in enumerate(version.names()):
                if number not in version.unscraped:
                    series += self._series(version, number, pod, question)
        return Answer(ResultKind.MATRIX, tuple(series))

    def _series(self, version: Version, number: int, pod: str, question: RawQuery) -> list[Series]:
        until = question.at - T0
        found: dict[tuple[tuple[str, str], ...], list[Sample]] = {}
        for at, page in self._scrapes(version, number, until):
            if at <= until - question.window:
                continue
            for metric, extra, value in _exposed(page, version):
                labels = {"__name__": metric, "namespace": NAMESPACE, "pod": pod, **extra, **version.labels}
                labels.setdefault("rollouts_pod_template_hash", version.hash)
                if metric == question.selector.metric and _is_meant(question, labels):
                    key = tuple(sorted(labels.items()))
                    found.setdefault(key, []).append(Sample(T0 + at, float(value)))
        return [Series(labels, tuple(samples)) for labels, samples in found.items()]

    def _scrapes(self, version: Version, number: int, until: float) -> list[tuple[float, dict[str, int]]]:
        """Every scrape up to a time; counted once and kept, so that the past never changes."""
        pages = self._pages.setdefault((version.hash, number), [])
        at = pages[-1][0] if pages else max(version.born, -3600.0) + 3.0 * (number + 1) - SCRAPE
        counts = dict(pages[-1][1]) if pages else {}
        while at + SCRAPE <= min(until, version.gone_at):
            at += SCRAPE
            rate = version.rate if version.rate_at is None else version.rate_at(at)
            for _ in range(self._requests(rate, at)):
                route, ratio = self._route(version, number, at)
                key = f"{'bad' if self._chance.random() < ratio else 'good'} {route}"
                counts[key] = counts.get(key, 0) + 1
                counts["slow"] = counts.get("slow", 0) + (self._chance.random() < version.slow(at))
            pages.append((at, dict(counts)))
        return [page for page in pages if page[0] <= until]

    def _route(self, version: Version, number: int, at: float) -> tuple[str, float]:
        if version.routes:
            names = list(version.routes)
            name = self._chance.choices(names, [version.routes[each][0] for each in names])[0]
            return name, version.routes[name][1]
        return "", version.errors(at) if version.errors_of is None else version.errors_of(number, at)

    def _requests(self, rate: float, at: float) -> int:
        """By chance, or as regular as a clock."""
        if self._regular:
            return int((at + 3600) * rate) - int((at - SCRAPE + 3600) * rate)
        return _poisson(self._chance, rate * SCRAPE)


def _poisson(chance: random.Random, mean: float) -> int:
    # Exact enough for tests, and the same in every version of Python.
    return max(0, round(chance.gauss(mean, mean**0.5)))


def _exposed(page: Mapping[str, int], version: Version) -> list[tuple[str, dict[str, str], int]]:
    exposed: list[tuple[str, dict[str, str], int]] = [("up", {}, version.up)]
    whole = 0
    for key, count in page.items():
        if key == "slow":
            continue
        kind, _, route = key.partition(" ")
        whole += count
        labels = {version.status_label: "500" if kind == "bad" else "200"} | ({"route": route} if route else {})
        exposed.append(("http_requests_total", labels, count))
    buckets = {"0.1": 0, "0.5": whole - page["slow"], "2.5": whole, "+Inf": whole} if whole else {}
    return exposed + [("http_request_duration_seconds_bucket", {"le": le}, count) for le, count in buckets.items()]


def _is_meant(question: RawQuery, labels: Mapping[str, str]) -> bool:
    return all(_holds(each, labels.get(each.label, "")) for each in (*question.selector.matchers, *question.identity))


def _holds(matcher: Matcher, value: str) -> bool:
    match matcher.kind:
        case MatchKind.EQUAL:
            return value == matcher.value
        case MatchKind.NOT_EQUAL:
            return value != matcher.value
        case MatchKind.REGEX:
            return re.fullmatch(matcher.value, value) is not None
        case MatchKind.NOT_REGEX:
            return re.fullmatch(matcher.value, value) is None


def _pod(number: int, name: str, version: Version, now: float) -> PodFacts:
    unready = number < version.unready and now >= T0 + version.unready_since
    return PodFacts(
        name=name,
        pod_hash=version.hash,
        replica_set=f"{NAME}-{version.hash}",
        phase="Running",
        started=T0 + version.born,
        ready_since=None if unready else T0 + version.born,
        terminating=False,
        restarts=() if version.restarted_at is None or version.containers > 1 else (T0 + version.restarted_at,),
        restart_count=version.restarts,
        reason="",
        last_exit="",
        node="node-1",
        images=(("app", version.image(number, now - T0)),),
        last_restart=None if version.restarted_at is None else T0 + version.restarted_at,
        unready_since=T0 + version.unready_since if unready else None,
    )
