"""Installed by Helm and by kubectl, the operator does what it is there for: as its Deployment says, with its rights."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary_operator import __version__
from lab.cluster import Lab
from lab.programs import cache
from tests.e2e.kubelet import Pod, pod_of
from tests.e2e.scenes import is_held, timed, traffic
from tests.e2e.stage import MERGE, V3, Objects, Stage, stage_in
from tests.e2e.test_objectives import RATIO, evidence, gated_by
from tests.e2e.test_observing import managers

# A lab of its own: what is of the cluster has the names that the other tests' installation has.
pytestmark = pytest.mark.xdist_group("installing")

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "canary-operator"
NAME = "canary-operator"
PROBES = ("livenessProbe", "readinessProbe")
# The policies go first: they keep what is the operator's from everybody else.
OF_THE_CLUSTER = "validatingadmissionpolicybindings,validatingadmissionpolicies,clusterrolebindings,clusterroles"
OURS = f"app.kubernetes.io/part-of={NAME}"

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Site:
    """A cluster without an operator, and a restricted namespace for one."""

    lab: Lab
    namespace: str
    folder: Path

    def helm(self, *arguments: str) -> str:
        """Run Helm to its end."""
        ended = subprocess.run(self._helm(*arguments), env=self._home(), check=False, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def helm_begun(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Begin to run Helm."""
        return subprocess.Popen(self._helm(*arguments), env=self._home())

    def values(self, **values: Any) -> str:
        """Write values, with a provider that is this lab's Prometheus, and return the option that names the file."""
        file = self.folder / f"values-{uuid.uuid4().hex[:8]}.yaml"
        file.write_text(yaml.safe_dump({"config": configuration(self.lab), **values}))
        return f"--values={file}"

    def install(self, *options: str, chart: Path = CHART, **values: Any) -> None:
        """Install the chart, and wait until the API server has admitted its pod."""
        self.helm("install", NAME, str(chart), "--wait", "--timeout=60s", self.values(**values), *options)

    def pod(self, namespace: str = "") -> Pod:
        """Return the pod of the installed operator."""
        root = self.folder / f"pod-{uuid.uuid4().hex[:8]}"
        return pod_of(self.lab, "deployment", NAME, namespace or self.namespace, root)

    def _helm(self, *arguments: str) -> list[str]:
        program = cache.install(only={"helm"}).programs["helm"]
        return [str(program), f"--kubeconfig={self.lab.kubeconfig}", f"--namespace={self.namespace}", *arguments]

    def _home(self) -> dict[str, str]:
        places = ("CACHE", "CONFIG", "DATA")
        return {**os.environ, **{f"HELM_{place}_HOME": str(self.folder / place.lower()) for place in places}}


def configuration(lab: Lab) -> dict[str, Any]:
    provider = {"name": "default", "url": lab.prometheus_url, "addresses": ["http://prometheus.monitoring:9090"]}
    return {"evaluationInterval": "1s", "providers": [provider]}


@pytest.fixture
def site(own_cluster: Lab, tmp_path: Path) -> Iterator[Site]:
    with own_cluster.namespace("operator") as namespace:
        restrict = "pod-security.kubernetes.io/enforce=restricted"
        own_cluster.kubectl("label", "namespace", namespace, restrict)
        site = Site(own_cluster, namespace, tmp_path)
        try:
            yield site
        finally:
            clean(site)


def clean(site: Site) -> None:
    """Take away whatever of ours is of the cluster."""
    if NAME in site.helm("list", "--short"):
        site.helm("uninstall", NAME, "--no-hooks")
    site.lab.kubectl("delete", OF_THE_CLUSTER, f"--selector={OURS}")
    site.lab.kubectl("delete", "--ignore-not-found", "--kustomize", str(ROOT / "crds"))


@pytest.fixture
def stage(own_cluster: Lab, tmp_path: Path) -> Iterator[Stage]:
    """A namespace with Rollouts; whose operator gates them is the test's business."""
    with stage_in(own_cluster, own_cluster.kubeconfig, tmp_path) as opened:
        yield opened


