"""``python -m tests.oracle``: record cases on the lab, judge them, explore new seeds, write the page.

Law: the lab is needed for ``record`` and ``explore`` only.
"""

import datetime
import json
import random
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from tests.oracle import page, recorder
from tests.oracle.cases import case
from tests.oracle.judging import Judged, judged

RECORDED = Path(__file__).with_name("recorded")
# Recorded together, so that a long exploration is judged piece by piece.
PIECE = 180

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)


@app.command()
def record(
    cases: Annotated[int, typer.Option(help="How many.")] = 500,
    seed: Annotated[int, typer.Option(help="Which.")] = 1,
) -> None:
    """Let Argo judge cases, and keep what it did in tests/oracle/recorded. Two minutes for each 200."""
    lines = recorder.record([case(seed, number) for number in range(cases)])
    found = judged(lines)
    target = RECORDED / f"seed-{seed}.jsonl"
    _write(target, [_header(seed, found), *found.kept])
    typer.echo(f"{target}: {_told(found)}")


@app.command()
def judge(
    files: Annotated[list[Path] | None, typer.Argument(help="Recordings; all that are kept if none.")] = None,
) -> None:
    """Judge recordings once more, and say where our rules differ from Argo's."""
    for file in files or sorted(RECORDED.glob("*.jsonl")):
        found = judged(json.loads(line) for line in file.read_text().splitlines() if '"writes"' in line)
        typer.echo(f"{file}: {_told(found)}")


@app.command()
def explore(
    cases: Annotated[int, typer.Option(help="How many.")] = 2000,
    seed: Annotated[int, typer.Option(help="The first; 0 takes one by chance.")] = 0,
    hours: Annotated[float, typer.Option(help="Go on with new seeds for so long, however many cases it takes.")] = 0.0,
    note: Annotated[str, typer.Option(help="What was found and mended, for the page.")] = "",
) -> None:
    """Let Argo judge new cases and judge them at once; the result goes to docs/conformance.md."""
    seed = seed or random.SystemRandom().randrange(1000, 10**6)
    end, left = time.monotonic() + hours * 3600, cases
    while left > 0 or time.monotonic() < end:
        size = PIECE if hours else min(PIECE, left)
        found = judged(recorder.record([case(seed, number) for number in range(size)]))
        typer.echo(f"seed {seed}: {_told(found)}")
        page.add({**_header(seed, found), "note": note})
        _keep_differing(seed, found)
        seed, left = seed + 1, left - size
    page.write()


@app.command("page")
def write_page() -> None:
    """Write docs/conformance.md anew from what is kept."""
    page.write()


def _keep_differing(seed: int, found: Judged) -> None:
    differing = [line for line in found.kept if line["number"] in {number for number, _ in found.differences}]
    if differing:
        _write(RECORDED.with_name("differing") / f"seed-{seed}.jsonl", [_header(seed, found), *differing])


def _header(seed: int, found: Judged) -> dict[str, Any]:
    return {
        "argo": recorder.ARGO_VERSION,
        "seed": seed,
        "cases": len(found.kept),
        "raced": found.raced,
        "differences": len(found.differences),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def _write(target: Path, lines: Sequence[Any]) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))


def _told(found: Judged) -> str:
    shown: Iterable[str] = (f"\n  case {number}: {'; '.join(wrong)}" for number, wrong in found.differences)
    return f"{len(found.kept)} cases, {found.raced} raced, {len(found.differences)} differ{''.join(shown)}"


app()
