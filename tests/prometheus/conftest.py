"""A small HTTP server that behaves as badly as a test asks it to."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

VECTOR = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[10.5,"3"]}]}}'


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: str


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body go apart; the body would wait for the acknowledgement of the headers.
    disable_nagle_algorithm = True
    server: "HostileServer"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append(Received(self.command, self.path, headers, body))
        self.server.reply(self)

    do_POST = do_GET  # noqa: N815 - http.server looks for this name

    def log_message(self, *_: object) -> None:
        pass

    def say(self, status: int, body: bytes, content_type: str = "application/json", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"content_type": content_type, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang(self) -> None:
        self.server.ended.wait()
        self.close_connection = True

    def drip(self, data: bytes) -> None:
        for byte in data:
            if self.server.ended.wait(0.02):
                break
            self.wfile.write(bytes([byte]))
        self.close_connection = True

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.close_connection = True


Reply = Callable[[Handler], None]


class HostileServer(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.received: list[Received] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are what these tests are about."""


@contextmanager
def serving(reply: Reply) -> Iterator[HostileServer]:
    server = HostileServer(reply)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def serve() -> Iterator[Callable[[Reply], HostileServer]]:
    """Start servers that reply as told; without a reply, with one good vector."""
    with ExitStack() as servers:
        yield lambda reply=lambda handler: handler.say(200, VECTOR): servers.enter_context(serving(reply))
