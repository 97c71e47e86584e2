"""Every example is what the operator reads, and its parts refer to each other."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from canary_operator.conditions.arguments import render_metric, resolve_arguments
from canary_operator.conditions.expression import compile_condition
from canary_operator.conditions.metric_spec import parse_metric
from canary_operator.conditions.values import VECTOR
from canary_operator.model.policy import Mode, SLOPolicySpec, parse_opt_in, parse_policy
from canary_operator.model.rollout import StepKind, TemplateRef, parse_rollout
from canary_operator.settings import Settings
from demo import stage
from demo.pace import Pace

EXAMPLES = Path(__file__).parents[2] / "examples"
INSTALL = EXAMPLES.parent / "manifests" / "install.yaml"


def bodies() -> list[dict[str, Any]]:
    listed = yaml.safe_load((EXAMPLES / "api-service" / "kustomization.yaml").read_text())["resources"]
    return [body for name in listed for body in yaml.safe_load_all((EXAMPLES / "api-service" / name).read_text())]


def one(kind: str) -> dict[str, Any]:
    return next(body for body in bodies() if body["kind"] == kind)


def canary() -> dict[str, Any]:
    found: dict[str, Any] = one("Rollout")["spec"]["strategy"]["canary"]
    return found


def as_stored(rollout: dict[str, Any]) -> dict[str, Any]:
    return {**rollout, "metadata": {**rollout["metadata"], "uid": "u", "generation": 1}}


def test_the_kustomization_lists_every_file() -> None:
    listed = yaml.safe_load((EXAMPLES / "api-service" / "kustomization.yaml").read_text())["resources"]

    files = {path.name for path in (EXAMPLES / "api-service").glob("*.yaml")}

    assert files == {*listed, "kustomization.yaml"}


def test_the_rollout_asks_for_a_gate_with_its_own_template() -> None:
    opt_in = parse_opt_in(one("Rollout")["metadata"]["annotations"])

    assert opt_in.mistake == ""
    assert opt_in.mode is Mode.ENFORCE
    assert opt_in.templates == (TemplateRef(one("AnalysisTemplate")["metadata"]["name"]),)


@pytest.mark.parametrize("speed", [1, 6, 12])
def test_the_rollout_is_read_at_every_speed(speed: float) -> None:
    rollout = parse_rollout(as_stored(Pace(speed).applied_to(one("Rollout"))))

    assert [step.kind for step in rollout.steps].count(StepKind.PAUSE) == 4
    assert [step.weight for step in rollout.steps if step.kind is StepKind.SET_WEIGHT] == [10, 25, 50, 100]
    assert (rollout.canary_service, rollout.stable_service) == ("canary-svc", "stable-svc")


@pytest.mark.parametrize("speed", [1, 6, 12])
def test_the_metric_is_read_with_what_the_operator_fills_in(speed: float) -> None:
    spec = Pace(speed).applied_to(one("AnalysisTemplate"))["spec"]
    known = {"namespace": "production", "canary-hash": "abc"}

    values = resolve_arguments(spec["args"], {}, {}, known)
    metric = parse_metric(render_metric(spec["metrics"][0], values, "m"), "m")

    assert metric.name == "error-rate"
    assert metric.limits.failure_limit == 2
    assert metric.limits.endless
    assert metric.address == stage.PROMETHEUS_ADDRESS
    assert "{{" not in metric.query
    compile_condition(metric.success_condition, VECTOR)


def test_the_template_says_what_the_documentation_says() -> None:
    metric = one("AnalysisTemplate")["spec"]["metrics"][0]

    assert (metric["interval"], metric["failureLimit"]) == ("30s", 2)
    assert metric["successCondition"] == "result[0] < 0.02"


def test_all_services_exist_and_select_the_pods() -> None:
    services = {body["metadata"]["name"]: body["spec"] for body in bodies() if body["kind"] == "Service"}
    template = one("Rollout")["spec"]["template"]
    port_names = {port["name"] for port in template["spec"]["containers"][0]["ports"]}

    named = {canary()["canaryService"], canary()["stableService"], canary()["trafficRouting"]["alb"]["rootService"]}

    assert set(services) == named
    for spec in services.values():
        assert spec["selector"].items() <= template["metadata"]["labels"].items()
        assert spec["ports"][0]["targetPort"] in port_names
        assert spec["ports"][0]["port"] == canary()["trafficRouting"]["alb"]["servicePort"]


def test_the_ingress_leaves_the_split_to_argo() -> None:
    ingress = one("Ingress")
    backend = ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]

    alb = canary()["trafficRouting"]["alb"]

    assert alb["ingress"] == ingress["metadata"]["name"]
    assert backend == {"name": alb["rootService"], "port": {"name": "use-annotation"}}


def test_the_pods_can_be_told_ready_and_are_named_by_digest() -> None:
    container = one("Rollout")["spec"]["template"]["spec"]["containers"][0]

    _, _, digest = container["image"].partition("@sha256:")

    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")
    assert container["readinessProbe"]["httpGet"]["port"] == container["ports"][0]["name"]
    selector = one("PodDisruptionBudget")["spec"]["selector"]
    assert selector == one("Rollout")["spec"]["selector"]


def test_the_policy_is_read_and_differs_from_the_defaults() -> None:
    body = yaml.safe_load((EXAMPLES / "slo-policy.yaml").read_text())

    policy = parse_policy("careful", body)

    assert set(body["spec"]) == {"timing", "telemetryLoss", "failAction"}
    assert set(body["spec"]["timing"]) == {"warmUp", "maxHold", "onMaxHold", "promoteEarly", "minMeasurements"}
    assert policy.timing.warm_up == 60
    assert policy != SLOPolicySpec()


def test_the_shipped_configuration_knows_the_examples_address() -> None:
    bodies = yaml.safe_load_all(INSTALL.read_text())
    (written,) = (body["data"]["config.yaml"] for body in bodies if body["kind"] == "ConfigMap")
    shipped = yaml.safe_load(written)

    assert Settings(**shipped).providers[0].url == stage.PROMETHEUS_ADDRESS


def test_the_demos_configuration_is_one_the_operator_takes() -> None:
    settings = Settings(**stage.operator_config(Pace(12), "http://127.0.0.1:1234", 8123))

    assert settings.evaluation_interval == 1.25
    assert settings.providers[0].addresses == (stage.PROMETHEUS_ADDRESS,)
