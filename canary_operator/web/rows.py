"""The rows of the table of gates, each drawn when somebody looks, and again only after news.

Law: a cache of what the store says; nothing is drawn while nobody looks.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from canary_operator.model.rollout import RolloutRef
from canary_operator.web.board import Board
from canary_operator.web.drawing import Drawing
from canary_operator.web.sight import Sight
from canary_operator.web.summary import ORDER, Summary, summary

# So many rows take some three milliseconds, and the loop that draws them also judges.
_ROWS_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it says, its HTML, and the revision at which that last changed."""

    said: Summary
    markup: Markup
    changed_at: int


class Rows:
    """Draws the rows of gates.

    Args:

        sight: where gates are looked up.

        board: says when there is news of one.

        drawing: draws ``row.html``.
    """

    def __init__(self, sight: Sight, board: Board, drawing: Drawing) -> None:
        self._sight = sight
        self._board = board
        self._drawing = drawing
        self._drawn: dict[RolloutRef, tuple[int, Row]] = {}
        # Many look at the same moment: the revision at which all were listed last, and what came of it.
        self._all: tuple[int, list[Row]] = (0, [])

    async def all(self) -> list[Row]:
        """The rows of all gates, what needs a person first."""
        revision, (at, rows) = self._board.revision, self._all
        if at == revision:
            return rows
        refs = self._sight.gates()
        for ref in self._drawn.keys() - set(refs):
            del self._drawn[ref]
        found = [row async for row in self._some(refs)]
        found.sort(key=lambda row: (ORDER[row.said.group], row.said.key))
        self._all = revision, found
        return found

    def row(self, ref: RolloutRef) -> Row | None:
        """The row of one gate, None where there is none."""
        heard, (at, row) = self._board.changed_at(ref), self._drawn.get(ref, (-1, None))
        if row is not None and at == heard:
            return row
        known = self._sight.known(ref)
        if known is None:
            self._drawn.pop(ref, None)
            return None
        said = summary(known)
        markup = self._drawing.draw("row.html", gate=said)
        # A look that changes nothing that is shown is no news for who watches.
        if row is None or row.markup != markup:
            row = Row(said, markup, heard)
        self._drawn[ref] = heard, row
        return row

    async def _some(self, refs: Iterable[RolloutRef]) -> AsyncIterator[Row]:
        for position, ref in enumerate(refs):
            if position % _ROWS_AT_ONCE == _ROWS_AT_ONCE - 1:
                await asyncio.sleep(0)
            if (row := self.row(ref)) is not None:
                yield row
