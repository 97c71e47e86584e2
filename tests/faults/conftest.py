"""The fault tests: the stage of the end-to-end tests, and a page that the run writes itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import (  # noqa: F401 - fixtures
    api,
    cluster,
    identity,
    own_cluster,
    own_identity,
    own_stage,
    stage,
    telemetry,
)
from tests.faults import machine, page
from tests.faults.page import Seen
from tests.faults.scenarios import SEED, Row, row_of

_ROW, _PLACE, _SEEN = "scenario", "place", "seen"
_HERE = Path(__file__).parent
_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--reliability", action="store_true", help="write what was seen into docs/reliability.md")
    parser.addoption("--scenarios", action="store_true", help="list the scenarios, with --collect-only")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGAN] = time.monotonic()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    own = [item for item in items if _HERE in item.path.parents]
    for place, item in enumerate(own):
        item.add_marker(pytest.mark.faults)
        row = row_of(item)
        if row is None:
            raise pytest.UsageError(f"{item.nodeid} does not say what it is about: it needs @scenario")
        item.user_properties += [(_ROW, [row.component, row.fault, row.expected]), (_PLACE, place)]


def pytest_collection_finish(session: pytest.Session) -> None:
    """List the scenarios where that is wanted."""
    if session.config.getoption("--scenarios", default=False):
        rows = dict.fromkeys(row_of(item) for item in session.items)
        print("", *(page.named(row) for row in rows if row is not None), sep="\n")


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say what was seen: a sentence with numbers. Each test says something."""
    return lambda text: request.node.user_properties.append((_SEEN, " ".join(text.replace("|", "/").split())))


@pytest.fixture
def seed() -> int:
    """What everything random of a test begins with."""
    return SEED


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """A test that has seen nothing has shown nothing."""
    result = yield
    if not any(name == _SEEN for name, _ in pyfuncitem.user_properties):
        pytest.fail("the test did not say what it has seen: it needs seen(...)")
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what was seen, and write the page where that is wanted."""
    reports = sorted(_reports(terminalreporter), key=lambda report: dict(report.user_properties)[_PLACE])
    # With xdist each worker has a summary of its own part.
    if not reports or hasattr(config, "workerinput"):
        return
    rows = _table(reports)
    terminalreporter.section("reliability")
    for row, said in rows.items():
        terminalreporter.write_line(f"{row.component}: {row.fault}: {said.text or 'nothing seen'} ({said.runs} runs)")
    if config.getoption("--reliability", default=False):
        _write(rows, config, len(reports))


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterable[pytest.TestReport]:
    """Every test's call, and the set-ups that failed."""
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            if _ROW in dict(report.user_properties) and (report.when == "call" or report.failed):
                yield report


def _table(reports: Iterable[pytest.TestReport]) -> dict[Row, Seen]:
    rows: dict[Row, Seen] = {}
    for report in reports:
        row = Row(*dict(report.user_properties)[_ROW])
        texts = [text for name, text in report.user_properties if name == _SEEN]
        said = Seen("" if report.failed else "; ".join(texts), runs=1, failed=int(report.failed))
        rows[row] = rows[row] + said if row in rows else said
    return rows


def _write(rows: dict[Row, Seen], config: pytest.Config, tests: int) -> None:
    is_whole = _is_whole(config)
    text = page.PAGE.read_text()
    table = page.merged(page.read(text), rows, is_whole=is_whole)
    about = machine.about(tests, time.monotonic() - config.stash[_BEGAN], is_whole=is_whole)
    page.PAGE.write_text(page.write(text, table, about))


def _is_whole(config: pytest.Config) -> bool:
    """Whether all fault tests were asked for."""
    asked = [Path(config.invocation_params.dir, argument).resolve() for argument in config.args]
    chosen = config.getoption("keyword") or config.getoption("lf", default=False)
    return asked == [_HERE] and not chosen
