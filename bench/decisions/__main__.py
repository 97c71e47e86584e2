"""Measure every rule in every world, print what must hold, and write the figures into docs/.

python -m bench.decisions --runs 4000 --seed 1
"""

from __future__ import annotations

import platform
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import canary_operator
from bench.decisions import agreement, findings, pictures
from bench.decisions.measures import OURS, Cell, measure
from bench.decisions.worlds import BAD, HEALTHY, RATES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "statistics.md"
BEGIN, END = "<!-- figures: written by python -m bench.decisions -->", "<!-- end of figures -->"
HALF_HOUR, HOUR = 180, 360


def main(
    runs: Annotated[int, typer.Option(help="Runs of each cell.")] = 4000,
    seed: Annotated[int, typer.Option()] = 1,
    workers: Annotated[int, typer.Option(help="Processes that simulate.")] = 1,
    write: Annotated[bool, typer.Option(help="Write the figures into docs/.")] = False,
) -> None:
    begun = time.perf_counter()
    console = Console(width=190)
    with ProcessPoolExecutor(workers) as pool:
        tasks = [pool.submit(measure, world.name, rate, (runs, HALF_HOUR), seed) for world in HEALTHY for rate in RATES]
        healthy = [_told(console, each.result()) for each in tasks]
        tuned = {rate: findings.limits(healthy, rate) for rate in RATES}
        tasks = [
            pool.submit(measure, world.name, rate, (runs, HOUR), seed, tuned[rate]) for world in BAD for rate in RATES
        ]
        bad = [_told(console, each.result()) for each in tasks]
    text = _figures(console, healthy, bad)
    about = (
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"seed {seed}, {runs} runs of each cell"
    )
    console.print(
        about,
        f"{time.perf_counter() - begun:.0f} s",
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB",
    )
    if write:
        _write(f"{text}\n{about}.\n", healthy, bad)


def _told(console: Console, cell: Cell) -> Cell:
    ours = cell.done[OURS]
    aborted = f"aborted {ours.aborted + ours.early} of {cell.runs}"
    console.print(f"{cell.world}, {cell.rps:g}/s: {aborted}, falsely promoted {cell.falsely}")
    return cell


def _figures(console: Console, healthy: Sequence[Cell], bad: Sequence[Cell]) -> str:
    parts = []
    lines = [*findings.must_hold(healthy, bad), agreement.line()]
    tables = (
        (
            "What must hold",
            ["", "figure", "holds"],
            [[each.what, each.figure, "yes" if each.holds else "no"] for each in lines],
        ),
        (
            "False aborts within 30 minutes, %, at 0.1/1/10/100/1000 requests/s",
            ["world", *findings.SHOWN],
            findings.false_aborts(healthy),
        ),
        (
            "Bad releases: bound, delay (mean, 99th percentile, others' mean), failed requests (ours/Argo/Flagger), %",
            [
                "canary",
                "1/s",
                "bound",
                "mean",
                "99 %",
                "Argo",
                "Flagger",
                "failed",
                "aborted",
                "falsely promoted",
                "undecided",
            ],
            findings.delays(bad),
        ),
        (
            "Healthy releases promoted within 30 minutes, and the median time",
            ["world", *[f"{rate:g}/s" for rate in RATES]],
            findings.promotions(healthy),
        ),
    )
    for title, head, rows in tables:
        _print(console, title, head, rows)
        parts.append(_markdown(title, head, rows))
    return "\n".join(parts)


def _print(console: Console, title: str, head: list[str], rows: list[list[str]]) -> None:
    table = Table(*head, title=title)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _markdown(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _write(text: str, healthy: Sequence[Cell], bad: Sequence[Cell]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{rest.partition(END)[2]}")
    (DOCS / "false-aborts.svg").write_text(_aborts_picture(healthy))
    (DOCS / "delays.svg").write_text(_delays_picture(bad))


def _aborts_picture(healthy: Sequence[Cell]) -> str:
    worlds = list(dict.fromkeys(each.world for each in healthy))
    rules = (OURS, findings.ARGO, findings.FLAGGER)
    worst = {
        rule: [
            100 * max(each.done[rule].aborted / each.runs for each in healthy if each.world == world)
            for world in worlds
        ]
        for rule in rules
    }
    return pictures.bars(
        "Healthy releases aborted within 30 minutes, worst of five rates of traffic", worlds, worst, "%"
    )


def _delays_picture(bad: Sequence[Cell]) -> str:
    cells = [each for each in bad if each.world in findings.RATIOS and each.rps == 10]
    rules = (OURS, findings.ARGO, findings.FLAGGER, "Kayenta 30m")
    delays = {rule: [each.done[rule].delay for each in cells] for rule in rules}
    labels = [each.world for each in cells]
    return pictures.lines(
        "Mean seconds until a canary that fails so often is aborted; 10 requests/s, stable 1 %", labels, delays, "s"
    )


if __name__ == "__main__":
    typer.run(main)
