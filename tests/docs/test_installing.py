"""The page about installing says what the chart takes."""

import re
from pathlib import Path

import yaml

from canary_operator.cluster import calls

ROOT = Path(__file__).parents[2]
VALUES = ROOT / "charts" / "canary-operator" / "values.yaml"
PAGE = (ROOT / "docs" / "installing.md").read_text()


def rows(heading: str) -> list[str]:
    """First cells of the table below a heading."""
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [line.split("|")[1].strip() for line in part.splitlines() if line.startswith("| ")][1:]


def test_the_table_has_every_value_and_no_other() -> None:
    told = [name for cell in rows("Values") for name in re.findall(r"`(\w+)`", cell)]

    assert sorted(told) == sorted(yaml.safe_load(VALUES.read_text()))


def test_every_right_is_explained_with_its_verbs() -> None:
    told: dict[str, set[str]] = {}
    for part in (part for cell in rows("What each right is for") for part in cell.split(";")):
        verbs = set(re.findall(r"\w+", part.partition("`")[0]))
        for place in re.findall(r"`([\w/]+)`", part):
            told[place] = told.get(place, set()) | verbs

    assert told == {place: set(verbs) for (_, place), verbs in calls.required_rights().items()}
