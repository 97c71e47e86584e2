"""The command line of every program of the lab.

Law: pure; a layout, ports and programs in, arguments out.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from lab.plane.layout import Layout, Ports

_HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Plane:
    """What every command line is made of."""

    layout: Layout
    ports: Ports
    programs: dict[str, Path]
    assets: dict[str, Path]

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.programs[name])

    @property
    def server(self) -> str:
        """Return the API server's address."""
        return f"https://{_HERE}:{self.ports.api_server}"


def etcd(plane: Plane) -> list[str]:
    """Return etcd's command; its data need not survive a power cut."""
    client = f"http://{_HERE}:{plane.ports.etcd}"
    return [
        plane.program("etcd"),
        f"--data-dir={plane.layout.data('etcd')}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls=http://{_HERE}:{plane.ports.etcd_peers}",
        "--unsafe-no-fsync",
    ]


def api_server(plane: Plane) -> list[str]:
    """Return kube-apiserver's command: RBAC, a token file, a certificate that it makes itself."""
    key = plane.layout.service_account_key
    return [
        plane.program("kube-apiserver"),
        f"--etcd-servers=http://{_HERE}:{plane.ports.etcd}",
        f"--bind-address={_HERE}",
        # A machine without a network has no address of its own to advertise; this one (RFC 5737)
        # is nobody's, and nothing in the lab connects to it.
        "--advertise-address=192.0.2.1",
        f"--secure-port={plane.ports.api_server}",
        f"--cert-dir={plane.layout.certificates}",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--authorization-mode=RBAC",
        f"--token-auth-file={plane.layout.tokens}",
        f"--audit-policy-file={plane.layout.audit_policy}",
        f"--audit-log-path={plane.layout.audit_logs / 'requests.log'}",
        # As in most clusters: what pods may be is said by pod security admission, for each namespace.
        "--allow-privileged=true",
        # Pods without containers need no tokens, and namespaces no default account to be usable.
        "--disable-admission-plugins=ServiceAccount",
    ]


def controller_manager(plane: Plane) -> list[str]:
    """Return kube-controller-manager's command, without the controllers of clouds and networks."""
    return [
        plane.program("kube-controller-manager"),
        f"--kubeconfig={plane.layout.admin_kubeconfig}",
        f"--bind-address={_HERE}",
        f"--secure-port={plane.ports.controller_manager}",
        "--leader-elect=false",
        "--controllers=*,-nodeipam,-route,-cloud-node-lifecycle,-service",
        f"--service-account-private-key-file={plane.layout.service_account_key}",
        # As in a cluster of kubeadm: who collects garbage and who scales have names that admission can tell apart.
        "--use-service-account-credentials",
        # While the API server is away no node is heard of, and its pods would be told not to be ready; a kubelet says
        # that they are, once it can, and kwok does not.
        "--node-monitor-grace-period=1h",
        # Hundreds of Rollouts at once should wait for Argo, not for the lab.
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]


def scheduler(plane: Plane) -> list[str]:
    """Return kube-scheduler's command."""
    return [
        plane.program("kube-scheduler"),
        f"--kubeconfig={plane.layout.admin_kubeconfig}",
        f"--bind-address={_HERE}",
        f"--secure-port={plane.ports.scheduler}",
        "--leader-elect=false",
        "--kube-api-qps=300",
        "--kube-api-burst=600",
    ]


def kwok(plane: Plane) -> list[str]:
    """Return kwok's command: it plays the kubelet of every node, by the stages of its module."""
    stages = [
        f"--config={file}"
        for name in ("stage-node-fast", "stage-node-heartbeat", "stage-pod-fast")
        for file in sorted(plane.assets[name].glob("*.yaml"))
    ]
    return [
        plane.program("kwok"),
        f"--kubeconfig={plane.layout.admin_kubeconfig}",
        "--manage-all-nodes=true",
        "--server-address=",
        *stages,
    ]


def rollouts_controller(plane: Plane) -> list[str]:
    """Return Argo's command, with its own defaults wherever they matter to a user."""
    return [
        plane.program("rollouts-controller"),
        f"--kubeconfig={plane.layout.admin_kubeconfig}",
        "--leader-elect=false",
        f"--metricsPort={plane.ports.argo_metrics}",
        f"--healthzPort={plane.ports.argo_health}",
    ]


def analysis_controller(plane: Plane) -> list[str]:
    """Return the command of Argo's analysis controller alone: it judges AnalysisRuns and needs no Rollouts."""
    return [*rollouts_controller(plane), "--controllers=analysis", "--qps=300", "--burst=600"]


def prometheus(plane: Plane) -> list[str]:
    """Return Prometheus' command; its configuration may be changed while it runs."""
    return [
        plane.program("prometheus"),
        f"--config.file={plane.layout.prometheus_config}",
        f"--storage.tsdb.path={plane.layout.data('prometheus')}",
        f"--web.listen-address={_HERE}:{plane.ports.prometheus}",
        "--web.enable-lifecycle",
    ]


def traffic(plane: Plane, seed: int) -> list[str]:
    """Return the traffic world's command."""
    return [
        sys.executable,
        "-m",
        "lab.traffic",
        f"--kubeconfig={plane.layout.admin_kubeconfig}",
        f"--port={plane.ports.traffic}",
        f"--seed={seed}",
    ]
