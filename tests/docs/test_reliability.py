"""The page of fault tests has a row for every scenario, and a scenario for every row."""

import subprocess
import sys

import pytest

from tests.faults import page
from tests.faults.page import ROOT, Seen
from tests.faults.scenarios import Row

HOLDS = Row("Prometheus", "it refuses", "holds")
ACTS = Row("Prometheus", "↳ twin: it refuses and comes back", "promotes")
ARGO = Row("Argo Rollouts", "it is killed", "holds")
EMPTY = f"# Faults\n\n{page.BEGIN}\n{page.END}\nMore.\n"


def test_every_scenario_has_its_row_on_the_page_and_every_row_its_scenario() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--scenarios", "-m", "faults", "tests/faults"]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert collected.returncode == 0, collected.stdout[-2000:] + collected.stderr[-2000:]
    scenarios = {line for line in collected.stdout.splitlines() if line.startswith("| ")}

    rows = {page.named(row) for row in page.read(page.PAGE.read_text())}

    assert rows - scenarios == set(), "no test is about these rows: run make test-faults"
    assert scenarios - rows == set(), "these tests have no row: run them with --reliability"


def test_what_is_written_is_read_again_and_the_rest_of_the_page_stays() -> None:
    table = {HOLDS: Seen("held", 3, 1), ACTS: Seen("", 1, 1), ARGO: Seen("held (5 s)", 200)}

    written = page.write(EMPTY, table, "Today.\n")

    assert page.read(written) == table
    assert written.startswith("# Faults\n")
    assert written.endswith("\nMore.\n")
    assert page.write(written, table, "Today.\n") == written


def test_rows_of_one_component_stand_together() -> None:
    written = page.write(EMPTY, {HOLDS: Seen("a", 1), ARGO: Seen("b", 1), ACTS: Seen("c", 1)}, "Today.\n")

    assert list(page.read(written)) == [HOLDS, ACTS, ARGO]


@pytest.mark.parametrize(
    ("is_whole", "left"),
    [(False, {HOLDS: Seen("new", 3, 1), ARGO: Seen("kept", 1)}), (True, {HOLDS: Seen("new", 3, 1)})],
)
def test_a_run_adds_to_its_own_rows_and_only_a_whole_one_drops_others(is_whole: bool, left: page.Table) -> None:
    before = {HOLDS: Seen("old", 1), ARGO: Seen("kept", 1)}

    assert page.merged(before, {HOLDS: Seen("new", 2, 1)}, is_whole=is_whole) == left


def test_a_failed_run_is_counted_and_keeps_the_words_of_the_one_before() -> None:
    assert Seen("held", 1) + Seen("", 1, 1) == Seen("held", 2, 1)


def test_a_scenario_that_expects_something_else_is_counted_anew() -> None:
    other = Row(HOLDS.component, HOLDS.fault, "promotes")

    assert page.merged({HOLDS: Seen("held", 5)}, {other: Seen("promoted", 1)}, is_whole=False) == {
        other: Seen("promoted", 1)
    }
