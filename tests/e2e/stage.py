"""The stage of an end-to-end test: one namespace, one operator of its own, Rollouts that a script describes.

Law: what a person could do with kubectl, and waiting for what a person would see. No test sleeps without a reason.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import requests
import yaml

from canary_operator.model import durations
from canary_operator.model.pause import Hold, Pause, PauseReason
from lab.cluster import Lab
from tests.records import mistakes

ARGO = "/apis/argoproj.io/v1alpha1"
OURS = "/apis/canary-operator.io/v1alpha1"
MERGE = "application/merge-patch+json"

V1 = "shop.example.com/web:1"
V2 = "shop.example.com/web:2"
V3 = "shop.example.com/web:3"


class Objects:
    """The API server, as the administrator or as the identity of a kubeconfig."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self.token: str = config["users"][0]["user"]["token"]
        self.ca = folder / "ca.crt"
        self.ca.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(self.ca)
        self._session.headers["Authorization"] = f"Bearer {self.token}"

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> requests.Response:
        """Send one request and return the answer, whatever it is but "later": kinds that are changed say that."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        for _ in range(10):
            answer = self._session.request(method, self.server + path, data=data, headers=headers, timeout=20)
            if answer.status_code != 429:
                break
            time.sleep(1)
        return answer

    def get(self, path: str) -> dict[str, Any] | None:
        """Return the object or collection, None where there is none."""
        answer = self.ask("GET", path)
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return dict(answer.json())

    def patch(self, path: str, body: Any, content_type: str = MERGE) -> dict[str, Any]:
        """Patch and return the object."""
        answer = self.ask("PATCH", path, body, content_type)
        assert answer.ok, f"{answer.status_code}: {answer.text[:500]}"
        return dict(answer.json())

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Create and return the object."""
        answer = self.ask("POST", path, body)
        assert answer.ok, f"{answer.status_code}: {answer.text[:500]}"
        return dict(answer.json())

    def delete(self, path: str) -> None:
        """Delete the object."""
        assert self.ask("DELETE", path).status_code in {200, 202, 404}


@dataclass
class Operator:
    """One operator process and what it said."""

    process: subprocess.Popen[bytes]
    log: Path
    web: str

    def logged(self) -> list[dict[str, Any]]:
        """All log lines that are JSON, as documents."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self, how: int = signal.SIGTERM, timeout: float = 10.0) -> int:
        """End it with a signal and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout)


