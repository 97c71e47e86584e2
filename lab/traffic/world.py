"""The world: how versions behave, how many requests come, and what has happened so far.

Law: no clock and no network; time is an argument of `tick`, the fleet another.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lab.traffic.chance import Latency
from lab.traffic.counters import DURATION, REQUESTS, Counters
from lab.traffic.fleet import Key, Pod, Service


class Version(NamedTuple):
    """A version of a Rollout as a script names it: an image or a hash; None means all of them."""

    rollout: Key
    name: str | None


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers. `silent`: it serves requests and exports nothing about them."""

    error_ratio: float = 0.001
    latency: Latency = field(default_factory=Latency)
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """How many requests a Rollout gets, and how many its preview.

    `shares` replaces what the cluster says, by image or hash: a router that does not obey.
    """

    requests_per_second: float = 50.0
    preview_requests_per_second: float = 5.0
    shares: Mapping[str, float] | None = None


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

    def set_behaviour(
        self,
        rollout: Key,
        version: str | None,
        *,
        error_ratio: float | None = None,
        latency_seconds: float | None = None,
        latency_sigma: float | None = None,
        silent: bool | None = None,
    ) -> None:
        """Change how a version answers from now on; what is None stays as it is."""
        with self._lock:
            name = Version(rollout, version)
            old = self._behaviours.get(name) or self._behaviour(rollout, (), "")
            latency = Latency(
                old.latency.median_seconds if latency_seconds is None else latency_seconds,
                old.latency.sigma if latency_sigma is None else latency_sigma,
            )
            self._behaviours[name] = replace(
                old,
                error_ratio=old.error_ratio if error_ratio is None else error_ratio,
                latency=latency,
                silent=old.silent if silent is None else silent,
            )

    def set_demand(
        self,
        rollout: Key,
        *,
        requests_per_second: float | None = None,
        preview_requests_per_second: float | None = None,
    ) -> None:
        """Change how many requests a Rollout gets from now on; what is None stays as it is."""
        with self._lock:
            old = self._demands.get(rollout, self._default_demand)
            live, preview = requests_per_second, preview_requests_per_second
            self._demands[rollout] = replace(
                old,
                requests_per_second=old.requests_per_second if live is None else live,
                preview_requests_per_second=(old.preview_requests_per_second if preview is None else preview),
            )

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
            return "\n".join([*self._requests(), *self._durations(), ""])

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

    def _visible(self) -> Iterator[tuple[str, Counters]]:
        for rollout, pod, counters in self._pods.values():
            if not self._behaviour(rollout, pod.images, pod.version).silent:
                yield _labels(pod), counters


def _labels(pod: Pod) -> str:
    return f'namespace="{pod.namespace}",pod="{pod.name}",rollouts_pod_template_hash="{pod.version}"'
