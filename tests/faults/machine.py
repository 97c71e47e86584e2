"""Words about a run on the lab: when, where, with which versions and which seed."""

from __future__ import annotations

import datetime
import platform
import subprocess

import psutil

import canary_operator
from lab.programs import cache, table
from tests.compat.telling import module
from tests.faults.scenarios import SEED

COMMAND = "make test-faults"


def about(tests: int, seconds: float, *, is_whole: bool) -> str:
    """Return a paragraph about a run."""
    what = f"`{COMMAND}`" if is_whole else "A part of the tests alone"
    return f"Last written on {today()}. {what}: {tests} tests in {seconds / 60:.0f} minutes, seed {SEED}, {where()}.\n"


def today() -> str:
    """Return the date, as people write it."""
    return f"{datetime.datetime.now(datetime.UTC):%-d %B %Y}"


def where() -> str:
    """Return the machine and the versions of what ran on it."""
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"on {psutil.cpu_count()} cores of {platform.machine()}\nwith {memory:.0f} GB, "
        f"Python {platform.python_version()}, "
        f"canary-operator {canary_operator.__version__}, {', '.join(_versions())}"
    )


def _versions() -> list[str]:
    argo = next(each for each in table.PROGRAMS if each.name == "rollouts-controller")
    return [
        f"Kubernetes {table.KUBERNETES}",
        f"Argo Rollouts {module(argo).split()[-1]}",
        f"Prometheus {_prometheus()}",
    ]


def _prometheus() -> str:
    """The lab's, which may be the one on the PATH."""
    program = cache.install(only={"prometheus"}).programs["prometheus"]
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    return (said.stdout or said.stderr).split()[2]
