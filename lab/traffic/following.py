"""Following objects of the cluster: one mirror per kind, kept up to date by a watch.

Law: reads only. A broken connection is repaired for ever; an old mirror is better than none.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes.config
import urllib3
from kubernetes import client

# Short, so that a mirror whose connection died unnoticed comes back to life.
_WATCH_SECONDS = 60
_RETRY_SECONDS = 0.5


class Connection:
    """Raw JSON from an API server, with whatever credentials a kubeconfig can hold."""

    def __init__(self, kubeconfig: Path) -> None:
        configuration = client.Configuration()
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=str(kubeconfig), client_configuration=configuration
        )
        self._configuration = configuration
        self._pool: urllib3.PoolManager = client.ApiClient(configuration).rest_client.pool_manager

    def list(self, path: str) -> dict[str, Any]:
        """Return a whole list."""
        with self._open(path) as response:
            body: dict[str, Any] = json.loads(response.data)
        return body

    def watch(self, path: str, version: str) -> Iterator[dict[str, Any]]:
        """Yield the events after `version` until the server ends the watch."""
        query = f"watch=1&resourceVersion={version}&timeoutSeconds={_WATCH_SECONDS}"
        address = f"{path}{'&' if '?' in path else '?'}{query}"
        with self._open(address) as response:
            pending = b""
            for chunk in response.stream(amt=None):
                *lines, pending = (pending + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line)

    def _open(self, path: str) -> urllib3.BaseHTTPResponse:
        # Asked anew each time: the credentials of a cloud's plugin expire.
        token = self._configuration.get_api_key_with_prefix("BearerToken", "authorization")
        headers = {"Accept": "application/json"} | ({"Authorization": token} if token else {})
        response = self._pool.request(
            "GET",
            f"{self._configuration.host}{path}",
            headers=headers,
            preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=_WATCH_SECONDS + 15),
        )
        if response.status >= 400:
            raise OSError(f"{path}: HTTP {response.status}")
        return response


class Mirror:
    """All objects of one kind, followed by a thread of its own."""

    def __init__(self, connection: Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._objects: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()
        self.complete = threading.Event()
        threading.Thread(target=self._follow, name=f"mirror {path}", daemon=True).start()

    def objects(self) -> list[dict[str, Any]]:
        """Return the objects as last heard of."""
        with self._lock:
            return list(self._objects.values())

    def _follow(self) -> None:
        while True:
            try:
                version = self._relist()
                while version:
                    version = self._watch(version)
            except (OSError, ValueError, KeyError, urllib3.exceptions.HTTPError) as error:
                print(f"{self._path}: {error}", flush=True)
            time.sleep(_RETRY_SECONDS)

    def _relist(self) -> str:
        body = self._connection.list(self._path)
        with self._lock:
            self._objects = {one["metadata"]["uid"]: one for one in body["items"]}
        self.complete.set()
        return str(body["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> str:
        """Return the version to watch on from; empty when the list must be read again."""
        for event in self._connection.watch(self._path, version):
            if event["type"] == "ERROR":
                return ""
            body = event["object"]
            version = body["metadata"]["resourceVersion"]
            with self._lock:
                if event["type"] == "DELETED":
                    self._objects.pop(body["metadata"]["uid"], None)
                else:
                    self._objects[body["metadata"]["uid"]] = body
        return version
