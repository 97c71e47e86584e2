"""docs/conformance.md, written from the recordings that are kept and the explorations that were made.

Law: every number on the page was counted by a command.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.oracle.cases import BROAD_FROM

HERE = Path(__file__).parent
RESULTS = HERE / "explored.jsonl"
PAGE = HERE.parents[1] / "docs" / "conformance.md"

HEAD = """# Compared with Argo's own controller

Written by `python -m tests.oracle page`. Do not edit.

Argo Rollouts judges AnalysisRuns in a controller of its own, which can be run alone. `tests/oracle` makes metrics,
arguments and answers of a Prometheus by chance from a seed (numbers, NaN, infinities, nothing, several series,
refusals, faults, answers that never come, warnings, mistakes in conditions, limits, durations, arguments and
templates), lets the real `rollouts-controller` {argo} judge them on the lab, and writes down every change of every
AnalysisRun. The same answers at the same times then go through `canary_operator/conditions`:

- in Argo's dialect (`compatibility: argo`) every write must be the same: the phases of run, metrics and measurements,
  all counters, values, messages, summaries, the rendered queries, and what is due when;
- in the safe dialect the end may differ only where a row of the table in [argo.md](argo.md) was met, and then only by
  holding.

A case in which Argo raced with its own cache (it judged by a status older than its last write, and measured twice or
judged after the end) is left out; how often that happened is in the tables. The words of errors are compared but for
two kinds: those that a JSON library of Go chooses for a broken body, and those of the condition language, which are for
people here and say where the mistake is.

    python -m tests.oracle record --cases 500 --seed 1     # on the lab; kept in tests/oracle/recorded
    python -m tests.oracle judge                           # no lab: what the unit tests do
    python -m tests.oracle explore --cases 2000            # on the lab; new seeds, added to this page
    python -m tests.oracle explore --hours 1
"""


def add(result: dict[str, Any]) -> None:
    """Remember one exploration."""
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")


def write() -> None:
    """Write the page."""
    PAGE.write_text(page())


def page() -> str:
    """The page as it should be."""
    kept = [_header(file) for file in sorted((HERE / "recorded").glob("*.jsonl"))]
    explored = [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []
    parts = [HEAD.format(argo=kept[0]["argo"])]
    parts += ["## Kept, and tested with every change\n", _table(kept), _ends()]
    if explored:
        parts += ["## Explored\n", EXPLORED, _table(explored), _sum(explored)]
    parts.append(FOUND)
    return "\n".join(parts)


EXPLORED = f"""As they were found; what differed was mended afterwards and is kept above. From seed {BROAD_FROM} on
most conditions are any that the language allows, or nearly.
"""

FOUND = """## What it found

Each was mended, and where a test can show it has one:

- A metric with `initialDelay: 0s` is measured one round later than one without: Argo's first round measures none that
  has a delay, be it 0.
- A tag without an end is closed by the braces of the metric's own JSON, so the message shows that JSON.
- `result: null`, a string result and a body that is no JSON are Errors in the words of Go's JSON library.
- Where Argo cannot make a provider at all (no address, no URL, a negative timeout) it forgets no measurement either,
  whatever the retention (seed 1009).
- `asInt` of NaN and of infinities is a number in Argo, and `result[0] < 1 || true` is true for an empty answer because
  its optimizer leaves the first half out (seeds 1002, 1003, 1006, 1008, 1009, 1011). Both are the language's, and its
  safe dialect refuses them.
- Argo writes a completed run once more when a wish to end it arrives together with its last measurement, and measures
  twice where its cache has not seen its own write when the next measurement is due. These are the races above: on a
  busy machine with 50 runs at once two of five cases, with 18 at once one of a hundred.
"""


def _header(file: Path) -> dict[str, Any]:
    with file.open() as lines:
        found: dict[str, Any] = json.loads(next(lines))
    return found


def _table(rows: list[dict[str, Any]]) -> str:
    lines = ["| seed | date | cases | raced, left out | differences |", "|---|---|---|---|---|"]
    lines += [f"| {r['seed']} | {r['date']} | {r['cases']} | {r['raced']} | {_differences(r)} |" for r in rows]
    return "\n".join([*lines, ""])


def _differences(row: dict[str, Any]) -> str:
    return f"{row['differences']}: {row['note']}" if row.get("note") else str(row["differences"])


def _sum(rows: list[dict[str, Any]]) -> str:
    cases, differ = sum(row["cases"] for row in rows), sum(row["differences"] for row in rows)
    return f"Together {cases} cases, {differ} differences.\n"


def _ends() -> str:
    """How the kept cases ended, which says whether they reach everything."""
    ends: Counter[str] = Counter()
    measured = 0
    for file in sorted((HERE / "recorded").glob("*.jsonl")):
        for line in file.read_text().splitlines()[1:]:
            status = json.loads(line)["writes"][-1]["status"]
            ends[status.get("phase", "")] += 1
            measured += sum(each.get("count", 0) + each.get("error", 0) for each in status.get("metricResults") or ())
    told = ", ".join(f"{number} {phase}" for phase, number in ends.most_common())
    return f"They ended as {told}, with {measured} measurements.\n"
