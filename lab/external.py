"""LAB=external: a cluster that is there already, with Argo Rollouts in it; KUBECONFIG names it.

Only Prometheus and the traffic world run here. Continuous integration exercises it over a local lab only.

Law: never creates or deletes anything in a cluster that is not ours, but the lab's namespaces.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lab import locations
from lab.errors import CommandError, StartError
from lab.plane import credentials, startup
from lab.plane.startup import Start


def adopt(start: Start) -> None:
    """Use the cluster of KUBECONFIG. Raises StartError when Argo Rollouts is not installed."""
    source = locations.user_kubeconfig()
    if not source.exists():
        raise StartError(f"LAB=external needs KUBECONFIG; there is no {source}")
    credentials.write_secret(start.plane.layout.admin_kubeconfig, _whole(start, source))
    try:
        start.kubectl("get", "crd", "rollouts.argoproj.io")
    except CommandError as error:
        raise StartError(f"LAB=external needs a cluster with Argo Rollouts: {error}") from error
    add_namespaces(start)


def _whole(start: Start, source: Path) -> str:
    """Return the current context of `source` with everything in it that it names by file."""
    user = replace(start.kubectl, kubeconfig=source)
    return user("config", "view", "--raw", "--flatten", "--minify")


def add_namespaces(start: Start) -> None:
    """Create the namespaces that every lab has, where they are missing."""
    present = start.kubectl("get", "namespaces", "--output=name").split()
    for name in startup.NAMESPACES:
        if f"namespace/{name}" not in present:
            start.kubectl("create", "namespace", name)
