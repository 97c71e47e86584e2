"""A running lab, as tests and scripts see it.

Law: a thin handle. It holds no state of its own: every process that knows the folder has the same lab.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from lab import kind, state
from lab.errors import CommandError
from lab.kubectl import Kubectl
from lab.plane import credentials, startup
from lab.plane.commands import Plane
from lab.plane.startup import Start
from lab.processes import client
from lab.prometheus import Prometheus
from lab.traffic.client import WorldClient

_TOKEN_LIFE = "12h"


@dataclass(frozen=True, slots=True)
class Lab:
    """A cluster with Argo Rollouts, Prometheus and traffic. As a context it ends with `down`."""

    folder: Path
    state: state.State

    @property
    def plane(self) -> Plane:
        """Return ports, programs and files of this lab."""
        return self.state.plane(self.folder)

    @property
    def supervision(self) -> client.Supervision:
        """Return the door to this lab's processes."""
        return client.Supervision(self.folder)

    @property
    def programs(self) -> dict[str, Path]:
        """Return where the programs are: kubectl, kubectl-argo-rollouts and the others."""
        return self.state.programs

    @property
    def kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.plane.layout.admin_kubeconfig

    @property
    def kubectl(self) -> Kubectl:
        """Return kubectl as the administrator: `lab.kubectl("get", "pods", namespace="x")`."""
        return self.kubectl_as(self.kubeconfig)

    @property
    def prometheus(self) -> Prometheus:
        """Return the lab's Prometheus."""
        return Prometheus(self._start)

    @property
    def prometheus_url(self) -> str:
        """Return the base URL of Prometheus' API."""
        return self.prometheus.url

    @property
    def world(self) -> WorldClient:
        """Return the traffic world."""
        return WorldClient(f"http://127.0.0.1:{self.state.ports.traffic}")

    @property
    def logs(self) -> Path:
        """Return the folder with one log per program."""
        return self.folder / "logs"

    @property
    def audit_logs(self) -> Path:
        """Return the folder of what the API server wrote down about requests of ServiceAccounts."""
        return self.plane.layout.audit_logs

    def kubectl_as(self, kubeconfig: Path) -> Kubectl:
        """Return kubectl with another identity."""
        return Kubectl(self.programs["kubectl"], kubeconfig, self.plane.layout.kubectl_cache)

    def argo(self, *arguments: str, namespace: str = "default") -> str:
        """Run `kubectl argo rollouts ARGUMENTS` and return its output."""
        plugin = Kubectl(
            self.programs["kubectl-argo-rollouts"],
            self.kubeconfig,
            self.plane.layout.kubectl_cache,
        )
        return plugin(*arguments, namespace=namespace)

    def apply(self, manifest: str | Path, *, namespace: str | None = None) -> str:
        """Apply a manifest: its text, a file or a folder."""
        return self.kubectl.apply(manifest, namespace=namespace)

    def get(self, kind: str, name: str, *, namespace: str | None = None) -> dict[str, Any]:
        """Return one object."""
        return self.kubectl.get(kind, name, namespace=namespace)

    def service_account_kubeconfig(self, namespace: str, name: str) -> Path:
        """Return a kubeconfig for a ServiceAccount, created if missing; valid for 12 hours."""
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        }
        self.apply(yaml.safe_dump(account))
        token = self.kubectl("create", "token", name, f"--duration={_TOKEN_LIFE}", namespace=namespace)
        target = self.plane.layout.identity(namespace, name)
        text = credentials.identity(self.kubeconfig, token.strip(), namespace)
        credentials.write_secret(target, text)
        return target

    @contextmanager
    def namespace(self, prefix: str = "test") -> Iterator[str]:
        """Yield the name of a fresh namespace; it is deleted afterwards, without waiting for it."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        self.kubectl("create", "namespace", name)
        try:
            yield name
        finally:
            self.kubectl("delete", "namespace", name, "--wait=false")

    def stop_controller(self, *, grace: float = 10.0) -> None:
        """End Argo's controller; with `grace` 0 by SIGKILL."""
        self._require_local("stop_controller")
        self.supervision.stop("rollouts-controller", grace=grace)

    def start_controller(self) -> None:
        """Start Argo's controller again; returns when it is healthy."""
        self._require_local("start_controller")
        startup.start_argo(self._start)

    def restart_controller(self, *, grace: float = 10.0) -> None:
        """End Argo's controller and start it again."""
        self.stop_controller(grace=grace)
        self.start_controller()

    def pause_controller(self) -> None:
        """Freeze Argo's controller: it neither sees nor writes anything."""
        self._require_local("pause_controller")
        self.supervision.pause("rollouts-controller")

    def resume_controller(self) -> None:
        """Let Argo's controller continue."""
        self.supervision.resume("rollouts-controller")

    def pause_api_server(self) -> None:
        """Freeze the API server: connections are accepted and nothing is answered."""
        self._require_local("pause_api_server")
        self.supervision.pause("kube-apiserver")

    def resume_api_server(self) -> None:
        """Let the API server continue."""
        self.supervision.resume("kube-apiserver")

    def environment(self) -> dict[str, str]:
        """Return an environment in which kubectl and its Argo plugin mean this lab."""
        folders = dict.fromkeys(str(path.parent) for path in self.programs.values())
        path = os.pathsep.join([*folders, os.environ.get("PATH", "")])
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "PATH": path}

    def down(self) -> None:
        """End the lab: return when no process of it is left and its folder is gone."""
        if self.state.flavour == "kind":
            kind.end(self._start)
        self.supervision.shutdown()
        client.wait_until_gone(self.state.supervisor)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    @property
    def _start(self) -> Start:
        return Start(self.plane, self.supervision, self.kubectl)

    def _require_local(self, what: str) -> None:
        if self.state.flavour != "local":
            raise CommandError(f"{what}: only a local lab owns its control plane")


def attach(folder: Path) -> Lab:
    """Return the lab in `folder`. Raises NotRunningError when there is none, or it is dead."""
    found = Lab(folder, state.read(folder))
    found.supervision.processes()
    return found
