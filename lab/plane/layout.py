"""Where one lab keeps its files, and which port is whose.

Law: names and numbers only; nothing is created here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per door of the lab, all on 127.0.0.1."""

    etcd: int
    etcd_peers: int
    api_server: int
    controller_manager: int
    scheduler: int
    argo_metrics: int
    argo_health: int
    prometheus: int
    traffic: int


def ports_from(block: tuple[int, ...]) -> Ports:
    """Return the doors' ports out of a reserved block of at least nine."""
    return Ports(*block[:9])


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of the lab in `folder`."""

    folder: Path

    @property
    def admin_kubeconfig(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    @property
    def tokens(self) -> Path:
        """Return the API server's token file."""
        return self.folder / "tokens.csv"

    @property
    def service_account_key(self) -> Path:
        """Return the key that signs service-account tokens."""
        return self.folder / "service-accounts.key"

    @property
    def certificates(self) -> Path:
        """Return the folder of the API server's own certificate."""
        return self.folder / "certificates"

    @property
    def server_certificate(self) -> Path:
        """Return the certificate that clients trust."""
        return self.certificates / "apiserver.crt"

    @property
    def prometheus_config(self) -> Path:
        """Return Prometheus' configuration."""
        return self.folder / "prometheus.yml"

    @property
    def kubectl_cache(self) -> Path:
        """Return kubectl's discovery cache."""
        return self.folder / "kubectl-cache"

    @property
    def state(self) -> Path:
        """Return what the lab wrote down about itself."""
        return self.folder / "state.json"

    @property
    def audit_policy(self) -> Path:
        """Return what the API server is to write down about requests."""
        return self.folder / "audit-policy.yaml"

    @property
    def audit_logs(self) -> Path:
        """Return the folder of what it wrote down; tests may add the logs of their own labs."""
        return self.folder / "audit"

    def data(self, program: str) -> Path:
        """Return the data folder of `program`."""
        return self.folder / "data" / program

    def identity(self, namespace: str, name: str) -> Path:
        """Return the kubeconfig of a ServiceAccount."""
        return self.folder / "identities" / f"{namespace}-{name}.kubeconfig"
