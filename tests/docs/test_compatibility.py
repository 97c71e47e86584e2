"""The page of compatibility speaks of the versions that are built."""

from pathlib import Path

import pytest

from lab.programs import table
from tests.compat.telling import module

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


@pytest.mark.parametrize("program", table.PEERS, ids=lambda program: program.name)
def test_the_page_names_the_module_that_is_pinned(program: table.Program) -> None:
    assert f"`{module(program)}`" in PAGE.read_text()


@pytest.mark.parametrize("program", table.PEERS, ids=lambda program: program.name)
def test_a_program_says_the_version_that_it_is_built_from(program: table.Program) -> None:
    _, _, version = module(program).partition(" v")
    # Modules of Prometheus are v0.55.1 for 2.55.1 and v0.316.0 for 3.16.0.
    if program.name.startswith("prometheus"):
        _, minor, patch = map(int, version.split("."))
        version = f"2.{minor}.{patch}" if minor < 300 else f"3.{minor - 300}.{patch}"

    assert program.stamps[-1].rpartition("=")[2].rpartition("v")[2] == version
