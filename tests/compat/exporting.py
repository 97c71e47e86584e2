"""The pods as servers see them: found by http_sd, each a target of its own.

Law: whatever is shown is a function of the clock and of the script.
"""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.compat.script import NAMESPACES, PODS, TICK, Pod, exposition

# So long before the release nothing has happened yet.
_BEFORE = -1.0


class Exporter(ThreadingHTTPServer):
    """All pods behind one address; each has its own path."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.began: float | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def now(self) -> float:
        """Seconds since the release began."""
        return _BEFORE if self.began is None else max(_BEFORE, time.time() - self.began)

    def begin(self) -> float:
        """Begin the release at the next moment of the grid, and return that."""
        # Somewhat later, because pods that were there before must have been seen at rest.
        self.began = float((int(time.time()) + 5) // TICK * TICK + TICK)
        return self.began


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Exporter

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/pods":
            self._say(200, json.dumps(self._found(parse_qs(address.query)["namespace"])), "application/json")
            return
        pod = next((pod for pod in PODS if _path(pod) == address.path), None)
        if pod is None or not pod.answers(self.server.now):
            self._say(503, "", "text/plain")
        else:
            self._say(200, exposition(pod, self.server.now), "text/plain; version=0.0.4; charset=utf-8")

    def _found(self, namespaces: list[str]) -> list[dict[str, object]]:
        pods = [pod for pod in PODS if pod.namespace in namespaces and pod.lives(self.server.now)]
        return [{"targets": [f"127.0.0.1:{self.server.server_port}"], "labels": _discovered(pod)} for pod in pods]

    def _say(self, status: int, text: str, kind: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _path(pod: Pod) -> str:
    return f"/{pod.namespace}/{pod.name}/metrics"


def _discovered(pod: Pod) -> dict[str, str]:
    """As Kubernetes' own discovery would tell it."""
    return {
        "__metrics_path__": _path(pod),
        "__meta_kubernetes_namespace": pod.namespace,
        "__meta_kubernetes_pod_name": pod.name,
        "__meta_kubernetes_pod_label_rollouts_pod_template_hash": pod.version,
    }


def discovery(url: str, *namespaces: str) -> str:
    """Where the pods of some namespaces are told."""
    return f"{url}/pods?" + "&".join(f"namespace={each}" for each in namespaces or NAMESPACES)


@contextlib.contextmanager
def exporting() -> Iterator[Exporter]:
    with Exporter() as exporter:
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        yield exporter
        exporter.shutdown()
