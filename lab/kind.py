"""LAB=kind: a cluster in Docker, made by kind, with Argo's published manifest.

Needs `docker` and `kind` on the PATH. Continuous integration does not exercise this.

Law: the cluster's name carries the lab's folder, so that `end` deletes no other cluster.
"""

from __future__ import annotations

import subprocess

from lab import external
from lab.errors import StartError
from lab.plane.startup import Start


def create(start: Start) -> None:
    """Create a cluster and install Argo Rollouts. Raises StartError with kind's words."""
    _kind(start, "create", "cluster", "--wait=120s")
    external.add_namespaces(start)
    manifest = start.plane.assets["argo-install"] / "install.yaml"
    start.kubectl.apply(manifest, namespace="argo-rollouts")
    start.kubectl(
        "rollout", "status", "deployment/argo-rollouts", "--timeout=180s",
        namespace="argo-rollouts", timeout=200,
    )  # fmt: skip


def end(start: Start) -> None:
    """Delete the cluster."""
    _kind(start, "delete", "cluster")


def _kind(start: Start, *arguments: str) -> None:
    layout = start.plane.layout
    command = ["kind", *arguments, f"--name={layout.folder.name}"]
    command.append(f"--kubeconfig={layout.admin_kubeconfig}")
    try:
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise StartError("LAB=kind needs `kind` and Docker on this machine") from error
    if answer.returncode:
        raise StartError(f"{' '.join(command)}:\n{answer.stderr}")
