"""The page of a made-up town, served by a thread of its own that a test can stop and start again."""

import asyncio
import dataclasses
import threading
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry

from canary_operator.engine.answering import Answer, Query
from canary_operator.settings import Web
from canary_operator.web import Board, Health, Page, serve
from canary_operator.web.streams import Limits, Streams
from tests.e2e.stage import free_port
from tests.web.town import Town

# A person's eye would not notice; a test waits less.
PACE_SECONDS = 0.05


class Stand:
    """Serves a town on a port that stays. ``do`` changes the town in the thread that serves it."""

    def __init__(self) -> None:
        self.town = Town(time.time())
        self.port = free_port()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to serve, as a new process would: nothing is known of what was told before."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="page")
        self._thread.start()
        assert ready.wait(30)

    def stop(self) -> None:
        """Stop serving."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._thread = None

    def restart(self) -> None:
        """Stop and start: a new process knows the gates and has heard of nothing."""
        self.stop()
        self.town.board = Board()
        self.start()

    def do(self, change: Callable[[Town], object]) -> None:
        """Change the town."""
        assert self._loop is not None
        done = threading.Event()

        def work() -> None:
            change(self.town)
            done.set()

        self._loop.call_soon_threadsafe(work)
        assert done.wait(30)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        sources = dataclasses.replace(self.town.sources, clock=time.time)
        streams = Streams(self.town.board, f"run-{time.monotonic_ns()}", Limits(pace=PACE_SECONDS))
        page = Page(sources, None, streams)
        settings = Web(host="127.0.0.1", port=self.port, page=True)
        async with serve(settings, Health(list, lambda: True), CollectorRegistry(), _nobody_asks, page):
            ready.set()
            await self._stop.wait()


def _nobody_asks(query: Query) -> Answer:
    raise AssertionError(query)
