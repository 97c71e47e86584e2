"""How a version answers: errors, latency, routes of the traffic, and pods that fail in bursts each by itself.

Law: frozen nouns that refuse what cannot be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.traffic.chance import Latency


@dataclass(frozen=True, slots=True)
class Route:
    """A part of a version's requests, 0..1, with errors and a median latency of its own."""

    share: float
    error_ratio: float = 0.001
    latency_seconds: float = 0.05

    def __post_init__(self) -> None:
        require(0 <= self.share <= 1, "share", self.share, "0..1")
        require(0 <= self.error_ratio <= 1, "error_ratio", self.error_ratio, "0..1")
        require(self.latency_seconds > 0, "latency_seconds", self.latency_seconds, "> 0")


class Part(NamedTuple):
    """Requests that are alike: their route ("" where there are none), their part of all, and how they end."""

    route: str
    share: float
    error_ratio: float
    latency: Latency


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a version answers: its part of errors, and its lognormal latency (median and width).

    `silent`: it serves requests and exports nothing about them. `unreachable`: Prometheus cannot
    scrape it either, so that its `up` is 0. `calm_seconds` more than 0: each pod fails by itself in
    bursts, of `burst_seconds` on average and so far apart, and then `burst_error_ratio` of its
    requests are errors. `routes`: requests have a label `route`, and end as their route says.
    """

    error_ratio: float = 0.001
    latency_seconds: float = 0.05
    latency_sigma: float = 0.5
    silent: bool = False
    unreachable: bool = False
    burst_error_ratio: float = 0.5
    burst_seconds: float = 5.0
    calm_seconds: float = 0.0
    routes: Mapping[str, Route] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("error_ratio", "burst_error_ratio"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "0..1")
        for name in ("latency_seconds", "burst_seconds"):
            require(getattr(self, name) > 0, name, getattr(self, name), "> 0")
        for name in ("latency_sigma", "calm_seconds"):
            require(getattr(self, name) >= 0, name, getattr(self, name), ">= 0")
        whole = sum(route.share for route in self.routes.values())
        require(not self.routes or abs(whole - 1) < 1e-6, "the shares of routes", whole, "1 in all")

    def parts(self, *, bursting: bool) -> Iterator[Part]:
        """Yield the parts of a pod's requests."""
        routes = self.routes or {"": Route(1.0, self.error_ratio, self.latency_seconds)}
        for name, route in routes.items():
            errors = self.burst_error_ratio if bursting else route.error_ratio
            yield Part(name, route.share, errors, Latency(route.latency_seconds, self.latency_sigma))

    def turns(self, seconds: float, *, bursting: bool) -> float:
        """Return the chance, 0..1, that within `seconds` a pod begins a burst, or ends the one it is in."""
        lasts = self.burst_seconds if bursting else self.calm_seconds
        return min(1.0, seconds / lasts) if lasts else 0.0


def require(holds: bool, name: str, value: float, bound: str) -> None:
    """Raise ValueError for a value out of its bound."""
    if not holds:
        raise ValueError(f"{name}: {value} is not {bound}")
