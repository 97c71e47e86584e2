"""Asking a supervisor, and starting one.

Law: the only door to a lab's processes; no pid is ever signalled from outside its supervisor.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import locations, waiting
from lab.errors import LabError, NotRunningError
from lab.processes import control

_LINES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Process:
    """A program as its supervisor sees it; `exit` is None while it runs."""

    pid: int
    exit: int | None


@dataclass(frozen=True, slots=True)
class Supervision:
    """The supervisor of the lab in `folder`, from any process of this user."""

    folder: Path

    def start(self, name: str, argv: list[str], **environment: str) -> int:
        """Start a program and return its pid."""
        return int(self._ask("start", name=name, argv=argv, environment=environment)["pid"])

    def stop(self, name: str, *, grace: float = 10.0) -> None:
        """End a program; with `grace` 0 at once and by force."""
        self._ask("stop", timeout=grace + 20, name=name, grace=grace)

    def pause(self, name: str) -> None:
        """Freeze a program: it keeps its connections and answers nothing."""
        self._ask("signal", name=name, number=int(signal.SIGSTOP))

    def resume(self, name: str) -> None:
        """Let a frozen program continue."""
        self._ask("signal", name=name, number=int(signal.SIGCONT))

    def processes(self) -> dict[str, Process]:
        """Return all programs that were ever started, by name."""
        return {name: Process(**facts) for name, facts in self._ask("list").items()}

    def is_running(self, name: str) -> bool:
        """Say whether `name` was started and has not ended."""
        process = self.processes().get(name)
        return process is not None and process.exit is None

    def disown(self) -> None:
        """Let the lab outlive this process."""
        self._ask("disown")

    def shutdown(self) -> None:
        """End all programs and the supervisor. Nothing happens when it is gone already."""
        try:
            self._ask("shutdown", timeout=30)
        except NotRunningError:
            return

    def answers(self) -> bool:
        """Say whether there is a supervisor."""
        try:
            self._ask("list")
        except NotRunningError:
            return False
        return True

    def last_lines(self, name: str) -> str:
        """Return the end of a program's log."""
        log = self.folder / "logs" / f"{name}.log"
        if not log.exists():
            return "(it wrote nothing)"
        return "\n".join(log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])

    def _ask(self, verb: str, *, timeout: float = 10.0, **request: Any) -> dict[str, Any]:
        try:
            with control.connected(self.folder, timeout) as connection:
                connection.sendall(json.dumps({"verb": verb, **request}).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    line = stream.readline()
        except OSError as error:
            raise NotRunningError(f"no supervisor in {self.folder}: {error}") from error
        if not line:
            raise NotRunningError(f"the supervisor of {self.folder} ended while it was asked")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(str(answer["error"]))
        return answer


def supervise(folder: Path, *, lock: int, ephemeral: bool) -> tuple[Supervision, int]:
    """Start a supervisor owned by this process; return it with its pid.

    It inherits `lock` (a port reservation) and removes `folder` at its end if `ephemeral`.
    """
    argv = [sys.executable, "-m", "lab.processes.supervisor", str(folder)]
    argv += ["--owner", str(os.getpid())] + (["--ephemeral"] if ephemeral else [])
    log = folder / "supervisor.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=import_environment(),
            pass_fds=(lock,),
            start_new_session=True,
        )
    _STARTED[process.pid] = process
    supervision = Supervision(folder)
    waiting.until(lambda: supervision.answers() or _fail_if_dead(process, log), "the supervisor")
    return supervision, process.pid


# Kept so that Python reaps the supervisors that this process started.
_STARTED: dict[int, subprocess.Popen[bytes]] = {}


def wait_until_gone(pid: int, timeout: float = 30.0) -> None:
    """Return when the supervisor `pid` has ended, whoever started it."""
    process = _STARTED.pop(pid, None)
    if process is not None:
        process.wait(timeout)
        return
    waiting.until(lambda: not exists(pid), f"the end of process {pid}", timeout=timeout)


def exists(pid: int) -> bool:
    """Say whether a process `pid` exists (a zombie does not count)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def import_environment() -> dict[str, str]:
    """Return an environment in which `python -m lab...` works from any folder."""
    paths = [str(locations.SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def _fail_if_dead(process: subprocess.Popen[bytes], log: Path) -> bool:
    if process.poll() is not None:
        raise LabError(f"the supervisor ended at once:\n{log.read_text()}")
    return False
