"""The page about installing says what the chart takes."""

import re
from pathlib import Path

import yaml

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
