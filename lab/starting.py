"""Starting a lab: folder, ports, supervisor, control plane, Prometheus, traffic.

Law: whatever fails or is interrupted in here ends everything that it had begun.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import external, kind, locations, locking, prometheus, state
from lab.cluster import Lab, attach
from lab.errors import LabError
from lab.plane import startup
from lab.plane.layout import ports_from
from lab.plane.startup import Start
from lab.processes import client, ports
from lab.programs import cache, table

_OWN_PLANE = frozenset({"local", "analysis"})
_BESIDE_A_CLUSTER = frozenset({"kubectl", "kubectl-argo-rollouts", "prometheus"})


@dataclass(frozen=True, slots=True)
class Wish:
    """What a lab shall be like. `flavour` None asks the environment variable LAB.

    With the flavour `analysis` a lab is etcd, the API server and Argo's analysis controller: AnalysisRuns are judged,
    and there is no Prometheus, no traffic and nothing that rolls out.
    """

    flavour: str | None = None
    scrape_interval_seconds: float = 1.0
    nodes: int = 3
    seed: int = 0


def start(wish: Wish | None = None, *, keep: bool = False) -> Lab:
    """Start a lab that ends with `down`, and at the latest with this process.

    Its data are in a temporary folder that is removed at its end; `keep` keeps it. Raises LabError.
    """
    folder = Path(tempfile.mkdtemp(prefix="canary-lab-"))
    return _start_in(folder, wish or Wish(), ephemeral=not keep)


def start_named(name: str, wish: Wish | None = None, *, detached: bool = True) -> Lab:
    """Start the lab `name`. Raises LabError when it runs already.

    It outlives this process if `detached`.
    """
    # Before the folder exists: a first build takes minutes, and may fail.
    _install(wish or Wish())
    folder = locations.named_labs() / name
    with _alone(folder):
        _clean_if_dead(folder)
        folder.mkdir(parents=True)
        started = _start_in(folder, wish or Wish(), ephemeral=True)
        if detached:
            started.supervision.disown()
    return started


def find(name: str) -> Lab:
    """Return the running lab `name`. Raises NotRunningError when there is none, or it is dead."""
    return attach(locations.named_labs() / name)


def clean(name: str) -> None:
    """Remove what a dead lab left. Raises LabError when it lives or is being started."""
    folder = locations.named_labs() / name
    with _alone(folder):
        _clean_if_dead(folder)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Hold the name of a lab while it is started or cleaned up."""

    def refuse() -> None:
        raise LabError(f"the lab {folder.name} is just being started by another command")

    return locking.held(folder.with_suffix(".lock"), refuse)


def _clean_if_dead(folder: Path) -> None:
    if not folder.exists():
        return
    if client.Supervision(folder).answers():
        raise LabError(f"the lab {folder.name} runs already; `down` ends it")
    # Its programs died with their supervisor: the kernel saw to that.
    shutil.rmtree(folder)


def _start_in(folder: Path, wish: Wish, *, ephemeral: bool) -> Lab:
    with _undone_on_failure(folder):
        lab = _supervised(folder, wish, ephemeral=ephemeral)
        _bring_up(lab, wish)
    return lab


def _supervised(folder: Path, wish: Wish, *, ephemeral: bool) -> Lab:
    """Return a lab that has everything but running programs."""
    installed = _install(wish)
    block = ports.reserve()
    try:
        _, pid = client.supervise(folder, lock=block.lock, ephemeral=ephemeral)
    finally:
        # The supervisor has its own copy; the reservation lives exactly as long as it.
        os.close(block.lock)
    known = state.State(
        flavour=_flavour(wish),
        supervisor=pid,
        seed=wish.seed or secrets.randbits(32),
        ports=ports_from(block.ports),
        programs=installed.programs,
        assets=installed.assets,
    )
    state.write(folder, known)
    return Lab(folder, known)


def _flavour(wish: Wish) -> str:
    return wish.flavour or locations.flavour()


def _install(wish: Wish) -> cache.Installed:
    # A cluster that is there already, or comes out of Docker, brings its own control plane.
    return cache.install(only=table.RUNNING if _flavour(wish) in _OWN_PLANE else _BESIDE_A_CLUSTER)


def _bring_up(lab: Lab, wish: Wish) -> None:
    order = Start(lab.plane, lab.supervision, lab.kubectl)
    if lab.state.flavour == "analysis":
        startup.bring_up_analysis(order)
        return
    prometheus.write_configuration(lab.plane, wish.scrape_interval_seconds)
    match lab.state.flavour:
        case "local":
            startup.bring_up(order, nodes=wish.nodes)
        case "external":
            external.adopt(order)
        case "kind":
            kind.create(order)
        case other:
            raise LabError(f"LAB={other}: one of local, analysis, external, kind")
    startup.start_prometheus(order)
    startup.start_traffic(order, seed=lab.state.seed)


@contextmanager
def _undone_on_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    # An interrupted start (Ctrl-C) must not leave half a lab either.
    except BaseException:
        client.Supervision(folder).shutdown()
        shutil.rmtree(folder, ignore_errors=True)
        raise
