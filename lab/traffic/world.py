"""The world: how versions behave, how many requests come, and what has happened so far.

Law: no clock and no network; time is an argument of `tick`, the fleet another.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from lab.traffic.chance import Latency
from lab.traffic.counters import DURATION, REQUESTS, Counters
from lab.traffic.fleet import Key, Pod, Service


class Version(NamedTuple):
    """A version of a Rollout as a script names it: an image or a hash; None means all of them."""

    rollout: Key
    name: str | None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers: its part of errors, and its lognormal latency (median and width).

    `silent`: it serves requests and exports nothing about them. `unreachable`: Prometheus cannot
    scrape it either, so that its `up` is 0.
    """

    error_ratio: float = 0.001
    latency_seconds: float = 0.05
    latency_sigma: float = 0.5
    silent: bool = False
    unreachable: bool = False

    def __post_init__(self) -> None:
        _require(0 <= self.error_ratio <= 1, "error_ratio", self.error_ratio, "0..1")
        _require(self.latency_seconds > 0, "latency_seconds", self.latency_seconds, "> 0")
        _require(self.latency_sigma >= 0, "latency_sigma", self.latency_sigma, ">= 0")

    @property
    def latency(self) -> Latency:
        """Return the distribution of its latency."""
        return Latency(self.latency_seconds, self.latency_sigma)


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
            _require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")


def _require(holds: bool, name: str, value: float, bound: str) -> None:
    if not holds:
        raise ValueError(f"{name}: {value} is not {bound}")


class World:
    """Counters of every pod, true totals of every version, and the knobs of both.

    Safe to use from several threads.
    """

    def __init__(self, seed: int = 0, *, demand: Demand | None = None) -> None:
        self._generator = random.Random(seed)
        self._default_demand = demand or Demand()
        self._behaviours: dict[Version, Behaviour] = {}
        self._demands: dict[Key, Demand] = {}
        self._pods: dict[tuple[str, int], tuple[Key, Pod, Counters]] = {}
        self._totals: dict[Key, dict[str, tuple[int, int]]] = defaultdict(dict)
        self._lock = threading.Lock()

    def set_behaviour(self, rollout: Key, version: str | None, **changes: Any) -> None:
        """Change fields of a version's Behaviour from now on; what is None or absent stays.

        Raises TypeError for a field that does not exist, and ValueError for a value out of bounds.
        """
        with self._lock:
            name = Version(rollout, version)
            old = self._behaviours.get(name) or self._behaviour(rollout, (), "")
            self._behaviours[name] = replace(old, **_said(changes))

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

    def exposition(self) -> str:
        """Return the world in Prometheus' text format."""
        with self._lock:
            return "\n".join([*self._targets(), *self._requests(), *self._durations(), ""])

    def _meet(self, services: Iterable[Service]) -> None:
        """Forget pods that are gone, and begin from zero with those that are new or restarted."""
        old, self._pods = self._pods, {}
        for service in services:
            for pod in service.pods:
                counters = old[pod.life][2] if pod.life in old else Counters()
                self._pods[pod.life] = (service.key, pod, counters)

    def _serve(self, service: Service, seconds: float) -> None:
        demand = self._demands.get(service.key, self._default_demand)
        rates = {version: share * demand.requests_per_second for version, share in self._live(service, demand).items()}
        if service.split.preview:
            rates[service.split.preview] = demand.preview_requests_per_second
        for version, rate in rates.items():
            ready = [pod for pod in service.pods if pod.ready and pod.version == version]
            for pod in ready:
                self._serve_pod(service.key, pod, rate * seconds / len(ready))

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

    def _serve_pod(self, rollout: Key, pod: Pod, mean: float) -> None:
        behaviour = self._behaviour(rollout, pod.images, pod.version)
        counters = self._pods[pod.life][2]
        bad, total = counters.serve(self._generator, mean, behaviour.error_ratio, behaviour.latency)
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
        for labels, counters in self._visible():
            yield from counters.requests(labels)

    def _durations(self) -> Iterator[str]:
        yield f"# TYPE {DURATION} histogram"
        for labels, counters in self._visible():
            yield from counters.durations(labels)

    def _targets(self) -> Iterator[str]:
        # A real Prometheus scrapes every pod and says `up` of each. The world is one target, so it
        # says it itself; labels keep it apart from the `up` of the world as such.
        yield "# TYPE up gauge"
        for rollout, pod, _ in self._pods.values():
            behaviour = self._behaviour(rollout, pod.images, pod.version)
            yield f"up{{{_labels(pod)}}} {int(not behaviour.unreachable)}"

    def _visible(self) -> Iterator[tuple[str, Counters]]:
        for rollout, pod, counters in self._pods.values():
            behaviour = self._behaviour(rollout, pod.images, pod.version)
            if not behaviour.silent and not behaviour.unreachable:
                yield _labels(pod), counters


def _labels(pod: Pod) -> str:
    return f'namespace="{pod.namespace}",pod="{pod.name}",rollouts_pod_template_hash="{pod.version}"'


def _said(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
