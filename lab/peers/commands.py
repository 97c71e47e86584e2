"""The command line and the configuration of every peer.

Law: pure; ports, programs and files in, arguments out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = "127.0.0.1"
_REPLICA = "prometheus_replica"
_POD = "__meta_kubernetes_pod_"

# What the operator's documentation asks for: the labels of a pod's series say which pod and which version it is.
_RELABELINGS = [
    {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
    {"source_labels": [f"{_POD}name"], "target_label": "pod"},
    {"source_labels": [f"{_POD}label_rollouts_pod_template_hash"], "target_label": "rollouts_pod_template_hash"},
]


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per door, all on 127.0.0.1."""

    prometheus_2: int
    prometheus_3: int
    replica: int
    victoria_metrics: int
    sidecar: int
    sidecar_http: int
    replica_sidecar: int
    replica_sidecar_http: int
    thanos: int
    thanos_grpc: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What every command line is made of."""

    folder: Path
    ports: Ports
    programs: dict[str, Path]

    def file(self, name: str) -> str:
        """Return the path of a configuration file."""
        return str(self.folder / f"{name}.yml")

    def data(self, name: str) -> str:
        """Return the path of a data folder."""
        return str(self.folder / "data" / name)


@dataclass(frozen=True, slots=True)
class Scraping:
    """What is scraped, by everybody.

    Args:

        discovery: the URL of the pods, in the form of http_sd; with `converted`, of those whose histograms
            Prometheus 3 makes native.

        seconds: the interval.
    """

    discovery: str
    converted: str
    seconds: float


def configuration(scraping: Scraping, *, replica: str = "", native: bool = False) -> dict[str, Any]:
    """Return a configuration.

    Args:

        replica: an external label, which tells replicas of one Prometheus apart. Empty for a server alone.

        native: whether the server can convert histograms; the others scrape the same pods as they are.
    """
    duration = f"{round(scraping.seconds * 1000)}ms"
    common = {"scrape_interval": duration, "scrape_timeout": duration}
    labels = {"external_labels": {"prometheus": "compat", _REPLICA: replica}} if replica else {}
    conversion = {"convert_classic_histograms_to_nhcb": True} if native else {}
    return {
        "global": {**common, **labels},
        "scrape_configs": [_job("pods", scraping.discovery), {**_job("converted", scraping.converted), **conversion}],
    }


def _job(name: str, url: str) -> dict[str, Any]:
    found = [{"url": url, "refresh_interval": "1s"}]
    return {"job_name": name, "http_sd_configs": found, "relabel_configs": _RELABELINGS}


def prometheus(desk: Desk, program: str, name: str, port: int) -> list[str]:
    """Return the command of one Prometheus."""
    return [
        str(desk.programs[program]),
        f"--config.file={desk.file(name)}",
        f"--storage.tsdb.path={desk.data(name)}",
        f"--web.listen-address={_HERE}:{port}",
    ]


def victoria_metrics(desk: Desk) -> list[str]:
    """Return the command of a single-node VictoriaMetrics that scrapes for itself."""
    return [
        str(desk.programs["victoria-metrics"]),
        f"-promscrape.config={desk.file('victoria-metrics')}",
        # How often pods are looked for is a flag here, and the field of the same file that says so is unknown.
        "-promscrape.config.strictParse=false",
        "-promscrape.httpSDCheckInterval=1s",
        "-memory.allowedBytes=256MB",
        f"-storageDataPath={desk.data('victoria-metrics')}",
        f"-httpListenAddr={_HERE}:{desk.ports.victoria_metrics}",
    ]


def sidecar(desk: Desk, of: str, port: int, doors: tuple[int, int]) -> list[str]:
    """Return the command of Thanos' sidecar of the Prometheus `of` at `port`; its doors are gRPC and HTTP."""
    grpc, http = doors
    return [
        str(desk.programs["thanos"]),
        "sidecar",
        f"--prometheus.url=http://{_HERE}:{port}",
        f"--tsdb.path={desk.data(of)}",
        f"--grpc-address={_HERE}:{grpc}",
        f"--http-address={_HERE}:{http}",
    ]


def endpoints(desk: Desk) -> dict[str, Any]:
    """Return both sidecars for the querier; strict, so that one that is lost is missed and not forgotten."""
    ports = (desk.ports.sidecar, desk.ports.replica_sidecar)
    return {"endpoints": [{"address": f"{_HERE}:{port}", "strict": True} for port in ports]}


def querier(desk: Desk) -> list[str]:
    """Return the command of Thanos' querier over both sidecars."""
    return [
        str(desk.programs["thanos"]),
        "query",
        f"--http-address={_HERE}:{desk.ports.thanos}",
        f"--grpc-address={_HERE}:{desk.ports.thanos_grpc}",
        f"--query.replica-label={_REPLICA}",
        f"--endpoint.sd-config-file={desk.file('thanos')}",
    ]
