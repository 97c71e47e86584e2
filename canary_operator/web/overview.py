"""All gates at a glance, what needs a person first.

Law: shows rows and counts them; what a row says is decided in summary.py.
"""

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from canary_operator.model.rollout import RolloutRef
from canary_operator.web.board import Board
from canary_operator.web.frame import Frame, root_from
from canary_operator.web.rows import Row, Rows
from canary_operator.web.streams import Message, Streams
from canary_operator.web.summary import VERDICTS, Group, Wanted, counts

_LONGEST_TEXT = 200


class Overview:
    """Answers with the table of gates, and with what changes in it."""

    def __init__(self, frame: Frame, rows: Rows, board: Board, streams: Streams) -> None:
        self._frame = frame
        self._rows = rows
        self._board = board
        self._streams = streams

    async def page(self, request: web.Request) -> web.Response:
        """Answer with the whole table, or the wanted part of it."""
        wanted, position = _wanted(request), self._streams.position
        rows = await self._rows.all()
        shown = [row for row in rows if wanted.matches(row.said)]
        return self._frame.page(
            request,
            "gates.html",
            groups=[(group, [row for row in shown if row.said.group is group]) for group in Group],
            namespaces=sorted({row.said.ref.namespace for row in rows}),
            position=position,
            **_counted(rows, wanted),
        )

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell what changes in the wanted part of the table."""
        wanted = _wanted(request)

        async def news(seen: int) -> list[Message]:
            heard = self._board.heard_since(seen)
            changed = [text for ref in heard if (text := self._changed(ref, seen, wanted))]
            if not changed:
                return []
            values = _counted(await self._rows.all(), wanted)
            verdicts = self._frame.drawing.draw("verdicts.html", root=root_from("/"), **values)
            return [Message("rows", "".join(changed)), Message("verdicts", verdicts)]

        return await self._streams.follow(request, news)

    def _changed(self, ref: RolloutRef, seen: int, wanted: Wanted) -> str:
        """The row as it is now, a mark where it is none or not wanted, nothing where it looks as before."""
        row = self._rows.row(ref)
        if row is not None and row.changed_at <= seen:
            return ""
        if row is None or not wanted.matches(row.said):
            return self._frame.drawing.draw("no_row.html", ref=ref)
        return row.markup


def _counted(rows: Sequence[Row], wanted: Wanted) -> dict[str, Any]:
    return {"counts": counts(row.said for row in rows), "total": len(rows), "wanted": wanted}


def _wanted(request: web.Request) -> Wanted:
    given = request.query
    wanted = Wanted(given.get("q", "").strip(), given.get("namespace", ""), given.get("verdict", ""))
    if wanted.verdict not in ("", *VERDICTS):
        raise web.HTTPBadRequest(reason=f"verdict should be one of {', '.join(VERDICTS)}")
    if len(wanted.text) > _LONGEST_TEXT or len(wanted.namespace) > _LONGEST_TEXT:
        raise web.HTTPBadRequest(reason=f"what is looked for should have at most {_LONGEST_TEXT} characters")
    return wanted
