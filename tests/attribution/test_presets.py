"""Tables: how each preset asks for the canary and for the stable version, and why a preset does not apply."""

import pytest

from canary_operator.attribution import choosing
from canary_operator.attribution.candidate import Unfit
from canary_operator.attribution.presets import PRESETS
from canary_operator.attribution.subject import Custom
from canary_operator.counting import matching
from canary_operator.model.indicator import MatchKind, Selector
from tests.attribution.shapes import KUMA, SHAPES, Names, matcher

C, S = "6d4cf56db6", "789fb9c4f4"

WAYS = [
    (
        "pod-hash",
        f'x{{namespace="shop",rollouts_pod_template_hash="{C}"}}',
        f'x{{namespace="shop",rollouts_pod_template_hash="{S}"}}',
    ),
    (
        "pod-hash (exported)",
        f'x{{exported_namespace="shop",rollouts_pod_template_hash="{C}"}}',
        f'x{{exported_namespace="shop",rollouts_pod_template_hash="{S}"}}',
    ),
    (
        "pod-name",
        f'x{{namespace="shop",pod=~"api-{C}-[a-z0-9]+"}}',
        f'x{{namespace="shop",pod=~"api-{S}-[a-z0-9]+"}}',
    ),
    (
        "pod-name (exported)",
        f'x{{exported_namespace="shop",exported_pod=~"api-{C}-[a-z0-9]+"}}',
        f'x{{exported_namespace="shop",exported_pod=~"api-{S}-[a-z0-9]+"}}',
    ),
    (
        "istio (host)",
        'x{destination_service_name="api-canary",destination_service_namespace="shop",reporter="source"}',
        'x{destination_service_name="api",destination_service_namespace="shop",reporter="source"}',
    ),
    (
        "istio (pod hash)",
        f'x{{namespace="shop",reporter="destination",rollouts_pod_template_hash="{C}"}}',
        f'x{{namespace="shop",reporter="destination",rollouts_pod_template_hash="{S}"}}',
    ),
    (
        "istio (pod name)",
        f'x{{namespace="shop",pod=~"api-{C}-[a-z0-9]+",reporter="destination"}}',
        f'x{{namespace="shop",pod=~"api-{S}-[a-z0-9]+",reporter="destination"}}',
    ),
    (
        "nginx",
        'x{canary=~"shop-api-canary-.+",exported_namespace="",ingress="web",namespace="shop",service="api"}',
        'x{canary="",exported_namespace="",ingress="web",namespace="shop",service="api"}',
    ),
    (
        "nginx (exported)",
        'x{canary=~"shop-api-canary-.+",exported_namespace="shop",exported_service="api",ingress="web"}',
        'x{canary="",exported_namespace="shop",exported_service="api",ingress="web"}',
    ),
    (
        "nginx (exported namespace)",
        'x{canary=~"shop-api-canary-.+",exported_namespace="shop",ingress="web",service="api"}',
        'x{canary="",exported_namespace="shop",ingress="web",service="api"}',
    ),
    (
        "traefik (IngressRoute)",
        'x{service=~"shop-api-canary-[a-z0-9]+@kubernetescrd"}',
        'x{service=~"shop-api-[a-z0-9]+@kubernetescrd"}',
    ),
    (
        "traefik (IngressRoute, exported)",
        'x{exported_service=~"shop-api-canary-[a-z0-9]+@kubernetescrd"}',
        'x{exported_service=~"shop-api-[a-z0-9]+@kubernetescrd"}',
    ),
    (
        "traefik (HTTPRoute)",
        'x{service=~"shop-api-canary-[0-9]+@kubernetesgateway"}',
        'x{service=~"shop-api-[0-9]+@kubernetesgateway"}',
    ),
    (
        "traefik (HTTPRoute, exported)",
        'x{exported_service=~"shop-api-canary-[0-9]+@kubernetesgateway"}',
        'x{exported_service=~"shop-api-[0-9]+@kubernetesgateway"}',
    ),
    (
        "traefik (HTTPRoute by name)",
        'x{service=~".+-svc-shop-api-canary-[0-9]+@kubernetesgateway"}',
        'x{service=~".+-svc-shop-api-[0-9]+@kubernetesgateway"}',
    ),
    (
        "traefik (HTTPRoute by name, exported)",
        'x{exported_service=~".+-svc-shop-api-canary-[0-9]+@kubernetesgateway"}',
        'x{exported_service=~".+-svc-shop-api-[0-9]+@kubernetesgateway"}',
    ),
    (
        "linkerd (pod hash)",
        f'x{{direction="inbound",namespace="shop",rollouts_pod_template_hash="{C}"}}',
        f'x{{direction="inbound",namespace="shop",rollouts_pod_template_hash="{S}"}}',
    ),
    (
        "linkerd (pod name)",
        f'x{{direction="inbound",namespace="shop",pod=~"api-{C}-[a-z0-9]+"}}',
        f'x{{direction="inbound",namespace="shop",pod=~"api-{S}-[a-z0-9]+"}}',
    ),
    (
        "contour",
        'x{envoy_cluster_name=~"shop_api-canary_[0-9]+"}',
        'x{envoy_cluster_name=~"shop_api_[0-9]+"}',
    ),
    (
        "custom",
        'x{envoy_cluster_name=~"api-canary_shop_svc_.+"}',
        'x{envoy_cluster_name=~"api_shop_svc_.+"}',
    ),
]


