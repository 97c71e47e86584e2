"""Settings become clients, clients become a running operator.

Law: plain constructors, no judgement. What runs beside what is written here and nowhere else.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from canary_operator import reconcile
from canary_operator.agenda import Agenda
from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.credentials import load_credentials
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.scribe import Scribe
from canary_operator.cluster.snapshot import Reader
from canary_operator.cluster.store import Store
from canary_operator.engine import answering
from canary_operator.engine.answering import Answer, Query
from canary_operator.errors import ClusterError, ClusterRefused
from canary_operator.handlers import Watcher
from canary_operator.model.policy import Mode
from canary_operator.model.rollout import RolloutRef
from canary_operator.notifications import Notifier
from canary_operator.prometheus.providers import Providers, provider_addresses
from canary_operator.reconcile import World
from canary_operator.settings import Settings
from canary_operator.telemetry import Telemetry, VerdictLog, tracing
from canary_operator.telemetry.tracing import Look, Traces
from canary_operator.telemetry.vitals import Signs, Vitals
from canary_operator.web import Board, Health, Page, Sight, Sources, Trail, serve

log = structlog.get_logger()

# Many Rollouts wait for Prometheus at the same time, and those that ask together are asked for in one request; what
# they cost while waiting is a coroutine.
WORKERS = 256
# The watch misses objects that were deleted while it was interrupted; a listing finds them.
RESYNC_SECONDS = 300.0
_RESYNC_RETRY_SECONDS = 5.0
# All kinds begin anew at about the same time: one listing for all of them.
_RELIST_SECONDS = 1.0
SHUTDOWN_SECONDS = 4.0
# Whoever stops the operator waits for it; whoever asked for one pass wants to be told what came of it.
_LAST_WORDS_SECONDS = 0.4
_LAST_SPANS_SECONDS = 0.1
_ONCE_TOLD_SECONDS = 10.0
# What the page shows of a gate is in these.
_SHOWN = (kinds.ROLLOUTS, kinds.CANARY_GATES)
# Less than any interval, more than a look takes to read the clock.
_AT_ONCE_SECONDS = 0.5


class Operator:
    """The parts of a running operator.

    Args:

        namespaces: where to look; empty for the whole cluster.
    """

    def __init__(self, settings: Settings, namespaces: Collection[str]) -> None:
        self.settings = settings
        self._namespaces = tuple(namespaces)
        self.telemetry = Telemetry()
        self._store = Store(Mode(settings.mode))
        self._api = Api(load_credentials(), observe=self.telemetry.requested)
        self._providers = Providers(settings.providers, observe=self.telemetry.asked)
        for provider in settings.providers:
            self.telemetry.expect(provider.name)
        for target in settings.notifications:
            self.telemetry.expect_target(target.name)
        link = functools.partial(_gate_page, settings.web.url)
        self._notifier = Notifier(
            settings.notifications,
            link=link,
            observe=self.telemetry.notified,
        )
        addresses = provider_addresses(settings.providers)
        self._board = Board() if settings.web.page else None
        self._sight = Sight(self._store, addresses, settings.evaluation_interval)
        self._reader = Reader(self._store, self._api, addresses, settings.evaluation_interval)
        self._world = World(
            reader=self._reader,
            fetch=self._providers.fetch,
            api=self._api,
            scribe=Scribe(self._api, self._store, link),
            telemetry=self.telemetry,
            clock=time.time,
            listeners=(VerdictLog(time.time), self._notifier, *((self._board,) if self._board else ())),
        )
        self._traces = tracing.begin(settings.tracing)
        self._cycle = _cycle(self._world, self._traces)
        self._agenda = Agenda(self._look, clock=time.time, workers=WORKERS)
        self.telemetry.late_by(self._agenda.lag)
        self._unreadable: set[Resource] = set()
        self._vitals = Vitals(time.monotonic())
        self._watcher: Watcher | None = None
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self._relisted = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Watch, judge and act until ``stop`` is set; then finish what is under way within 5 s."""
        health = Health(alive=self._complaints, ready=self._is_ready)
        async with serve(self.settings.web, health, self.telemetry.registry, self._answer, self._page()):
            # Nothing is judged before everything is known: a template that is not listed yet is not missing.
            await _first_of(stop, self._resync_until_done())
            watcher = self._watcher = Watcher(self._readable(), self._namespaces, self._from_thread())
            for resource in self._readable():
                self.telemetry.watches(resource.plural, functools.partial(watcher.hears, resource))
            watcher.start()
            agenda = asyncio.create_task(self._agenda.run(), name="agenda")
            resync = asyncio.create_task(self._resync_for_ever(), name="listing of everything")
            self._tasks = (agenda, resync)
            await stop.wait()
            await self._shut_down(watcher, agenda, resync)

    async def once(self) -> int:
        """Look at every Rollout once. Returns how many looks failed."""
        await self._resync()
        refs = list(self._store.rollouts())
        results = await asyncio.gather(*(self._settle(ref) for ref in refs), return_exceptions=True)
        failures = [(ref, result) for ref, result in zip(refs, results, strict=True) if result is not None]
        for ref, failure in failures:
            log.error("look_failed", rollout=str(ref), error=type(failure).__name__, message=str(failure)[:500])
        await self.close()
        return len(failures)

    async def close(self) -> None:
        """Close the clients, after what is to be told was told."""
        await self._notifier.close(_ONCE_TOLD_SECONDS)
        self._end_traces(_ONCE_TOLD_SECONDS)
        self._providers.close()
        await self._api.close()

    def _page(self) -> Page | None:
        if self._board is None:
            return None
        trail = Trail(self._api, time.monotonic)
        return Page(Sources(self._sight, self._board, trail, time.time), self.settings.web.url)

    def _answer(self, query: Query) -> Answer:
        return answering.answer(query, self._world.last_words.get(query.ref), time.time())

    async def _settle(self, ref: RolloutRef) -> None:
        """Look until nothing is due at this moment: one look may be the ground of the next."""
        while True:
            start = time.time()
            if await self._look(ref) > start + _AT_ONCE_SECONDS:
                return
            await self._resync_one(ref)

    async def _resync_one(self, ref: RolloutRef) -> None:
        body = await self._api.get_rollout(ref)
        if body is not None:
            self._store.put(kinds.ROLLOUTS, body)

    async def _look(self, ref: RolloutRef) -> float:
        with self.telemetry.look_seconds.time():
            try:
                again = await self._cycle(ref)
            except Exception:
                self.telemetry.looks.labels("error").inc()
                raise
        self.telemetry.looks.labels("ok").inc()
        return again

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
                self._look_again(ref)
        if self._board is not None and resource in _SHOWN:
            self._show(self._board, kind, body)

    def _show(self, board: Board, kind: str | None, body: Mapping[str, Any]) -> None:
        """Tell the page that a gate may look different now."""
        ref = RolloutRef(body["metadata"]["namespace"], body["metadata"]["name"])
        if kind == "DELETED":
            board.forget(ref)
        elif self._store.gate(ref) is not None:
            board.notice(ref)

    async def _resync_until_done(self) -> None:
        while True:
            try:
                return await self._resync()
            except ClusterError as error:
                self._vitals.tried(time.monotonic())
                log.warning("resync_failed", error=type(error).__name__, message=str(error))
                await asyncio.sleep(_RESYNC_RETRY_SECONDS)

    async def _resync_for_ever(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(RESYNC_SECONDS):
                    await self._relisted.wait()
                await asyncio.sleep(_RELIST_SECONDS)
            self._relisted.clear()
            await self._resync_until_done()

    async def _resync(self) -> None:
        """List every kind and tell apart what the watch has missed."""
        for resource in sorted(kinds.WATCHED, key=lambda kind: kind is kinds.ROLLOUTS):
            for namespace in self._namespaces if resource.namespaced and self._namespaces else (None,):
                await self._resync_kind(resource, namespace)
        self._vitals.listed(time.monotonic())
        self.telemetry.listed.set_to_current_time()

    async def _resync_kind(self, resource: Resource, namespace: str | None) -> None:
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
            self._look_again(ref)

    def _look_again(self, ref: RolloutRef) -> None:
        self._agenda.mark(ref)
        self._reader.notice(ref)

    def _readable(self) -> Sequence[Resource]:
        return [resource for resource in kinds.WATCHED if resource not in self._unreadable]

    def _complaints(self) -> list[str]:
        ended = [task.get_name() for task in self._tasks if task.done()]
        signs = Signs(ended, self._deaf(), self._agenda.longest_look())
        return self._vitals.complaints(signs, time.monotonic())

    def _is_ready(self) -> bool:
        return self._watcher is not None and self._vitals.is_ready(self._deaf())

    def _deaf(self) -> list[str]:
        return [] if self._watcher is None else self._watcher.deaf()

    async def _shut_down(self, watcher: Watcher, agenda: asyncio.Task[None], resync: asyncio.Task[None]) -> None:
        log.info("stopping")
        self._agenda.stop()
        resync.cancel()
        # What is cut off here is told from the Rollout by whoever comes next: its intention is written down.
        await asyncio.wait([agenda], timeout=SHUTDOWN_SECONDS)
        agenda.cancel()
        await self._notifier.close(_LAST_WORDS_SECONDS)
        watcher.stop(timeout=0.5)
        self._end_traces(_LAST_SPANS_SECONDS)

    def _end_traces(self, seconds: float) -> None:
        if self._traces is not None:
            self._traces.close(seconds)


def _cycle(world: World, traces: Traces | None) -> Look:
    if traces is None:
        return functools.partial(reconcile.reconcile, world)
    seen = replace(world, verbs=traces.around(world.verbs))
    return traces.around_look(functools.partial(reconcile.reconcile, seen))


async def _first_of(stop: asyncio.Event, work: Any) -> None:
    task, stopped = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([task, stopped], return_when=asyncio.FIRST_COMPLETED)
    for each in (task, stopped):
        each.cancel()
    if task.done() and not task.cancelled():
        task.result()


def _gate_page(url: str | None, ref: RolloutRef) -> str:
    """The address of a gate's page, empty where nobody has said how people reach it."""
    return "" if url is None else f"{url.rstrip('/')}/gates/{ref.namespace}/{ref.name}"
