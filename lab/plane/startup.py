"""Bringing a control plane up, in the order in which its parts need each other.

Law: this is the story; every wait names a process, and a process that dies ends the story with its last lines.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import loopback, waiting
from lab.errors import LabError, StartError
from lab.kubectl import Kubectl
from lab.plane import audit, commands, credentials
from lab.plane.commands import Plane
from lab.processes.client import Supervision

NAMESPACES = ("argo-rollouts", "production", "monitoring")
# Under load, a laptop's first start of seven programs; a healthy one takes a tenth of it.
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Start:
    """A plane that is being brought up by its supervisor."""

    plane: Plane
    supervision: Supervision
    kubectl: Kubectl

    def run(self, name: str, argv: list[str]) -> None:
        """Start one program."""
        self.supervision.start(name, argv)

    def await_ready(self, name: str, probe: Callable[[], bool]) -> None:
        """Wait until `probe` is true. Raises StartError when `name` dies or takes too long."""

        def look() -> bool:
            if not self.supervision.is_running(name):
                raise StartError(f"{name} died:\n{self.supervision.last_lines(name)}")
            return probe()

        try:
            waiting.until(look, f"{name} to be ready", timeout=_PATIENCE_SECONDS)
        except StartError:
            raise
        except LabError as error:
            said = self.supervision.last_lines(name)
            raise StartError(f"{error}. Its last lines:\n{said}") from error


def bring_up(start: Start, *, nodes: int) -> None:
    """Start the control plane: API server, Argo's kinds, then everything that watches them."""
    plane = start.plane
    _start_api_server(start)
    # These two only watch; they find nodes, namespaces and kinds as they come.
    start.run("kube-controller-manager", commands.controller_manager(plane))
    start.run("kube-scheduler", commands.scheduler(plane))
    apply_argo_kinds(start.kubectl, plane.assets["argo-crds"])
    start.kubectl.apply(yaml.safe_dump_all([*_namespaces(), *_nodes(nodes)]))
    start.run("kwok", commands.kwok(plane))
    start_argo(start)
    _await_plane(start)


def bring_up_analysis(start: Start) -> None:
    """Start what judges AnalysisRuns and nothing else: API server, Argo's kinds, its analysis controller."""
    _start_api_server(start)
    apply_argo_kinds(start.kubectl, start.plane.assets["argo-crds"])
    start.kubectl.apply(yaml.safe_dump_all(_namespaces()))
    _start_controller(start, commands.analysis_controller(start.plane))


def _start_api_server(start: Start) -> None:
    plane = start.plane
    token = _write_credentials(plane)
    start.run("etcd", commands.etcd(plane))
    start.await_ready("etcd", lambda: loopback.answers(_health(plane.ports.etcd)))
    start.run("kube-apiserver", commands.api_server(plane))
    start.await_ready("kube-apiserver", lambda: loopback.answers(f"{plane.server}/readyz", token=token))
    _write_admin(plane, token)


def apply_argo_kinds(kubectl: Kubectl, folder: Path) -> None:
    """Create Argo's kinds, which its controller needs before it starts."""
    kubectl("apply", "--server-side", "--force-conflicts", f"--filename={folder}")
    kubectl("wait", "--for=condition=Established", f"--filename={folder}", "--timeout=30s")


def start_argo(start: Start) -> None:
    """Start Argo's controller and wait until it says that it is healthy."""
    _start_controller(start, commands.rollouts_controller(start.plane))


def _start_controller(start: Start, command: list[str]) -> None:
    start.run("rollouts-controller", command)
    url = f"http://127.0.0.1:{start.plane.ports.argo_health}/healthz"
    start.await_ready("rollouts-controller", lambda: loopback.answers(url))


def start_prometheus(start: Start) -> None:
    """Start Prometheus and wait until it answers queries."""
    start.run("prometheus", commands.prometheus(start.plane))
    url = f"http://127.0.0.1:{start.plane.ports.prometheus}/-/ready"
    start.await_ready("prometheus", lambda: loopback.answers(url))


def start_traffic(start: Start, *, seed: int) -> None:
    """Start the traffic world and wait until it has seen the cluster."""
    start.run("traffic", commands.traffic(start.plane, seed))
    url = f"http://127.0.0.1:{start.plane.ports.traffic}/healthz"
    start.await_ready("traffic", lambda: loopback.answers(url))


def _await_plane(start: Start) -> None:
    ports = start.plane.ports
    for name, port in (
        ("kube-controller-manager", ports.controller_manager),
        ("kube-scheduler", ports.scheduler),
    ):
        url = f"https://127.0.0.1:{port}/healthz"
        start.await_ready(name, lambda url=url: loopback.answers(url))  # type: ignore[misc]
    start.await_ready("kwok", lambda: _nodes_are_ready(start.kubectl))


def _nodes_are_ready(kubectl: Kubectl) -> bool:
    try:
        kubectl("wait", "--for=condition=Ready", "nodes", "--all", "--timeout=1s")
    except LabError:
        return False
    return True


def _health(port: int) -> str:
    return f"http://127.0.0.1:{port}/health"


def _write_credentials(plane: Plane) -> str:
    token = secrets.token_hex(16)
    layout = plane.layout
    credentials.write_secret(layout.tokens, credentials.token_file(token))
    credentials.write_secret(layout.service_account_key, credentials.signing_key())
    layout.audit_policy.write_text(audit.policy())
    layout.certificates.mkdir(parents=True, exist_ok=True)
    for program in ("etcd", "prometheus"):
        layout.data(program).mkdir(parents=True, mode=0o700, exist_ok=True)
    return token


def _write_admin(plane: Plane, token: str) -> None:
    certificate = plane.layout.server_certificate.read_bytes()
    config = credentials.kubeconfig(plane.server, token, certificate)
    credentials.write_secret(plane.layout.admin_kubeconfig, config)


def _namespaces() -> list[dict[str, object]]:
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]


def _nodes(count: int) -> list[dict[str, object]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": f"node-{number}",
                "annotations": {"kwok.x-k8s.io/node": "fake"},
                "labels": {"kubernetes.io/hostname": f"node-{number}"},
            },
            "status": {
                "allocatable": {"cpu": "1000", "memory": "4Ti", "pods": "5000"},
                "capacity": {"cpu": "1000", "memory": "4Ti", "pods": "5000"},
            },
        }
        for number in range(1, count + 1)
    ]
