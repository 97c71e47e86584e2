"""The version: its one source, and every other place that repeats it.

Law: canary_operator/__init__.py is the source. Whoever adds a place that people read adds it to PLACES; what the chart
renders is rendered, not edited.
"""

import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from release.errors import ReleaseError

SOURCE = "canary_operator/__init__.py"

# What Python, Helm and image tags all read in the same way: no pre-releases.
_VERSION = re.compile(r"\d+\.\d+\.\d+")


@dataclass(frozen=True, slots=True)
class Place:
    """Files, by a glob from the root, and what stands before the version in them."""

    files: str
    before: str

    def pattern(self) -> re.Pattern[str]:
        """A match whose group is the version."""
        return re.compile(rf"{self.before}({_VERSION.pattern})\b(?!\.\d)", re.MULTILINE)


PLACES = (
    Place(SOURCE, r'^__version__ = "'),
    Place("charts/canary-operator/**/Chart.yaml", r"^(?:  )?(?:version|appVersion): \"?"),
    # An image, and the chart's package.
    Place("README.md", r"\bcanary-operator[:-]"),
    Place("docs/**/*.md", r"\bcanary-operator[:-]"),
)


def current(root: pathlib.Path) -> str:
    """The version of the tree."""
    found = PLACES[0].pattern().search((root / SOURCE).read_text(encoding="utf-8"))
    if found is None:
        raise ReleaseError(f"{SOURCE}: no version")
    return found[1]


def repeated(root: pathlib.Path) -> Iterator[tuple[str, str]]:
    """Every place of the version: file and line, and which version stands there."""
    for place in PLACES:
        for path in sorted(root.glob(place.files)):
            text = path.read_text(encoding="utf-8")
            for match in place.pattern().finditer(text):
                line = text.count("\n", 0, match.start(1)) + 1
                yield f"{path.relative_to(root)}:{line}", match[1]


def set_version(root: pathlib.Path, version: str) -> None:
    """Write the version everywhere, make a section of the changelog of what waits, render the manifests.

    Raises ReleaseError for a text that is no X.Y.Z, and where nothing waits in changes/.
    """
    if not _VERSION.fullmatch(version):
        raise ReleaseError(f"VERSION={version}: should be X.Y.Z, as Python, Helm and image tags all read it")
    if not waiting(root):
        raise ReleaseError("changes/ is empty: nothing to release")
    write(root, version)
    subprocess.run([sys.executable, "-m", "towncrier", "build", "--yes", "--version", version], cwd=root, check=True)
    subprocess.run([sys.executable, "charts/render.py"], cwd=root, check=True)


def write(root: pathlib.Path, version: str) -> None:
    """Write the version wherever it stands, and nothing else."""
    for place in PLACES:
        for path in root.glob(place.files):
            _replace(path, place.pattern(), version)


def waiting(root: pathlib.Path) -> list[pathlib.Path]:
    """The fragments that wait for a release."""
    return sorted(path for path in (root / "changes").glob("*.md") if path.name != "README.md")


def _replace(path: pathlib.Path, pattern: re.Pattern[str], version: str) -> None:
    text = path.read_text(encoding="utf-8")
    written = pattern.sub(lambda match: match[0][: match.start(1) - match.start()] + version, text)
    if written != text:
        path.write_text(written, encoding="utf-8")
