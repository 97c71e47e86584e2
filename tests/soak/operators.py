"""Operator processes that begin in a third of a second: forked from a process that has imported the program.

Law: the program itself is the shipped one, from its command line on.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import yaml
from kubernetes.config import kube_config

from lab import loopback, waiting
from lab.cluster import Lab
from tests.e2e.stage import Stage, free_port

# The first one is imported as well.
_START_SECONDS = 180.0
_IMPORTED = ["canary_operator.cli.program", "canary_operator.wiring", "tests.soak.operators"]


@dataclass(frozen=True)
class Program:
    """How an operator is started: configuration, identity, where it answers probes, namespaces, where it logs."""

    config: Path
    kubeconfig: Path
    port: int
    namespaces: Sequence[str]
    log: Path

    def start(self) -> BaseProcess:
        """Start it; returns at once."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_IMPORTED)
        process = context.Process(target=_run, args=(self,), daemon=True)
        process.start()
        return process

    def start_and_wait(self) -> BaseProcess:
        """Start it; returns when it is ready. Raises LabError if it is not in time."""
        process = self.start()
        waiting.until(
            lambda: loopback.answers(f"http://127.0.0.1:{self.port}/readyz"), "the operator", timeout=_START_SECONDS
        )
        return process

    def last_lines(self) -> str:
        """What it said last."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])


def program(stage: Stage, kubeconfig: Path, interval: float) -> Program:
    """Write the configuration of an operator of this namespace, which looks every `interval` seconds."""
    port = free_port()
    config = stage.folder / f"config-{port}.yaml"
    config.write_text(yaml.safe_dump(_configuration(stage.lab, port, f"{interval:g}s")))
    return Program(config, kubeconfig, port, [stage.namespace], stage.folder / f"operator-{port}.log")


def _configuration(lab: Lab, port: int, interval: str) -> dict[str, Any]:
    provider = {
        "name": "default",
        "url": lab.prometheus_url,
        "addresses": ["http://prometheus.monitoring:9090"],
        "timeout": "3s",
    }
    return {
        "evaluationInterval": interval,
        "providers": [provider],
        "web": {"host": "127.0.0.1", "port": port},
        # Nobody waits for what a killed one held: the takeovers are a command of their own.
        "lease": {"enabled": False},
    }


def _run(program: Program) -> None:
    with program.log.open("ab") as sink:
        for stream in (1, 2):
            os.dup2(sink.fileno(), stream)
    # The client has read while it was imported where its kubeconfig would be.
    kube_config.KUBE_CONFIG_DEFAULT_LOCATION = str(program.kubeconfig)
    sys.argv = ["canary-operator", "run", f"--config={program.config}"]
    sys.argv += [f"--namespace={name}" for name in program.namespaces]
    from canary_operator.cli.program import main

    main()
