"""Plan: one version; the schema is what the settings take and refuses typos; what Helm makes of the chart is what is
committed, is clean to its linter, and fits the schemas of several Kubernetes versions."""

import copy
import itertools
import json
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

import canary_operator
from canary_operator.settings import Settings
from lab.programs import cache
from lab.programs.table import KUBERNETES
from tests import scripts

ROOT = pathlib.Path(__file__).parents[2]
CHARTS = ROOT / "charts"
CHART = CHARTS / "canary-operator"
CASES = sorted((CHART / "ci").glob("*-values.yaml"))

Values = dict[str, Any]


def read(path: pathlib.Path) -> Values:
    return dict(yaml.safe_load(path.read_text()))


def defaults() -> Values:
    return read(CHART / "values.yaml")


def schema() -> Values:
    return dict(json.loads((CHART / "values.schema.json").read_text()))


def merged(over: Values, base: Values) -> Values:
    """What Helm makes of values: mappings are merged, everything else is replaced."""
    both = {key: merged(over[key], base[key]) for key in over if isinstance(over[key], dict) and key in base}
    return base | over | both


def with_value(path: str, value: Any) -> Values:
    values = copy.deepcopy(defaults())
    *parents, last = path.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    return values


def test_there_is_one_version() -> None:
    parent, kinds = read(CHART / "Chart.yaml"), read(CHART / "charts" / "crds" / "Chart.yaml")
    (dependency,) = parent["dependencies"]

    assert parent["version"] == parent["appVersion"] == canary_operator.__version__
    assert kinds["version"] == kinds["appVersion"] == dependency["version"] == canary_operator.__version__