@contextmanager
def running(stage: Stage, pod: Pod) -> Iterator[None]:
    """Run a pod's container until its probes pass, and as long as the block lasts."""
    operator = pod.start()
    stage.operators.append(operator)
    stage.until(lambda: all(map(pod.passes, PROBES)), "both probes to pass", timeout=90)
    yield
    assert operator.stop() == 0


def gates_a_release(stage: Stage, pod: Pod) -> None:
    """A good release is held for want of traffic and then promoted, a bad one is aborted."""
    with running(stage, pod):
        stage.template()
        stage.rollout(steps=timed("4s"), rate=0)
        stage.release()
        stage.until(lambda: is_held(stage), "the hold")
        traffic(stage)
        stage.until(stage.is_promoted, "the promotion")

        stage.release(V3, errors=0.5)

        stage.until(lambda: stage.status().get("abort"), "the abort")
        stage.until(lambda: stage.verdict() == ("Abort", "ConditionsFailed"), "the verdict")


def test_what_helm_installs_gates_a_release(site: Site, stage: Stage) -> None:
    site.lab.kubectl("create", "secret", "generic", "prometheus", "--from-literal=token=t", namespace=site.namespace)
    config = configuration(site.lab)
    config["providers"][0]["bearerTokenFile"] = "/etc/prometheus/token"
    mount = {"name": "prometheus", "secretName": "prometheus", "mountPath": "/etc/prometheus"}
    site.install(config=config, extraSecretMounts=[mount])

    gates_a_release(stage, site.pod())


@pytest.fixture
def applied(site: Site) -> Iterator[str]:
    """The operator of the manifests, whose namespace they bring."""
    lab = site.lab
    lab.kubectl("apply", f"--filename={ROOT / 'manifests' / 'install.yaml'}")
    lab.kubectl("wait", "deployment", NAME, "--for=condition=Available", "--timeout=60s", namespace=NAME)
    point_at_prometheus(lab, NAME)
    yield NAME
    manifest = f"--filename={ROOT / 'manifests' / 'install.yaml'}"
    lab.kubectl("delete", manifest, "--selector=app.kubernetes.io/component=operator")
    assert lab.get("crd", "gatedecisions.canary-operator.io")
    assert of_the_cluster(lab) == ""
    lab.kubectl("delete", "namespace", NAME, "--wait=false")


def point_at_prometheus(lab: Lab, namespace: str) -> None:
    """Change the configuration as a person would, who has only kubectl."""
    config = yaml.safe_load(lab.get("configmap", NAME, namespace=namespace)["data"]["config.yaml"])
    changed = {"data": {"config.yaml": yaml.safe_dump({**config, **configuration(lab)})}}
    lab.kubectl("patch", "configmap", NAME, "--type=merge", f"--patch={json.dumps(changed)}", namespace=namespace)


def test_what_kubectl_applies_into_an_empty_cluster_gates_a_release(site: Site, stage: Stage, applied: str) -> None:
    gates_a_release(stage, site.pod(applied))


def of_the_cluster(lab: Lab) -> str:
    """Name what is of ours and of the cluster, the kinds apart."""
    return lab.kubectl("get", OF_THE_CLUSTER, f"--selector={OURS}", "--output=name")


@pytest.fixture
def kinds_alone(site: Site) -> None:
    """The kinds, which somebody with rights to the cluster has installed."""
    site.lab.kubectl("apply", "--server-side", "--kustomize", str(ROOT / "crds"))


@pytest.mark.usefixtures("kinds_alone")
def test_helm_installs_for_some_namespaces_without_a_right_to_the_cluster(site: Site, stage: Stage) -> None:
    site.install(namespaces=[stage.namespace], crds={"enabled": False})

    assert of_the_cluster(site.lab) == ""
    pod = site.pod()
    gates_a_release(stage, pod)
    may_look_nowhere_else(pod, stage)


