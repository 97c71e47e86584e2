"""Server-sent events: whoever looks at a page is told what changes on it.

A listener is told what is, not what happened: one who is slow is told less often, one who is too slow is let go, and
nothing is kept for anybody.

Law: no judgement and no words; what is sent is drawn elsewhere.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from aiohttp_sse import EventSourceResponse, sse_response

from canary_operator.web.board import Board
from canary_operator.web.guarding import HEADERS

# The page takes longer silence for a lost connection, since a proxy may keep one open that leads nowhere.
TICK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of what listeners cost; times in seconds.

    A change of a release is seen within ``pace``, and a thousand looks a minute are still one message a second. Who
    reads nothing for ``send`` is let go.
    """

    listeners: int = 256
    pace: float = 1.0
    send: float = 10.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Message:
    """One event: its name, and its data."""

    event: str
    data: str


News = Callable[[int], Awaitable[list[Message]]]
"""What has changed on a page after a revision; asked again and again for one listener."""


class Streams:
    """Tells listeners the news, a bounded number of them.

    Args:

        board: says when there is news.

        origin: tells this process from the one before it, whose revisions mean nothing here.

        limits: how often and for how long one is told, and how many are.
    """

    def __init__(self, board: Board, origin: str, limits: Limits = DEFAULT_LIMITS) -> None:
        self._board = board
        self._origin = origin
        self._limits = limits
        self.listeners = 0
        self._closing = asyncio.Event()

    @property
    def position(self) -> str:
        """Where a page that is drawn now begins to listen."""
        return f"{self._origin}-{self._board.revision}"

    def close(self) -> None:
        """End all streams."""
        self._closing.set()

    async def follow(self, request: web.Request, news: News) -> web.StreamResponse:
        """Tell one listener the news from ``since`` on, until it or the operator goes.

        Raises:

            HTTPServiceUnavailable: if there are too many listeners.
        """
        if self.listeners >= self._limits.listeners:
            raise web.HTTPServiceUnavailable(reason="too many people look at this page; it is shown, but not live")
        self.listeners += 1
        try:
            return await self._tell(request, news)
        finally:
            self.listeners -= 1

    async def _tell(self, request: web.Request, news: News) -> web.StreamResponse:
        async with sse_response(request, headers=HEADERS, send_timeout=self._limits.send) as response:
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                seen = await self._begin(response, request.query.get("since", ""))
                async for revision in self._revisions():
                    await self._send(response, await news(seen), revision)
                    seen = revision
        return response

    async def _begin(self, response: EventSourceResponse, since: str) -> int:
        """From which revision on to tell. Who comes from another process, or was away too long, must read anew."""
        origin, _, revision = since.rpartition("-")
        if origin == self._origin and revision.isdecimal() and self._board.knows(int(revision)):
            return int(revision)
        now = self._board.revision
        await response.send("", event="reset", id=f"{self._origin}-{now}")
        return now

    async def _revisions(self) -> AsyncIterator[int]:
        """The revision of this moment, then each at which there is news; the same one again after a long silence."""
        while not self._closing.is_set():
            seen = self._board.revision
            yield seen
            await self._wait(asyncio.Event().wait(), self._limits.pace)
            await self._wait(self._board.news(seen), TICK_SECONDS)

    async def _wait(self, what: Awaitable[object], seconds: float) -> None:
        """Wait for something, for the end, or for some seconds."""
        tasks = [asyncio.ensure_future(what), asyncio.ensure_future(self._closing.wait())]
        try:
            await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _send(self, response: EventSourceResponse, messages: list[Message], revision: int) -> None:
        for message in messages or [Message("tick", "")]:
            await response.send(message.data, event=message.event, id=f"{self._origin}-{revision}")
