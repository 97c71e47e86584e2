"""The world: how versions behave, how many requests come, and what has happened so far.

Law: no clock and no network; time is an argument of `tick`, the fleet another.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from lab.traffic.behaviour import Behaviour, Route, require
from lab.traffic.counters import DURATION, REQUESTS
from lab.traffic.fleet import Key, Pod, Service
from lab.traffic.process import Process, lived

# Long enough for several scrapes: one may fail. Prometheus takes what it has already for what it is.
_PAST_SHOWN_SECONDS = 4.0


class Version(NamedTuple):
    """A version of a Rollout as a script names it: an image or a hash; None means all of them."""

    rollout: Key
    name: str | None


@dataclass(frozen=True, slots=True)
class Demand:
    """How many requests a Rollout gets, and how many its preview.

    `shares` replaces what the cluster says, by image or hash: a router that does not obey.
    """

    requests_per_second: float = 50.0
    preview_requests_per_second: float = 5.0
    shares: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        for name in ("requests_per_second", "preview_requests_per_second"):
            require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")


@dataclass(slots=True)
class _Life:
    """A pod with its process, from its start or restart on."""

    rollout: Key
    pod: Pod
    process: Process = field(default_factory=Process)


@dataclass(slots=True)
class _Past:
    """Lines with a time of their own, and for how many more seconds they are shown."""

    lines: Sequence[str]
    seconds: float = _PAST_SHOWN_SECONDS


class World:
    """Counters of every pod, true totals of every version, and the knobs of both.

    Safe to use from several threads.
    """

    def __init__(self, seed: int = 0, *, demand: Demand | None = None) -> None:
        self._generator = random.Random(seed)
        self._default_demand = demand or Demand()
        self._behaviours: dict[Version, Behaviour] = {}
        self._demands: dict[Key, Demand] = {}
        self._lives: dict[tuple[str, int], _Life] = {}
        self._past: list[_Past] = []
        self._totals: dict[Key, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._lock = threading.Lock()

    def set_behaviour(self, rollout: Key, version: str | None, **changes: Any) -> None:
        """Change fields of a version's Behaviour from now on; what is None or absent stays.

        Raises TypeError for a field that does not exist, and ValueError for a value out of bounds.
        """
        with self._lock:
            name = Version(rollout, version)
            old = self._behaviours.get(name) or self._behaviour(rollout, (), "")
            self._behaviours[name] = replace(old, **_said(_with_routes(changes)))

    def set_demand(self, rollout: Key, **changes: Any) -> None:
        """Change fields of a Rollout's Demand from now on, as `set_behaviour` does."""
        with self._lock:
            old = self._demands.get(rollout, self._default_demand)
            self._demands[rollout] = replace(old, **_said(changes))

    def set_shares(self, rollout: Key, shares: Mapping[str, float] | None) -> None:
        """Route by `shares` (image or hash to 0..1) whatever the cluster says; None obeys again."""
        with self._lock:
            old = self._demands.get(rollout, self._default_demand)
            self._demands[rollout] = replace(old, shares=shares)

    def totals(self, rollout: Key) -> dict[str, tuple[int, int]]:
        """Return what really happened: bad and total requests by hash, pods that are gone included."""
        with self._lock:
            return dict(self._totals.get(rollout, {}))

    def tick(self, services: Iterable[Service], seconds: float) -> None:
        """Let `seconds` pass for `services`; whatever is not among them is gone."""
        with self._lock:
            known = list(services)
            self._meet(known)
            for service in known:
                self._serve(service, seconds)
            self._past = [_Past(past.lines, past.seconds - seconds) for past in self._past if past.seconds > seconds]

    def age(self, rollout: Key, seconds: int, requests_per_second: float, now: float) -> None:
        """Let the ready pods of a Rollout have served for `seconds` before `now` (Unix seconds), and go on so.

        What Prometheus would have scraped meanwhile is exposed for a few seconds, with its times.
        Raises ValueError where there is no ready pod, or one that has had requests already.
        """
        require(requests_per_second > 0, "requests_per_second", requests_per_second, "> 0")
        with self._lock:
            lives = [life for life in self._lives.values() if life.rollout == rollout and life.pod.ready]
            if not lives or any(life.process.by_route for life in lives):
                raise ValueError("only ready pods that have had no request yet can be aged")
            generator = random.Random(self._generator.random())
            behaviours = [self._behaviour(rollout, life.pod.images, life.pod.version) for life in lives]
        lines: list[str] = []
        aged = []
        # Not under the lock: an hour takes a second, and Prometheus does not wait for its scrape.
        for life, behaviour in zip(lives, behaviours, strict=True):
            show = _shown(_labels(life.pod), now, lines)
            aged.append(lived(generator, requests_per_second / len(lives), behaviour, seconds, show))
        with self._lock:
            for life, process in zip(lives, aged, strict=True):
                life.process = process
            self._past.append(_Past(lines))
        self.set_demand(rollout, requests_per_second=requests_per_second)

    def exposition(self) -> str:
        """Return the world in Prometheus' text format."""
        with self._lock:
            now = [*self._targets(), *self._requests(), *self._durations()]
            # What is now comes first: of one series, what has no time of its own must be its first sample.
            return "\n".join([*now, *(line for past in self._past for line in past.lines), ""])

    def _meet(self, services: Iterable[Service]) -> None:
        """Forget pods that are gone, and begin from zero with those that are new or restarted."""
        old, self._lives = self._lives, {}
        for service in services:
            for pod in service.pods:
                life = old.get(pod.life) or _Life(service.key, pod)
                life.pod = pod
                self._lives[pod.life] = life

    def _serve(self, service: Service, seconds: float) -> None:
        demand = self._demands.get(service.key, self._default_demand)
        rates = {version: share * demand.requests_per_second for version, share in self._live(service, demand).items()}
        if service.split.preview:
            rates[service.split.preview] = demand.preview_requests_per_second
        for version, rate in rates.items():
            ready = [pod for pod in service.pods if pod.ready and pod.version == version]
            for pod in ready:
                self._serve_pod(service.key, pod, rate / len(ready), seconds)

    def _live(self, service: Service, demand: Demand) -> Mapping[str, float]:
        if demand.shares is None:
            return service.split.live
        names = {pod.version: (pod.version, *pod.images) for pod in service.pods}
        return {
            version: demand.shares[name]
            for version, known_as in names.items()
            for name in known_as
            if name in demand.shares
        }

    def _serve_pod(self, rollout: Key, pod: Pod, rate: float, seconds: float) -> None:
        behaviour = self._behaviour(rollout, pod.images, pod.version)
        bad, total = self._lives[pod.life].process.serve(self._generator, rate, seconds, behaviour)
        bad_before, total_before = self._totals[rollout].get(pod.version, (0, 0))
        self._totals[rollout][pod.version] = (bad_before + bad, total_before + total)

    def _behaviour(self, rollout: Key, images: tuple[str, ...], version: str) -> Behaviour:
        # The most exact name wins: this hash, then one of its images, then all versions.
        for name in (version, *images, None):
            found = self._behaviours.get(Version(rollout, name))
            if found:
                return found
        return Behaviour()

    def _requests(self) -> Iterator[str]:
        yield f"# TYPE {REQUESTS} counter"
        for labels, process in self._visible():
            yield from process.requests(labels)

    def _durations(self) -> Iterator[str]:
        yield f"# TYPE {DURATION} histogram"
        for labels, process in self._visible():
            yield from process.durations(labels)

    def _targets(self) -> Iterator[str]:
        # A real Prometheus scrapes every pod and says `up` of each. The world is one target, so it
        # says it itself; labels keep it apart from the `up` of the world as such.
        yield "# TYPE up gauge"
        for life in self._lives.values():
            behaviour = self._behaviour(life.rollout, life.pod.images, life.pod.version)
            yield f"up{{{_labels(life.pod)}}} {int(not behaviour.unreachable)}"

    def _visible(self) -> Iterator[tuple[str, Process]]:
        for life in self._lives.values():
            behaviour = self._behaviour(life.rollout, life.pod.images, life.pod.version)
            if not behaviour.silent and not behaviour.unreachable:
                yield _labels(life.pod), life.process


def _labels(pod: Pod) -> str:
    return f'namespace="{pod.namespace}",pod="{pod.name}",rollouts_pod_template_hash="{pod.version}"'


def _shown(labels: str, now: float, lines: list[str]) -> Callable[[Process, int], None]:
    """Return what writes down a process as it was scraped some seconds ago."""

    def show(process: Process, ago: int) -> None:
        at = round((now - ago) * 1000)
        lines.extend(f"{line} {at}" for line in (*process.requests(labels), *process.durations(labels)))

    return show


def _with_routes(changes: Mapping[str, Any]) -> dict[str, Any]:
    routes = changes.get("routes")
    if routes is None:
        return dict(changes)
    return {**changes, "routes": {name: Route(**fields) for name, fields in routes.items()}}


def _said(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
