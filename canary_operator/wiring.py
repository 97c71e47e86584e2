"""Settings become clients, clients become a running operator.

Law: plain constructors, no judgement. What runs beside what is written here and nowhere else.
"""

import asyncio
import functools
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import structlog

from canary_operator import reconcile
from canary_operator.archive import Stored, forwarders
from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.credentials import load_credentials
from canary_operator.cluster.kinds import Resource
from canary_operator.cluster.lease import Leadership, Turnstile, claim_of, limits_of, unless
from canary_operator.cluster.ledger import Ledger
from canary_operator.cluster.peers import Turns
from canary_operator.cluster.scribe import Scribe
from canary_operator.cluster.snapshot import Reader
from canary_operator.cluster.store import Store
from canary_operator.cluster.transport import nobody_waits
from canary_operator.deadline import seconds
from canary_operator.engine import answering
from canary_operator.engine.answering import Answer, Query
from canary_operator.following import Following
from canary_operator.journal.records import Origin
from canary_operator.leading import Terms
from canary_operator.model import durations
from canary_operator.model.look import Listener
from canary_operator.model.look import Look as Heard
from canary_operator.model.policy import Mode
from canary_operator.model.rollout import RolloutRef
from canary_operator.notifications import Notifier
from canary_operator.prometheus.providers import Providers, provider_addresses
from canary_operator.reconcile import World
from canary_operator.settings import Settings
from canary_operator.telemetry import Telemetry, VerdictLog, tracing
from canary_operator.telemetry.tracing import Look, Traces
from canary_operator.telemetry.vitals import Signs
from canary_operator.web import Board, Health, Page, Sight, Sources, Trail, serve

