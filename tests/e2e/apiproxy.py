"""A proxy between one operator and the API server, in which a test decides what happens to a request.

Plain HTTP towards the operator, TLS to the API server, the operator's own token in between. Watches are passed on
line by line and can be cut or told something.

Law: whatever no rule is about passes unchanged.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import urllib3
import yaml

PATCH_STATUS = r"/rollouts/[^/]+/status"
GATE_STATUS = r"/canarygates/[^/]+/status"
DECISIONS = r"/gatedecisions"
WATCH = r"[?&]watch=true"
# What the API server says in a watch that cannot go on: kopf begins anew after the first, and ends at the second.
TOO_OLD = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": "Expired",
        "message": "too old resource version",
        "code": 410,
    },
}
LEADER_CHANGED = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": "etcdserver: leader changed",
        "code": 500,
    },
}
# Nothing of the proxy waits longer than a test does.
_HANG_SECONDS = 120.0


@dataclass
class Exchange:
    """One request and what becomes of it. What a rule leaves undone is done: forwarded, then replied."""

    proxy: ApiProxy
    method: str
    path: str
    body: bytes
    headers: dict[str, str]
    at: float = field(default_factory=time.time)
    status: int | None = None
    reply: tuple[int, dict[str, str], bytes] | None = None
    is_forwarded: bool = False
    is_dropped: bool = False

    def document(self) -> Any:
        """The body as JSON, None without one."""
        return json.loads(self.body) if self.body else None

    def action(self) -> str:
        """Which action a patch on a Rollout's status is: Hold, Release, Promote, Abort or Nudge."""
        for operation in self.document() or ():
            match operation["op"], operation["path"].rpartition("/")[2]:
                case "remove", "pauseConditions":
                    return "Promote"
                case "replace", "startTime":
                    return "Hold" if operation["value"] > "2100" else "Release"
                case "add", "abort":
                    return "Abort"
                case "add", "message":
                    return "Nudge"
        return ""

    def forward(self) -> int:
        """Send it to the API server now, and keep the reply. Returns its status."""
        answer = self.proxy.upstream.request(
            self.method,
            self.proxy.server + self.path,
            body=self.body or None,
            headers=self.headers,
            decode_content=False,
            redirect=False,
        )
        self.is_forwarded = True
        self.reply = (answer.status, _end_to_end(answer.headers), answer.data)
        return answer.status

    def answer(self, status: int, message: str = "by the proxy", **headers: str) -> None:
        """Answer instead of the API server (or instead of what it has answered)."""
        document = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "message": message,
            "reason": "Proxy",
            "code": status,
        }
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = (status, {"Content-Type": "application/json", **named}, json.dumps(document).encode())

    def drop(self) -> None:
        """Cut the connection: the operator gets no reply."""
        self.is_dropped = True

    def hang(self, seconds: float = _HANG_SECONDS) -> None:
        """Wait, at most until the proxy closes; then the connection is cut."""
        self.proxy.closing.wait(seconds)
        self.is_dropped = True


Act = Callable[[Exchange], None]


@dataclass
class Rule:
    """What happens to requests that match; `left` is how many more of them, None for all."""

    method: str
    path: re.Pattern[str]
    act: Act
    where: Callable[[Exchange], bool]
    left: int | None
    seen: list[Exchange] = field(default_factory=list)

    def end(self) -> None:
        """Let everything pass from now on."""
        self.left = 0


@dataclass
class Withheld:
    """One event that no watch is told of: `events` has it once it came."""

    plural: str
    where: Callable[[dict[str, Any]], bool]
    events: list[dict[str, Any]] = field(default_factory=list)


