"""`python -m lab`: build, up, status, down.

Law: parses, calls and prints; every decision is made elsewhere.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Annotated

import typer

from lab import locations, starting
from lab.cluster import Lab
from lab.errors import LabError, NotRunningError
from lab.processes.client import Process
from lab.programs import cache, table

app = typer.Typer(
    help="A real control plane with Argo Rollouts, Prometheus and traffic, without containers.",
    no_args_is_help=True,
    add_completion=False,
)

Name = Annotated[str, typer.Option(help="Which lab; any number may run at once.")]


@app.command()
def build() -> None:
    """Find or build the programs. The first time takes 8 to 12 minutes on 2 cores."""
    _show(cache.install())


@app.command()
def build_peers() -> None:
    """Build the servers of `make test-compat`, as many as can be. The first time takes half an hour on 2 cores."""
    failed = [program.name for program in table.PEERS if not _is_built(program.name)]
    if failed:
        typer.echo(f"NOT BUILT: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def _is_built(name: str) -> bool:
    try:
        _show(cache.install(only={name}))
    except LabError as error:
        typer.echo(f"{name} cannot be built: {error}", err=True)
        return False
    return True


def _show(installed: cache.Installed) -> None:
    for name, path in installed.programs.items():
        typer.echo(f"{name:26}{path}")


@app.command()
def up(
    name: Name = "default",
    *,
    foreground: Annotated[bool, typer.Option(help="Stay, and end the lab with Ctrl-C.")] = False,
    nodes: Annotated[int, typer.Option(help="How many fake nodes.")] = 3,
    scrape_interval: Annotated[float, typer.Option(help="Prometheus', in seconds.")] = 1.0,
) -> None:
    """Start a lab, or find it running. It stays until `down`."""
    wish = starting.Wish(nodes=nodes, scrape_interval_seconds=scrape_interval)
    began = time.monotonic()
    try:
        lab = starting.find(name)
        typer.echo(f"# the lab {name} runs already")
    except NotRunningError:
        lab = starting.start_named(name, wish, detached=not foreground)
        typer.echo(f"# the lab {name} is up after {time.monotonic() - began:.0f} s")
    _introduce(lab, name)
    if foreground:
        _stay(lab)


@app.command()
def down(name: Name = "default") -> None:
    """End a lab; returns when no process of it is left."""
    try:
        lab = starting.find(name)
    except NotRunningError:
        starting.clean(name)
        typer.echo(f"the lab {name} does not run")
        return
    lab.down()
    typer.echo(f"the lab {name} is down")


@app.command()
def status(name: Name = "default") -> None:
    """Say what runs, where, and in which version."""
    lab = starting.find(name)
    typer.echo(f"kubeconfig  {lab.kubeconfig}")
    typer.echo(f"api server  {lab.plane.server}")
    typer.echo(f"prometheus  {lab.prometheus_url}")
    typer.echo(f"traffic     {lab.world.metrics_url}")
    typer.echo(f"logs        {lab.logs}")
    typer.echo(f"programs    built as {_builds(lab)}\n")
    for program, process in lab.supervision.processes().items():
        typer.echo(f"{program:26}{_condition(process)}")
    typer.echo(f"\n{lab.kubectl('version').strip()}")
    typer.echo(lab.argo("version", "--short").strip())
    for program in sorted({"etcd", "kwok", "prometheus"} & set(lab.programs)):
        typer.echo(_version(lab.programs[program]))


@app.command("list")
def list_labs() -> None:
    """Name the labs that run."""
    folder = locations.named_labs()
    for name in sorted(path.parent.name for path in folder.glob("*/state.json")):
        try:
            starting.find(name)
        except NotRunningError:
            continue
        typer.echo(name)


def _introduce(lab: Lab, name: str) -> None:
    tools = lab.programs["kubectl"].parent
    option = "" if name == "default" else f" --name {name}"
    typer.echo(f"export KUBECONFIG={lab.kubeconfig}")
    typer.echo(f"export PATH={tools}:$PATH")
    typer.echo("# kubectl argo rollouts list rollouts --all-namespaces")
    typer.echo(f"# prometheus {lab.prometheus_url}")
    typer.echo(f"# traffic    {lab.world.metrics_url}")
    typer.echo(f"# python -m lab status{option}; python -m lab down{option}")


def _stay(lab: Lab) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while lab.supervision.answers():
            time.sleep(1.0)
    except KeyboardInterrupt:
        typer.echo("# ending the lab")
    finally:
        lab.down()


def _condition(process: Process) -> str:
    ended = f"ended with {process.exit}"
    return f"runs, pid {process.pid}" if process.exit is None else ended


def _builds(lab: Lab) -> str:
    root = locations.cache_root()
    groups = {path.parent.parent.name for path in lab.programs.values() if path.is_relative_to(root)}
    return ", ".join(sorted(groups)) or "found on the PATH"


def _version(program: Path) -> str:
    answer = subprocess.run([str(program), "--version"], check=False, capture_output=True, text=True)
    return (answer.stdout or answer.stderr).partition("\n")[0]


def main() -> None:
    """Run the command line; what the lab can explain is printed without a traceback."""
    try:
        app()
    except LabError as error:
        typer.secho(str(error), err=True, fg="red")
        raise SystemExit(1) from error