log = structlog.get_logger()

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
        self.telemetry = Telemetry()
        self._store = Store(Mode(settings.mode), settings.fleet.rules)
        self._turnstile = Turnstile(settings.lease.duration, seconds)
        passing = self._turnstile.passing if settings.lease.enabled else nobody_waits
        self._api = Api(load_credentials(), observe=self.telemetry.requested, turnstile=passing)
        # Threads and connections of its own: what renews the Lease waits for nobody's looks.
        claim = claim_of(settings.lease, namespaces)
        self._leases = Api(load_credentials(), limits_of(claim), observe=self.telemetry.requested)
        self._leadership = Leadership(self._leases, claim, self._turnstile, _stamp)
        self.telemetry.leads(self._may_write)
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
        self._turns = Turns(self._store.running, self.concerns)
        self._forwarders = forwarders(settings.audit, Stored(self._api, namespaces), self.telemetry)
        for place, forwarder in self._forwarders.items():
            self.telemetry.expect_place(place, forwarder.behind)
        self._world = World(
            reader=self._reader,
            fetch=self._providers.fetch,
            api=self._api,
            scribe=Scribe(self._api, self._store, link),
            ledger=Ledger(
                self._api, Origin(settings.fingerprint), settings.audit.keep, tuple(self._forwarders.values())
            ),
            telemetry=self.telemetry,
            clock=time.time,
            listeners=self._listeners(),
        )
        self._traces = tracing.begin(settings.tracing)
        self._cycle = _cycle(self._world, self._traces)
        self._following = Following(self._store, self._api, self.telemetry, namespaces, self)
        self._terms = Terms(self._world, self._store, self._look, self._following.list_until_done)
        self.telemetry.late_by(self._lag)
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    def _listeners(self) -> tuple[Listener, ...]:
        board = () if self._board is None else (self._board,)
        return (VerdictLog(time.time), self._notifier, self._turns, *self._forwarders.values(), *board)

    async def run(self, stop: asyncio.Event) -> None:
        """Watch, judge and act until ``stop`` is set; then finish what is under way within 5 s."""
        health = Health(alive=self._complaints, ready=self._following.is_ready)
        async with serve(self.settings.web, health, self.telemetry.registry, self._answer, self._page()):
            await unless(stop, self._following.begin())
            judging = asyncio.create_task(self._judge(stop), name="judging")
            listing = asyncio.create_task(self._following.run(), name="listing of everything")
            self._tasks = (judging, listing)
            await stop.wait()
            await self._shut_down(judging, listing)

    async def _judge(self, stop: asyncio.Event) -> None:
        if self.settings.lease.enabled:
            await self._leadership.serve(self._serve, stop)
        else:
            self._archive()
            await self._terms.judge(stop)

    async def _serve(self, over: asyncio.Event) -> None:
        # A replica that watches hands nothing on: the records are the holder's to tell.
        self._archive()
        await self._terms.serve(over)

    def _may_write(self) -> bool:
        return self._turnstile.is_open or not self.settings.lease.enabled

    def _lag(self) -> float:
        # Whoever waits for the Lease is not late.
        return self._terms.lag() if self._may_write() else 0.0

    async def once(self) -> int:
        """Look at every Rollout once. Returns how many looks failed.

        Raises:

            OperatorError: if another replica holds the Lease.
        """
        failed = 0

        async def term(_: asyncio.Event) -> None:
            nonlocal failed
            failed = await self._pass()

        try:
            if self.settings.lease.enabled:
                await self._leadership.serve_once(term)
            else:
                await term(asyncio.Event())
        finally:
            await self.close()
        return failed

    async def _pass(self) -> int:
        await self._following.list_once()
        self._archive()
        refs = list(self._store.rollouts())
        results = await asyncio.gather(*(self._settle(ref) for ref in refs), return_exceptions=True)
        failures = [(ref, result) for ref, result in zip(refs, results, strict=True) if result is not None]
        for ref, failure in failures:
            log.error("look_failed", rollout=str(ref), error=type(failure).__name__, message=str(failure)[:500])
        return len(failures)

    async def close(self) -> None:
        """Close the clients, after what is to be told was told."""
        await self._tell_the_rest(_ONCE_TOLD_SECONDS)
        self._end_traces(_ONCE_TOLD_SECONDS)
        self._providers.close()
        await asyncio.gather(self._api.close(), self._leases.close())

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

    def concerns(self, ref: RolloutRef) -> None:
        """Look at a Rollout soon: something that it depends on has changed."""
        self._terms.mark(ref)
        self._reader.notice(ref)

    def saw(self, resource: Resource, kind: str | None, body: Mapping[str, Any]) -> None:
        """Hear what another replica says of a gate, and tell the page that it may look different now."""
        if resource not in _SHOWN:
            return
        ref = RolloutRef(body["metadata"]["namespace"], body["metadata"]["name"])
        if resource is kinds.CANARY_GATES and kind == "MODIFIED" and not self._may_write():
            self._overhear(ref)
        if self._board is None:
            return
        if kind == "DELETED":
            self._board.forget(ref)
        elif self._store.gate(ref) is not None:
            self._board.notice(ref)

    def _overhear(self, ref: RolloutRef) -> None:
        said = self._terms.overhear(ref)
        if said is not None and self._board is not None:
            self._board.looked(Heard(said, said.status, time.time(), verdict_changed=False))

    def _complaints(self) -> list[str]:
        ended = [task.get_name() for task in self._tasks if task.done()]
        signs = Signs(ended, self._following.deaf(), self._terms.longest_look())
        return self._following.vitals.complaints(signs, time.monotonic())

    async def _shut_down(self, judging: asyncio.Task[None], listing: asyncio.Task[None]) -> None:
        log.info("stopping")
        listing.cancel()
        await asyncio.wait([judging])
        await self._tell_the_rest(_LAST_WORDS_SECONDS)
        self._following.stop()
        self._end_traces(_LAST_SPANS_SECONDS)

    def _archive(self) -> None:
        for forwarder in self._forwarders.values():
            forwarder.start()

    async def _tell_the_rest(self, seconds: float) -> None:
        """Tell and hand on what can be within ``seconds``."""
        handing_on = [each.close(seconds) for each in self._forwarders.values()]
        await asyncio.gather(self._notifier.close(seconds), *handing_on)

    def _end_traces(self, seconds: float) -> None:
        if self._traces is not None:
            self._traces.close(seconds)


def _stamp() -> str:
    return durations.format_micro_time(time.time())


def _cycle(world: World, traces: Traces | None) -> Look:
    if traces is None:
        return functools.partial(reconcile.reconcile, world)
    seen = replace(world, verbs=traces.around(world.verbs))
    return traces.around_look(functools.partial(reconcile.reconcile, seen))


def _gate_page(url: str | None, ref: RolloutRef) -> str:
    """The address of a gate's page, empty where nobody has said how people reach it."""
    return "" if url is None else f"{url.rstrip('/')}/gates/{ref.namespace}/{ref.name}"