class ApiProxy:
    """The proxy: `kubeconfig` is what the operator gets, `on` is what happens, `exchanges` is what was asked.

    Args:

        identity: the kubeconfig whose API server and token are behind the proxy.

        folder: where files of the proxy may be written.
    """

    def __init__(self, identity: Path, folder: Path, ca: Path) -> None:
        config = yaml.safe_load(identity.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self.token: str = config["users"][0]["user"]["token"]
        self.upstream = urllib3.PoolManager(
            ca_certs=str(ca), retries=False, maxsize=32, timeout=urllib3.Timeout(connect=5, read=None)
        )
        self.exchanges: list[Exchange] = []
        self.closing = threading.Event()
        self._rules: list[Rule] = []
        self._withheld: list[Withheld] = []
        self._streams: set[_Stream] = set()
        self._lock = threading.Lock()
        self._server = _Server(self)
        config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._server.server_address[1]}"}
        self.kubeconfig = folder / "through-proxy"
        self.kubeconfig.write_text(yaml.safe_dump(config))

    # What happens

    def on(
        self,
        method: str,
        path: str,
        act: Act,
        *,
        where: Callable[[Exchange], bool] = lambda _: True,
        times: int | None = 1,
    ) -> Rule:
        """Do something with the next request (`times` None: every one) that matches; later rules go first."""
        rule = Rule(method, re.compile(path), act, where, times)
        with self._lock:
            self._rules.insert(0, rule)
        return rule

    def on_action(self, action: str, act: Act, *, times: int | None = 1) -> Rule:
        """Do something with the next patch on a Rollout's status that is this action."""
        return self.on("PATCH", PATCH_STATUS, act, where=lambda exchange: exchange.action() == action, times=times)

    def cut_watches(self, plural: str = "") -> int:
        """Cut the connections of all watches, or of one kind. Returns how many."""
        streams = [stream for stream in self._open_streams() if f"/{plural}" in stream.path]
        for stream in streams:
            stream.cut()
        return len(streams)

    def withhold(self, where: Callable[[dict[str, Any]], bool], plural: str = "") -> Withheld:
        """Keep the next event of a kind for which this is true from all watches: whoever watches misses it."""
        withheld = Withheld(plural, where)
        self._withheld.append(withheld)
        return withheld

    def passes(self, path: str, line: bytes) -> bool:
        """Whether a watch is told of an event."""
        waiting = [each for each in self._withheld if not each.events and f"/{each.plural}" in path]
        if not waiting:
            return True
        event = json.loads(line)
        missed = [each for each in waiting if each.where(event)]
        for each in missed:
            each.events.append(event)
        return not missed

    def say_to_watches(self, *events: dict[str, Any], plural: str = "") -> int:
        """Put events into all open watches, or those of one kind, at once. Returns into how many."""
        streams = [stream for stream in self._open_streams() if f"/{plural}" in stream.path]
        for stream in streams:
            stream.say(b"".join(json.dumps(event).encode() + b"\n" for event in events))
        return len(streams)

    def break_watches(self, plural: str = "") -> int:
        """Cut all watches, or those of one kind, in the middle of a line. Returns how many."""
        streams = [stream for stream in self._open_streams() if f"/{plural}" in stream.path]
        for stream in streams:
            stream.say(b'{"type": "MODIFIED", "object": {"metadata": {"na')
            stream.cut()
        return len(streams)

    def silence_watches(self, plural: str = "") -> int:
        """Let all open watches, or those of one kind, say nothing more, and stay open. Returns how many."""
        streams = [stream for stream in self._open_streams() if f"/{plural}" in stream.path]
        for stream in streams:
            stream.is_silent = True
        return len(streams)

    # What was asked

    def actions(self) -> list[str]:
        """The patches on Rollouts' status that the API server accepted, in order, whoever got a reply."""
        return [exchange.action() for exchange in self.accepted("PATCH", PATCH_STATUS)]

    def accepted(self, method: str, path: str) -> list[Exchange]:
        """The requests of this kind that the API server has carried out."""
        return [
            exchange
            for exchange in list(self.exchanges)
            if exchange.method == method
            and re.search(path, exchange.path)
            and exchange.is_forwarded
            and exchange.status is not None
            and exchange.status < 300
        ]

    def close(self) -> None:
        """End everything that still waits."""
        self.closing.set()
        for stream in self._open_streams():
            stream.cut()
        self._server.shutdown()
        self._server.server_close()
        self.upstream.clear()

    # For the threads of the server

    def serve(self, exchange: Exchange) -> None:
        """Run the rule that matches, then what it has left undone."""
        self.exchanges.append(exchange)
        rule = self._matching(exchange)
        if rule is not None:
            rule.seen.append(exchange)
            rule.act(exchange)
        if exchange.reply is None and not exchange.is_dropped:
            exchange.forward()

    @contextlib.contextmanager
    def streaming(self, stream: _Stream) -> Iterator[None]:
        """Know a watch while it lasts."""
        with self._lock:
            self._streams.add(stream)
        try:
            yield
        finally:
            with self._lock:
                self._streams.discard(stream)

    def watch_rule(self, exchange: Exchange) -> None:
        """Run the rule that matches a watch; nothing is forwarded here."""
        self.exchanges.append(exchange)
        rule = self._matching(exchange)
        if rule is not None:
            rule.seen.append(exchange)
            rule.act(exchange)

    def _matching(self, exchange: Exchange) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                asked = rule.method == exchange.method and rule.path.search(exchange.path)
                if rule.left == 0 or not asked or not rule.where(exchange):
                    continue
                if rule.left is not None:
                    rule.left -= 1
                return rule
        return None

    def _open_streams(self) -> list[_Stream]:
        with self._lock:
            return list(self._streams)


