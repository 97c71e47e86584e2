"""The world's HTTP door: what Prometheus scrapes, and what scripts turn.

    GET  /metrics                         the fleet's metrics
    GET  /healthz                         200 once the cluster was seen
    GET  /v1/totals?namespace=&rollout=   {hash: [bad, total]}
    POST /v1/behaviour                    namespace, rollout, version, error_ratio, ...
    POST /v1/demand                       namespace, rollout, requests_per_second, ...
    POST /v1/shares                       namespace, rollout, shares
    POST /v1/age                          namespace, rollout, seconds, requests_per_second

Law: translates and calls; it decides nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from lab.traffic.fleet import Key
from lab.traffic.world import World

_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_JSON = "application/json"


class Door(ThreadingHTTPServer):
    """A server that knows its world."""

    daemon_threads = True

    def __init__(self, port: int, world: World, is_ready: Callable[[], bool]) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.world = world
        self.is_ready = is_ready


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body are two writes; without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True
    server: Door

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/metrics":
            self._say(200, self.server.world.exposition(), _TEXT)
        elif address.path == "/healthz":
            self._say(200 if self.server.is_ready() else 503, "", _TEXT)
        elif address.path == "/v1/totals":
            totals = self.server.world.totals(Key(query["namespace"], query["rollout"]))
            self._say(200, json.dumps(totals), _JSON)
        else:
            self._say(404, "no such page", _TEXT)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        turns: dict[str, Callable[..., None]] = {
            "/v1/behaviour": self.server.world.set_behaviour,
            "/v1/demand": self.server.world.set_demand,
            "/v1/shares": self.server.world.set_shares,
            "/v1/age": partial(self.server.world.age, now=time.time()),
        }
        try:
            wish: dict[str, Any] = json.loads(body)
            rollout = Key(wish.pop("namespace"), wish.pop("rollout"))
            turns[self.path](rollout, **wish)
        except (KeyError, TypeError, ValueError) as error:
            self._say(400, f"{type(error).__name__}: {error}", _TEXT)
            return
        self._say(204, "", _TEXT)

    def log_message(self, *_: object) -> None:
        """Say nothing: one scrape a second would drown what matters."""

    def _say(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
