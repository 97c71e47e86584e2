"""The statistical gate on the real thing: counters scraped by a real Prometheus, SLOs where people keep them."""

from __future__ import annotations

import json
import time
from typing import Any

import yaml

from tests.e2e.scenes import WITH_POLICY, ended
from tests.e2e.stage import V1, V2, Stage

RATIO = {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}
AVAILABILITY = {"name": "availability", "objective": "99", "indicator": {"ratio": RATIO}}
QUICK = {"warmUp": "0s", "settle": "0s"}

TEMPLATE = {
    "metrics": [
        {
            "name": "errors",
            "successCondition": "result[0] <= 0.01",
            "provider": {
                "prometheus": {
                    "address": "http://prometheus.monitoring:9090",
                    "query": f"sum(rate({RATIO['bad']}[1m])) / sum(rate({RATIO['total']}[1m]))",
                }
            },
        }
    ]
}
PYRRA = {
    "target": "99",
    "window": "28d",
    "indicator": {"ratio": {"errors": {"metric": RATIO["bad"]}, "total": {"metric": RATIO["total"]}}},
}
SLOTH = {
    "service": "web",
    "slos": [
        {
            "name": "requests",
            "objective": 99.0,
            "sli": {
                "events": {
                    "errorQuery": f"sum(rate({RATIO['bad']}[{{{{.window}}}}]))",
                    "totalQuery": f"sum(rate({RATIO['total']}[{{{{.window}}}}]))",
                }
            },
        }
    ],
}
OPENSLO = {
    "apiVersion": "openslo/v1",
    "kind": "SLO",
    "metadata": {"name": "web"},
    "spec": {
        "service": "web",
        "budgetingMethod": "Occurrences",
        "objectives": [{"target": 0.99}],
        "indicator": {
            "metadata": {"name": "errors"},
            "spec": {
                "ratioMetric": {
                    "counter": True,
                    "bad": {"metricSource": {"type": "Prometheus", "spec": {"query": RATIO["bad"]}}},
                    "total": {"metricSource": {"type": "Prometheus", "spec": {"query": RATIO["total"]}}},
                }
            },
        },
    },
}


def gated_by(stage: Stage, *objectives: Any, steps: Any = None, rate: float = 100.0, **policy: Any) -> None:
    """A Rollout whose policy judges, and no template."""
    stage.policy(objectives=list(objectives) or [AVAILABILITY], **{"timing": QUICK, **policy})
    annotations = {"canary-operator.io/gate": "enforce", **WITH_POLICY}
    given = {} if steps is None else {"steps": steps}
    stage.rollout(gate=None, annotations=annotations, rate=rate, **given)


def evidence(stage: Stage) -> list[dict[str, Any]]:
    return list(stage.gate().get("evidence") or [])


def test_a_healthy_release_is_promoted_by_its_objective_at_every_weight(stage: Stage) -> None:
    steps = [{"setWeight": 50}, {"pause": {"duration": "10s"}}, {"setWeight": 75}, {"pause": {}}]
    gated_by(stage, steps=steps)
    stage.operator(evaluation_interval="5s")

    stage.release()

    stage.until(stage.is_promoted, "the promotion at two weights", timeout=300)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "EvidenceSufficient", "Gate")
    assert [action for action, _ in stage.actions()] == ["Hold", "Release", "Promote"]
    assert gate["requests"] > 1000


def test_a_regression_of_five_percent_is_aborted_within_thirty_seconds_of_its_onset(stage: Stage) -> None:
    gated_by(stage, rate=80.0)
    stage.operator(evaluation_interval="5s")
    stage.release()
    stage.at_pause()
    stage.until(lambda: evidence(stage) and evidence(stage)[0]["canary"]["total"] > 400, "some healthy requests")

    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.05)
    onset = time.monotonic()

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=90)
    seconds = time.monotonic() - onset
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "CanaryRegression")
    assert "on stable" in gate["message"]
    assert seconds < 30, f"{seconds:.0f} s"


