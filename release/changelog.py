"""What changed in a version, as the changelog says it.

Law: towncrier writes the words; a section is taken out, never made.
"""

import datetime
import pathlib
import re
import subprocess
import sys

from release import numbering
from release.errors import ReleaseError


def section(root: pathlib.Path, version: str, epoch: int) -> str:
    """The version's section of CHANGELOG.md, or what would become it, dated by the commit, while it is not out yet.

    Raises ReleaseError where the version is out and changes wait: they belong to another version.
    """
    released = _released(root, version)
    waiting = numbering.waiting(root)
    if released and waiting:
        raise ReleaseError(f"{version} is out already, and {waiting[0].name} waits: `make version` first")
    return released or _draft(root, version, epoch)


def _released(root: pathlib.Path, version: str) -> str:
    """The section, or an empty text."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(version)} \(.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found[0].strip() + "\n" if found else ""


def _draft(root: pathlib.Path, version: str, epoch: int) -> str:
    date = datetime.datetime.fromtimestamp(epoch, datetime.UTC).date().isoformat()
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", version, "--date", date]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip() + "\n"
