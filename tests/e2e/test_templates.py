"""What judges: AnalysisTemplates, where their arguments come from, and what is wrong with them."""

import copy
from typing import Any

import yaml

from tests.e2e.stage import ARGO, OURS, V2, V3, Stage, error_rate
from tests.e2e.telemetryproxy import TelemetryProxy

ARGS = [{"name": "namespace"}, {"name": "canary-hash"}]
GATE = {"canary-operator.io/gate": "enforce"}


def _metric(address: str | None = None, **changed: Any) -> dict[str, Any]:
    metric = copy.deepcopy(error_rate(**changed))
    if address is not None:
        metric["provider"]["prometheus"]["address"] = address
    return metric


def _spec(*metrics: dict[str, Any], args: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"args": args or ARGS, "metrics": list(metrics) or [_metric()]}


def _secret() -> dict[str, Any]:
    return {"name": "token", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "token"}}}


# Rollout -> its template, its annotations, and words of the reason.
Mistakes = dict[str, tuple[dict[str, Any] | None, dict[str, str], tuple[str, ...]]]
MISTAKES: Mistakes = {
    "address": (_spec(_metric("http://169.254.169.254")), {}, ("169.254.169.254", "not allowed")),
    "secret": (_spec(args=[*ARGS, _secret()]), {}, ("token", "Secret")),
    "argument": (_spec(args=[*ARGS, {"name": "region"}]), {}, ("region", "was not supplied")),
    "syntax": (_spec(_metric(successCondition="result[0] <")), {}, ("successCondition",)),
    "provider": (_spec({**_metric(), "provider": {"job": {"spec": {"template": {}}}}}), {}, ("provider",)),
    "absent": (None, {}, ("absent", "does not exist")),
    "undeclared": (_spec(), {"canary-operator.io/analysis-args": '{"nope": "1"}'}, ("nope", "canary-hash")),
}
# Refused at the door where there are admission policies: docs/admission.md.
MISTAKES_OF_ANNOTATIONS: Mistakes = {
    "annotation": (_spec(), {"canary-operator.io/gates": "on"}, ("canary-operator.io/gates", "not known")),
    "value": (_spec(), {"canary-operator.io/gate": "enforced"}, ("enforced", "observe")),
    "json": (_spec(), {"canary-operator.io/analysis-args": "limit=1"}, ("analysis-args", "JSON")),
}


def test_every_mistake_holds_in_its_own_words_and_mended_it_lets_go(stage: Stage) -> None:
    holds_in_its_own_words_and_lets_go(stage, MISTAKES)


def test_without_policies_at_the_door_a_mistake_in_an_annotation_holds(own_stage: Stage) -> None:
    own_stage.lab.kubectl("delete", "validatingadmissionpolicybinding", "canary-operator-annotations")
    own_stage.until(lambda: takes_anything(own_stage), "the API server to forget the policy")

    holds_in_its_own_words_and_lets_go(own_stage, MISTAKES_OF_ANNOTATIONS)

    # Argo copies annotations to ReplicaSets: the unknown one is the user's own, not a mark of ours.
    own_stage.admin.delete(own_stage.path("annotation"))
    own_stage.until(lambda: not own_stage.replica_sets("annotation"), "its ReplicaSets to go")


def takes_anything(stage: Stage) -> bool:
    """Whether a Rollout with an annotation that does not exist would be created."""
    meta = {"name": "tried", "annotations": {"canary-operator.io/gates": "on"}}
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": meta, "spec": {}}
    return stage.admin.ask("POST", f"{stage.path('')[:-1]}?dryRun=All", body).ok


def holds_in_its_own_words_and_lets_go(stage: Stage, mistakes: Mistakes) -> None:
    for name, (spec, annotations, _) in mistakes.items():
        if spec is not None:
            stage.template(name, spec=spec)
        ours = {"canary-operator.io/analysis-templates": name, **annotations}
        stage.rollout(name, annotations=ours, replicas=1, wait=False)
    stage.operator()
    for name in mistakes:
        stage.until(lambda name=name: stage.phase(name) == "Healthy", f"the first deploy of {name}", timeout=90)
        stage.release(name=name)

    for name, (_, _, words) in mistakes.items():
        stage.until(
            lambda name=name: stage.verdict(name) == ("Hold", "ConfigurationError") and stage.step(name) == 1,
            f"the hold of {name}",
            timeout=90,
        )
        message = stage.gate(name)["message"]
        assert all(word in message for word in words), message
    assert all(not stage.actions(name) for name in mistakes)

    for name, (_, annotations, _) in mistakes.items():
        stage.template(name, spec=_spec())
        good = {"canary-operator.io/gate": "enforce"}
        stage.patch({"metadata": {"annotations": {**dict.fromkeys(annotations), **good}}}, name)
    for name in mistakes:
        stage.until(lambda name=name: stage.is_promoted(name), f"the promotion of {name}", timeout=90)
        assert stage.actions(name) == [("Promote", "Applied")]


def test_a_template_that_is_changed_while_it_judges_starts_anew(stage: Stage) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    stage.operator()
    stage.release()
    stage.until(lambda: _evidence(stage, "successful") >= 4, "four measurements")
    before = stage.gate()["evidence"][0]

    stage.template(failure_limit=1000, limit=0.06)

    stage.until(lambda: stage.gate()["evidence"][0]["digest"] != before["digest"], "the new definition to judge")
    after = stage.gate()["evidence"][0]
    assert after["since"] > before["since"]
    assert after["measurements"]["successful"] < before["measurements"]["successful"]
    assert stage.step() == 1
    stage.template(limit=0.06)
    stage.until(stage.is_promoted, "the promotion by what the template says last")


