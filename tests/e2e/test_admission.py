"""What the API server refuses at the door, whom it believes, and that it is in nobody's way."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import requests
import yaml

from canary_operator.cluster.api import gate_body
from canary_operator.model.policy import parse_opt_in
from canary_operator.model.rollout import RolloutRef
from tests.e2e.scenes import INDEFINITE, is_held, timed
from tests.e2e.stage import ARGO, MERGE, OURS, V2, Objects, Stage

OURS_KEY = "canary-operator.io/"
DRY = "?dryRun=All"
POLICIES = ("annotations", "records", "overrides")


@pytest.fixture
def doors(stage: Stage) -> Stage:
    """The stage, once the API server has taken the policies up."""
    wait_for_policies(stage)
    return stage


def wait_for_policies(stage: Stage) -> None:
    stage.until(lambda: not create_rollout(stage, {"gate": "bad"}).ok, "the policy on annotations")
    stage.until(lambda: "GateDecisions are created" in create_decision(stage, stage.admin).text, "the one on records")


# Annotations


def a_rollout(annotations: Mapping[str, str]) -> dict[str, Any]:
    labels = {"app": "dry"}
    containers = [{"name": "main", "image": V2}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "dry", "annotations": {OURS_KEY + key: value for key, value in annotations.items()}},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "strategy": {"canary": {}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def create_rollout(stage: Stage, annotations: Mapping[str, str]) -> requests.Response:
    path = f"{ARGO}/namespaces/{stage.namespace}/rollouts{DRY}"
    return stage.admin.ask("POST", path, a_rollout(annotations))


GOOD: list[Mapping[str, str]] = [
    {},
    {"gate": "enforce"},
    {"gate": "observe", "slo-policy": "a"},
    {"gate": "off", "slo-policy": " a , b"},
    {"gate": "enforce", "analysis-templates": "a, cluster/b"},
    {"gate": "enforce", "analysis-args": "{}"},
    {"gate": "enforce", "analysis-args": ' {"a" : "1",\n"b\\u00e4\\n" : "ü \\" {, }" } '},
]
BAD: list[Mapping[str, str]] = [
    {"gate": "Enforce"},
    {"gate": ""},
    {"gate": "enforce", "polciy": "x", "abc": "y"},
    {"gate": "enforce", "slo-policy": ""},
    {"gate": "enforce", "slo-policy": "a, "},
    {"gate": "enforce", "analysis-templates": "a,,b"},
    {"gate": "enforce", "analysis-templates": "a, x/b"},
    {"gate": "enforce", "analysis-templates": "cluster/"},
    {"gate": "enforce", "analysis-templates": "cluster/a/b"},
    {"gate": "enforce", "analysis-args": "[1]"},
    {"gate": "enforce", "analysis-args": '"text"'},
    {"gate": "enforce", "analysis-args": '{"a": 1}'},
    {"gate": "enforce", "analysis-args": '{"a": {"b": "c"}}'},
    # The first mistake that the gate would name.
    {"gate": "on", "analysis-args": "[1]"},
]


def mistake_in(written: Mapping[str, str]) -> str:
    """What the gate itself would say."""
    return parse_opt_in({OURS_KEY + key: value for key, value in written.items()}).mistake


def test_an_annotation_that_the_gate_takes_is_let_in(doors: Stage) -> None:
    for written in GOOD:
        assert mistake_in(written) == ""
        answer = create_rollout(doors, written)
        assert answer.ok, (written, answer.text)


def test_an_annotation_that_the_gate_would_not_take_is_refused_in_its_words(doors: Stage) -> None:
    for written in BAD:
        answer = create_rollout(doors, written)
        assert answer.status_code == 422, (written, answer.text)
        assert mistake_in(written) != ""
        assert mistake_in(written) in answer.json()["message"], written


@pytest.mark.parametrize("text", ["", "{", '{"a": "b",}', '{"a": "\\x"}', '{"a": "\t"}', "{'a': 'b'}"])
def test_arguments_that_are_no_json_are_refused_with_what_is_allowed(doors: Stage, text: str) -> None:
    written = {"gate": "enforce", "analysis-args": text}
    assert "is not JSON" in mistake_in(written)

    answer = create_rollout(doors, written)

    assert answer.status_code == 422
    assert 'must be a JSON object of strings, such as {"service": "api"}' in answer.json()["message"]


@pytest.mark.parametrize("value", ["two\nlines", "x" * 6_000])
def test_a_value_that_does_not_fit_into_a_message_is_refused_without_it(doors: Stage, value: str) -> None:
    answer = create_rollout(doors, {"gate": value})

    assert answer.status_code == 422
    assert "annotation canary-operator.io/gate is not one of enforce, observe, off" in answer.json()["message"]


@pytest.mark.xdist_group("own-lab")
def test_only_the_annotations_that_are_written_are_looked_at(own_stage: Stage) -> None:
    stage = own_stage
    wait_for_policies(stage)
    stage.template()
    stored_before_the_policy(stage, {"gate": "enforced", "analysis-args": "[1]"})
    annotated = "annotate", "rollout/web", "--overwrite"

    # Argo deploys, a person scales and writes another annotation, an autoscaler scales.
    stage.until(lambda: stage.phase() == "Healthy", "the first deploy")
    stage.lab.kubectl("scale", "rollout/web", "--replicas=3", namespace=stage.namespace)
    stage.lab.kubectl(*annotated, "team=shop", namespace=stage.namespace)
    stage.lab.apply(yaml.safe_dump(an_autoscaler(at_least=5)), namespace=stage.namespace)
    stage.until(lambda: stage.get()["spec"]["replicas"] == 5, "the autoscaler", timeout=90)
    stage.operator()
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the gate to hold in the same words")
    assert 'canary-operator.io/gate: "enforced" is not one of' in stage.gate()["message"]

    # One mistake may be mended while another stays; a new one is refused.
    stage.annotate("gate", "enforce")
    with pytest.raises(AssertionError, match="has an empty name"):
        stage.annotate("slo-policy", ",")
    with pytest.raises(AssertionError, match="polciy is not known"):
        stage.annotate("polciy", "y")
    stage.annotate("analysis-args", None)
    stage.annotate("analysis-templates", "errors")
    stage.until(lambda: stage.verdict() == ("Promote", "ConditionsMet"), "the verdict on the mended one")


def stored_before_the_policy(stage: Stage, annotations: Mapping[str, str]) -> None:
    """Create a Rollout with bad annotations as if the policy had come later."""
    name = "canary-operator-annotations"
    binding = stage.lab.get("validatingadmissionpolicybinding", name)
    stage.lab.kubectl("delete", "validatingadmissionpolicybinding", name)
    try:
        stage.until(lambda: create_rollout(stage, {"gate": "bad"}).ok, "the policy to be gone")
        stage.rollout(gate=None, steps=INDEFINITE, annotations={OURS_KEY + k: v for k, v in annotations.items()})
    finally:
        binding["metadata"] = {"name": name, "labels": binding["metadata"]["labels"]}
        stage.lab.apply(yaml.safe_dump(binding))
    wait_for_policies(stage)


def an_autoscaler(at_least: int) -> dict[str, Any]:
    """An autoscaler that scales up without any metric."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"},
            "minReplicas": at_least,
            "maxReplicas": at_least + 1,
        },
    }


