"""The pods of the chart, as the API server's own pod security admission sees them under the profile restricted."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lab.cluster import Lab
from lab.programs import cache
from tests.e2e.stage import Objects

CHART = Path(__file__).parents[2] / "charts" / "canary-operator"
LABELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
DRY = "?dryRun=All"
# A value file for every way to install it, and none.
VALUES = (None, *sorted((CHART / "ci").glob("*.yaml")))


@pytest.fixture
def restricted(cluster: Lab) -> Iterator[str]:
    """A namespace that takes restricted pods only."""
    with cluster.namespace("restricted") as name:
        labels = [f"{key}={value}" for key, value in LABELS.items()]
        cluster.kubectl("label", "namespace", name, *labels)
        yield name


@pytest.fixture
def admin(cluster: Lab, tmp_path: Path) -> Objects:
    return Objects(cluster.kubeconfig, tmp_path)


@pytest.fixture(scope="session")
def helm() -> str:
    return str(cache.install(only={"helm"}).programs["helm"])


def rendered(helm: str, values: Path | None) -> list[dict[str, Any]]:
    """All objects of the chart, hooks among them."""
    chosen = [f"--values={values}"] if values else []
    command = [helm, "template", "canary-operator", str(CHART), "--namespace=canary-operator", *chosen]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [body for body in yaml.safe_load_all(text) if body]


def create(admin: Objects, path: str, body: dict[str, Any]) -> requests.Response:
    return admin.ask("POST", path + DRY, body)


def workloads(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [body for body in bodies if "template" in body.get("spec", {})]


@pytest.mark.parametrize("values", VALUES, ids=lambda values: values.stem if values else "defaults")
def test_every_pod_of_the_chart_is_taken_where_only_restricted_ones_are(
    admin: Objects, restricted: str, helm: str, values: Path | None
) -> None:
    found = workloads(rendered(helm, values))
    assert "Deployment" in {body["kind"] for body in found}

    for body in found:
        template = body["spec"]["template"]
        # The lab has no such class, and the API server looks.
        template["spec"].pop("priorityClassName", None)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": template["metadata"]["labels"]}}
        answer = create(admin, f"/api/v1/namespaces/{restricted}/pods", {**pod, "spec": template["spec"]})
        assert answer.status_code == 201, (body["kind"], answer.text)
        group, plural = body["apiVersion"], f"{body['kind'].lower()}s"
        inside = {**body, "metadata": {**body["metadata"], "namespace": restricted}}
        answer = create(admin, f"/apis/{group}/namespaces/{restricted}/{plural}", inside)
        assert (answer.status_code, answer.headers.get("Warning")) == (201, None), answer.text


def test_the_job_that_releases_what_is_held_is_among_them(helm: str) -> None:
    assert [body["kind"] for body in workloads(rendered(helm, None))] == ["Deployment", "Job"]


@pytest.mark.parametrize(
    ("loosened", "said"),
    [
        ({"privileged": True, "allowPrivilegeEscalation": True}, "privileged"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation != false"),
        ({"capabilities": {"drop": []}}, "unrestricted capabilities"),
        ({"runAsUser": 0}, "runAsUser=0"),
        ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
    ],
)
def test_a_pod_that_is_a_little_looser_is_refused(
    admin: Objects, restricted: str, helm: str, loosened: dict[str, Any], said: str
) -> None:
    (deployment,) = [body for body in rendered(helm, None) if body["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    pod["containers"][0]["securityContext"] = {**context, **loosened}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}

    answer = create(admin, f"/api/v1/namespaces/{restricted}/pods", body)

    assert answer.status_code == 403
    assert 'violates PodSecurity "restricted:latest"' in answer.json()["message"]
    assert said in answer.json()["message"]


def test_the_shipped_namespace_is_one_that_takes_restricted_pods_only() -> None:
    bodies = yaml.safe_load_all((CHART.parents[1] / "manifests" / "install.yaml").read_text())
    (namespace,) = [body for body in bodies if body["kind"] == "Namespace"]

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