@dataclass
class Stage:
    """One test's part of the lab."""

    lab: Lab
    namespace: str
    folder: Path
    identity: Path
    admin: Objects
    operators: list[Operator] = field(default_factory=list)
    # Whether the test itself writes or deletes records, so that they are no chain.
    forges: bool = False

    # The operator

    def operator(
        self,
        *,
        prometheus: str | None = None,
        kubeconfig: Path | None = None,
        evaluation_interval: str = "1s",
        timeout: str = "3s",
        namespaces: Sequence[str] | None = None,
        web: Mapping[str, Any] | None = None,
        fleet: Mapping[str, Any] | None = None,
        lease: Mapping[str, Any] = MappingProxyType({"enabled": False}),
        wait: bool = True,
        through: Sequence[str] = (),
    ) -> Operator:
        """Start an operator for this namespace under the shipped ServiceAccount, and wait until it is ready.

        Args:

            through: a command that becomes the operator, such as `env NAME=value`.
        """
        served = {"host": "127.0.0.1", "port": free_port(), **(web or {})}
        port = served["port"]
        config = self.folder / f"config-{port}.yaml"
        provider = {
            "name": "default",
            "url": prometheus or self.lab.prometheus_url,
            "addresses": ["http://prometheus.monitoring:9090"],
            "timeout": timeout,
        }
        document = {
            "evaluationInterval": evaluation_interval,
            "providers": [provider],
            "web": served,
            "fleet": fleet or {},
            "lease": dict(lease),
        }
        config.write_text(yaml.safe_dump(document))
        log = self.folder / f"operator-{port}.log"
        chosen = [self.namespace] if namespaces is None else namespaces
        program = Path(sys.executable).with_name("canary-operator")
        command = [*through, str(program), "run", f"--config={config}", *(f"--namespace={name}" for name in chosen)]
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.identity)}
        with log.open("wb") as sink:
            process = subprocess.Popen(command, env=environment, stdout=sink, stderr=subprocess.STDOUT)
        operator = Operator(process, log, f"http://127.0.0.1:{port}")
        self.operators.append(operator)
        if wait:
            self.until(lambda: _is_ready(operator), "the operator to be ready", timeout=180)
        return operator

    def command(self, *arguments: str, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command of `canary-operator` to its end, under the shipped ServiceAccount."""
        program = str(Path(sys.executable).with_name("canary-operator"))
        environment = {**os.environ, "KUBECONFIG": str(kubeconfig or self.identity)}
        return subprocess.run(
            [program, *arguments], env=environment, check=False, capture_output=True, text=True, timeout=120
        )

    # Rollouts

    def template(self, name: str = "errors", *, namespace: str | None = None, spec: Any = None, **metric: Any) -> None:
        """Apply an AnalysisTemplate; by default the error ratio must stay under 5 %, looked at every second."""
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisTemplate",
            "metadata": {"name": name, "namespace": namespace or self.namespace},
            "spec": spec
            or {"args": [{"name": "namespace"}, {"name": "canary-hash"}], "metrics": [error_rate(**metric)]},
        }
        self.lab.apply(yaml.safe_dump(body))

    def policy(self, name: str = "policy", **spec: Any) -> None:
        """Apply an SLOPolicy."""
        meta = {"name": name, "namespace": self.namespace}
        body = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "SLOPolicy", "metadata": meta, "spec": spec}
        self.lab.apply(yaml.safe_dump(body))

    def rollout(
        self,
        name: str = "web",
        *,
        steps: Sequence[Any] = ({"setWeight": 50}, {"pause": {}}),
        strategy: Mapping[str, Any] | None = None,
        replicas: int = 2,
        gate: str | None = "enforce",
        annotations: Mapping[str, str] | None = None,
        rate: float = 100.0,
        wait: bool = True,
        **spec: Any,
    ) -> None:
        """Create a Rollout at version 1 and wait until its first deploy is done."""
        ours = {"canary-operator.io/gate": gate, "canary-operator.io/analysis-templates": "errors"} if gate else {}
        body = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "annotations": {**ours, **(annotations or {})},
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "strategy": strategy or {"canary": {"steps": list(steps)}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": V1}]},
                },
                **spec,
            },
        }
        self.admin.post(f"{ARGO}/namespaces/{self.namespace}/rollouts", body)
        self.lab.world.set_rate(self.namespace, name, rate)
        if wait:
            self.until(lambda: self.phase(name) == "Healthy", f"the first deploy of {name}", timeout=180)

    def release(self, image: str = V2, name: str = "web", *, errors: float = 0.0) -> None:
        """Push a new image whose requests fail with the given ratio."""
        self.lab.world.set_behaviour(self.namespace, name, image, error_ratio=errors)
        containers = [{"name": "main", "image": image}]
        self.patch({"spec": {"template": {"spec": {"containers": containers}}}}, name)

    def patch(self, body: Any, name: str = "web", *, status: bool = False) -> dict[str, Any]:
        """Merge-patch a Rollout as a person would."""
        return self.admin.patch(self.path(name) + ("/status" if status else ""), body)

    def annotate(self, key: str, value: str | None, name: str = "web") -> None:
        """Set or remove (None) one of our annotations of a Rollout."""
        self.patch({"metadata": {"annotations": {f"canary-operator.io/{key}": value}}}, name)

    def argo(self, *arguments: str) -> str:
        """Run `kubectl argo rollouts` in this namespace."""
        return self.lab.argo(*arguments, namespace=self.namespace)

    def path(self, name: str = "web") -> str:
        """Return the path of a Rollout."""
        return f"{ARGO}/namespaces/{self.namespace}/rollouts/{name}"

    def get(self, name: str = "web") -> dict[str, Any]:
        """Return a Rollout as the API server has it."""
        body = self.admin.get(self.path(name))
        assert body is not None, f"Rollout {name} is gone"
        return body

    def version(self, name: str = "web") -> str:
        """Return the resourceVersion of a Rollout, from which `versions` can tell later."""
        return str(self.get(name)["metadata"]["resourceVersion"])

    def versions(self, since: str, name: str = "web") -> list[dict[str, Any]]:
        """Return every version of a Rollout since a resourceVersion of the last minute, oldest first."""
        query = f"watch=1&timeoutSeconds=1&resourceVersion={since}&fieldSelector=metadata.name={name}"
        answer = self.admin.ask("GET", f"{ARGO}/namespaces/{self.namespace}/rollouts?{query}")
        assert answer.ok, answer.text[:500]
        events = [json.loads(line) for line in answer.text.splitlines()]
        assert all(event["type"] in {"ADDED", "MODIFIED"} for event in events), events[-1]
        return [event["object"] for event in events]

    def status(self, name: str = "web") -> dict[str, Any]:
        """Return a Rollout's status."""
        return dict(self.get(name).get("status") or {})

    def phase(self, name: str = "web") -> str:
        """Return Argo's phase, empty while the status is of an older generation."""
        body = self.get(name)
        status = body.get("status") or {}
        if str(status.get("observedGeneration")) != str(body["metadata"]["generation"]):
            return ""
        return str(status.get("phase") or "")

    def step(self, name: str = "web") -> int | None:
        """Return Argo's index of the current step."""
        index = self.status(name).get("currentStepIndex")
        return None if index is None else int(index)

    def hold(self, name: str = "web") -> Hold | None:
        """Return how the current pause is held, None where there is no pause."""
        conditions = self.status(name).get("pauseConditions")
        if not conditions:
            return None
        start = durations.parse_time(conditions[0]["startTime"])
        return Pause(PauseReason.CANARY_STEP, start).hold(time.time())

    def is_promoted(self, name: str = "web", image: str = V2) -> bool:
        """Whether the version with this image is stable and fully rolled out."""
        body = self.get(name)
        status = body.get("status") or {}
        current = body["spec"]["template"]["spec"]["containers"][0]["image"] == image
        same = status.get("stableRS") == status.get("currentPodHash")
        return current and same and self.phase(name) == "Healthy"

    def replica_sets(self, name: str = "web") -> list[dict[str, Any]]:
        """Return the ReplicaSets of a Rollout, newest last."""
        listing = self.admin.get(f"/apis/apps/v1/namespaces/{self.namespace}/replicasets") or {}
        own = [
            body
            for body in listing.get("items") or ()
            if any(owner["name"] == name for owner in body["metadata"].get("ownerReferences") or ())
        ]
        return sorted(own, key=lambda body: int(body["metadata"]["annotations"]["rollout.argoproj.io/revision"]))

    # What the operator says

    def gate(self, name: str = "web") -> dict[str, Any]:
        """Return the status of a CanaryGate, empty where there is none."""
        body = self.admin.get(f"{OURS}/namespaces/{self.namespace}/canarygates/{name}") or {}
        return dict(body.get("status") or {})

    def gate_patch(self, spec: Mapping[str, Any], name: str = "web") -> None:
        """Merge-patch the spec of a CanaryGate as a person would."""
        self.admin.patch(f"{OURS}/namespaces/{self.namespace}/canarygates/{name}", {"spec": spec})

    def verdict(self, name: str = "web") -> tuple[str | None, str | None]:
        """Return verdict and reason of a gate."""
        status = self.gate(name)
        return status.get("verdict"), status.get("reason")

    def ours(self, plural: str) -> list[dict[str, Any]]:
        """Return the objects of one of our kinds in the namespace."""
        listing = self.admin.get(f"{OURS}/namespaces/{self.namespace}/{plural}") or {}
        return list(listing.get("items") or ())

    def decisions(self, name: str = "web") -> list[dict[str, Any]]:
        """Return the specs of a Rollout's GateDecisions in the order of their chain."""
        specs = [body["spec"] for body in self.ours("gatedecisions")]
        return sorted((spec for spec in specs if spec["rolloutName"] == name), key=lambda spec: int(spec["sequence"]))

    def actions(self, name: str = "web") -> list[tuple[str, str]]:
        """Return (kind, outcome) of every recorded action in order."""
        found = [spec["action"] for spec in self.decisions(name) if "action" in spec]
        return [(action["kind"], action["outcome"]) for action in found]

    def runs(self) -> list[dict[str, Any]]:
        """Return the AnalysisRuns of the namespace that are ours."""
        label = "argo-rollouts.argoproj.io/controller-instance-id=canary-operator"
        listing = self.admin.get(f"{ARGO}/namespaces/{self.namespace}/analysisruns?labelSelector={label}") or {}
        return list(listing.get("items") or ())

    def events(self, name: str = "web") -> list[dict[str, Any]]:
        """Return our Events on a Rollout."""
        listing = self.admin.get(f"/api/v1/namespaces/{self.namespace}/events") or {}
        return [
            body
            for body in listing.get("items") or ()
            if body["involvedObject"].get("name") == name and body.get("reportingComponent") == "canary-operator"
        ]

    # Waiting

    def until(self, true: Callable[[], Any], what: str, *, timeout: float = 60.0) -> Any:
        """Wait until something is true and return it; fails with what was waited for and what is."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if value := true():
                return value
            time.sleep(0.1)
        raise AssertionError(f"waited {timeout:g} s for {what}\n{self.picture()}")

    def throughout(self, true: Callable[[], Any], seconds: float, what: str) -> None:
        """Fail as soon as something is no longer true within the next seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert true(), f"{what} was no longer so\n{self.picture()}"
            time.sleep(0.15)

    def at_pause(self, name: str = "web", step: int = 1) -> None:
        """Wait until a Rollout pauses at a step."""
        self.until(
            lambda: self.step(name) == step and self.status(name).get("pauseConditions"), f"the pause of step {step}"
        )

    def picture(self) -> str:
        """Return what a person would look at: Rollouts, gates, the operator's last words."""
        rollouts = (self.admin.get(f"{ARGO}/namespaces/{self.namespace}/rollouts") or {}).get("items") or ()
        lines = [
            f"rollout {body['metadata']['name']}: "
            + json.dumps(
                {
                    key: (body.get("status") or {}).get(key)
                    for key in ("phase", "message", "currentStepIndex", "pauseConditions", "controllerPause", "abort")
                }
            )
            for body in rollouts
        ]
        gates = (self.admin.get(f"{OURS}/namespaces/{self.namespace}/canarygates") or {}).get("items") or ()
        for body in gates:
            told = {
                key: (body.get("status") or {}).get(key) for key in ("phase", "verdict", "reason", "message", "pending")
            }
            lines.append(f"gate {body['metadata']['name']}: {json.dumps(told)}")
        for operator in self.operators:
            lines += operator.log.read_text(errors="replace").splitlines()[-12:]
        return "\n".join(lines)

    # The end

    def stray_marks(self) -> list[str]:
        """Return everything of ours or of kopf on objects that are not ours."""
        found = []
        for path in (
            f"{ARGO}/namespaces/{self.namespace}/rollouts",
            f"{ARGO}/namespaces/{self.namespace}/analysistemplates",
            f"/apis/apps/v1/namespaces/{self.namespace}/replicasets",
        ):
            for body in (self.admin.get(path) or {}).get("items") or ():
                found += [f"{path}/{body['metadata']['name']}: {mark}" for mark in _marks(body)]
        return found


def error_rate(
    *,
    limit: float = 0.05,
    interval: str | None = "1s",
    window: str = "5s",
    failure_limit: int = 2,
    name: str = "error-rate",
    **extra: Any,
) -> dict[str, Any]:
    """Return a metric: the canary's error ratio over a window must stay under a limit."""
    selector = 'namespace="{{args.namespace}}",rollouts_pod_template_hash="{{args.canary-hash}}"'
    total = f"sum(rate(http_requests_total{{{selector}}}[{window}]))"
    bad = f'(sum(rate(http_requests_total{{{selector},status=~"5.."}}[{window}])) or 0 * {total})'
    metric = {
        "name": name,
        "failureLimit": failure_limit,
        "successCondition": f"result[0] < {limit}",
        "provider": {"prometheus": {"address": "http://prometheus.monitoring:9090", "query": f"{bad} / {total}"}},
        **extra,
    }
    return {**metric, "interval": interval} if interval else metric


@contextlib.contextmanager
def stage_in(lab: Lab, identity: Path, folder: Path) -> Iterator[Stage]:
    """Open a stage in a fresh namespace; at its end nothing of it runs and nothing foreign carries a mark of ours."""
    with lab.namespace() as namespace:
        stage = Stage(lab, namespace, folder, identity, Objects(lab.kubeconfig, folder))
        try:
            yield stage
            assert stage.stray_marks() == []
            _end(stage.operators)
            assert stage.forges or mistakes(stage.ours("gatedecisions"), stage.ours("canarygates")) == []
        finally:
            _end(stage.operators)


def _end(operators: Sequence[Operator]) -> None:
    for operator in operators:
        with contextlib.suppress(Exception):
            operator.stop(signal.SIGKILL)


def _marks(body: Mapping[str, Any]) -> list[str]:
    meta = body["metadata"]
    opted = ("gate", "slo-policy", "analysis-templates", "analysis-args")
    theirs = {f"canary-operator.io/{key}" for key in opted}
    names = [*(meta.get("annotations") or {}), *(meta.get("labels") or {}), *(meta.get("finalizers") or ())]
    foreign = [name for name in names if name not in theirs and ("kopf" in name or "canary-operator" in name)]
    status = [key for key in body.get("status") or {} if "kopf" in key.lower() or "canary-operator" in key.lower()]
    return foreign + status


def _is_ready(operator: Operator) -> bool:
    assert operator.process.poll() is None, f"the operator has ended:\n{operator.log.read_text()[-3000:]}"
    try:
        ready = requests.get(f"{operator.web}/readyz", timeout=1).ok
        return ready and requests.get(f"{operator.web}/livez", timeout=1).ok
    except requests.RequestException:
        return False


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
