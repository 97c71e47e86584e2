"""Commands in sentences are ones that exist; those in console blocks are run by tests/e2e/test_documentation.py."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.commands import PAGES, ROOT, blocks, mentioned
from tests.e2e.test_documentation import SESSIONS

MENTIONED = sorted({command for page in PAGES for command in mentioned(page)})
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_every_page_with_a_console_block_has_a_session_that_runs_it() -> None:
    assert {block.page for page in PAGES for block in blocks(page)} == set(SESSIONS)


def test_there_is_something_to_check() -> None:
    assert "make demo KEEP=1" in MENTIONED
    assert any(command.startswith("python -m bench.") for command in MENTIONED)


@pytest.mark.parametrize("command", [command for command in MENTIONED if command.startswith("make ")])
def test_a_target_that_is_mentioned_exists(command: str) -> None:
    targets = [word for word in command.split()[1:] if "=" not in word]

    assert set(targets) <= TARGETS


@pytest.mark.parametrize(
    "command", [command for command in MENTIONED if command.startswith(("python -m ", "canary-operator "))]
)
def test_a_command_that_is_mentioned_exists_with_its_options(command: str) -> None:
    program, *words = command.split()
    told = [sys.executable if program == "python" else str(Path(sys.executable).with_name(program)), *named(words)]

    answer = subprocess.run([*told, "--help"], cwd=ROOT, check=False, capture_output=True, text=True, timeout=120)

    assert answer.returncode == 0, answer.stderr
    assert [word for word in words if word.startswith("--") and word not in answer.stdout] == []


@pytest.mark.parametrize("command", [command for command in MENTIONED if re.match(r"python \S+\.py", command)])
def test_a_program_that_is_mentioned_exists(command: str) -> None:
    assert (ROOT / command.split()[1]).is_file()


def named(words: list[str]) -> list[str]:
    """The module or the subcommand, without arguments."""
    if words[0] == "-m":
        rest = [word for word in words[2:] if re.fullmatch(r"[a-z]+", word)]
        return [*words[:2], *rest[:1]]
    return words[:1]
