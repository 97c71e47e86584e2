"""What the documentation tells people to type is typed, in its order, on a lab of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster import Lab
from lab.programs import cache
from lab.starting import start
from lab.waiting import until
from tests.docs.commands import PAGES, ROOT, blocks, mentioned, without_remark
from tests.e2e.kubelet import pod_of
from tests.e2e.stage import Operator

PRODUCTION = "production"
HOME = "canary-operator"
PROMETHEUS = "http://prometheus.monitoring:9090"
# Commands that cannot be typed here, and where else they are run, or why they are not.
EXCUSED = {
    "make demo": "`.ci/run` runs it",
    "make test": "this is a part of it",
    "docker build -t REGISTRY/canary-operator:0.1.0 .": "no engine: tests/packaging runs the steps of the Dockerfile",
    "kubectl port-forward -n canary-operator deployment/canary-operator 8080": "no kubelet: test_page.py opens it",
}

# What sentences and runbooks tell people to ask, with names in capitals. `kubectl logs` needs a kubelet.
ASKING = re.compile(r"kubectl (get|describe|explain|auth) \S+ \S+|kubectl explain \S+")
QUESTIONS = sorted({command for page in PAGES for command in mentioned(page) if ASKING.match(command)})


@dataclass
class Person:
    """Somebody who reads a page and types what it says, in a checkout, with a cluster."""

    lab: Lab
    page: str
    folder: Path
    read: int = 0

    @property
    def checkout(self) -> Path:
        return self.folder / "checkout"

    def types(self) -> str:
        """Type the next block of the page and return what was printed."""
        block = blocks(ROOT / self.page)[self.read]
        self.read += 1
        script = "\n".join(line for line in block.script.splitlines() if without_remark(line) not in EXCUSED)
        return self.runs(script, f"{self.page}:{block.line}")

    def runs(self, script: str, place: str) -> str:
        """Run commands in the checkout; all must succeed. Returns what was printed."""
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.checkout,
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert ended.returncode == 0, f"{place}\n{script}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def environment(self) -> dict[str, str]:
        """Return what a person's shell has: this lab's cluster and programs, and an editor that changes nothing."""
        programs = {str(path.parent) for path in cache.install(only={"helm"}).programs.values()}
        given = self.lab.environment()
        path = os.pathsep.join([*sorted(programs), str(Path(sys.executable).parent), given["PATH"]])
        homes = {f"HELM_{place}_HOME": str(self.folder / place.lower()) for place in ("CACHE", "CONFIG", "DATA")}
        return {**given, **homes, "PATH": path, "EDITOR": "true"}

    def kubectl(self, *arguments: str) -> str:
        """Do what the page takes for granted."""
        return self.lab.kubectl(*arguments)

    def points_at_prometheus(self) -> None:
        """Say in the installed configuration where this lab's Prometheus is, instead of where pages say it is."""
        body = self.lab.get("configmap", HOME, namespace=HOME)
        config = yaml.safe_load(body["data"]["config.yaml"])
        provider = {"name": "default", "url": self.lab.prometheus_url, "addresses": [PROMETHEUS]}
        changed = {**config, "providers": [provider], "evaluationInterval": "1s"}
        data = {"config.yaml": yaml.safe_dump(changed)}
        self.lab.apply(yaml.safe_dump({**body, "metadata": {"name": HOME, "namespace": HOME}, "data": data}))

    @contextmanager
    def running(self) -> Iterator[Operator]:
        """Run the installed operator's container until its probe passes, and as long as the block lasts."""
        self.points_at_prometheus()
        pod = pod_of(self.lab, "deployment", HOME, HOME, self.folder / f"pod-{self.read}")
        operator = pod.start()
        try:
            until(lambda: pod.passes("readinessProbe"), "the operator", timeout=90)
            yield operator
        finally:
            operator.stop()


