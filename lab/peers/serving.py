"""Starting and ending the peers.

Law: what has no program is left out, and who asks for its address is told; whatever fails in here ends everything.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import loopback, waiting
from lab.errors import LabError, StartError
from lab.peers import commands
from lab.peers.commands import Desk, Ports, Scraping
from lab.processes import client, ports

# The programs of each server.
SERVERS: Mapping[str, tuple[str, ...]] = {
    "prometheus-2": ("prometheus-2",),
    "prometheus-3": ("prometheus-3",),
    "victoria-metrics": ("victoria-metrics",),
    "thanos": ("thanos", "prometheus-3"),
}
REPLICA, SIDECAR, REPLICA_SIDECAR = "prometheus-3-replica", "sidecar", "sidecar-replica"

_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Peers:
    """The servers that run."""

    desk: Desk
    supervision: client.Supervision

    @property
    def servers(self) -> tuple[str, ...]:
        """Return the names of those whose programs are there."""
        there = self.desk.programs.keys()
        return tuple(name for name, programs in SERVERS.items() if there >= set(programs))

    def url(self, server: str) -> str:
        """Return the base URL of a server's API. Raises LabError when it does not run."""
        if server not in self.servers:
            raise LabError(
                f"{server} does not run: one of its programs {', '.join(SERVERS[server])} could not be built"
            )
        return f"http://127.0.0.1:{getattr(self.desk.ports, server.replace('-', '_'))}"

    def value(self, server: str, expression: str) -> float | None:
        """Return the value of an expression that has one series at most; None when it has none."""
        answer = loopback.call(f"{self.url(server)}/api/v1/query", parameters={"query": expression})
        series = answer["data"]["result"]
        return float(series[0]["value"][1]) if series else None

    def start_replica_sidecar(self) -> None:
        """Start the sidecar of the second Prometheus 3, again if it was ended; returns when it is ready."""
        grpc, http = self.desk.ports.replica_sidecar, self.desk.ports.replica_sidecar_http
        argv = commands.sidecar(self.desk, REPLICA, self.desk.ports.replica, (grpc, http))
        self._run(REPLICA_SIDECAR, argv, http, "/-/ready")

    def _run(self, name: str, argv: list[str], port: int, ready: str) -> None:
        """Start a program and wait until it is ready. Raises StartError when it dies or takes too long."""
        self.supervision.start(name, argv)

        def look() -> bool:
            if not self.supervision.is_running(name):
                raise StartError(f"{name} died:\n{self.supervision.last_lines(name)}")
            return loopback.answers(f"http://127.0.0.1:{port}{ready}")

        waiting.until(look, f"{name} to be ready", timeout=_PATIENCE_SECONDS)

    def _configure(self, name: str, body: Mapping[str, Any]) -> None:
        Path(self.desk.file(name)).write_text(yaml.safe_dump(dict(body)))

    def run_all(self, scraping: Scraping) -> None:
        """Start every server whose programs are there."""
        desk, doors = self.desk, self.desk.ports
        if "prometheus-2" in self.servers:
            self._prometheus("prometheus-2", "prometheus-2", doors.prometheus_2, commands.configuration(scraping))
        if "victoria-metrics" in self.servers:
            self._configure("victoria-metrics", commands.configuration(scraping))
            self._run("victoria-metrics", commands.victoria_metrics(desk), doors.victoria_metrics, "/health")
        if "prometheus-3" in self.servers:
            body = commands.configuration(scraping, replica="a", native=True)
            self._prometheus("prometheus-3", "prometheus-3", doors.prometheus_3, body)
        if "thanos" in self.servers:
            body = commands.configuration(scraping, replica="b", native=True)
            self._prometheus("prometheus-3", REPLICA, doors.replica, body)
            self._thanos()

    def _prometheus(self, program: str, name: str, port: int, body: Mapping[str, Any]) -> None:
        self._configure(name, body)
        self._run(name, commands.prometheus(self.desk, program, name, port), port, "/-/ready")

    def _thanos(self) -> None:
        desk, doors = self.desk, self.desk.ports
        argv = commands.sidecar(desk, "prometheus-3", doors.prometheus_3, (doors.sidecar, doors.sidecar_http))
        self._run(SIDECAR, argv, doors.sidecar_http, "/-/ready")
        self.start_replica_sidecar()
        self._configure("thanos", commands.endpoints(desk))
        self._run("thanos", commands.querier(desk), doors.thanos, "/-/ready")


@contextmanager
def start(programs: Mapping[str, Path], scraping: Scraping) -> Iterator[Peers]:
    """Run the peers whose `programs` are there; they end with the block, and at the latest with this process.

    Raises StartError with the last lines of a program that does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="canary-peers-"))
    block = ports.reserve()
    try:
        supervision, pid = client.supervise(folder, lock=block.lock, ephemeral=True)
    finally:
        # The supervisor has its own copy of the reservation.
        os.close(block.lock)
    try:
        peers = Peers(Desk(folder, Ports(*block.ports[:10]), dict(programs)), supervision)
        peers.run_all(scraping)
        yield peers
    finally:
        supervision.shutdown()
        client.wait_until_gone(pid)
        shutil.rmtree(folder, ignore_errors=True)
