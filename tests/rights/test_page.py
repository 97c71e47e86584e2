"""docs/rights.md has every right that is granted, once, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rights.granted import CLUSTER, NAMESPACED, OBSERVE, Right

PAGE = Path(__file__).parents[2] / "docs" / "rights.md"


def rows() -> list[list[str]]:
    """The cells of the table, without its head."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def rights_of(cell: str) -> Iterator[Right]:
    """The rights of a cell such as `` `list`, `watch` `rollouts.argoproj.io` ``."""
    *verbs, place = re.findall(r"`([^`]+)`", cell)
    named, _, subresource = place.partition("/")
    plural, _, group = named.partition(".")
    resource = "/".join(filter(None, (plural, subresource)))
    yield from (Right(group, resource, verb) for verb in verbs)


def told() -> list[Right]:
    return [right for cells in rows() for right in rights_of(cells[0])]


def test_the_page_has_every_right_once_and_no_other() -> None:
    assert sorted(told()) == sorted(CLUSTER.granted())


def test_every_row_says_what_the_right_is_for_and_what_happens_without_it() -> None:
    assert [cells for cells in rows() if len(cells) != 3 or not all(cells)] == []


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (CLUSTER.granted() - OBSERVE.granted(), "Not with `mode: observe`"),
        (CLUSTER.granted() - NAMESPACED.granted(), "For the whole cluster only"),
    ],
)
def test_what_a_mode_does_not_grant_is_marked(missing: frozenset[Right], said: str) -> None:
    marked = {right for cells in rows() for right in rights_of(cells[0]) if said in cells[1]}

    assert marked == missing
