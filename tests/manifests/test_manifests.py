"""Plan: the operator's rights are exactly its calls; people's rights; the pod is as restricted as it can be; every
reference inside of the manifests leads somewhere, and the configuration is one that the program takes."""

import pathlib
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

import canary_operator
from canary_operator.cluster import calls, kinds
from canary_operator.settings import load_settings

Manifests = dict[tuple[str, str], dict[str, Any]]

ROOT = pathlib.Path(__file__).parents[2]
NAME = "canary-operator"


def granted(role: dict[str, Any]) -> dict[tuple[str, str], frozenset[str]]:
    rights: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                rights.setdefault((group, resource), set()).update(rule["verbs"])
    return {place: frozenset(verbs) for place, verbs in rights.items()}


def pod_of(manifests: Manifests) -> dict[str, Any]:
    return dict(manifests["Deployment", NAME]["spec"]["template"]["spec"])


def test_the_operator_may_do_what_it_does_and_nothing_else(manifests: Manifests) -> None:
    assert granted(manifests["ClusterRole", NAME]) == dict(calls.required_rights())


def test_the_rights_are_the_ones_that_were_promised(manifests: Manifests) -> None:
    rights = granted(manifests["ClusterRole", NAME])

    assert "secrets" not in {resource for _, resource in rights}
    assert rights["argoproj.io", "rollouts"] == {"get", "list", "watch"}
    assert rights["argoproj.io", "rollouts/status"] == {"patch"}
    assert rights["", "pods"] == {"list"}
    for resource in kinds.DEFINITIONS:
        assert rights[resource.group, resource.plural] == {"get"}
    assert not any("*" in place or "*" in verbs for place, verbs in rights.items())


def test_every_call_says_why() -> None:
    assert all(call.why for call in calls.CALLS)
    assert len(set(calls.CALLS)) == len(calls.CALLS)


def without_writes(rights: Mapping[tuple[str, str], frozenset[str]]) -> dict[tuple[str, str], frozenset[str]]:
    call = calls.PATCH_ROLLOUT_STATUS
    return {place: verbs for place, verbs in rights.items() if place != (call.resource.group, "rollouts/status")}


def test_an_operator_that_observes_has_no_right_to_write_to_rollouts_and_knows_it(observing: Manifests) -> None:
    assert granted(observing["ClusterRole", NAME]) == without_writes(calls.required_rights())
    assert yaml.safe_load(observing["ConfigMap", NAME]["data"]["config.yaml"])["mode"] == "observe"


def test_an_operator_of_a_namespace_has_rights_there_and_nothing_that_is_of_the_cluster(
    of_a_namespace: Manifests,
) -> None:
    cluster_wide = (kinds.CLUSTER_ANALYSIS_TEMPLATES.group, kinds.CLUSTER_ANALYSIS_TEMPLATES.plural)
    expected = {place: verbs for place, verbs in calls.required_rights().items() if place != cluster_wide}

    assert granted(of_a_namespace["Role", NAME]) == {**expected, **calls.required_rights_at_home()}
    assert {kind for kind, _ in of_a_namespace} == {
        *("ConfigMap", "Deployment", "Role", "RoleBinding", "Service", "ServiceAccount")
    }


def test_what_is_for_one_namespace_fits_any(of_a_namespace: Manifests) -> None:
    (container,) = pod_of(of_a_namespace)["containers"]

    assert not any("namespace" in body["metadata"] for body in of_a_namespace.values())
    assert of_a_namespace["RoleBinding", NAME]["subjects"] == [{"kind": "ServiceAccount", "name": NAME}]
    assert container["args"][-1] == "--namespace=$(POD_NAMESPACE)"


def test_the_rights_are_bound_to_the_account_that_the_pod_uses(manifests: Manifests) -> None:
    binding = manifests["ClusterRoleBinding", NAME]
    account = manifests["ServiceAccount", NAME]["metadata"]

    assert binding["roleRef"]["name"] == NAME
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]
    assert pod_of(manifests)["serviceAccountName"] == account["name"]


def aggregated(role: dict[str, Any]) -> dict[str, str]:
    return {key: value for key, value in role["metadata"]["labels"].items() if key.startswith("rbac.")}