def test_the_committed_schema_is_what_the_settings_take() -> None:
    rendered = scripts.load(CHARTS / "schema.py").render()

    assert (CHART / "values.schema.json").read_text() == rendered, "run: python charts/schema.py"


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_the_defaults_and_every_case_are_allowed_and_read_by_the_operator(case: pathlib.Path) -> None:
    values = merged(read(case), defaults())

    jsonschema.validate(values, schema())
    Settings(mode=values["mode"], **values["config"])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("repicas", 1),
        ("replicas", -1),
        ("replicas", 6),
        ("mode", "off"),
        ("image.tags", "1"),
        ("image.digest", "sha256:short"),
        ("namespaces", ["a", "a"]),
        ("namespaces", ["Upper"]),
        ("config.evaluationInterval", 15),
        ("config.mode", "observe"),
        ("config.providers", [{"name": "default", "uri": "http://prometheus"}]),
        ("config.web", {"port": 70000}),
        ("podDisruptionBudget.maxUnavailable", 0),
        ("podDisruptionBudget.minAvailable", 1),
        ("extraSecretMounts", [{"name": "config", "secretName": "s", "mountPath": "/etc/s"}]),
        ("extraSecretMounts", [{"name": "s", "secret": "s", "mountPath": "/etc/s"}]),
        ("rbac.sloSources", ["openslo"]),
        ("probes.liveness.path", "/livez"),
        ("serviceMonitor.interval", "often"),
    ],
)
def test_a_slip_is_refused(path: str, value: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(with_value(path, value), schema())


def test_every_value_has_a_default_and_every_default_is_a_value() -> None:
    given_by_helm = {"global"}

    assert set(schema()["properties"]) - given_by_helm == set(defaults())
    for name, value in defaults().items():
        fields = schema()["properties"][name].get("properties")
        if fields and name != "config":
            assert set(fields) - given_by_helm == set(value), name


def test_every_value_is_commented() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()

    # A comment may stand above several values, but not a blank line above one.
    assert not [line for above, line in itertools.pairwise(lines) if line[:1].isalpha() and not above]


# What follows needs the lab's Helm.


@pytest.fixture(scope="session")
def helm() -> pathlib.Path:
    return cache.install(only={"helm"}).programs["helm"]


def answered(helm: pathlib.Path, *arguments: str) -> str:
    return subprocess.run([helm, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.mark.e2e
def test_the_committed_manifests_are_what_helm_renders(helm: pathlib.Path) -> None:
    rendering = scripts.load(CHARTS / "render.py")

    for each in rendering.RENDERINGS:
        assert (ROOT / each.target).read_text() == rendering.render(helm, each), "run: make manifests"


@pytest.mark.e2e
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_helms_linter_finds_nothing(helm: pathlib.Path, case: pathlib.Path) -> None:
    said = answered(helm, "lint", "--strict", str(CHART), f"--values={case}")

    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.e2e
@pytest.mark.parametrize(
    "mounts",
    [
        [("a", "/etc/canary-operator")],
        [("a", "/etc/canary-operator-verdict")],
        [("a", "/etc/a"), ("a", "/etc/b")],
        [("a", "/etc/a"), ("b", "/etc/a")],
    ],
)
def test_a_secret_where_something_else_is_mounted_is_refused(helm: pathlib.Path, mounts: list[tuple[str, str]]) -> None:
    given = [{"name": name, "secretName": "s", "mountPath": path} for name, path in mounts]
    command = [helm, "template", str(CHART), f"--set-json=extraSecretMounts={json.dumps(given)}"]

    said = subprocess.run(command, check=False, capture_output=True, text=True)

    assert said.returncode == 1
    assert "name and mountPath must be unique" in said.stderr


@pytest.mark.e2e
def test_a_job_that_nobody_grants_rights_is_not_rendered(helm: pathlib.Path) -> None:
    assert "kind: Job" in answered(helm, "template", str(CHART))
    assert "kind: Job" not in answered(helm, "template", str(CHART), "--set=rbac.create=false")


def rendered(helm: pathlib.Path, *options: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What Helm renders, by kind, namespace and name."""
    found = yaml.safe_load_all(answered(helm, "template", "one", str(CHART), "--namespace=tools", *options))
    bodies = [body for body in found if body]
    return {(body["kind"], body["metadata"].get("namespace", ""), body["metadata"]["name"]): body for body in bodies}


def lease_rights(found: dict[tuple[str, str, str], dict[str, Any]]) -> list[str]:
    """The namespaces in which the operator may write Leases."""
    roles = [(key, body) for key, body in found.items() if key[0] in {"Role", "ClusterRole"}]
    return [key[1] for key, body in roles for rule in body["rules"] if "leases" in rule["resources"]]


@pytest.mark.e2e
def test_several_replicas_without_a_lease_are_refused_with_what_is_allowed(helm: pathlib.Path) -> None:
    command = [helm, "template", str(CHART), "--set=replicas=2", "--set=config.lease.enabled=false"]

    said = subprocess.run(command, check=False, capture_output=True, text=True)

    assert said.returncode == 1
    assert "replicas: 2: must be 0 or 1 where config.lease.enabled is false" in said.stderr


@pytest.mark.e2e
def test_without_a_lease_one_pod_goes_before_the_next_comes(helm: pathlib.Path) -> None:
    found = rendered(helm, "--set=config.lease.enabled=false")

    assert found["Deployment", "tools", "one-canary-operator"]["spec"]["strategy"] == {"type": "Recreate"}
    assert lease_rights(found) == []


CLAIM = "--set=auditVolume.persistentVolumeClaim.claimName=spool"


@pytest.mark.e2e
def test_a_claimed_volume_belongs_to_one_pod_at_a_time(helm: pathlib.Path) -> None:
    claimed, own = rendered(helm, CLAIM), rendered(helm, '--set-json=auditVolume={"emptyDir":{}}', "--set=replicas=2")

    assert claimed["Deployment", "tools", "one-canary-operator"]["spec"]["strategy"] == {"type": "Recreate"}
    assert own["Deployment", "tools", "one-canary-operator"]["spec"]["strategy"] == {"type": "RollingUpdate"}


@pytest.mark.e2e
def test_several_replicas_with_one_claimed_volume_are_refused(helm: pathlib.Path) -> None:
    command = [helm, "template", str(CHART), "--set=replicas=2", CLAIM]

    said = subprocess.run(command, check=False, capture_output=True, text=True)

    assert said.returncode == 1
    assert "replicas: 2: must be 0 or 1 where auditVolume is a persistentVolumeClaim" in said.stderr


@pytest.mark.e2e
def test_several_replicas_have_a_budget_for_disruptions(helm: pathlib.Path) -> None:
    one, two = rendered(helm), rendered(helm, "--set=replicas=2")

    budget = ("PodDisruptionBudget", "tools", "one-canary-operator")
    assert budget not in one
    assert two[budget]["spec"]["maxUnavailable"] == 1
    assert two["Deployment", "tools", "one-canary-operator"]["spec"]["strategy"] == {"type": "RollingUpdate"}


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("options", "where"),
    [
        ((), ["tools"]),
        (("--set=config.lease.namespace=leases",), ["leases"]),
        (("--set=namespaces={shop}",), ["tools"]),
        (("--set=namespaces={shop,tools}",), ["tools"]),
        (("--set=namespaces={shop,tools}", "--set=config.lease.namespace=shop"), ["shop"]),
        (("--set=namespaces={shop}", "--set=config.lease.namespace=leases"), ["leases"]),
    ],
)
def test_the_right_to_a_lease_is_where_the_lease_is(
    helm: pathlib.Path, options: tuple[str, ...], where: list[str]
) -> None:
    assert lease_rights(rendered(helm, *options)) == where


@pytest.mark.e2e
def test_the_lease_is_the_same_whatever_namespaces_a_release_gates(helm: pathlib.Path) -> None:
    """An upgrade that changes them has both pods at once; without this both would write."""
    choices = (), ("--set=namespaces={shop}",), ("--set=namespaces={shop,bank}", "--set=config.lease.duration=20s")
    found = [rendered(helm, *options)["ConfigMap", "tools", "one-canary-operator"] for options in choices]
    leases = [yaml.safe_load(body["data"]["config.yaml"])["lease"] for body in found]

    assert {lease["name"] for lease in leases} == {"one-canary-operator"}
    assert leases[2]["duration"] == "20s"


# From the oldest that the chart takes to the newest whose schemas there are.
VERSIONS = ("1.27", "1.30", "1.32", KUBERNETES.removeprefix("v"), kubernetes_validate.latest_version())
# Others' kinds, and ours: their schemas are no part of Kubernetes.
WITHOUT_SCHEMA = {
    *("CustomResourceDefinition", "ClusterAnalysisTemplate", "AnalysisTemplate"),
    *("ServiceMonitor", "PrometheusRule"),
}


def bodies(helm: pathlib.Path, case: pathlib.Path, version: str) -> Iterator[dict[str, Any]]:
    text = answered(helm, "template", "one", str(CHART), f"--values={case}", f"--kube-version={version}")
    return (body for body in yaml.safe_load_all(text) if body)


@pytest.mark.e2e
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_every_object_fits_the_schemas_of_kubernetes(helm: pathlib.Path, case: pathlib.Path, version: str) -> None:
    checked = [body for body in bodies(helm, case, version) if body["kind"] not in WITHOUT_SCHEMA]

    for body in checked:
        kubernetes_validate.validate(body, version, strict=True)
    assert "Deployment" in {body["kind"] for body in checked}


@pytest.mark.e2e
def test_alerts_and_dashboard_are_the_files(helm: pathlib.Path) -> None:
    (everything,) = (case for case in CASES if case.stem == "everything-values")
    found = {(body["kind"], body["metadata"]["name"]): body for body in bodies(helm, everything, VERSIONS[0])}
    dashboard = found["ConfigMap", "one-canary-operator-dashboard"]

    assert found["PrometheusRule", "one-canary-operator"]["spec"] == read(CHART / "files" / "alerts.yaml")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    (written,) = dashboard["data"].values()
    assert json.loads(written) == json.loads((CHART / "files" / "dashboard.json").read_text())


@pytest.mark.e2e
def test_what_the_schemas_are_asked_about_can_fail(helm: pathlib.Path) -> None:
    (deployment,) = (body for body in bodies(helm, CASES[0], VERSIONS[0]) if body["kind"] == "Deployment")
    deployment["spec"]["template"]["spec"]["containerz"] = []

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[0], strict=True)
