"""Run one of the long runs: `python -m tests.soak kills`, `python -m tests.soak soak`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

import typer

from lab.cluster import Lab
from lab.starting import Wish, find, start
from tests.soak import running, showing, soaking
from tests.soak.lanes import Pace

app = typer.Typer(add_completion=False, help="Long runs on the lab.")

LabName = Annotated[str, typer.Option(envvar="LAB_NAME", help="A lab that runs; one of its own without it.")]
Seed = Annotated[int, typer.Option(help="What is drawn is drawn from it.")]
Write = Annotated[bool, typer.Option(help="Write what was found into docs/soak.md.")]


@app.command()
def kills(
    points: Annotated[int, typer.Option(help="Kills at least.")] = 1000,
    releases: Annotated[int, typer.Option(help="Releases at least.")] = 100,
    rollouts: Annotated[int, typer.Option(help="Rollouts that release at once.")] = 15,
    pause: Annotated[float, typer.Option(help="Seconds of a timed pause.")] = 30.0,
    seed: Seed = 1,
    lab: LabName = "",
    write: Write = False,
) -> None:
    """Kill the operator at drawn points while Rollouts release. Exit status 1 on any mistake."""
    wish = running.KillsWish(points, releases, rollouts, seed, Pace(pause=pause))
    with _lab(lab) as chosen:
        found = running.kills(chosen, wish)
    text = showing.kills(found, wish)
    print(text)
    if write:
        showing.write("kills", text)
    raise typer.Exit(1 if found.mistakes else 0)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(help="How long.")] = 60.0,
    rollouts: Annotated[int, typer.Option(help="Rollouts that release again and again.")] = 50,
    rest: Annotated[float, typer.Option(help="Seconds between two faults, on average.")] = 20.0,
    seed: Seed = 1,
    lab: LabName = "",
    write: Write = False,
) -> None:
    """Let Rollouts release among faults. Exit status 1 on any mistake, and if the operator's memory grows."""
    wish = soaking.SoakWish(minutes, rollouts, seed, rest)
    with _lab(lab, Wish(scrape_interval_seconds=soaking.SCRAPE_SECONDS)) as chosen:
        found = soaking.soak(chosen, wish)
    text = showing.soak(found, wish)
    print(text)
    if write:
        showing.write("soak", text)
    raise typer.Exit(1 if found.mistakes else 0)


@contextlib.contextmanager
def _lab(name: str, wish: Wish | None = None) -> Iterator[Lab]:
    if name:
        yield find(name)
        return
    with start(wish) as lab:
        yield lab


if __name__ == "__main__":
    app()