class _Stream:
    """One watch on its way to the operator."""

    def __init__(self, path: str, handler: _Handler) -> None:
        self.path = path
        self.is_silent = False
        self._handler = handler
        self._lock = threading.Lock()

    def say(self, line: bytes) -> None:
        if self.is_silent:
            return
        with self._lock, contextlib.suppress(OSError):
            self._handler.chunk(line)

    def cut(self) -> None:
        for connection in (self._handler.connection, self._handler.upstream_socket):
            if connection is not None:
                # The plain socket below the TLS one: it belongs to another thread.
                with contextlib.suppress(OSError), socket.socket(fileno=socket.dup(connection.fileno())) as same:
                    same.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    upstream_socket: Any = None

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        proxy = self.server.proxy
        # Go's client shows its token to nobody without TLS.
        shown = {} if "Authorization" in self.headers else {"Authorization": f"Bearer {proxy.token}"}
        headers = {**shown, **_end_to_end(self.headers)}
        exchange = Exchange(proxy, self.command, self.path, body, headers)
        try:
            if self.command == "GET" and re.search(WATCH, self.path):
                self._watch(proxy, exchange)
            else:
                proxy.serve(exchange)
                self._reply(exchange)
        except (OSError, urllib3.exceptions.HTTPError):
            # The operator was killed, or the API server is away: the other side learns it in the same way.
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server looks for these names

    def _reply(self, exchange: Exchange) -> None:
        if exchange.reply is not None and exchange.is_forwarded:
            exchange.status = exchange.reply[0]
        if exchange.is_dropped or exchange.reply is None:
            self.close_connection = True
            return
        status, headers, content = exchange.reply
        exchange.status = status
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _watch(self, proxy: ApiProxy, exchange: Exchange) -> None:
        proxy.watch_rule(exchange)
        if exchange.is_dropped or exchange.reply is not None:
            self._reply(exchange)
            return
        self.close_connection = True
        answer = proxy.upstream.request(
            "GET",
            proxy.server + exchange.path,
            headers={**exchange.headers, "Accept-Encoding": "identity"},
            preload_content=False,
            decode_content=False,
            redirect=False,
        )
        exchange.is_forwarded, exchange.status = True, answer.status
        self.upstream_socket = getattr(answer.connection, "sock", None)
        self.send_response(answer.status)
        for name, value in _end_to_end(answer.headers).items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        stream = _Stream(exchange.path, self)
        with proxy.streaming(stream), contextlib.closing(answer):
            if "json" in answer.headers.get("Content-Type", ""):
                self._pass_lines(answer, stream)
            else:
                # Protobuf, as Go's clients ask for: its events do not end with their lines.
                self._pass_all(answer, stream)
            self.wfile.write(b"0\r\n\r\n")

    def _pass_lines(self, answer: Any, stream: _Stream) -> None:
        rest = b""
        while piece := answer.read1():
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if self.server.proxy.passes(stream.path, line):
                    stream.say(line + b"\n")
        self.chunk(rest)

    def _pass_all(self, answer: Any, stream: _Stream) -> None:
        while piece := answer.read1():
            stream.say(piece)

    def chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: ApiProxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="api-proxy", daemon=True
        ).start()

    def handle_error(self, *_: object) -> None:
        """Connections that are cut are what this is for."""


def _end_to_end(headers: Any) -> dict[str, str]:
    hop = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}
    return {name: value for name, value in headers.items() if name.lower() not in hop}


@contextlib.contextmanager
def api_proxy(identity: Path, folder: Path, ca: Path) -> Iterator[ApiProxy]:
    """A proxy that ends with the block."""
    proxy = ApiProxy(identity, folder, ca)
    try:
        yield proxy
    finally:
        proxy.close()


# What can happen to a request


def lose_the_reply(exchange: Exchange) -> None:
    """The API server does it and the operator never hears of it."""
    exchange.forward()
    _note(exchange)
    exchange.drop()


def refuse(status: int, **headers: str) -> Act:
    """The API server says no, and nothing is done."""
    return lambda exchange: exchange.answer(status, **headers)


def drop(exchange: Exchange) -> None:
    """The connection breaks before the API server hears of it."""
    exchange.drop()


def hang(exchange: Exchange) -> None:
    """Nothing comes back, and nothing is done."""
    exchange.hang()


def watch_that_says(event: dict[str, Any]) -> Act:
    """A watch tells one thing and ends."""

    def act(exchange: Exchange) -> None:
        exchange.reply = (200, {"Content-Type": "application/json"}, json.dumps(event).encode() + b"\n")

    return act


def delay(seconds: float) -> Act:
    """It takes a while."""

    def wait(exchange: Exchange) -> None:
        exchange.proxy.closing.wait(seconds)

    return wait


def before(what: Callable[[], Any]) -> Act:
    """Something happens before the API server hears of it; then it passes."""

    def act(_: Exchange) -> None:
        what()

    return act


def instead(what: Callable[[], Any]) -> Act:
    """Something happens and the API server never hears of it: the operator was killed, say."""

    def act(exchange: Exchange) -> None:
        what()
        exchange.drop()

    return act


def after(what: Callable[[], Any]) -> Act:
    """The API server does it, then something happens, and the reply is lost."""

    def act(exchange: Exchange) -> None:
        exchange.forward()
        _note(exchange)
        what()
        exchange.drop()

    return act


def _note(exchange: Exchange) -> None:
    assert exchange.reply is not None
    exchange.status = exchange.reply[0]
