"""The one process that owns all programs of a lab.

It starts them on request, each in its own session and marked to die with it, and ends them all when
told to, on SIGTERM, or when its owner (a test, a script) is gone for whatever reason.

Law: one thread, because the kernel ties a child's life to the *thread* that started it.
Standard library only, and no knowledge of Kubernetes. Started by `processes.client`, never imported.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.processes.control import bound
from lab.processes.deathbed import die_with_parent

# How often it looks whether its owner still lives.
_LOOK_SECONDS = 0.2


@dataclass(slots=True)
class _Child:
    process: subprocess.Popen[bytes]
    argv: list[str]


class Supervisor:
    """Children by name, and the verbs that a client may ask for."""

    def __init__(self, folder: Path, owner: int | None, ephemeral: bool) -> None:
        self.folder = folder
        self.owner = owner
        self.ephemeral = ephemeral
        self.over = False
        self._children: dict[str, _Child] = {}

    def start(self, name: str, argv: list[str], environment: dict[str, str]) -> dict[str, Any]:
        """Start `argv` as `name`, its output appended to logs/`name`.log."""
        running = self._children.get(name)
        if running and running.process.poll() is None:
            return {"error": f"{name} is running already"}
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=die_with_parent(),  # noqa: PLW1509  (this process has one thread)
            )
        self._children[name] = _Child(process, argv)
        return {"pid": process.pid}

    def stop(self, name: str, grace: float) -> dict[str, Any]:
        """End `name`: politely for `grace` seconds, then by force."""
        child = self._children.get(name)
        if child is None or child.process.poll() is not None:
            return {"running": False}
        if grace > 0:
            self.signal(name, signal.SIGTERM)
            # A stopped process gets no SIGTERM before it continues.
            self.signal(name, signal.SIGCONT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(grace)
        self._kill(child)
        return {"running": False}

    def signal(self, name: str, number: int) -> dict[str, Any]:
        """Send a signal to all processes of `name`."""
        child = self._children.get(name)
        if child is None or child.process.poll() is not None:
            return {"error": f"{name} is not running"}
        os.killpg(child.process.pid, number)
        return {}

    def list(self) -> dict[str, Any]:
        """Return every child ever started: its pid, and its exit code once it has ended."""
        return {
            name: {"pid": child.process.pid, "exit": child.process.poll()} for name, child in self._children.items()
        }

    def disown(self) -> dict[str, Any]:
        """Live on without an owner, until told to shut down."""
        self.owner = None
        return {}

    def shutdown(self) -> dict[str, Any]:
        """End everything, and then this process."""
        self.over = True
        self.end_all()
        return {}

    def end_all(self) -> None:
        """Kill all children at once, and wait until they are gone."""
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, signal.SIGKILL)
        for child in self._children.values():
            child.process.wait()

    def owner_is_gone(self) -> bool:
        """Say whether the process that started this one has died."""
        return self.owner is not None and os.getppid() != self.owner

    def _kill(self, child: _Child) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()


_VERBS: dict[str, Callable[..., dict[str, Any]]] = {
    "start": Supervisor.start,
    "stop": Supervisor.stop,
    "signal": Supervisor.signal,
    "list": Supervisor.list,
    "disown": Supervisor.disown,
    "shutdown": Supervisor.shutdown,
}


def serve(supervisor: Supervisor, door: socket.socket) -> None:
    """Answer requests, one at a time, until it is over."""
    door.settimeout(_LOOK_SECONDS)
    while not supervisor.over and not supervisor.owner_is_gone():
        try:
            caller, _ = door.accept()
        except TimeoutError:
            continue
        # A caller that dies in the middle of a request must not take the lab with it.
        with caller, contextlib.suppress(OSError):
            caller.settimeout(5.0)
            _answer(supervisor, caller)


def _answer(supervisor: Supervisor, caller: socket.socket) -> None:
    with caller.makefile("rwb") as stream:
        try:
            request = dict(json.loads(stream.readline()))
            answer = _VERBS[request.pop("verb")](supervisor, **request)
        except (OSError, KeyError, TypeError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        stream.write(json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Run until the end, and leave nothing behind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--owner", type=int)
    parser.add_argument("--ephemeral", action="store_true")
    options = parser.parse_args()
    supervisor = Supervisor(options.folder, options.owner, options.ephemeral)

    def end(*_: object) -> None:
        supervisor.over = True

    signal.signal(signal.SIGTERM, end)
    # Ctrl-C is the owner's to handle; it ends us through `shutdown` or by dying.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    (options.folder / "logs").mkdir(exist_ok=True)
    try:
        with bound(options.folder) as door:
            serve(supervisor, door)
    finally:
        supervisor.end_all()
        if supervisor.ephemeral:
            _remove(options.folder)


def _remove(folder: Path) -> None:
    # An owner that was killed may leave a kubectl writing its cache for a moment.
    for _ in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main()
