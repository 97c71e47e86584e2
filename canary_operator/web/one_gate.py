"""One gate with everything that it knows: where it stands, what it waits for, its steps and its decisions.

Law: shows; what is shown is put together by pure modules beside this one.
"""

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from canary_operator.errors import ClusterError
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.board import Board, evidence_key, release_of
from canary_operator.web.commands import commands
from canary_operator.web.frame import Frame, root_from
from canary_operator.web.series import Point, Series
from canary_operator.web.sight import Known, Sight
from canary_operator.web.streams import Message, Streams
from canary_operator.web.summary import summary
from canary_operator.web.timeline import timeline
from canary_operator.web.trail import Trail
from canary_operator.web.waiting import waits

_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_DECISIONS_AT_ONCE = 50
_POINTS_IN_TABLE = 12
# A picture without its beginning is better than one that lets people wait.
_SEED_SECONDS = 3.0
# Gates that people look at live, at about 50 kB each.
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Sources:
    """Where everything about a gate comes from. ``clock`` says Unix seconds."""

    sight: Sight
    board: Board
    trail: Trail
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A gate as it was drawn at a revision: its markup, and its course as JSON."""

    at: int
    markup: str
    course: str


class OneGate:
    """Answers with the page of a gate, with what changes on it, and with its recorded decisions."""

    def __init__(self, frame: Frame, sources: Sources, streams: Streams) -> None:
        self._frame = frame
        self._sources = sources
        self._streams = streams
        self._kept: OrderedDict[RolloutRef, Drawn] = OrderedDict()

    async def page(self, request: web.Request) -> web.Response:
        """Answer with everything about one gate."""
        position, known = self._streams.position, self._known(request)
        lines = commands(known.ref, self._sources.clock())
        return self._frame.page(request, "gate.html", position=position, commands=lines, **self._told(known))

    async def live(self, request: web.Request) -> web.StreamResponse:
        """Tell what changes on the page of one gate."""
        ref, told = self._known(request).ref, ""

        async def news(seen: int) -> list[Message]:
            nonlocal told
            if told and not self._sources.board.has_news(ref, seen):
                return []
            known = self._sources.sight.known(ref)
            if known is None:
                return [Message("gone", "")]
            await self._seed(known)
            drawn = self._drawn(known)
            before, told = told, drawn.markup
            return [] if told == before else [Message("gate", told), Message("course", drawn.course)]

        return await self._streams.follow(request, news)

    def _drawn(self, known: Known) -> Drawn:
        """A gate as of its last news, drawn once for all who look at it."""
        at, kept = self._sources.board.changed_at(known.ref), self._kept.pop(known.ref, None)
        if kept is None or kept.at != at:
            root = root_from(f"/gates/{known.ref.namespace}/{known.ref.name}")
            markup = self._frame.drawing.draw("gate_now.html", root=root, **self._told(known))
            kept = Drawn(at, markup, self._course(known))
        self._kept[known.ref] = kept
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return kept

    async def decisions(self, request: web.Request) -> web.Response:
        """Answer with the recorded decisions of a gate, newest first, some at a time."""
        known, before = self._known(request), _before(request)
        try:
            found = await self._sources.trail.decisions(known)
        except ClusterError as error:
            raise web.HTTPBadGateway(reason="the API server does not tell the decisions, try again later") from error
        records = [each for each in found.records if each.sequence < before]
        return self._frame.page(
            request,
            "decisions.html",
            ref=known.ref,
            records=records[:_DECISIONS_AT_ONCE],
            older=records[_DECISIONS_AT_ONCE - 1].sequence if len(records) > _DECISIONS_AT_ONCE else None,
            unreadable=found.unreadable,
        )

    def _told(self, known: Known) -> dict[str, Any]:
        status, snapshot = known.status, known.snapshot
        course = self._sources.board.course(known.ref, status)
        return {
            "ref": known.ref,
            "gate": summary(known),
            "status": status,
            "waits": waits(known, self._sources.clock()),
            "stations": () if snapshot is None else timeline(snapshot.rollout, status),
            "evidence": [(each, evidence_key(each), _latest(course, evidence_key(each))) for each in status.evidence],
        }

    async def _seed(self, known: Known) -> None:
        """Begin the course of a release with what was recorded before this process heard of it."""
        judged, board = known.status.rollout, self._sources.board
        if judged is None or board.is_seeded(known.ref, release_of(judged)):
            return
        try:
            async with asyncio.timeout(_SEED_SECONDS):
                found = await self._sources.trail.decisions(known)
        except (ClusterError, TimeoutError):
            # The next news of the gate is another attempt.
            return
        board.seed(known.ref, release_of(judged), found.records)

    def _course(self, known: Known) -> str:
        course = self._sources.board.course(known.ref, known.status)
        return json.dumps({key: _columns(series) for key, series in course.items()})

    def _known(self, request: web.Request) -> Known:
        ref = RolloutRef(request.match_info["namespace"], request.match_info["name"])
        valid = all(_NAME.fullmatch(part) for part in (ref.namespace, ref.name))
        known = self._sources.sight.known(ref) if valid else None
        if known is None:
            raise web.HTTPNotFound(reason="there is no such gate: the Rollout never opted in, or it was deleted")
        return known


def _before(request: web.Request) -> float:
    given = request.query.get("before")
    if given is None:
        return float("inf")
    if not (given.isascii() and given.isdecimal() and len(given) < 10):
        raise web.HTTPBadRequest(reason="before should be the number of a decision")
    return int(given)


def _columns(series: Series) -> dict[str, list[float]]:
    points = list(series)
    return {
        "at": [round(point.at, 1) for point in points],
        "abort": [round(point.towards_abort, 4) for point in points],
        "promote": [round(point.towards_promote, 4) for point in points],
    }


def _latest(course: Mapping[str, Series], key: str) -> list[Point]:
    """The last points of an evidence, newest first, for whoever reads a table and no picture."""
    return list(course.get(key, ()))[: -_POINTS_IN_TABLE - 1 : -1]
