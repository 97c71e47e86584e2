"""Plan: every fragment is one that towncrier takes, and none is left out of the section."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FRAGMENTS = sorted(path for path in (ROOT / "changes").iterdir() if path.name != "README.md")


@pytest.fixture(scope="module")
def section() -> str:
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "9.9.9", "--date", "2026-01-01"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_what_waits_for_a_release_is_in_its_section(section: str, path: pathlib.Path) -> None:
    name, category, kind = path.name.rsplit(".", 2)

    assert (name[0], kind) == ("+", "md")
    assert category in {"added", "changed", "fixed", "removed", "security"}
    assert f"- {path.read_text().splitlines()[0]}" in section


def test_the_section_is_called_by_version_and_date(section: str) -> None:
    assert "## 9.9.9 (2026-01-01)" in section.splitlines()


def test_nobody_writes_into_the_changelog_by_hand() -> None:
    begins = (ROOT / "CHANGELOG.md").read_text().split("<!-- towncrier release notes start -->")[0]

    assert "\n- " not in begins