@pytest.mark.usefixtures("kinds_alone")
def test_kubectl_applies_to_one_namespace_without_a_right_to_the_cluster(site: Site, stage: Stage) -> None:
    manifest = ROOT / "manifests" / "namespace-install.yaml"
    site.lab.kubectl("apply", f"--filename={manifest}", namespace=stage.namespace)
    point_at_prometheus(site.lab, stage.namespace)

    assert of_the_cluster(site.lab) == ""
    pod = site.pod(stage.namespace)
    gates_a_release(stage, pod)
    may_look_nowhere_else(pod, stage)


def may_look_nowhere_else(pod: Pod, stage: Stage) -> None:
    operator = Objects(pod.identity(), stage.folder)
    rollouts = "/apis/argoproj.io/v1alpha1{}/rollouts"

    assert operator.ask("GET", rollouts.format(f"/namespaces/{stage.namespace}")).status_code == 200
    assert operator.ask("GET", rollouts.format("/namespaces/default")).status_code == 403
    assert operator.ask("GET", rollouts.format("")).status_code == 403


def test_an_operator_that_observes_records_a_bad_release_and_writes_nothing(site: Site, stage: Stage) -> None:
    site.install(mode="observe")
    pod = site.pod()
    stage.template()
    stage.rollout(gate="enforce", steps=timed("6s"))
    before = managers(stage)
    with running(stage, pod):
        stage.release(errors=0.5)

        stage.until(lambda: stage.verdict() == ("Abort", "ConditionsFailed"), "the verdict")
        assert stage.gate()["message"].startswith("would abort at step 1/2 (50 %): error-rate 0.")
        stage.until(stage.is_promoted, "the end by Argo's own timer")

    assert managers(stage) == before, "only Argo and the test have written"
    assert stage.actions() == []
    assert "Abort" in [decision["verdict"] for decision in stage.decisions()]
    operator = Objects(pod.identity(), stage.folder)
    refused = operator.ask("PATCH", f"{stage.path()}/status", {"status": {"message": "mine"}}, MERGE)
    assert refused.status_code == 403


