"""A Prometheus of a test's own, and a relay before the traffic world that tells of the past: late, or at wrong times.

Law: the Prometheus is the real program over real scrapes; what is wrong is wrong in what it could scrape, or in itself.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests
import yaml

from lab import until
from lab.prometheus import job
from tests.e2e.stage import free_port

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
# How often the relay looks at the world; Prometheus scrapes once a second.
_EVERY_SECONDS = 0.5

Page = tuple[float, str]
"""What the world told, and the time (Unix seconds) that its samples are told with."""
Telling = Callable[[Sequence[Page]], Sequence[Page]]


class Monitor:
    """A Prometheus that may be killed, and may lose its data. Port and configuration stay.

    Args:

        program: the program of the lab.

        folder: where its data are.

        target: host:port of what it scrapes.
    """

    def __init__(self, program: Path, folder: Path, target: str) -> None:
        self._data = folder / "data"
        self._port = free_port()
        config = folder / "prometheus.yaml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(yaml.safe_dump(_configuration(target)))
        self._log = folder / "prometheus.log"
        self._command = [
            str(program),
            f"--config.file={config}",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The base URL of its API."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it; returns when it answers."""
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(self._command, stdout=sink, stderr=subprocess.STDOUT)
        until(self._is_ready, "the Prometheus of the test", timeout=60)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """Lose all data; it must not run."""
        shutil.rmtree(self._data)

    def _is_ready(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.url}/-/ready", timeout=1).ok
        return False


def _configuration(target: str) -> dict[str, object]:
    times = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    # What has a time of its own ends with its target as well.
    scraped = {**job("traffic", target), "track_timestamps_staleness": True}
    storage = {"tsdb": {"out_of_order_time_window": "2h"}}
    return {"global": times, "scrape_configs": [scraped], "storage": storage}


class Relay:
    """Stands between the traffic world and a Prometheus, and gives every sample its time.

    `tell` says which of the pages seen so far the next scrape gets, and with which times.
    """

    def __init__(self, world: str) -> None:
        self._world = world
        self._pages: list[Page] = []
        self._closing = threading.Event()
        self.tell: Telling = newest
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        for work in (self._look, self._server.serve_forever):
            threading.Thread(target=work, name="relay", daemon=True).start()

    @property
    def target(self) -> str:
        """What Prometheus scrapes: host:port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def answer(self) -> str:
        """What the next scrape gets."""
        return "".join(_stamped(page, at) for at, page in self.tell(tuple(self._pages)))

    def close(self) -> None:
        """End it."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _look(self) -> None:
        while not self._closing.wait(_EVERY_SECONDS):
            with contextlib.suppress(requests.RequestException):
                page = requests.get(self._world, timeout=5).text
                self._pages.append((time.time(), page))


def _handler(relay: Relay) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            # A Prometheus that is killed hangs up.
            with contextlib.suppress(OSError):
                super().handle()

        def do_GET(self) -> None:
            body = relay.answer().encode()
            self.send_response(200)
            self.send_header("Content-Type", _TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _stamped(page: str, at: float) -> str:
    lines = (line for line in page.splitlines() if not line.startswith("#"))
    return "".join(f"{line} {round(at * 1000)}\n" for line in lines)


# What a scrape may get


def newest(pages: Sequence[Page]) -> Sequence[Page]:
    """What is so now."""
    return pages[-1:]


def nothing(_: Sequence[Page]) -> Sequence[Page]:
    """Nothing: what is to be told waits somewhere."""
    return ()


def late(seconds: float) -> Telling:
    """What was so some time ago, with the times of then."""

    def tell(pages: Sequence[Page]) -> Sequence[Page]:
        return [page for page in pages if page[0] <= time.time() - seconds][-1:]

    return tell


def by_another_clock(seconds: float) -> Telling:
    """What is so now, with the times of a clock that is ahead; negative: behind."""
    return lambda pages: [(at + seconds, page) for at, page in pages[-1:]]


def caught_up_backwards(since: float) -> Telling:
    """What is so now, and with it one page after the other of what was missed since then, the last first.

    Args:

        since: Unix seconds.
    """
    missed: list[Page] = []

    def tell(pages: Sequence[Page]) -> Sequence[Page]:
        if not missed:
            missed.extend(page for page in pages[:-1] if page[0] >= since)
        return [*pages[-1:], *([missed.pop()] if len(missed) > 1 else [])]

    return tell


def with_gaps(chance: random.Random) -> Telling:
    """What is so now, and in two of five scrapes nothing."""
    return lambda pages: pages[-1:] if chance.random() > 0.4 else ()


# For tests


@contextlib.contextmanager
def relayed(world: str) -> Iterator[Relay]:
    """A relay that ends with the block."""
    relay = Relay(world)
    try:
        yield relay
    finally:
        relay.close()


@contextlib.contextmanager
def monitored(program: Path, folder: Path, target: str) -> Iterator[Monitor]:
    """A running Prometheus that ends with the block."""
    monitor = Monitor(program, folder, target)
    monitor.start()
    try:
        yield monitor
    finally:
        monitor.kill()
