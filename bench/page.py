"""What the page costs the operator and its readers, with 200 and with 1,000 gates.

``python -m bench.page`` prints it; Chromium is needed. The gates are made up. Times are medians; what the operator
pays is time of the processor, what a reader waits is time of the clock.
"""

import asyncio
import functools
import gzip
import os
import platform
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import requests
import typer
from playwright.sync_api import Browser, Page

from canary_operator.model.rollout import RolloutRef
from canary_operator.web.assets import load_assets
from canary_operator.web.drawing import Drawing
from canary_operator.web.rows import Rows
from canary_operator.web.series import MOST_POINTS, Point, Series
from tests.browser.chromium import chromium
from tests.browser.stand import Stand
from tests.web import town as made_up
from tests.web.town import Town, held, populate, promoting

SEED = 7
SIZES = (200, 1000)
TIMES = 5
# The machine may be busy with other things.
PATIENCE_MS = 120_000
LIVE = "() => document.getElementById('live').textContent === 'Live'"
PAINTED = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
  performance.getEntriesByName("first-contentful-paint")[0].startTime))))"""
# The time at which a row that the page did not have is in its table and painted.
ARRIVED = """id => new Promise((done) => {
  const painted = () => requestAnimationFrame(() => requestAnimationFrame(() => done(Date.now())));
  const there = () => document.getElementById(id);
  if (there()) return painted();
  new MutationObserver((_, watcher) => { if (there()) { watcher.disconnect(); painted(); } })
    .observe(document.getElementById("list"), { childList: true, subtree: true });
})"""
FILTERED = """words => new Promise((done) => {
  const box = document.getElementById("q"), begun = performance.now();
  document.addEventListener("htmx:after:swap", () => requestAnimationFrame(() => requestAnimationFrame(
    () => done(performance.now() - begun))), { once: true });
  box.value = words;
  box.dispatchEvent(new Event("input", { bubbles: true }));
})"""
LONGEST_TASK = """() => { window.longest = 0; new PerformanceObserver((list) => { for (const task of list.getEntries())
  window.longest = Math.max(window.longest, task.duration); }).observe({ entryTypes: ["longtask"] }); }"""


def main() -> None:
    """Print what the page costs."""
    print(_machine())
    print("\n| figure | " + " | ".join(f"{size:,} gates" for size in SIZES) + " |")
    print("|---" * (len(SIZES) + 1) + "|")
    _show([_server(size) for size in SIZES])
    with chromium() as browser:
        _show([_reader(browser, size) for size in SIZES])
        print(f"\nChromium {browser.version}")
    print(f"\nmemory of one evidence with a full course of {MOST_POINTS} points: {_taken(_course) / 1024:.1f} KB")
    print(f"memory of one gate in the table: {_taken(_table) / SIZES[0] / 1024:.1f} KB")


def _show(columns: list[dict[str, str]]) -> None:
    for figure in columns[0]:
        print(f"| {figure} | " + " | ".join(column[figure] for column in columns) + " |")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(":")[2].strip() for line in lines if "model name" in line), platform.machine())
    load = f"load {os.getloadavg()[0]:.0f}"
    packages = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "aiohttp-sse", "Jinja2", "playwright"))
    return (
        f"{processor}, Linux {platform.release()}, Python {platform.python_version()}, {packages}, seed {SEED}, {load}"
    )


def _median(work: Callable[[], float]) -> float:
    return statistics.median(work() for _ in range(TIMES))


@functools.cache
def _town(size: int) -> Town:
    town = Town(time.time())
    populate(town, size, SEED)
    return town


# What the operator pays.


def _server(size: int) -> dict[str, str]:
    town = _town(size)
    html = _page(town)
    anew = _median(lambda: _drawing_seconds(town, anew=True))
    turn = _median(lambda: _longest_turn(town))
    again = _median(lambda: _drawing_seconds(town, anew=False))
    return {
        "operator: the table, drawn anew (ms of CPU)": f"{1000 * anew:.0f}",
        "operator: longest turn that judging waits for meanwhile (ms of CPU)": f"{1000 * turn:.1f}",
        "operator: the table, after one change (ms of CPU)": f"{1000 * again:.1f}",
        "bytes of the page, and compressed": f"{len(html):,}, {len(gzip.compress(html, 6)):,}",
    }


# Templates are compiled once for each process.
_DRAWING = Drawing(load_assets())


def _rows(town: Town) -> Rows:
    return Rows(town.sources.sight, town.board, _DRAWING)


def _page(town: Town) -> bytes:
    stand = Stand()
    stand.town = town
    stand.start()
    try:
        return requests.get(stand.url, headers={"Accept": "text/html"}, timeout=60).content
    finally:
        stand.stop()


def _drawing_seconds(town: Town, *, anew: bool) -> float:
    rows = _rows(town)
    asyncio.run(_drawn(rows))
    if anew:
        rows = _rows(town)
    else:
        town.gate(RolloutRef("shop", "api-service"), promoting(RolloutRef("shop", "api-service")))
    start = time.process_time()
    asyncio.run(_drawn(rows))
    return time.process_time() - start


async def _drawn(rows: Rows) -> None:
    await rows.all()


def _longest_turn(town: Town) -> float:
    """The longest time, of the processor, between two turns of somebody who shares the loop with the drawing."""

    async def measure() -> float:
        task, longest, before = asyncio.create_task(_drawn(_rows(town))), 0.0, time.thread_time()
        while not task.done():
            await asyncio.sleep(0)
            longest, before = max(longest, time.thread_time() - before), time.thread_time()
        return longest

    return asyncio.run(measure())


# What a reader pays.


def _reader(browser: Browser, size: int) -> dict[str, str]:
    stand = Stand()
    stand.town = _town(size)
    stand.start()
    try:
        return _visits(browser, stand)
    finally:
        stand.stop()


def _visits(browser: Browser, stand: Stand) -> dict[str, str]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    first = _median(lambda: _first_paint(page, stand))
    page.evaluate(LONGEST_TASK)
    one = _median(lambda: _update_ms(page, stand, 1))
    many = _median(lambda: _update_ms(page, stand, 50))
    longest = float(page.evaluate("window.longest"))
    typed = _median(lambda: _filter_ms(page))
    page.close()
    return {
        "Chromium: first paint after the request (ms)": f"{first:.0f}",
        "one change until it is painted (ms)": f"{one:.0f}",
        "50 changes at once until they are painted (ms)": f"{many:.0f}",
        "longest task of those in the browser (ms; 50 is what is counted)": f"{longest:.0f}" if longest else "none",
        "a typed filter until its table is painted (ms; 150 of them wait for the next key)": f"{typed:.0f}",
    }


def _first_paint(page: Page, stand: Stand) -> float:
    page.goto(stand.url)
    page.wait_for_function(LIVE)
    return float(page.evaluate(PAINTED))


_CHANCE = random.Random(SEED)


def _put(town: Town, refs: list[RolloutRef]) -> None:
    for ref in refs:
        town.gate(ref, held(ref), rollout=made_up.a_rollout())


def _delete(town: Town, refs: list[RolloutRef]) -> None:
    for ref in refs:
        town.delete(ref)


def _update_ms(page: Page, stand: Stand, changes: int) -> float:
    names = [RolloutRef("shop", f"new-{_CHANCE.getrandbits(40):x}") for _ in range(changes)]
    page.evaluate(f"window.arrived = ({ARRIVED})('gate-{names[-1]}'), 0")
    begun = time.time()
    stand.do(lambda town: _put(town, names))
    arrived = float(page.evaluate("window.arrived"))
    stand.do(lambda town: _delete(town, names))
    page.wait_for_function("id => !document.getElementById(id)", arg=f"gate-{names[-1]}")
    return 1000 * (arrived / 1000 - begun)


def _filter_ms(page: Page) -> float:
    spent = float(page.evaluate(FILTERED, "media/mail-service"))
    page.evaluate(FILTERED, "")
    return spent


# Memory.


def _taken(work: Callable[[], object]) -> float:
    """Bytes that are there as long as what the work returns."""
    work()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    kept = work()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept is not None
    return after - before


def _course() -> Series:
    series = Series()
    for number in range(MOST_POINTS):
        series.add(Point(float(number), 0.1, 0.2))
    return series


def _table() -> Rows:
    rows = _rows(_town(SIZES[0]))
    asyncio.run(_drawn(rows))
    return rows


if __name__ == "__main__":
    typer.run(main)
