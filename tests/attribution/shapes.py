"""Series as the tools really export them, of both versions and of strangers beside them.

A shape is what one way of attribution looks at: for each the labels of the canary's series, of the stable version's,
and of series that look alike and must not be counted.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from canary_operator.attribution.subject import Custom, Subject
from canary_operator.model.indicator import Matcher, MatchKind, Selector

Labels = dict[str, str]


@dataclass(frozen=True)
class Names:
    """What things are called in a cluster."""

    namespace: str = "shop"
    rollout: str = "api"
    canary_hash: str = "6d4cf56db6"
    stable_hash: str = "789fb9c4f4"
    canary_service: str = "api-canary"
    stable_service: str = "api"
    ingress: str = "web"
    port: str = "80"

    def subject(self, **changes) -> Subject:
        subject = Subject(
            self.namespace,
            self.rollout,
            self.canary_hash,
            self.stable_hash,
            self.canary_service,
            self.stable_service,
            (self.ingress,),
        )
        return replace(subject, **changes)


@dataclass(frozen=True)
class Side:
    """One version of a Rollout, as what makes its series sees it."""

    names: Names
    canary: bool

    @property
    def hash(self) -> str:
        return self.names.canary_hash if self.canary else self.names.stable_hash

    @property
    def service(self) -> str:
        return self.names.canary_service if self.canary else self.names.stable_service

    @property
    def pods(self) -> list[str]:
        """Two pods, named as Kubernetes does."""
        return [f"{self.names.rollout}-{self.hash}-"[:58] + suffix for suffix in ("x7k2p", "bq4zd")]


def target(namespace: str, pod: str, container: str) -> Labels:
    """The labels that a PodMonitor gives to what it scrapes."""
    return {"namespace": namespace, "pod": pod, "container": container, "instance": "10.0.7.9:8080", "job": "all"}


def of_pods(side: Side) -> Iterator[Labels]:
    for pod in side.pods:
        for status in ("200", "503"):
            yield {**target(side.names.namespace, pod, "app"), "status": status, "method": "GET"}


def with_hash(series: Iterator[Labels], side: Side) -> Iterator[Labels]:
    for labels in series:
        yield labels | {"rollouts_pod_template_hash": side.hash}


def exported(series: Iterator[Labels]) -> Iterator[Labels]:
    """The same through an exporter that is scraped without honorLabels."""
    for labels in series:
        own = {f"exported_{name}": labels[name] for name in ("namespace", "pod", "container", "job")}
        kept = {name: value for name, value in labels.items() if f"exported_{name}" not in own}
        yield kept | target("monitoring", "exporter-0", "exporter") | own


def istio(side: Side, reporter: str, host: str) -> Labels:
    """What both proxies say; since 2024 the workload is the Rollout for both versions."""
    return {
        "reporter": reporter,
        "source_workload": "istio-ingressgateway",
        "source_workload_namespace": "istio-system",
        "destination_workload": side.names.rollout,
        "destination_workload_namespace": side.names.namespace,
        "destination_service": f"{host}.{side.names.namespace}.svc.cluster.local",
        "destination_service_name": host,
        "destination_service_namespace": side.names.namespace,
        "request_protocol": "http",
        "response_code": "200",
        "response_flags": "-",
    }


def istio_callers(side: Side) -> Iterator[Labels]:
    yield istio(side, "source", side.service) | target("istio-system", "istio-ingressgateway-5f-x", "istio-proxy")


def istio_pods(side: Side, host: str) -> Iterator[Labels]:
    for pod in side.pods:
        yield istio(side, "destination", host) | target(side.names.namespace, pod, "istio-proxy")


def istio_calls_to_others(side: Side) -> Iterator[Labels]:
    """What the version's own proxies say about its requests to somebody else."""
    for pod in side.pods:
        yield istio(side, "source", "payments") | target(side.names.namespace, pod, "istio-proxy")


def linkerd(side: Side, direction: str) -> Iterator[Labels]:
    for pod in side.pods:
        own = {"direction": direction, "classification": "success", "status_code": "200", "tls": "true"}
        yield own | target(side.names.namespace, pod, "linkerd-proxy")


def nginx(side: Side) -> Iterator[Labels]:
    """Ingress and Service are stable's for both versions; the canary's upstream is a label of its own."""
    upstream = f"{side.names.namespace}-{side.service}-http-{side.names.port}" if side.canary else ""
    own = {
        "controller_namespace": "ingress-nginx",
        "namespace": side.names.namespace,
        "ingress": side.names.ingress,
        "service": side.names.stable_service,
        "host": "shop.example.com",
        "path": "/",
        "method": "GET",
        "status": "200",
    }
    yield own | ({"canary": upstream} if upstream else {})


def scraped(series: Iterator[Labels], **of_target: str) -> Iterator[Labels]:
    """A controller's series without honorLabels: labels that its target has too are renamed."""
    for labels in series:
        yield {f"exported_{name}" if name in of_target else name: value for name, value in labels.items()} | of_target


def honoured(series: Iterator[Labels]) -> Iterator[Labels]:
    for labels in series:
        yield target("ingress-nginx", "ingress-nginx-controller-7c-x", "controller") | labels


def traefik(side: Side, before: str, port: str, provider: str) -> Iterator[Labels]:
    name = "-".join(part for part in f"{side.names.namespace}-{side.service}".split("-") if part)
    yield {"service": f"{before}{name}-{port}@{provider}", "code": "200", "method": "GET", "protocol": "http"}


def crd(side: Side) -> Iterator[Labels]:
    return traefik(side, "", side.names.port, "kubernetescrd")


def gateway(side: Side) -> Iterator[Labels]:
    return traefik(side, "", "8080", "kubernetesgateway")


