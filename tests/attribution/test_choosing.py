"""What ``auto`` tries for which metric, and what is chosen."""

import typing

import pytest

from canary_operator.attribution import choosing
from canary_operator.attribution.presets import PRESETS
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Selector
from canary_operator.model.objectives import Attribution
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.attribution.shapes import Names, matcher

REQUESTS = Selector("http_requests_total", (matcher("job", "api"),))


def tried(setting="auto", metric="http_requests_total", **changes):
    trial = choosing.trial(setting, Names().subject(**changes), Selector(metric))
    return list(dict.fromkeys(way.preset for way in trial.candidates))


@pytest.mark.parametrize(
    ("metric", "routers", "presets"),
    [
        ("http_requests_total", (), ["pod-hash", "pod-name"]),
        ("http_requests_total", ("istio",), ["istio", "pod-hash", "pod-name"]),
        ("http_requests_total", ("nginx",), ["nginx", "pod-hash", "pod-name"]),
        ("http_requests_total", ("traefik",), ["traefik", "pod-hash", "pod-name"]),
        ("http_requests_total", ("alb",), ["pod-hash", "pod-name"]),
        ("http_requests_total", ("argoproj-labs/gatewayAPI",), ["pod-hash", "pod-name"]),
        # A proxy's metric is told in the proxy's way whatever routes: its series of one pod count calls to others too.
        ("istio_requests_total", (), ["istio"]),
        ("istio_request_duration_milliseconds", ("nginx",), ["istio"]),
        ("nginx_ingress_controller_requests", ("istio",), ["nginx"]),
        ("traefik_service_requests_total", (), ["traefik"]),
        ("response_total", (), ["linkerd"]),
        ("response_latency_ms", (), ["linkerd"]),
        ("envoy_cluster_upstream_rq", (), ["contour"]),
    ],
)
def test_auto_tries_the_metrics_own_preset_else_the_routers_else_the_pods(metric, routers, presets):
    assert tried(metric=metric, routers=routers) == presets


@pytest.mark.parametrize("preset", ["pod-hash", "pod-name", "istio", "nginx", "traefik", "linkerd", "contour"])
def test_a_named_preset_is_the_only_one_tried(preset):
    assert tried(preset, "istio_requests_total", routers=("istio",)) == [preset]


def test_a_preset_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ConfigurationError, match="'pod' is none of auto, pod-hash, pod-name, istio"):
        tried("pod")


def test_a_policy_knows_the_presets_that_there_are():
    known = typing.get_args(Attribution.model_fields["preset"].annotation)
    assert {*known} == {choosing.AUTO, *(preset.name for preset in PRESETS)}


def test_stable_is_asked_for_beside_the_users_own_matchers():
    trial = choosing.trial("pod-name", Names().subject(), REQUESTS)
    assert (
        choosing.stable_query(REQUESTS, trial.candidates[0])
        == 'count(http_requests_total{job="api",namespace="shop",pod=~"api-789fb9c4f4-[a-z0-9]+"})'
    )


def test_a_matcher_that_the_user_wrote_already_is_written_once():
    own = matcher("namespace", "shop")
    assert choosing.narrowed(Selector("x", (own,)), (own,)) == Selector("x", (own,))


DOWN = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "connection refused")
NAMES = ["pod-hash", "pod-hash (exported)", "pod-name", "pod-name (exported)"]


@pytest.mark.parametrize(
    ("case", "found", "expected"),
    [
        ("all have series", [1, 1, 1, 1], "pod-hash"),
        ("the first has none", [0, 3, 2, 1], "pod-hash (exported)"),
        ("only the last has some", [0, 0, 0, 7], "pod-name (exported)"),
        ("a later answer is missing", [0, 0, 2, DOWN], "pod-name"),
    ],
)
def test_the_first_way_with_series_is_chosen(case, found, expected):
    trial = choosing.trial("auto", Names().subject(), REQUESTS)
    assert [way.name for way in trial.candidates] == NAMES
    chosen = choosing.choose(trial, dict(zip(trial.candidates, found, strict=True)))
    assert chosen == trial.candidates[NAMES.index(expected)], case


def test_a_missing_answer_never_makes_a_later_way_the_chosen_one():
    trial = choosing.trial("auto", Names().subject(), REQUESTS)
    assert choosing.choose(trial, dict(zip(trial.candidates, [0, DOWN, 5, 5], strict=True))) is DOWN


def test_without_any_series_the_message_says_what_was_asked_and_what_helps():
    trial = choosing.trial("auto", Names().subject(routers=("nginx",), stable_ingresses=()), REQUESTS)
    assert choosing.choose(trial, dict.fromkeys(trial.candidates, 0)) == Absent(
        HoldReason.NO_DATA,
        'http_requests_total{job="api"} has no series of the stable version with '
        '{namespace="shop",rollouts_pod_template_hash="789fb9c4f4"} (pod-hash), '
        '{exported_namespace="shop",rollouts_pod_template_hash="789fb9c4f4"} (pod-hash (exported)), '
        '{namespace="shop",pod=~"api-789fb9c4f4-[a-z0-9]+"} (pod-name), '
        '{exported_namespace="shop",exported_pod=~"api-789fb9c4f4-[a-z0-9]+"} (pod-name (exported)); '
        "not asked for: nginx (the Rollout names no stable Ingress); "
        "let Prometheus copy the hash from the pods: podTargetLabels: [rollouts-pod-template-hash] in the "
        "ServiceMonitor or PodMonitor",
    )


def test_where_no_way_applies_it_is_the_configuration():
    trial = choosing.trial("nginx", Names().subject(stable_ingresses=()), REQUESTS)
    assert choosing.choose(trial, {}) == Absent(
        HoldReason.CONFIGURATION_ERROR,
        "canary and stable cannot be told apart: nginx (the Rollout names no stable Ingress)",
    )


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_has_advice(preset):
    assert len(preset.advice) > 20
