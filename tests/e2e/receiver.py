"""Somebody who is told: an HTTP server that keeps what it was sent, and can hang."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came by path, oldest first. Whoever posts to ``/hangs`` waits until the test is over."""

    url: str = ""
    received: dict[str, list[tuple[dict[str, str], bytes]]] = field(default_factory=dict)
    hanging: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def at(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        """Return headers (names in lower case) and bodies of what was posted to a path."""
        return list(self.received.get(path, ()))

    def texts(self, path: str) -> list[str]:
        """Return the texts of the messages that were posted to a path."""
        return [str(json.loads(body)["text"]) for _, body in self.at(path)]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Receive until the block is left."""
    opened = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            opened.received.setdefault(self.path, []).append((headers, body))
            if self.path == "/hangs":
                opened.hanging += 1
                opened.over.wait()
                opened.hanging -= 1
            with contextlib.suppress(OSError):
                self.send_response(200)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    opened.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield opened
    finally:
        opened.over.set()
        server.shutdown()
        server.server_close()