def gateway_route(side: Side) -> Iterator[Labels]:
    return traefik(side, "httproute-shop-api-gw-infra-public-ep-web-0-svc-", "8080", "kubernetesgateway")


def contour(side: Side) -> Iterator[Labels]:
    own = target("projectcontour", "envoy-x7k2p", "envoy")
    yield own | {"envoy_cluster_name": f"{side.names.namespace}_{side.service}_80", "envoy_response_code": "200"}


def kuma(side: Side) -> Iterator[Labels]:
    own = target("kuma-system", "gateway-x", "kuma-gateway")
    yield own | {"envoy_cluster_name": f"{side.service}_{side.names.namespace}_svc_80", "envoy_response_code": "200"}


def none(side: Side) -> Iterator[Labels]:
    return iter(())


def matcher(label: str, value: str, kind: MatchKind = MatchKind.EQUAL) -> Matcher:
    return Matcher(label, kind, value)


KUMA = (matcher("envoy_cluster_name", "{service}_{namespace}_svc_.+", MatchKind.REGEX),)


@dataclass(frozen=True)
class Shape:
    """What one way looks at.

    ``traps`` look like the versions' series and count other requests, or the same ones again.
    """

    metric: str
    series: Callable[[Side], Iterator[Labels]]
    traps: Callable[[Side], Iterator[Labels]] = none
    custom: Custom | None = None

    @property
    def selector(self) -> Selector:
        return Selector(self.metric)


def _both_reporters(side: Side) -> Iterator[Labels]:
    yield from istio_pods(side, side.service)
    yield from istio_calls_to_others(side)


def _as_callers_see(side: Side) -> Iterator[Labels]:
    yield from istio_calls_to_others(side)
    yield istio(side, "source", side.names.stable_service) | target(
        "istio-system", "istio-ingressgateway", "istio-proxy"
    )


def _hashed_istio(side: Side) -> Iterator[Labels]:
    return with_hash(istio_pods(side, side.names.stable_service), side)


def _hidden_namespace(side: Side) -> Iterator[Labels]:
    """A controller in the Rollout's own namespace, scraped without honorLabels, about an Ingress of another one."""
    elsewhere = replace(side, names=replace(side.names, namespace=f"{side.names.namespace}x"))
    return scraped(nginx(elsewhere), namespace=side.names.namespace, pod="controller-7c-x")


REQUESTS, NGINX, TRAEFIK = "http_requests_total", "nginx_ingress_controller_requests", "traefik_service_requests_total"
CONTROLLER = {"namespace": "ingress-nginx", "pod": "ingress-nginx-controller-7c-x", "job": "ingress-nginx"}
TRAEFIKS = {"namespace": "traefik", "pod": "traefik-5d-x", "service": "traefik"}

# By the name of the way.
SHAPES = {
    "pod-hash": Shape(REQUESTS, lambda side: with_hash(of_pods(side), side)),
    "pod-hash (exported)": Shape(REQUESTS, lambda side: with_hash(exported(of_pods(side)), side)),
    "pod-name": Shape(REQUESTS, of_pods),
    "pod-name (exported)": Shape(REQUESTS, lambda side: exported(of_pods(side))),
    "istio (host)": Shape("istio_requests_total", istio_callers, _both_reporters),
    "istio (pod hash)": Shape(
        "istio_requests_total",
        _hashed_istio,
        lambda side: with_hash(_as_callers_see(side), side),
    ),
    "istio (pod name)": Shape(
        "istio_requests_total",
        lambda side: istio_pods(side, side.names.stable_service),
        _as_callers_see,
    ),
    "nginx": Shape(NGINX, lambda side: honoured(nginx(side)), _hidden_namespace),
    "nginx (exported)": Shape(NGINX, lambda side: scraped(nginx(side), **CONTROLLER, service="metrics")),
    "nginx (exported namespace)": Shape(NGINX, lambda side: scraped(nginx(side), **CONTROLLER)),
    "traefik (IngressRoute)": Shape(TRAEFIK, crd),
    "traefik (IngressRoute, exported)": Shape(TRAEFIK, lambda side: scraped(crd(side), **TRAEFIKS)),
    "traefik (HTTPRoute)": Shape(TRAEFIK, gateway),
    "traefik (HTTPRoute, exported)": Shape(TRAEFIK, lambda side: scraped(gateway(side), **TRAEFIKS)),
    "traefik (HTTPRoute by name)": Shape(TRAEFIK, gateway_route),
    "traefik (HTTPRoute by name, exported)": Shape(TRAEFIK, lambda side: scraped(gateway_route(side), **TRAEFIKS)),
    "linkerd (pod hash)": Shape(
        "response_total",
        lambda side: with_hash(linkerd(side, "inbound"), side),
        lambda side: with_hash(linkerd(side, "outbound"), side),
    ),
    "linkerd (pod name)": Shape(
        "response_total", lambda side: linkerd(side, "inbound"), lambda side: linkerd(side, "outbound")
    ),
    "contour": Shape("envoy_cluster_upstream_rq", contour),
    "custom": Shape("envoy_cluster_upstream_rq", kuma, custom=Custom(KUMA, KUMA)),
}


def versions(shape: Shape, names: Names) -> tuple[list[Labels], list[Labels]]:
    """The canary's series and the stable version's."""
    return list(shape.series(Side(names, canary=True))), list(shape.series(Side(names, canary=False)))


def strangers(shape: Shape, names: Names, others: list[Names]) -> list[Labels]:
    """Series that are neither version's."""
    found = [labels for canary in (True, False) for labels in shape.traps(Side(names, canary=canary))]
    for other in others:
        for canary in (True, False):
            found += [*shape.series(Side(other, canary=canary)), *shape.traps(Side(other, canary=canary))]
    return found
