"""How a Rollout's strategy splits traffic: what telling canary from stable by a router's metrics needs to know.

Law: nouns, and what the strategy says; whether the router does so is for the metrics to show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Fields of spec.strategy.canary.trafficRouting that are no routers.
_NO_ROUTERS = frozenset({"managedRoutes", "maxTrafficWeight", "plugins"})
_FULL_WEIGHT = 100


@dataclass(frozen=True, slots=True)
class Routing:
    """The split of a canary's traffic.

    Args:

        routers: the routers that the strategy names, sorted: the fields of ``trafficRouting``, such as ``nginx``,
            and the full names of its plugins, such as ``argoproj-labs/gatewayAPI``. Empty for a canary without a
            router, whose weight is the share of its pods, and for blue/green.

        istio_subsets: whether Istio splits by the subsets of a DestinationRule: then both versions answer under
            the same host. False where it splits by host.

        stable_ingresses: names of the Ingresses of the stable version, of nginx and of alb, in the user's order.

        full_weight: the weight that means all requests; Argo's weights are parts of it. 100 unless
            ``maxTrafficWeight`` says otherwise.
    """

    routers: tuple[str, ...] = ()
    istio_subsets: bool = False
    stable_ingresses: tuple[str, ...] = ()
    full_weight: int = _FULL_WEIGHT

    @property
    def routed(self) -> bool:
        """Whether a router splits the requests; else the pods are the weight."""
        return bool(self.routers)


def parse_routing(canary: Mapping[str, Any]) -> Routing:
    """The split that ``spec.strategy.canary`` asks for."""
    routing = canary.get("trafficRouting") or {}
    rule = (routing.get("istio") or {}).get("destinationRule") or {}
    return Routing(
        routers=tuple(sorted({*routing} - _NO_ROUTERS | {*(routing.get("plugins") or {})})),
        istio_subsets=bool(rule.get("canarySubsetName") and rule.get("stableSubsetName")),
        stable_ingresses=tuple(dict.fromkeys(_stable_ingresses(routing))),
        full_weight=int(routing.get("maxTrafficWeight") or _FULL_WEIGHT),
    )


def _stable_ingresses(routing: Mapping[str, Any]) -> Iterator[str]:
    for router, one, many in (("nginx", "stableIngress", "stableIngresses"), ("alb", "ingress", "ingresses")):
        named = routing.get(router) or {}
        yield from [str(named[one])] if named.get(one) else []
        yield from map(str, named.get(many) or ())
