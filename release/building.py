"""dist/ of a commit.

Law: the same commit gives the same bytes in any folder: every time is the commit's, every order is sorted, every mode
is the usual one. So the tree must be what was committed.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

from release import changelog, chart, numbering
from release.errors import ReleaseError

MANIFESTS = ("install.yaml", "namespace-install.yaml", "observe.yaml")
CHECKSUMS = "SHA256SUMS"


def build(root: pathlib.Path, expected: str | None) -> list[pathlib.Path]:
    """Make dist/ anew and return its files. `expected` is the version that a person asked for; None asks for none.

    Raises ReleaseError for a tree with changes, another version than expected, or a version that is out already.
    """
    version = _checked(root, expected)
    epoch = int(_git(root, "log", "-1", "--format=%ct"))
    dist = root / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    dist.mkdir()
    _distributions(root, dist, epoch)
    chart.package(root / "charts" / "canary-operator", dist, epoch)
    for name in MANIFESTS:
        shutil.copyfile(root / "manifests" / name, dist / name)
    (dist / "CHANGES.md").write_text(changelog.section(root, version, epoch), encoding="utf-8")
    _checksums(dist)
    return sorted(dist.iterdir())


def _checked(root: pathlib.Path, expected: str | None) -> str:
    version = numbering.current(root)
    if expected not in {None, version}:
        raise ReleaseError(f"the tree is {version}: `make version VERSION={expected}`, commit, then `make release`")
    changed = _git(root, "status", "--porcelain").splitlines()
    if changed:
        raise ReleaseError(f"commit first, {len(changed)} files differ from the last commit: {changed[0][3:]} …")
    return version


def _distributions(root: pathlib.Path, dist: pathlib.Path, epoch: int) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(dist)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}
    subprocess.run(command, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)


def _checksums(dist: pathlib.Path) -> None:
    """As sha256sum writes them: `cd dist && sha256sum --check SHA256SUMS`."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(dist.iterdir())]
    (dist / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _git(root: pathlib.Path, *arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True, text=True)
    if answer.returncode:
        raise ReleaseError(f"git {arguments[0]}: {answer.stderr.strip()}")
    return answer.stdout.strip("\n")