def ways(preset, subject, **options):
    """Every way of one preset."""
    return choosing.trial(preset, subject, Selector("x"), **options)


@pytest.fixture
def all_ways():
    subject = Names().subject(custom=Custom(KUMA, KUMA))
    return {way.name: way for preset in PRESETS for way in ways(preset.name, subject).candidates}


@pytest.mark.parametrize(("name", "canary", "stable"), WAYS, ids=[name for name, _, _ in WAYS])
def test_each_way_asks_for_one_version(all_ways, name, canary, stable):
    way = all_ways[name]
    assert choosing.rendered(Selector("x"), way.canary) == canary
    assert choosing.rendered(Selector("x"), way.stable) == stable


def test_every_way_is_in_the_table_and_has_a_shape(all_ways):
    assert list(all_ways) == [name for name, _, _ in WAYS]
    assert {*all_ways} == {*SHAPES}


@pytest.mark.parametrize(
    ("name", "labels", "pod_label", "outlives"),
    [
        ("pod-hash", ("rollouts_pod_template_hash",), "pod", False),
        ("pod-hash (exported)", ("rollouts_pod_template_hash",), "exported_pod", False),
        ("pod-name", ("pod",), "pod", False),
        ("pod-name (exported)", ("exported_pod",), "exported_pod", False),
        ("istio (host)", ("destination_service_name",), "", True),
        ("istio (pod hash)", ("rollouts_pod_template_hash",), "pod", False),
        ("istio (pod name)", ("pod",), "pod", False),
        ("nginx", ("canary",), "", True),
        ("traefik (IngressRoute)", ("service",), "", True),
        ("traefik (HTTPRoute, exported)", ("exported_service",), "", True),
        ("linkerd (pod hash)", ("rollouts_pod_template_hash",), "pod", False),
        ("linkerd (pod name)", ("pod",), "pod", False),
        ("contour", ("envoy_cluster_name",), "", True),
        ("custom", ("envoy_cluster_name",), "", True),
    ],
)
def test_a_way_says_what_tells_versions_apart_and_whose_its_series_are(all_ways, name, labels, pod_label, outlives):
    way = all_ways[name]
    assert (way.labels, way.pod_label, way.outlives) == (labels, pod_label, outlives)


