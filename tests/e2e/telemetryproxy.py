"""A proxy in front of the lab's Prometheus that answers as badly as a test asks it to.

Law: passes on unless told otherwise; every question is counted.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3


class TelemetryProxy:
    """`url` is what the operator gets; `answers(...)` changes what it hears; `asked` counts its questions."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.pool = urllib3.PoolManager(retries=False, maxsize=16, timeout=30.0)
        self.asked = 0
        self.closing = threading.Event()
        self.turned = threading.Event()
        self.behaviour: Behaviour = passing
        self._connections: set[socket.socket] = set()
        self._server: _Server | None = _Server(self, 0)
        self.port = int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """What the operator takes for Prometheus."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self, behaviour: Behaviour) -> None:
        """Answer like this from now on; what hangs is let go."""
        self.listen()
        self.behaviour = behaviour
        self.turned.set()
        self.turned = threading.Event()

    def refuse(self) -> None:
        """Close the port: connections are refused, open ones break."""
        if self._server is not None:
            server, self._server = self._server, None
            server.shutdown()
            server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def listen(self) -> None:
        """Open the port again."""
        if self._server is None:
            self._server = _Server(self, self.port)

    def close(self) -> None:
        """End everything."""
        self.closing.set()
        self.turned.set()
        self.refuse()
        self.pool.clear()

    @contextlib.contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        """Know a connection while it lasts."""
        self._connections.add(connection)
        try:
            yield
        finally:
            self._connections.discard(connection)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        with self.server.proxy.connected(self.connection), contextlib.suppress(OSError):
            super().handle()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.proxy.asked += 1
        self.server.proxy.behaviour(self, body)

    do_GET = do_POST = _serve  # noqa: N815 - http.server looks for these names

    def reply(self, status: int, body: bytes, content_type: str = "application/json") -> None:
        """Answer once."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: TelemetryProxy, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.proxy = proxy
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="telemetry-proxy", daemon=True
        ).start()

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what this is for."""


Behaviour = Callable[[_Handler, bytes], None]


@contextlib.contextmanager
def telemetry_proxy(upstream: str) -> Iterator[TelemetryProxy]:
    """A proxy that ends with the block."""
    proxy = TelemetryProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()


# How Prometheus, or what stands before it, may answer


def passing(handler: _Handler, body: bytes) -> None:
    """As the real one does."""
    status, content_type, answer = _real(handler, body)
    handler.reply(status, answer, content_type)


def hanging(handler: _Handler, _: bytes) -> None:
    """Not at all."""
    proxy = handler.server.proxy
    turned = proxy.turned
    while not turned.wait(0.1) and not proxy.closing.is_set():
        pass
    handler.close_connection = True


def dripping(handler: _Handler, body: bytes) -> None:
    """One byte every now and then, so that no single read takes long."""
    _, _, answer = _real(handler, body)
    proxy = handler.server.proxy
    turned = proxy.turned
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n\r\n".encode()
    for byte in head + answer:
        if turned.wait(0.2) or proxy.closing.is_set():
            break
        handler.wfile.write(bytes([byte]))
    handler.close_connection = True


def saying(status: int, error_type: str | None = None) -> Behaviour:
    """With an error of the API."""
    document = {"status": "error", "errorType": error_type or "unavailable", "error": "by the proxy"}
    return lambda handler, _: handler.reply(status, json.dumps(document).encode())


def html(handler: _Handler, _: bytes) -> None:
    """With a login page."""
    handler.reply(200, b"<html><body>Please log in</body></html>", "text/html")


def warning(handler: _Handler, body: bytes) -> None:
    """With a good value that is a part of the truth."""
    status, content_type, answer = _real(handler, body)
    document = {**json.loads(answer), "warnings": ["PromQL warning: partial response"]}
    handler.reply(status, json.dumps(document).encode(), content_type)


def vector(*values: str) -> Behaviour:
    """With one series for each value, whatever was asked."""

    def answer(handler: _Handler, _: bytes) -> None:
        result = [
            {"metric": {"series": str(number)}, "value": [time.time(), value]} for number, value in enumerate(values)
        ]
        document = {"status": "success", "data": {"resultType": "vector", "result": result}}
        handler.reply(200, json.dumps(document).encode())

    return answer


empty = vector()


def every_third(behaviour: Behaviour) -> Behaviour:
    """Each third question otherwise, the others as ever."""
    turns = itertools.cycle((passing, passing, behaviour))

    def answer(handler: _Handler, body: bytes) -> None:
        next(turns)(handler, body)

    return answer


def in_turn(*upstreams: str) -> Behaviour:
    """One of several in turn, as a load balancer before replicas does."""
    turns = itertools.cycle(upstreams)

    def answer(handler: _Handler, body: bytes) -> None:
        status, content_type, said = _real(handler, body, next(turns))
        handler.reply(status, said, content_type)

    return answer


def _real(handler: _Handler, body: bytes, upstream: str | None = None) -> tuple[int, str, bytes]:
    headers: dict[str, Any] = {
        name: value for name, value in handler.headers.items() if name in {"Content-Type", "Accept"}
    }
    proxy = handler.server.proxy
    url = (upstream or proxy.upstream) + handler.path
    answer = proxy.pool.request(handler.command, url, body=body, headers=headers)
    return answer.status, answer.headers.get("Content-Type", ""), answer.data