def test_a_template_that_is_deleted_while_it_judges_holds_until_it_is_back(stage: Stage) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    stage.operator()
    stage.release()
    stage.until(lambda: _evidence(stage, "successful") >= 2, "two measurements")

    stage.admin.delete(f"{ARGO}/namespaces/{stage.namespace}/analysistemplates/errors")

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the hold without a template")
    assert "errors does not exist" in stage.gate()["message"]
    stage.throughout(lambda: stage.step() == 1 and not stage.status().get("abort"), 3, "the hold")
    stage.template()
    stage.until(stage.is_promoted, "the promotion once it is back")


def test_a_policy_that_is_deleted_while_it_rules_holds_until_it_is_back(stage: Stage) -> None:
    stage.template()
    stage.policy(timing={"minMeasurements": 500})
    stage.rollout(annotations={"canary-operator.io/slo-policy": "policy"})
    stage.operator()
    stage.release()
    stage.until(lambda: _evidence(stage, "successful") >= 2, "two measurements")

    stage.admin.delete(f"{OURS}/namespaces/{stage.namespace}/slopolicies/policy")

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the hold without its policy")
    stage.throughout(lambda: stage.step() == 1, 3, "the hold")
    stage.policy(timing={"minMeasurements": 2})
    stage.until(stage.is_promoted, "the promotion by the new policy")


def test_a_cluster_template_judges_by_its_own_name(stage: Stage) -> None:
    name = f"errors-{stage.namespace}"
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ClusterAnalysisTemplate",
        "metadata": {"name": name},
        "spec": _spec(),
    }
    stage.lab.apply(yaml.safe_dump(body))
    try:
        # A template of the same name in the namespace is another one.
        stage.template(name, spec=_spec(_metric(successCondition="false")))
        stage.rollout(annotations={"canary-operator.io/analysis-templates": f"cluster/{name}"})
        stage.operator()
        stage.release()
        stage.until(stage.is_promoted, "the promotion")
        assert stage.gate()["evidence"][0]["source"] == f"ClusterAnalysisTemplate/{name}"
    finally:
        stage.admin.delete(f"{ARGO}/clusteranalysistemplates/{name}")


def test_an_argument_comes_from_the_annotation_before_the_default(stage: Stage) -> None:
    limited = _metric(successCondition="result[0] < {{args.limit}}")
    stage.template(spec=_spec(limited, args=[*ARGS, {"name": "limit", "value": "0.05"}]))
    stage.rollout("strict")
    stage.rollout("lenient", annotations={"canary-operator.io/analysis-args": '{"limit": "0.9"}'})
    stage.operator()

    stage.release(name="strict", errors=0.3)
    stage.release(name="lenient", errors=0.3)

    stage.until(lambda: stage.is_promoted("lenient"), "the promotion by the annotation's limit")
    stage.until(lambda: stage.status("strict").get("abort"), "the abort by the default's limit")
    assert "0.9" in stage.gate("lenient")["evidence"][0]["message"]
    assert "0.05" in stage.gate("strict")["evidence"][0]["message"]


def test_without_an_annotation_the_rollouts_own_analysis_says_which_template_and_which_arguments(
    stage: Stage,
) -> None:
    # Argo runs this analysis too, so the address must be one that Argo reaches.
    metric = _metric(stage.lab.prometheus_url, successCondition="result[0] < {{args.limit}}", consecutiveErrorLimit=100)
    stage.template(spec=_spec(metric, args=[*ARGS, {"name": "limit"}]))
    analysis = {
        "templates": [{"templateName": "errors"}],
        "startingStep": 1,
        "args": [
            {"name": "namespace", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "canary-hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
            {"name": "limit", "value": "0.07"},
        ],
    }
    steps = [{"setWeight": 50}, {"pause": {}}]
    stage.rollout(strategy={"canary": {"steps": steps, "analysis": analysis}}, gate=None, annotations=GATE)
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied")]
    assert "0.07" in stage.gate()["evidence"][0]["message"]


def test_a_metric_with_a_count_passes_after_it_and_is_asked_no_more(stage: Stage, telemetry: TelemetryProxy) -> None:
    stage.template(failure_limit=0, count=2)
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "25s"}}), rate=200)
    stage.operator(prometheus=telemetry.url)

    stage.release()

    stage.until(lambda: stage.verdict() == ("Promote", "ConditionsMet"), "the verdict")
    asked = telemetry.asked
    stage.throughout(lambda: stage.step() == 1, 3, "the pause that has not ended yet")
    assert telemetry.asked == asked
    assert _evidence(stage, "successful") == 2
    stage.until(stage.is_promoted, "the promotion at the end of the pause")


def test_a_metric_with_neither_interval_nor_count_is_measured_once_and_failing_aborts(stage: Stage) -> None:
    stage.template(failure_limit=0, interval=None)
    stage.rollout()
    stage.operator()
    stage.release(V2)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert _evidence(stage, "successful") == 1

    stage.release(V3, errors=1.0)

    stage.until(lambda: stage.gate().get("phase") == "Ended" and stage.verdict()[0] == "Abort", "the abort")
    assert stage.verdict() == ("Abort", "ConditionsFailed")
    assert _evidence(stage, "failed") == 1


def _evidence(stage: Stage, what: str) -> int:
    evidence = stage.gate().get("evidence") or [{}]
    return int((evidence[0].get("measurements") or {}).get(what, 0))
