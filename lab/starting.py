"""Starting a lab: folder, ports, supervisor, control plane, Prometheus, traffic.

Law: whatever fails or is interrupted in here ends everything that it had begun.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab import external, kind, locations, prometheus, state
from lab.cluster import Lab, attach
from lab.errors import LabError, NotRunningError
from lab.plane import startup
from lab.plane.layout import ports_from
from lab.plane.startup import Start
from lab.processes import client, ports
from lab.programs import cache


@dataclass(frozen=True, slots=True)
class Wish:
    """What a lab shall be like. `flavour` None asks the environment variable LAB."""

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


def start_named(name: str, wish: Wish | None = None) -> Lab:
    """Start the lab `name`, which outlives this process. Raises LabError when it runs already."""
    folder = locations.named_labs() / name
    clean_if_dead(folder)
    folder.mkdir(parents=True)
    started = _start_in(folder, wish or Wish(), ephemeral=True)
    started.supervision.disown()
    return started


def find(name: str) -> Lab:
    """Return the running lab `name`. Raises NotRunningError, after removing what a dead one left."""
    folder = locations.named_labs() / name
    try:
        return attach(folder)
    except NotRunningError:
        clean_if_dead(folder)
        raise


def clean_if_dead(folder: Path) -> None:
    """Remove the folder of a lab whose supervisor is gone. Raises LabError when it lives."""
    if not folder.exists():
        return
    if client.Supervision(folder).answers():
        raise LabError(f"the lab {folder.name} runs already; `down` ends it")
    # Its programs died with their supervisor: the kernel saw to that.
    shutil.rmtree(folder)


def _start_in(folder: Path, wish: Wish, *, ephemeral: bool) -> Lab:
    flavour = wish.flavour or locations.flavour()
    with _undone_on_failure(folder):
        installed = cache.install()
        block = ports.reserve()
        try:
            _, pid = client.supervise(folder, lock=block.lock, ephemeral=ephemeral)
        finally:
            # The supervisor has its own copy; the reservation lives exactly as long as it.
            os.close(block.lock)
        known = state.State(
            flavour=flavour,
            supervisor=pid,
            seed=wish.seed or secrets.randbits(32),
            ports=ports_from(block.ports),
            programs=installed.programs,
            assets=installed.assets,
        )
        state.write(folder, known)
        lab = Lab(folder, known)
        _bring_up(lab, wish)
    return lab


def _bring_up(lab: Lab, wish: Wish) -> None:
    order = Start(lab.plane, lab.supervision, lab.kubectl)
    prometheus.write_configuration(lab.plane, wish.scrape_interval_seconds)
    match lab.state.flavour:
        case "local":
            startup.bring_up(order, nodes=wish.nodes)
        case "external":
            external.adopt(order)
        case "kind":
            kind.create(order)
        case other:
            raise LabError(f"LAB={other}: one of local, external, kind")
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
