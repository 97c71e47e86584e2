"""kopf, and nothing but its watching: an event says which object changed, nothing is judged here.

kopf runs in a thread with an event loop of its own. It cancels every task of its loop when it ends, and it ends on
some watch errors; so the thread is begun again, while deciding goes on undisturbed beside it.

Law: thin. Only on.event, which leaves no mark on any object; handlers return nothing.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import kopf
import structlog
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from canary_operator.cluster import kinds
from canary_operator.cluster.credentials import load_credentials
from canary_operator.cluster.kinds import Resource

log = structlog.get_logger()

OnEvent = Callable[[Resource, str | None, Mapping[str, Any]], None]
"""Told for each event: the kind, the event type (None for objects found by listing), the body. From kopf's thread."""

_RESTART_SECONDS = 1.0


class Watcher:
    """Watches kinds until it is stopped.

    Args:

        resources: what to watch.

        namespaces: where; empty for the whole cluster.

        on_event: told of every event, from the watcher's thread.
    """

    def __init__(self, resources: Sequence[Resource], namespaces: Collection[str], on_event: OnEvent) -> None:
        self._resources = resources
        self._namespaces = tuple(namespaces)
        self._on_event = on_event
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.restarts = 0

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Stop watching; waits at most ``timeout`` seconds."""
        self._stop.set()
        self._thread.join(timeout)

    def deaf(self) -> list[str]:
        """Kinds that nobody watches although the watcher runs: kopf's watcher tasks can die in silence."""
        return [resource.plural for resource in self._resources if not self.hears(resource)]

    def hears(self, resource: Resource) -> bool:
        """Whether somebody watches a kind; may be asked from any thread."""
        loop = self._loop
        if not self._thread.is_alive() or loop is None or loop.is_closed():
            return False
        return any(task.get_name().startswith(f"watcher for {resource.plural}.") for task in _tasks(loop))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except Exception as error:  # noqa: BLE001 - whatever ends kopf, watching goes on
                log.error("watch_ended", error=type(error).__name__, message=str(error)[:500])
            self.restarts += 1
            self._stop.wait(_RESTART_SECONDS)

    def _watch(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        try:
            loop.run_until_complete(
                kopf.operator(
                    registry=_registry(self._resources, self._on_event),
                    settings=_settings(),
                    memories=_NoMemories(),
                    standalone=True,
                    clusterwide=not self._namespaces,
                    namespaces=self._namespaces,
                    stop_flag=self._stop,
                )
            )
        finally:
            loop.close()


def _tasks(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    # The set of tasks changes in the other thread while it is copied; then it is simply copied again.
    for _ in range(10):
        with contextlib.suppress(RuntimeError):
            return list(asyncio.all_tasks(loop))
        time.sleep(0.001)
    return []


def _registry(resources: Sequence[Resource], on_event: OnEvent) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    # A token that is just being replaced is there again at once; kopf would try again after a minute.
    kopf.on.login(registry=registry, backoff=_RESTART_SECONDS)(_login)
    for resource in resources:
        handler = _handler(resource, on_event)
        kopf.on.event(resource.group, resource.version, resource.plural, registry=registry)(handler)
    return registry


def _login(**_kwargs: Any) -> kopf.ConnectionInfo:
    """Watch as whom we write: one identity, one cluster. kopf asks again when a token has expired."""
    configuration = load_credentials()
    scheme, _, token = (configuration.get_api_key_with_prefix("BearerToken") or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
        scheme=scheme or "Bearer",
        token=token or None,
    )


def _handler(resource: Resource, on_event: OnEvent) -> Callable[..., None]:
    # kopf patches whatever a handler returns into the object, so it returns nothing.
    def changed(event: kopf.RawEvent, **_: Any) -> None:
        on_event(resource, event["type"], event["object"])

    return changed


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    # Another kopf operator's default finalizer would be taken off its objects if ours had the same name.
    settings.persistence.finalizer = f"{kinds.OUR_GROUP}/unused"
    settings.persistence.diffbase_storage = _NoDiffBase()
    settings.persistence.progress_storage = _NoProgress()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    # kopf's inactivity timer can cancel the consumer of events and leave the watcher deaf for ever; aiohttp's own
    # timeout only ever interrupts the reading. A connection that has died in silence is told by nothing else, and a
    # pause that begins meanwhile is not held: every watch is short, and goes on where the last one was.
    settings.watching.inactivity_timeout = 1e9
    settings.watching.server_timeout = 50
    settings.watching.client_timeout = 60
    settings.watching.connect_timeout = 30
    settings.watching.reconnect_backoff = 1.0
    settings.watching.chunk_size = 500
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.networking.error_backoffs = _EndlessBackoffs()
    return settings


class _EndlessBackoffs:
    """Seconds between attempts: never gives up, since an operator that stopped holds nothing."""

    def __iter__(self) -> Iterator[float]:
        seconds = 1.0
        while True:
            yield seconds * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, no secret
            seconds = min(seconds * 2, 30.0)


class _NoMemories(ResourceMemories):
    """Remembers no object: what is deleted while a watch is interrupted would be remembered for ever."""

    async def recall(
        self, raw_body: Any, *, memobase: Any = None, noticed_by_listing: bool = False, ephemeral: bool = True
    ) -> ResourceMemory:
        return await super().recall(raw_body, memobase=memobase, noticed_by_listing=noticed_by_listing, ephemeral=True)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last seen state: it would be an annotation on users' objects."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: there is none to keep."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