def previous_chart(folder: Path) -> Path:
    """The chart as it could have been before: an older version, and a kind without one field."""
    chart = folder / "previous"
    shutil.copytree(CHART, chart)
    for part in (chart, chart / "charts" / "crds"):
        file = part / "Chart.yaml"
        file.write_text(file.read_text().replace(__version__, "0.0.9"))
    file = chart / "charts" / "crds" / "templates" / "canarygates.yaml"
    body = yaml.safe_load(file.read_text())
    del body["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["requests"]
    file.write_text(yaml.safe_dump(body))
    return chart


def test_helm_takes_over_older_kinds_that_kubectl_has_installed(site: Site) -> None:
    kinds = previous_chart(site.folder) / "charts" / "crds" / "templates"
    site.lab.kubectl("apply", "--server-side", f"--filename={kinds}")

    site.install("--take-ownership", "--force-conflicts")

    kind = site.lab.get("crd", "canarygates.canary-operator.io")
    assert "requests" in kind["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]


def image(site: Site) -> str:
    return str(site.pod().container["image"])


def canary_total(stage: Stage) -> int:
    found = evidence(stage)
    return int(found[0]["canary"]["total"]) if found else 0


def test_an_upgrade_keeps_gates_decisions_and_the_counts_of_a_release_under_way(site: Site, stage: Stage) -> None:
    site.install(chart=previous_chart(site.folder))
    assert image(site).endswith(":0.0.9")
    with running(stage, site.pod()):
        gated_by(stage, {"name": "availability", "objective": "99.9", "indicator": {"ratio": RATIO}})
        stage.release()
        stage.until(lambda: canary_total(stage) > 200, "some evidence")
    before, decided = stage.gate(), stage.decisions()
    assert "requests" not in before, "the older kind does not have it"

    site.helm("upgrade", NAME, str(CHART), "--wait", "--timeout=60s", site.values())

    assert not image(site).endswith(":0.0.9")
    assert stage.gate() == before
    assert stage.decisions() == decided
    counted = before["evidence"][0]["canary"]["total"]
    with running(stage, site.pod()):
        stage.until(lambda: stage.gate().get("requests"), "a word in the new field")
        assert stage.gate()["requests"] >= counted
        stage.until(lambda: canary_total(stage) > counted, "more evidence")
        assert stage.gate()["since"] == before["since"]
        traffic(stage, rate=1000)
        stage.until(stage.is_promoted, "the promotion", timeout=90)
    assert [each["sequence"] for each in stage.decisions()] == list(range(1, len(stage.decisions()) + 1))
    assert stage.decisions()[: len(decided)] == decided


@pytest.mark.parametrize("somewhere", [False, True], ids=["cluster", "namespaces"])
def test_what_is_held_goes_on_after_an_uninstall_and_gates_and_records_stay(
    site: Site, stage: Stage, somewhere: bool
) -> None:
    site.install(namespaces=[stage.namespace] if somewhere else [])
    pod = site.pod()
    identity = pod.identity()
    with running(stage, pod):
        stage.template()
        stage.rollout(steps=timed("4s"), rate=0)
        stage.release()
        stage.until(lambda: is_held(stage), "the hold")
        decided = stage.decisions()
        # Nothing runs in the lab's pods: the job must not be over before the test has run its container.
        site.lab.kubectl("create", "quota", "no-pods", "--hard=pods=0", namespace=site.namespace)

        # The operator's process is not told to stop: it does not go before its rights do, and that must not matter.
        uninstalling = site.helm_begun("uninstall", NAME)
        job = stage.until(lambda: release_job(site), "the job")
        assert is_held(stage), "nobody has touched it yet"
        released = pod_of(site.lab, "job", job, site.namespace, site.folder / "job").run()

        assert (released.returncode, released.stderr) == (0, "")
        assert f"{stage.namespace}/web: released" in released.stdout
        stage.until(stage.is_promoted, "the end by Argo's own timer")
        site.lab.kubectl("delete", "quota", "no-pods", namespace=site.namespace)
        assert uninstalling.wait(60) == 0
    refused = Objects(identity, stage.folder).ask("GET", stage.path())
    assert refused.status_code in {401, 403}
    assert of_the_cluster(site.lab) == ""
    assert site.lab.kubectl("get", "serviceaccounts,jobs,roles", f"--selector={OURS}", "-o=name", "-A") == ""
    assert stage.decisions()[: len(decided)] == decided
    assert stage.gate()
    site.install()


def test_a_job_that_cannot_run_leaves_pauses_held_and_no_rights_behind(site: Site, stage: Stage) -> None:
    site.install()
    with running(stage, site.pod()):
        stage.template()
        stage.rollout(steps=timed("4s"), rate=0)
        stage.release()
        stage.until(lambda: is_held(stage), "the hold")
    site.lab.kubectl("create", "quota", "no-pods", "--hard=pods=0", namespace=site.namespace)

    assert site.helm_begun("uninstall", NAME, "--timeout=3s").wait(60) != 0

    assert is_held(stage)
    assert of_the_cluster(site.lab) == ""
    assert site.lab.kubectl("get", "serviceaccounts", f"--selector={OURS}", "-o=name", namespace=site.namespace) == ""
    assert release_job(site), "with the reason why it has no pod"
    by_hand = stage.command("release", f"--namespace={stage.namespace}", kubeconfig=site.lab.kubeconfig)
    assert by_hand.returncode == 0, by_hand.stderr
    stage.until(stage.is_promoted, "the end by Argo's own timer")


def release_job(site: Site) -> str:
    names = site.lab.kubectl("get", "jobs", "--output=name", namespace=site.namespace).split()
    return names[0].partition("/")[2] if names else ""
