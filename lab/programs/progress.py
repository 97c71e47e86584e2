"""Telling a person what is being built, and for how long.

Law: display only; a lively line on a terminal, plain lines elsewhere (continuous integration, logs).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

FIRST_BUILD = "The first build of the lab takes 8 to 12 minutes on 2 cores; after it, none."


class Display(Protocol):
    """What the cache tells while it works. Callers wrap each wait in `step`."""

    def note(self, text: str) -> None:
        """Say one sentence."""

    @contextmanager
    def step(self, text: str, position: str) -> Iterator[None]:
        """Show that `text` is going on, `position` being like `3 of 9`."""


class Lines:
    """Plain lines on stderr, one when a step begins and one when it ends."""

    def note(self, text: str) -> None:
        """Say one sentence."""
        print(f"lab: {text}", file=sys.stderr, flush=True)

    @contextmanager
    def step(self, text: str, position: str) -> Iterator[None]:
        """Say what is going on while it is."""
        self.note(f"[{position}] {text} ...")
        began = time.monotonic()
        yield
        self.note(f"[{position}] {text}: done in {time.monotonic() - began:.0f} s")


class Live:
    """A spinner with the time it has been turning."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def note(self, text: str) -> None:
        """Say one sentence."""
        self._console.print(text)

    @contextmanager
    def step(self, text: str, position: str) -> Iterator[None]:
        """Say what is going on while it is."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        # rich reads square brackets as markup, hence round ones.
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(f"({position}) {text}", total=1)
            yield
            progress.update(task, completed=1)


def display() -> Display:
    """Return the display that suits where stderr goes."""
    return Live() if sys.stderr.isatty() else Lines()
