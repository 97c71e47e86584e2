"""The table of docs/reliability.md: which fault, what is expected, what was seen, in how many runs.

Law: the page is the record. A run replaces what its own rows have seen and adds to their counts; rows of others stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Self

from tests.faults.scenarios import Row

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- scenarios: written by make test-faults -->\n", "<!-- end of scenarios -->\n"
COLUMNS = "| scenario | expected | seen | runs |\n|---|---|---|---|\n"
_ROW = re.compile(
    r"^\| (?P<fault>.+?) \| (?P<expected>.+?) \| (?P<seen>.*?) \| (?P<runs>\d+)(?: \((?P<failed>\d+) failed\))? \|$"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What runs of one scenario have seen: the last one's words, and how many there were."""

    text: str
    runs: int
    failed: int = 0

    def __add__(self, later: Seen) -> Self:
        """The counts of both, and the later one's words; a failed run has none to give."""
        text = later.text or self.text
        return replace(self, text=text, runs=self.runs + later.runs, failed=self.failed + later.failed)


Table = Mapping[Row, Seen]


def named(row: Row) -> str:
    """Return a row as one line, without what was seen."""
    return f"| {row.component} | {row.fault} | {row.expected} |"


def read(text: str) -> dict[Row, Seen]:
    """Return the rows of a page, in its order."""
    rows: dict[Row, Seen] = {}
    component = ""
    for line in _written(text).splitlines():
        if line.startswith("## "):
            component = line.removeprefix("## ")
        elif found := _ROW.match(line):
            said = Seen(found["seen"], int(found["runs"]), int(found["failed"] or 0))
            rows[Row(component, found["fault"], found["expected"])] = said
    return rows


def merged(before: Table, run: Table, *, is_whole: bool) -> dict[Row, Seen]:
    """Return the table after a run: of a whole one, its rows in its order; else new rows come last."""
    counted = {row: before[row] + seen if row in before else seen for row, seen in run.items()}
    return counted if is_whole else {**_still_asked(before, run), **counted}


def write(text: str, rows: Table, about: str) -> str:
    """Return a page with this table and these words about the run."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return "".join([head, BEGIN, "\n", about, *_sections(rows), "\n", END, tail])


def _still_asked(before: Table, run: Table) -> dict[Row, Seen]:
    """A scenario that expects something else than before is another one."""
    changed = {(row.component, row.fault) for row in run.keys() - before.keys()}
    return {row: seen for row, seen in before.items() if (row.component, row.fault) not in changed}


def _sections(rows: Table) -> Iterable[str]:
    together = sorted(rows, key=lambda row: _first(rows, row.component))
    for component, own in groupby(together, key=lambda row: row.component):
        yield f"\n## {component}\n\n{COLUMNS}"
        yield from (_line(row, rows[row]) for row in own)


def _first(rows: Table, component: str) -> int:
    return [row.component for row in rows].index(component)


def _line(row: Row, seen: Seen) -> str:
    failed = f" ({seen.failed} failed)" if seen.failed else ""
    return f"| {row.fault} | {row.expected} | {seen.text} | {seen.runs}{failed} |\n"


def _written(text: str) -> str:
    return text.partition(BEGIN)[2].partition(END)[0]