def test_an_outage_that_both_versions_share_is_held_and_the_release_goes_on_after_it(stage: Stage) -> None:
    gated_by(stage)
    stage.operator(evaluation_interval="5s")
    stage.release(errors=0.3)
    stage.lab.world.set_behaviour(stage.namespace, "web", V1, error_ratio=0.3)
    stage.at_pause()

    stage.until(lambda: stage.verdict() == ("Hold", "EnvironmentUnhealthy"), "the hold", timeout=90)
    stage.throughout(lambda: not stage.status().get("abort"), 15, "no abort")
    for image in (V1, V2):
        stage.lab.world.set_behaviour(stage.namespace, "web", image, error_ratio=0.0)

    stage.until(stage.is_promoted, "the promotion after the outage", timeout=400)
    ended(stage)


def test_the_same_slo_gives_the_same_counts_and_verdict_wherever_it_is_defined(stage: Stage) -> None:
    install_foreign_kinds(stage)
    for api, kind, spec in (
        ("pyrra.dev/v1alpha1", "ServiceLevelObjective", PYRRA),
        ("sloth.slok.dev/v1", "PrometheusServiceLevel", SLOTH),
    ):
        meta = {"name": "web", "namespace": stage.namespace}
        stage.lab.apply(yaml.safe_dump({"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec}))
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "slos", "namespace": stage.namespace}}
    stage.lab.apply(yaml.safe_dump({**config, "data": {"web.yaml": yaml.safe_dump(OPENSLO)}}))
    stage.template("error-ratio", spec=TEMPLATE)
    references = {
        "pyrra": ("pyrra.dev/v1alpha1", "ServiceLevelObjective", "web"),
        "sloth": ("sloth.slok.dev/v1", "PrometheusServiceLevel", "web"),
        "openslo": ("v1", "ConfigMap", "slos"),
        "template": ("argoproj.io/v1alpha1", "AnalysisTemplate", "error-ratio"),
    }
    objectives = [
        {"name": name, "sloRef": {"apiVersion": api, "kind": kind, "name": of}}
        for name, (api, kind, of) in references.items()
    ]
    gated_by(stage, AVAILABILITY, *objectives)
    stage.operator(evaluation_interval="5s")

    stage.release(errors=0.002)

    stage.until(stage.is_promoted, "the promotion by all five", timeout=300)
    ended(stage)
    found = evidence(stage)
    assert [each["name"] for each in found] == ["availability", *references]
    counts = {json.dumps([each["canary"], each["stable"]]) for each in found}
    assert len(counts) == 1, counts
    assert found[0]["canary"]["total"] > 0
    assert {each["source"] for each in found} > {"ServiceLevelObjective/web", "AnalysisTemplate/error-ratio"}


def test_a_reference_to_a_kind_that_is_not_installed_holds_and_says_so(stage: Stage) -> None:
    reference = {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "name": "nobody"}
    gated_by(stage, {"name": "imported", "sloRef": reference})
    stage.operator()

    stage.release()
    stage.at_pause()

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the hold")
    assert "ServiceLevelObjective" in stage.gate()["message"]
    assert not stage.is_promoted()


def install_foreign_kinds(stage: Stage) -> None:
    """The kinds of Pyrra and Sloth, as far as an API server cares."""
    for group, version, plural, kind in (
        ("pyrra.dev", "v1alpha1", "servicelevelobjectives", "ServiceLevelObjective"),
        ("sloth.slok.dev", "v1", "prometheusservicelevels", "PrometheusServiceLevel"),
    ):
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "versions": [{"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
            },
        }
        stage.lab.apply(yaml.safe_dump(definition))
        stage.until(
            lambda path=f"/apis/{group}/{version}/namespaces/{stage.namespace}/{plural}": (
                stage.admin.ask("GET", path).status_code == 200
            ),
            f"{kind} to be served",
        )