# Policies


RATIO = {"ratio": {"bad": 'x_total{code="500"}', "total": "x_total"}}
OBJECTIVE = {"name": "a", "objective": "99.5", "indicator": RATIO}


def an_objective(**changed: Any) -> dict[str, Any]:
    objective = {**OBJECTIVE, **changed}
    return {"objectives": [{key: value for key, value in objective.items() if value is not None}]}


def indicated(**indicator: Any) -> dict[str, Any]:
    return an_objective(indicator=indicator)


def a_custom(*values: str) -> dict[str, Any]:
    return {"attribution": {"preset": "custom", "custom": [{"label": "app", "value": value} for value in values]}}


GOOD_POLICIES: list[dict[str, Any]] = [
    {},
    {"objectives": [OBJECTIVE, {**OBJECTIVE, "name": "b"}]},
    an_objective(objective=" 99 "),
    indicated(ratio={"good": 'x_bucket{le="0.5"}', "total": "x_count"}),
    indicated(latency={"histogram": 'x_seconds{job="a"}', "threshold": "0.5"}),
    an_objective(objective=None, indicator=None, sloRef={"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}),
    a_custom("{hash}"),
    a_custom("v1", "{service}"),
    {"risk": {"falseAbort": "0.49", "tolerableRatio": "1"}, "timing": {"maxHold": "2562047h"}},
]
BAD_POLICIES: list[tuple[dict[str, Any], str]] = [
    ({"objectives": [OBJECTIVE, OBJECTIVE]}, "objectives: names must be unique"),
    (an_objective(objective="0"), 'allowed is a number such as "99.5", more than 0 and less than 100'),
    (an_objective(objective="100"), "less than 100"),
    (an_objective(objective="99.9%"), "allowed is a number"),
    (an_objective(indicator=None, objective=None), "exactly one of indicator and sloRef is needed"),
    (an_objective(indicator=None), "objective (percent) is needed with indicator, and comes from the SLO with sloRef"),
    (an_objective(objective=None), "objective (percent) is needed with indicator, and comes from the SLO with sloRef"),
    (indicated(), "allowed is exactly one of ratio, latency"),
    (indicated(ratio={"total": "x"}), "allowed is exactly one of bad, good"),
    (indicated(ratio={"bad": "a", "good": "b", "total": "x"}), "allowed is exactly one of bad, good"),
    (indicated(ratio={"bad": "x", "total": "x"}), "bad and total are the same"),
    (indicated(ratio={"good": "x", "total": "x"}), "good and total are the same"),
    (indicated(ratio={"bad": "sum(x)", "total": "x"}), "must be a bare selector"),
    (indicated(ratio={"bad": "x", "total": "y[5m]"}), "must be a bare selector"),
    (indicated(ratio={"bad": "x_seconds_total", "total": "y"}), "adds up amounts and counts no requests"),
    (indicated(latency={"histogram": 'x_bucket{a="b"}', "threshold": "1"}), "allowed is the name without _bucket"),
    (indicated(latency={"histogram": "x", "threshold": "0"}), "more than 0"),
    (indicated(latency={"histogram": "x", "threshold": "500ms"}), "allowed is a number"),
    (
        an_objective(objective=None, indicator=None, sloRef={"apiVersion": "v2", "kind": "ConfigMap", "name": "x"}),
        "apiVersion: allowed is v1 for ConfigMap",
    ),
    ({"attribution": {"preset": "custom"}}, "custom matchers are given with preset custom, and only then"),
    ({"attribution": {"custom": [{"label": "a", "value": "{hash}"}]}}, "custom matchers are given with preset custom"),
    (a_custom("{rollout}"), "one matcher at least must name {hash} or {service}"),
    ({"risk": {"falseAbort": "0.5"}}, "allowed is a number between 0 and 0.5"),
    ({"risk": {"tolerableRatio": "0.5"}}, "allowed is a number between 0.99 and 100"),
    ({"risk": {"rejectRatio": "1"}}, "allowed is a number between 1 and 1000"),
    ({"guards": {"minShareOfWeight": "0"}}, "allowed is a number between 0 and 1"),
    ({"timing": {"maxHold": "2562048h"}}, "should be a duration"),
]


def create_policy(stage: Stage, spec: Mapping[str, Any]) -> requests.Response:
    body = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "SLOPolicy", "metadata": {"name": "p"}, "spec": spec}
    return stage.admin.ask("POST", f"{OURS}/namespaces/{stage.namespace}/slopolicies{DRY}", body)


def test_a_policy_that_can_be_used_is_let_in(stage: Stage) -> None:
    for spec in GOOD_POLICIES:
        answer = create_policy(stage, spec)
        assert answer.ok, (spec, answer.text)


def test_a_policy_that_cannot_be_used_is_refused_with_what_is_allowed(stage: Stage) -> None:
    for spec, said in BAD_POLICIES:
        answer = create_policy(stage, spec)
        assert answer.status_code == 422, (spec, answer.text)
        assert said in answer.json()["message"], spec


# Records

EVERYTHING = [{"apiGroups": ["canary-operator.io"], "resources": ["*"], "verbs": ["*"]}]


def person(stage: Stage, name: str, rules: Sequence[Mapping[str, Any]] = EVERYTHING) -> Objects:
    """Somebody with rights in the namespace; by default with all rights to our kinds that RBAC can give."""
    meta = {"name": name, "namespace": stage.namespace}
    rbac, subject = "rbac.authorization.k8s.io", {"kind": "ServiceAccount", **meta}
    role = {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": meta, "rules": list(rules)}
    reference = {"apiGroup": rbac, "kind": "Role", "name": name}
    binding = {**role, "kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
    del binding["rules"]
    stage.lab.apply(yaml.safe_dump_all([role, binding]))
    found = Objects(stage.lab.service_account_kubeconfig(stage.namespace, name), stage.folder)
    stage.until(lambda: found.ask("GET", gates(stage)).ok, "the rights")
    return found


def gates(stage: Stage, name: str = "") -> str:
    return f"{OURS}/namespaces/{stage.namespace}/canarygates" + (f"/{name}" if name else "")


def decisions(stage: Stage, name: str = "") -> str:
    return f"{OURS}/namespaces/{stage.namespace}/gatedecisions" + (f"/{name}" if name else "")


def create_decision(stage: Stage, who: Objects, dry: str = DRY) -> requests.Response:
    spec = {
        "rolloutName": "web",
        "rollout": {"uid": "u", "generation": 1, "revision": 1, "podHash": "a", "stableHash": "b"},
        "step": {"index": 1, "count": 2, "kind": "pause", "weight": 50},
        "at": "2026-09-14T10:00:00Z",
        "mode": "enforce",
        "verdict": "Promote",
        "reason": "ConditionsMet",
        "message": "forged",
        "policies": [],
        "operatorVersion": "0.1.0",
        "actor": {"kind": "Operator"},
        "configuration": "",
        "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
        "sequence": 1,
        "previousHash": "",
        "hash": "sha256:1",
    }
    head = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "GateDecision", "metadata": {"name": "one"}}
    return who.ask("POST", decisions(stage) + dry, {**head, "spec": spec})


def written_by_the_operator(stage: Stage) -> tuple[str, str]:
    """A gate and a decision, created under the operator's account. Returns their paths."""
    stage.forges = True
    stage.rollout(gate=None, replicas=0, wait=False)
    operator = Objects(stage.identity, stage.folder)
    ref = RolloutRef(stage.namespace, "web")
    operator.post(gates(stage), gate_body(ref, stage.get()["metadata"]["uid"]))
    answer = create_decision(stage, operator, "")
    assert answer.ok, answer.text
    return gates(stage, "web"), decisions(stage, "one")


def test_what_the_operator_says_is_written_by_nobody_else(doors: Stage) -> None:
    stage = doors
    gate, record = written_by_the_operator(stage)
    forged = {"status": {"verdict": "Promote"}}
    new_gate = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "CanaryGate", "metadata": {"name": "forged"}}
    for who in (stage.admin, person(stage, "mighty")):
        attempts = [
            (who.ask("PATCH", f"{gate}/status", forged, MERGE), "the status of a CanaryGate is the operator's"),
            (
                who.ask("PUT", f"{gate}/status", {**(stage.admin.get(gate) or {}), **forged}),
                "the status of a CanaryGate is the operator's",
            ),
            (who.ask("POST", gates(stage), new_gate), "are created by the operator alone"),
            (create_decision(stage, who), "are created by the operator alone"),
            (who.ask("PATCH", record, {"metadata": {"labels": {"a": "b"}}}, MERGE), "a record of the operator"),
            (
                who.ask("PATCH", gate, {"metadata": {"ownerReferences": None}}, MERGE),
                "metadata.ownerReferences of a CanaryGate are the operator's",
            ),
        ]
        assert [(answer.status_code, said in answer.text) for answer, said in attempts] == [(403, True)] * 6
    assert "status" not in (stage.admin.get(gate) or {})
    operator = Objects(stage.identity, stage.folder)
    assert operator.ask("PATCH", f"{gate}/status", {"status": {"verdict": "Hold"}}, MERGE).ok


def test_a_person_deletes_no_record_and_an_administrator_may(doors: Stage) -> None:
    stage = doors
    gate, record = written_by_the_operator(stage)
    mighty = person(stage, "mighty")
    for path in (record, decisions(stage), gate):
        answer = mighty.ask("DELETE", path)
        assert answer.status_code == 403, path
        assert "are deleted by the operator" in answer.text

    assert [stage.admin.ask("DELETE", path).ok for path in (record, gate)] == [True, True]


def test_a_rewrite_of_a_record_that_changes_nothing_is_nobodys_edit(doors: Stage) -> None:
    _, record = written_by_the_operator(doors)

    assert doors.admin.ask("PUT", record, doors.admin.get(record)).ok


def test_kubernetes_collects_gates_and_records_with_what_they_belong_to(doors: Stage) -> None:
    assert {controller(doors, name) for name in ("generic-garbage-collector", "namespace-controller")} == {True}
    namespace = f"{doors.namespace}-collected"
    doors.lab.kubectl("create", "namespace", namespace)
    stage = replace(doors, namespace=namespace)
    gate, record = written_by_the_operator(stage)

    stage.admin.delete(stage.path())
    stage.until(lambda: stage.admin.get(gate) is None, "the gate to go with its Rollout")
    assert stage.admin.get(record) is not None

    stage.lab.kubectl("delete", "namespace", namespace, "--wait=false")
    stage.until(lambda: stage.admin.get(f"/api/v1/namespaces/{namespace}") is None, "the namespace to go")


def controller(stage: Stage, name: str) -> bool:
    """Whether a controller of Kubernetes has the name by which the policy knows it."""
    return stage.admin.get(f"/api/v1/namespaces/kube-system/serviceaccounts/{name}") is not None


# Overrides


def an_override(by: str, **changed: str) -> dict[str, Any]:
    said = {"action": "Hold", "reason": "a hunch", "requestedBy": by, "expiresAt": "2099-01-01T00:00:00Z"}
    return {"spec": {"override": {**said, **changed}}}


EDIT_GATES = [{"apiGroups": ["canary-operator.io"], "resources": ["canarygates"], "verbs": ["get", "list", "patch"]}]


def test_an_override_is_given_in_ones_own_name(doors: Stage) -> None:
    stage = doors
    stage.template()
    stage.rollout(steps=timed("60s"), rate=0)
    stage.operator()
    stage.release()
    stage.until(lambda: is_held(stage), "the hold")
    gate = gates(stage, "web")
    anna, ben = person(stage, "anna", EDIT_GATES), person(stage, "ben", EDIT_GATES)
    annas = f"system:serviceaccount:{stage.namespace}:anna"
    bens = f"system:serviceaccount:{stage.namespace}:ben"

    refused = anna.ask("PATCH", gate, an_override("ben"), MERGE)
    assert refused.status_code == 403
    assert f'spec.override.requestedBy: "ben"; allowed is your own user name, "{annas}"' in refused.json()["message"]
    assert stage.admin.ask("PATCH", gate, an_override(annas), MERGE).status_code == 403
    assert anna.ask("PATCH", gate, an_override(annas), MERGE).ok
    stage.until(lambda: stage.verdict() == ("Hold", "Override"), "the override")
    assert f"{annas} says Hold" in stage.gate()["message"]

    # What another has asked for is left as it is, replaced in one's own name, or taken back.
    assert ben.ask("PATCH", gate, {"spec": {"suspend": False}, "metadata": {"labels": {"a": "b"}}}, MERGE).ok
    assert ben.ask("PATCH", gate, {"spec": {"override": {"action": "Promote"}}}, MERGE).status_code == 403
    assert ben.ask("PATCH", gate, an_override(bens, action="Hold"), MERGE).ok
    assert anna.ask("PATCH", gate, {"spec": {"override": None}}, MERGE).ok
    stage.until(lambda: stage.verdict()[1] != "Override", "the end of the override")


# The policies themselves


def test_the_api_server_finds_nothing_to_say_against_the_policies(doors: Stage) -> None:
    stage = doors
    for name in (f"canary-operator-{each}" for each in POLICIES):

        def checked(name: str = name) -> Any:
            status = stage.lab.get("validatingadmissionpolicy", name).get("status") or {}
            return "typeChecking" in status and [status["typeChecking"]]

        assert stage.until(checked, f"the types of {name} to be checked") == [{}]
        binding = stage.lab.get("validatingadmissionpolicybinding", name)["spec"]
        assert (binding["policyName"], binding["validationActions"]) == (name, ["Deny"])


def test_only_what_keeps_the_record_true_fails_closed_and_none_of_it_sees_a_rollout(doors: Stage) -> None:
    closed = set()
    for name in POLICIES:
        spec = doors.lab.get("validatingadmissionpolicy", f"canary-operator-{name}")["spec"]
        if spec["failurePolicy"] == "Fail":
            closed.add(name)
            assert "argoproj.io" not in json.dumps(spec["matchConstraints"])
    assert closed == {"records", "overrides"}
