"""One replica judges at a time: what begins with its term, what is forgotten at the end, and what the others overhear.

A replica that watches knows of a gate what its status says, and for no longer than a look counts: who asks it is
answered as the one that judges would answer.

Law: judges nothing and writes nothing. After a term what others have written counts, and not what was known here.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from canary_operator.agenda import Agenda, Look
from canary_operator.cluster.lease import unless
from canary_operator.cluster.store import Store
from canary_operator.engine import answering
from canary_operator.model.decision import Snapshot
from canary_operator.model.rollout import RolloutRef
from canary_operator.reconcile import World

# Many Rollouts wait for Prometheus at the same time, and those that ask together are asked for in one request; what
# they cost while waiting is a coroutine.
WORKERS = 256
SHUTDOWN_SECONDS = 4.0


class Terms:
    """One term after another; without a Lease there is one, and it lasts as long as the process.

    Args:

        world: what is told and remembered of every look.

        store: what the watch has told.

        look: looks at one Rollout; returns when to look again.

        list_all: lists everything, however long that takes.
    """

    def __init__(self, world: World, store: Store, look: Look, list_all: Callable[[], Awaitable[None]]) -> None:
        self._world = world
        self._store = store
        self._look = look
        self._list_all = list_all
        self._agenda = self._new_agenda()

    def mark(self, ref: RolloutRef) -> None:
        """Look at a Rollout soon, if that is ours to do."""
        self._agenda.mark(ref)

    def lag(self) -> float:
        """Seconds by which the most overdue Rollout is late, 0 if none is. May be called from any thread."""
        return self._agenda.lag()

    def longest_look(self) -> float:
        """Seconds since the oldest look that is under way began, 0 if none is."""
        return self._agenda.longest_look()

    async def serve(self, over: asyncio.Event) -> None:
        """Judge until ``over``, after another replica may have: what it has written is read first."""
        try:
            await unless(over, self._list_all())
            self._agenda = self._new_agenda()
            for ref in self._store.rollouts():
                self._agenda.mark(ref)
            await self.judge(over)
        finally:
            self._forget()

    async def judge(self, over: asyncio.Event) -> None:
        """Look at what is due until ``over``, and finish what is under way."""
        agenda = self._agenda
        looking = asyncio.ensure_future(agenda.run())
        await unless(over, asyncio.shield(looking))
        agenda.stop()
        # What is cut off here is told from the Rollout by whoever comes next: its intention is written down.
        await asyncio.wait([looking], timeout=SHUTDOWN_SECONDS)
        looking.cancel()

    def overhear(self, ref: RolloutRef) -> Snapshot | None:
        """Hear what another replica has just said of a gate. None where only what somebody wants of it has changed."""
        known = self._world.reader.known(ref)
        if known is None or known.status.observed_generation != known.gate_generation or known.status.unseen_since:
            return None
        self._world.last_words[ref] = answering.told(known, known.status, self._world.clock())
        return known

    def _forget(self) -> None:
        """What gates say is the next holder's to tell, and what was told and due here is not what it will be."""
        self._agenda = self._new_agenda()
        self._world.last_words.clear()
        for ref in self._store.rollouts():
            for listener in (self._world.telemetry, *self._world.listeners):
                listener.forget(ref)

    def _new_agenda(self) -> Agenda:
        return Agenda(self._look, clock=time.time, workers=WORKERS)
