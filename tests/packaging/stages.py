"""The Dockerfile's stages, and their steps done in a folder instead of in an image.

Law: what is done is read from the Dockerfile. Only the base image (a fresh virtual environment stands for its Python)
and the absolute paths (they begin in the folder) are replaced.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from dockerfile_parse import DockerfileParser

ROOT = pathlib.Path(__file__).parents[2]
# The absolute paths that the Dockerfile writes to; a path in the middle of another one is none.
_PLACES = re.compile(r"(?<![\w.:/-])/(?=(?:src|opt|usr/local)\b)")


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """One FROM with what follows it: instruction and value, continued lines joined. No name is an empty text."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def all(self, instruction: str) -> list[str]:
        """The values of all steps of this instruction, in order."""
        return [value for each, value in self.steps if each == instruction]

    def argv(self, instruction: str) -> list[str]:
        """The last ENTRYPOINT or CMD, which must be in its exec form: a JSON array, started without a shell."""
        return list(json.loads(self.all(instruction)[-1]))


def read(path: pathlib.Path) -> list[Stage]:
    """The stages of a Dockerfile in its order; comments are left out."""
    with path.open("rb") as file:
        steps = [
            (step["instruction"].upper(), step["value"])
            for step in DockerfileParser(fileobj=file, env_replace=False).structure
            if step["instruction"] != "COMMENT"
        ]
    starts = [index for index, (instruction, _) in enumerate(steps) if instruction == "FROM"]
    return [
        _stage(steps[start][1], tuple(steps[start + 1 : end]))
        for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]


def _stage(value: str, steps: tuple[tuple[str, str], ...]) -> Stage:
    base, _, name = re.sub(r"\s+AS\s+", " ", value, flags=re.IGNORECASE).partition(" ")
    return Stage(base, name, steps)


class Ground:
    """A folder that stands for the file system of an image while its stages are performed."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}
        self._workdir = folder

    def place(self, text: str) -> str:
        """The text with the image's absolute paths as they are in this folder."""
        return _PLACES.sub(f"{self.folder}/", text)

    def begin(self, python: str) -> None:
        """Lay a Python that has nothing but pip, as the base image has it; what an earlier stage left in it goes."""
        shutil.rmtree(self.folder / "usr", ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(self.folder / "usr/local")], check=True)
        self.variables = {"PATH": f"{self.folder}/usr/local/bin:{os.environ['PATH']}"}
        self._workdir = self.folder

    def perform(self, stage: Stage) -> None:
        """Do the steps of a stage one after another. Raises AssertionError with the output of one that fails."""
        for instruction, value in stage.steps:
            match instruction:
                case "WORKDIR":
                    self._workdir = pathlib.Path(self.place(value))
                    self._workdir.mkdir(parents=True, exist_ok=True)
                case "ENV":
                    self._set(value)
                case "COPY":
                    self._copy(value)
                case "RUN":
                    self._run(self.place(value))
                case "ARG" | "LABEL" | "USER" | "EXPOSE" | "ENTRYPOINT" | "CMD":
                    pass  # said of the image, not done in it
                case _:
                    raise AssertionError(f"{instruction} is not known here")

    def _run(self, line: str) -> None:
        answer = subprocess.run(
            ["sh", "-c", line],
            cwd=self._workdir,
            env=os.environ | self.variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"{line}\n{answer.stdout}\n{answer.stderr}"

    def _set(self, value: str) -> None:
        for name, text in re.findall(r"(\w+)=(\S+)", value):
            self.variables[name] = self.place(text).replace("$PATH", self.variables["PATH"])

    def _copy(self, value: str) -> None:
        *sources, target = value.split()
        if sources[0].startswith("--from="):
            assert sources[1:] == [target], "stages share one folder here: a path must stay what it is"
            assert pathlib.Path(self.place(target)).exists()
            return
        for source in sources:
            self._copy_one(ROOT / source, self._workdir / target, len(sources) > 1 or target.endswith("/"))

    @staticmethod
    def _copy_one(source: pathlib.Path, target: pathlib.Path, into: bool) -> None:
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            return
        destination = target / source.name if into else target
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, destination)


def interpreter(image: str) -> str:
    """The Python of an image's tag (python:3.13-slim) if this machine has it, else the one that runs the tests."""
    name = "python" + image.removeprefix("python:").split("-")[0]
    found = shutil.which(name)
    works = found and subprocess.run([found, "--version"], check=False, capture_output=True).returncode == 0
    return found if found and works else sys.executable