def test_people_may_read_all_and_write_what_is_theirs(manifests: Manifests) -> None:
    view, edit = manifests["ClusterRole", f"{NAME}-view"], manifests["ClusterRole", f"{NAME}-edit"]
    ours = {kinds.SLO_POLICIES.plural, kinds.CANARY_GATES.plural, kinds.GATE_DECISIONS.plural}

    assert granted(view) == {(kinds.OUR_GROUP, plural): frozenset({"get", "list", "watch"}) for plural in ours}
    assert {resource for _, resource in granted(edit)} == {"slopolicies", "canarygates"}
    assert aggregated(view) == {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    assert aggregated(edit) == {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}


def test_every_kind_of_ours_has_a_definition_that_fits_the_calls(manifests: Manifests) -> None:
    for resource in (kinds.SLO_POLICIES, kinds.CANARY_GATES, kinds.GATE_DECISIONS):
        spec = manifests["CustomResourceDefinition", f"{resource.plural}.{resource.group}"]["spec"]
        version = spec["versions"][0]
        assert (spec["group"], version["name"]) == (resource.group, resource.version)
        assert (spec["names"]["kind"], spec["scope"]) == (resource.kind, "Namespaced")
        writes_status = any(call.resource is resource and call.subresource == "status" for call in calls.CALLS)
        assert writes_status is ("status" in version.get("subresources", {}))


def test_one_apply_into_an_empty_cluster_finds_what_it_needs(manifests: Manifests) -> None:
    kinds_in_order = [kind for kind, _ in manifests]

    assert kinds_in_order[:4] == ["Namespace", *["CustomResourceDefinition"] * 3]
    assert "CustomResourceDefinition" not in kinds_in_order[4:]


def test_kubectl_is_not_told_that_helm_manages_its_objects() -> None:
    for path in (ROOT / "manifests").glob("*.yaml"):
        assert "helm.sh/" not in path.read_text()
        assert "managed-by" not in path.read_text()


def test_there_is_one_replica_and_who_writes_is_agreed_by_a_lease(manifests: Manifests) -> None:
    spec = manifests["Deployment", NAME]["spec"]
    role = manifests["Role", NAME]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "RollingUpdate"})
    assert role["metadata"]["namespace"] == manifests["Deployment", NAME]["metadata"]["namespace"]
    assert granted(role) == calls.required_rights_at_home()


def test_the_pod_is_restricted(manifests: Manifests) -> None:
    pod = pod_of(manifests)
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert container["resources"]["limits"].keys() == {"memory"}
    assert manifests["Namespace", NAME]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_references_lead_somewhere(manifests: Manifests) -> None:
    deployment, service = manifests["Deployment", NAME], manifests["Service", NAME]
    (container,) = pod_of(manifests)["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}

    selected = deployment["spec"]["selector"]["matchLabels"]
    assert selected.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert service["spec"]["selector"] == selected
    assert service["spec"]["ports"][0]["targetPort"] in ports
    for probe, path in (("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "http"}
    (volume,) = pod_of(manifests)["volumes"]
    (mount,) = container["volumeMounts"]
    assert "config.yaml" in manifests["ConfigMap", volume["configMap"]["name"]]["data"]
    assert mount["name"] == volume["name"]
    assert container["args"] == ["run", f"--config={mount['mountPath']}/config.yaml"]
    namespaces = {body["metadata"].get("namespace") for body in manifests.values()}
    assert namespaces == {None, NAME}


def test_the_configuration_is_one_that_the_program_takes(manifests: Manifests, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(manifests["ConfigMap", NAME]["data"]["config.yaml"])

    settings = load_settings(path)

    (container,) = pod_of(manifests)["containers"]
    assert settings.web.port == container["ports"][0]["containerPort"]
    (provider,) = settings.providers
    assert (provider.name, provider.url) == ("default", "http://prometheus.monitoring:9090")


def test_the_image_names_no_registry_and_never_moves(manifests: Manifests) -> None:
    (container,) = pod_of(manifests)["containers"]

    image = f"canary-operator:{canary_operator.__version__}"
    assert (container["image"], container["imagePullPolicy"]) == (image, "IfNotPresent")


def test_the_image_runs_as_the_user_of_the_pod_with_locked_dependencies() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert "\nUSER 65532:65532\n" in text
    assert "--require-hashes" in text
    assert (ROOT / "requirements" / "run.lock").is_file()


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_renders_every_object(manifests: Manifests) -> None:
    rendered = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "manifests")], check=True, capture_output=True, text=True
    ).stdout

    objects = {(body["kind"], body["metadata"]["name"]) for body in yaml.safe_load_all(rendered)}
    assert objects == set(manifests)
