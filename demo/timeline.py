"""The timeline in the terminal: a line for each change, and on a terminal what is going on at this moment.

Law: shows; it decides nothing. In a file the same lines stand without colours, and nothing is wrapped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from demo.sight import Sight, Turn

_STYLES = {"Promote": "green", "Hold": "yellow", "Abort": "bold red", "": "dim"}
_COLUMNS = ((6, "right"), (4, "right"), (6, "right"), (8, "left"), (21, "left"))
_SPINNER_WIDTH = 3
_HEADINGS = ("time", "step", "weight", "verdict", "reason", "what the gate says")


@dataclass(slots=True)
class Timeline:
    """What the audience sees. `began` is when the demo did, on the monotonic clock."""

    console: Console
    began: float = field(default_factory=time.monotonic)
    _status: Status | None = None
    _last: tuple[object, ...] = ()
    _seen: frozenset[Turn] = frozenset()

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self.console.print()
        self.console.print(Text(text, style="bold"))

    def headings(self) -> None:
        """Name the columns, for another release."""
        self._last, self._seen = (), frozenset()
        self._line([Text(heading, style="dim") for heading in _HEADINGS])

    def say(self, text: str) -> None:
        """Say what is being prepared."""
        self.print(f"{self._elapsed():>6}  {text}")

    def note(self, text: str) -> None:
        """Say among the gate's lines what the demo itself does."""
        self._line([Text(self._elapsed()), *([Text("")] * 4), Text(f"-- {text}", style="cyan")])

    def show(self, sight: Sight) -> None:
        """Show a look at the cluster: a line if something changed, else only the moving line at the bottom."""
        self._now(sight)
        for turn in self._unseen(sight.history):
            self._show_turn(turn)
        # At the end the gate repeats what promoted the last pause, and that stands there already.
        if not (sight.over and sight.verdict == "Promote"):
            self._show_turn(sight.turn)

    def _unseen(self, history: Sequence[Turn]) -> Sequence[Turn]:
        """Changes of the verdict that came and went since the last look."""
        known, self._seen = self._seen, frozenset(history)
        return [turn for turn in history if turn not in known]

    def _show_turn(self, turn: Turn) -> None:
        # What the gate said last at a step is still said when Argo is at the next one already.
        seen = (turn.verdict, turn.reason, turn.told)
        if seen == self._last or not turn.message:
            return
        self._last = seen
        self._line([Text(self._elapsed()), *_cells(turn)])

    def print(self, text: str) -> None:
        """Print what another program said, as it said it."""
        self.console.print(Text.from_ansi(text), soft_wrap=True)

    def begin(self, text: str) -> None:
        """Turn a spinner until `end`, on a terminal."""
        self.end()
        if self.console.is_terminal:
            self._status = self.console.status(escape(text))
            self._status.start()

    def end(self) -> None:
        """Stop the spinner."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _now(self, sight: Sight) -> None:
        if self._status is not None:
            text = f"{self._elapsed()}  {sight.message or 'Argo begins'}"
            # A line that wraps would jump.
            self._status.update(escape(text[: self.console.width - _SPINNER_WIDTH]))

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes}:{seconds:02}"

    def _line(self, cells: list[Text]) -> None:
        if self.console.is_terminal:
            grid = Table.grid(padding=(0, 2, 0, 0))
            for width, side in _COLUMNS:
                grid.add_column(width=width, justify="right" if side == "right" else "left", no_wrap=True)
            grid.add_column(overflow="fold")
            grid.add_row(*cells)
            self.console.print(grid)
            return
        padded = [
            cell.plain.rjust(width) if side == "right" else cell.plain.ljust(width)
            for cell, (width, side) in zip(cells, _COLUMNS, strict=False)
        ]
        self.print("  ".join([*padded, cells[-1].plain]))


def _cells(turn: Turn) -> list[Text]:
    style = _STYLES.get(turn.verdict, "")
    return [
        Text(turn.step),
        Text("" if turn.weight is None else f"{turn.weight} %"),
        Text(turn.verdict or "-", style=style),
        Text(turn.reason, style=style),
        Text(turn.told),
    ]
