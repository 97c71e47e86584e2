"""How a strategy splits traffic, from strategies as people write them."""

from typing import Any

import pytest

from canary_operator.errors import ConfigurationError
from canary_operator.model.rollout import parse_rollout
from canary_operator.model.routing import Routing
from tests.builders import a_blue_green, a_rollout, at_a_pause

ISTIO_HOSTS = {"virtualService": {"name": "web", "routes": ["primary"]}}
ISTIO_SUBSETS = {
    **ISTIO_HOSTS,
    "destinationRule": {"name": "web", "canarySubsetName": "canary", "stableSubsetName": "stable"},
}


@pytest.mark.parametrize(
    ("traffic", "routing"),
    [
        (None, Routing()),
        ({}, Routing()),
        ({"managedRoutes": [{"name": "by-header"}]}, Routing()),
        ({"smi": {}}, Routing(("smi",))),
        ({"nginx": None}, Routing(("nginx",))),
        ({"istio": ISTIO_HOSTS}, Routing(("istio",))),
        ({"istio": ISTIO_SUBSETS}, Routing(("istio",), istio_subsets=True)),
        ({"istio": {"destinationRule": {"name": "web"}}}, Routing(("istio",))),
        ({"nginx": {"stableIngress": "web"}}, Routing(("nginx",), stable_ingresses=("web",))),
        ({"nginx": {"stableIngresses": ["web", "api"]}}, Routing(("nginx",), stable_ingresses=("web", "api"))),
        (
            {"nginx": {"stableIngress": "web", "stableIngresses": ["web", "api"]}},
            Routing(("nginx",), stable_ingresses=("web", "api")),
        ),
        ({"alb": {"ingress": "web", "servicePort": 80}}, Routing(("alb",), stable_ingresses=("web",))),
        ({"alb": {"ingresses": ["b", "a"]}}, Routing(("alb",), stable_ingresses=("b", "a"))),
        (
            {"plugins": {"argoproj-labs/contour": {}, "argoproj-labs/gatewayAPI": {}}},
            Routing(("argoproj-labs/contour", "argoproj-labs/gatewayAPI")),
        ),
        ({"traefik": {"weightedTraefikServiceName": "web"}, "apisix": {}}, Routing(("apisix", "traefik"))),
        ({"nginx": {}, "maxTrafficWeight": 1000}, Routing(("nginx",), full_weight=1000)),
    ],
)
def test_the_split_is_what_the_strategy_names(traffic: dict[str, Any] | None, routing: Routing) -> None:
    body = a_rollout()
    body["spec"]["strategy"]["canary"]["trafficRouting"] = traffic

    found = parse_rollout(body).routing

    assert found == routing
    assert found.routed is bool(routing.routers)


def test_a_blue_green_rollout_has_no_split() -> None:
    assert parse_rollout(a_blue_green()).routing == Routing()


@pytest.mark.parametrize("traffic", ["nginx", {"nginx": "web"}, {"nginx": {}, "maxTrafficWeight": "half"}])
def test_a_split_that_cannot_be_read_is_a_mistake_and_no_crash(traffic: Any) -> None:
    body = a_rollout()
    body["spec"]["strategy"]["canary"]["trafficRouting"] = traffic

    with pytest.raises(ConfigurationError):
        parse_rollout(body)


@pytest.mark.parametrize(("status", "count"), [({}, 0), ({"updatedReplicas": 2}, 2)])
def test_the_pods_of_the_new_version_are_counted_by_argo(status: dict[str, int], count: int) -> None:
    assert parse_rollout(at_a_pause() | {"status": {**at_a_pause()["status"], **status}}).updated_replicas == count