@pytest.mark.parametrize(
    ("case", "preset", "changes", "reason"),
    [
        ("no stable version", "pod-hash", {"stable_hash": ""}, "does not name the hash of each version"),
        ("fully promoted", "pod-hash", {"stable_hash": C}, "both versions have one hash"),
        ("fully promoted", "pod-name", {"stable_hash": C}, "both versions have one hash"),
        ("long name", "pod-name", {"rollout": "a" * 47}, "its pods' names do not hold the whole hash"),
        ("no canary Service", "traefik", {"canary_service": ""}, "does not name a Service for each version"),
        ("no stable Service", "contour", {"stable_service": ""}, "does not name a Service for each version"),
        ("one Service", "contour", {"canary_service": "api"}, "both versions have one Service"),
        ("one Service to Traefik", "traefik", {"canary_service": "a--b", "stable_service": "a-b"}, "would be the same"),
        ("no Ingress", "nginx", {"stable_ingresses": ()}, "names no stable Ingress"),
        ("no canary Service", "nginx", {"canary_service": ""}, "does not name a Service for each version"),
        ("nothing given", "custom", {"custom": None}, "the policy gives no matchers"),
    ],
)
def test_a_preset_that_does_not_apply_says_why(case, preset, changes, reason):
    trial = ways(preset, Names().subject(**changes))
    assert trial.candidates == (), case
    assert [unfit.reason for unfit in trial.unfit if reason in unfit.reason], trial.unfit


def test_the_longest_name_whose_pods_hold_the_hash_is_still_told():
    assert ways("pod-name", Names().subject(rollout="a" * 46)).candidates


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["istio (host)", "istio (pod hash)", "istio (pod name)"]),
        ({"istio_subsets": True}, ["istio (pod hash)", "istio (pod name)"]),
        ({"canary_service": ""}, ["istio (pod hash)", "istio (pod name)"]),
    ],
)
def test_istio_splits_by_host_only_where_each_version_has_its_own(changes, names):
    assert [way.name for way in ways("istio", Names().subject(**changes)).candidates] == names


def test_patterns_are_such_as_questions_of_many_rollouts_can_be_asked_with(all_ways):
    for way in all_ways.values():
        for each in (*way.canary, *way.stable):
            assert isinstance(matching.holds(each, "anything"), bool)


def test_several_ingresses_are_asked_for_together():
    way = ways("nginx", Names().subject(stable_ingresses=("web", "shop.internal"))).candidates[0]
    assert matcher("ingress", r"web|shop\.internal", MatchKind.REGEX) in way.canary


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (matcher("app", "{rollout}"), 'x{app="a.b",namespace="shop"}'),
        (matcher("pod", "{rollout}-{hash}-.{5}", MatchKind.REGEX), f'x{{namespace="shop",pod=~"a\\\\.b-{C}-.{{5}}"}}'),
        (matcher("route", "{namespace}/{service}"), 'x{route="shop/api-canary"}'),
        (matcher("tenant", "{namespace}", MatchKind.NOT_EQUAL), 'x{namespace="shop",tenant!="shop"}'),
        (matcher("job", "{service}|x{2}", MatchKind.NOT_REGEX), 'x{job!~"api-canary|x{2}",namespace="shop"}'),
    ],
)
def test_custom_matchers_are_filled_in_as_values_and_bound_to_the_namespace(given, expected):
    custom = Custom((given,), (matcher("version", "stable"),))
    (way,) = ways("custom", Names().subject(custom=custom, rollout="a.b")).candidates
    assert choosing.rendered(Selector("x"), way.canary) == expected
    assert choosing.rendered(Selector("x"), way.stable) == 'x{namespace="shop",version="stable"}'


@pytest.mark.parametrize(
    ("given", "changes", "reason"),
    [
        (matcher("pod", "{pod}"), {}, "{pod} is none of {namespace}, {rollout}, {hash}, {service}"),
        (matcher("s", "{service}"), {"canary_service": ""}, "{service} is not known of this Rollout"),
        (matcher("app", "{rollout}"), {}, "both versions' series would be the same"),
    ],
)
def test_custom_matchers_that_cannot_tell_versions_apart_are_refused(given, changes, reason):
    trial = ways("custom", Names().subject(custom=Custom((given,), (given,)), **changes))
    assert (trial.candidates, trial.unfit) == ((), (Unfit("custom", reason),))


def test_a_tenant_gets_only_what_is_bound_to_its_namespace():
    subject = Names().subject(custom=Custom(KUMA, KUMA))
    offered = [way.name for preset in PRESETS for way in ways(preset.name, subject, tenant=True).candidates]
    assert offered == [
        *("pod-hash", "pod-name", "istio (pod hash)", "istio (pod name)", "nginx"),
        *("linkerd (pod hash)", "linkerd (pod name)"),
    ]
