"""Everything that is watched, kept in the store: listed once, then followed, and listed again for what a watch misses.

Law: nothing is judged here. Whoever wants to know what has changed is told which Rollout it concerns.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import structlog

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.store import Store
from canary_operator.errors import ClusterError, ClusterRefused
from canary_operator.handlers import Watcher
from canary_operator.model.rollout import RolloutRef
from canary_operator.telemetry import Telemetry
from canary_operator.telemetry.vitals import Vitals

log = structlog.get_logger()

# The watch misses objects that were deleted while it was interrupted; a listing finds them.
RESYNC_SECONDS = 300.0
_RETRY_SECONDS = 5.0
# All kinds begin anew at about the same time: one listing for all of them.
_RELIST_SECONDS = 1.0


class Concerned(Protocol):
    """Who wants to know of changes; called in the loop, and returns at once."""

    def concerns(self, ref: RolloutRef) -> None:
        """Something that this Rollout depends on has changed."""

    def saw(self, resource: Resource, kind: str | None, body: Mapping[str, Any]) -> None:
        """An object was seen: its kind, the event's type (None where it was found by listing), and its body."""


class Following:
    """What the operator knows of the cluster.

    Args:

        namespaces: where to look; empty for the whole cluster.
    """

    def __init__(
        self, store: Store, api: Api, telemetry: Telemetry, namespaces: Collection[str], concerned: Concerned
    ) -> None:
        self._store = store
        self._api = api
        self._telemetry = telemetry
        self._namespaces = tuple(namespaces)
        self._concerned = concerned
        self._unreadable: set[Resource] = set()
        self._relisted = asyncio.Event()
        self._watcher: Watcher | None = None
        self.vitals = Vitals(time.monotonic())

    async def begin(self) -> None:
        """List everything, however long that takes, and begin to watch."""
        # Nothing is judged before everything is known: a template that is not listed yet is not missing.
        await self.list_until_done()
        watcher = self._watcher = Watcher(self._readable(), self._namespaces, self._from_thread())
        for resource in self._readable():
            self._telemetry.watches(resource.plural, functools.partial(watcher.hears, resource))
        watcher.start()

    async def run(self) -> None:
        """List everything from time to time, and whenever the watch has begun anew; for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESYNC_SECONDS):
                    await self._relisted.wait()
                await asyncio.sleep(_RELIST_SECONDS)
            self._relisted.clear()
            await self.list_until_done()

    def stop(self) -> None:
        """Stop watching."""
        if self._watcher is not None:
            self._watcher.stop(timeout=0.5)

    def deaf(self) -> list[str]:
        """Kinds that should be watched and are not."""
        return [] if self._watcher is None else self._watcher.deaf()

    def is_ready(self) -> bool:
        """Whether everything was listed and watched once."""
        return self._watcher is not None and self.vitals.is_ready(self.deaf())

    async def list_until_done(self) -> None:
        """List everything, again and again until the API server answers."""
        while True:
            try:
                return await self.list_once()
            except ClusterError as error:
                self.vitals.tried(time.monotonic())
                log.warning("resync_failed", error=type(error).__name__, message=str(error))
                await asyncio.sleep(_RETRY_SECONDS)

    async def list_once(self) -> None:
        """List every kind and tell apart what the watch has missed.

        Raises:

            ClusterError: if a kind cannot be listed.
        """
        for resource in sorted(kinds.WATCHED, key=lambda kind: kind is kinds.ROLLOUTS):
            for namespace in self._namespaces if resource.namespaced and self._namespaces else (None,):
                await self._list_kind(resource, namespace)
        self.vitals.listed(time.monotonic())
        self._telemetry.listed.set_to_current_time()

    async def _list_kind(self, resource: Resource, namespace: str | None) -> None:
        try:
            listing = await self._api.list_watched(resource, namespace)
        except ClusterRefused as error:
            if resource is not kinds.CLUSTER_ANALYSIS_TEMPLATES:
                raise
            # An operator of single namespaces may have no right to read cluster-wide templates.
            if resource not in self._unreadable:
                log.warning("cluster_templates_unreadable", message=str(error))
            self._unreadable.add(resource)
            return
        for ref in self._store.resync(resource, listing.items, listing.resource_version, namespace).affected:
            self._concerned.concerns(ref)

    def _from_thread(self) -> Any:
        loop = asyncio.get_running_loop()

        def on_event(resource: Resource, kind: str | None, body: Mapping[str, Any]) -> None:
            loop.call_soon_threadsafe(self._on_event, resource, kind, body)

        return on_event

    def _on_event(self, resource: Resource, kind: str | None, body: Mapping[str, Any]) -> None:
        affected = self._store.affected(resource, body)
        changed = self._store.remove(resource, body) if kind == "DELETED" else self._store.put(resource, body)
        if kind is None:
            # The watch has begun anew: what was deleted before is not told.
            self._relisted.set()
        if changed:
            for ref in affected | self._store.affected(resource, body):
                self._concerned.concerns(ref)
        self._concerned.saw(resource, kind, body)

    def _readable(self) -> Sequence[Resource]:
        return [resource for resource in kinds.WATCHED if resource not in self._unreadable]