def newcomer(person: Person) -> None:
    """README.md: installed, a release observed, then one that is aborted."""
    a_service(person)
    person.types()
    person.types()
    with person.running():
        person.types()
        until(lambda: verdict(person), "a verdict", timeout=60)
        assert "api-service" in person.types()
        person.types()
        image = "registry.example.com/api-service:bad"
        person.lab.world.set_behaviour(PRODUCTION, "api-service", image, error_ratio=0.5)
        until(lambda: gate(person).get("phase") == "Ended", "the end of the observed release", timeout=240)
        person.lab.argo("set", "image", "api-service", f"api={image}", namespace=PRODUCTION)
        until(lambda: verdict(person) == "Abort", "the abort", timeout=120)
        assert person.lab.get("rollout", "api-service", namespace=PRODUCTION)["status"]["abort"] is True
        for command in QUESTIONS:
            asked = command.replace("NAMESPACE", PRODUCTION).replace("NAME", "api-service")
            assert person.runs(asked, "in a sentence").strip(), f"{asked} shows nothing"


def installer(person: Person) -> None:
    """docs/installing.md: by Helm, by kubectl, for one namespace, and gone again."""
    person.types()
    with person.running():
        pass
    person.types()
    with person.running():
        pass
    person.kubectl("create", "namespace", "shop")
    person.types()
    assert person.lab.get("role", HOME, namespace="shop")["rules"]
    person.types()
    assert "canarygates.canary-operator.io" in person.kubectl("get", "crd", "-o", "name")


def leaver(person: Person) -> None:
    """docs/operating.md: the operator is taken out by hand."""
    person.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests"))
    person.types()
    assert HOME not in person.kubectl("get", "deployments", "-n", HOME, "-o", "name")


def native(person: Person) -> None:
    """docs/native-analysis.md: a token for both, and the templates."""
    for namespace in (HOME, PRODUCTION):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        person.lab.apply(yaml.safe_dump(body))
    person.types()
    person.types()
    assert "canary-operator-verdict" in person.kubectl("get", "clusteranalysistemplates", "-o", "name")
    with person.running():
        pass


def notified(person: Person) -> None:
    """docs/notifications.md: secrets, and Argo's own notifications."""
    person.kubectl("create", "namespace", HOME)
    person.types()
    person.types()
    assert (person.checkout / "secret").read_text().startswith("whsec_")
    person.types()


def onlooker(person: Person) -> None:
    """docs/page.md: nothing but a way to the port."""
    person.types()


def doorkeeper(person: Person) -> None:
    """docs/admission.md: one's own name, and the glass is broken."""
    person.kubectl("apply", "--server-side", "-k", str(ROOT / "manifests"))
    assert re.search(r"Username +admin\n", person.types())
    person.types()
    assert "overrides" not in person.kubectl("get", "validatingadmissionpolicybindings", "-o", "name")


SESSIONS: dict[str, Callable[[Person], None]] = {
    "README.md": newcomer,
    "docs/admission.md": doorkeeper,
    "docs/installing.md": installer,
    "docs/native-analysis.md": native,
    "docs/notifications.md": notified,
    "docs/operating.md": leaver,
    "docs/page.md": onlooker,
}


@pytest.mark.parametrize("page", SESSIONS)
def test_what_a_page_tells_people_to_type_works(page: str, tmp_path: Path) -> None:
    with start() as lab:
        person = Person(lab, page, tmp_path)
        shutil.copytree(ROOT, person.checkout, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist"))
        SESSIONS[page](person)
        assert person.read == len(blocks(ROOT / page)), "every block was typed"


@pytest.mark.parametrize("excused", EXCUSED)
def test_what_is_excused_is_still_told(excused: str) -> None:
    assert any(excused in block.commands() for page in PAGES for block in blocks(page))


def a_service(person: Person) -> None:
    """The Rollout that the README supposes: the example without its gate, with pauses of seconds."""
    bodies = list(yaml.safe_load_all(person.kubectl("kustomize", str(ROOT / "examples" / "api-service"))))
    for body in bodies:
        if body["kind"] == "Rollout":
            del body["metadata"]["annotations"]
            body["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 25}, {"pause": {"duration": "45s"}}]
    person.lab.apply(yaml.safe_dump_all(bodies))
    until(
        lambda: person.lab.get("rollout", "api-service", namespace=PRODUCTION).get("status", {}).get("stableRS"),
        "the first deploy",
        timeout=90,
    )


def gate(person: Person) -> dict[str, Any]:
    listing = json.loads(person.kubectl("get", "canarygates", "-n", PRODUCTION, "-o", "json"))
    return dict(listing["items"][0].get("status") or {}) if listing["items"] else {}


def verdict(person: Person) -> str | None:
    """The verdict of the gate while it judges."""
    return gate(person).get("verdict")
