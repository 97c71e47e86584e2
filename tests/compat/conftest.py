"""One history for the session: every server scrapes the same pods, then releases are judged by what each has of it."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from lab import LabError, peers, until
from lab.peers.commands import Scraping
from lab.programs import cache, table
from tests.compat.exporting import Exporter, discovery, exporting
from tests.compat.replay import Server
from tests.compat.script import CONVERTED, END, FAILING, HEALTHY, PODS
from tests.compat.stand import Stand
from tests.compat.telling import told

SCRAPE_SECONDS = 1.0
# What a gate asks for at the last look has been scraped, and can be found, some scrapes later.
_SETTLED_SECONDS = 5


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.compat)
            # The first test waits for all programs to be built, and for the history.
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """All servers that can be built, after all that the script has: one that cannot takes no other with it."""
    programs = {program.name: _built(program.name) for program in table.PEERS}
    there = {name: path for name, path in programs.items() if isinstance(path, Path)}
    with exporting() as exporter:
        scraping = Scraping(
            discovery(exporter.url, HEALTHY, FAILING), discovery(exporter.url, CONVERTED), SCRAPE_SECONDS
        )
        with peers.start(there, scraping) as running:
            _await_scrapes(running)
            yield Stand(programs, running, _pass(exporter))


def _built(name: str) -> Path | LabError:
    try:
        return cache.install(only={name}).programs[name]
    except LabError as error:
        return error


def _await_scrapes(running: peers.Peers) -> None:
    """Wait until every server has seen the pods that are there from the beginning."""
    expected = sum(pod.lives(-1) for pod in PODS)
    for name in running.servers:
        seen = partial(running.value, name, "count(up == 1)")
        until(lambda seen=seen: seen() == expected, f"{name} to see {expected} pods", timeout=90)  # type: ignore[misc]


def _pass(exporter: Exporter) -> float:
    began = exporter.begin()
    end = began + END + _SETTLED_SECONDS
    until(lambda: time.time() >= end, "the end of the script", timeout=END + 60, every=0.5)
    return began


@pytest.fixture(scope="session", params=peers.SERVERS)
def server(request: pytest.FixtureRequest, stand: Stand) -> Iterator[Server]:
    """Each server in turn."""
    with stand.opened(request.param) as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of each server what ran against it, as the table of docs/compatibility.md has it."""
    results = [(report.nodeid, report.passed) for report in _reports(terminalreporter)]
    if not results:
        return
    terminalreporter.section("compatibility")
    for line in told(results):
        terminalreporter.write_line(line)


def _reports(terminalreporter: pytest.TerminalReporter) -> Iterator[pytest.TestReport]:
    """Every test's call, and the set-ups that failed."""
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, ()):
            if "tests/compat/" in report.nodeid and (report.when == "call" or report.failed):
                yield report
