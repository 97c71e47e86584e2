"""One place, and the task that hands records on to it.

Law: hearing of a record takes no time and never fails. What a place does not take is tried again for as long as the
operator runs, and the records of other Rollouts have their turn meanwhile.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol, assert_never

from tenacity import AsyncRetrying, retry_if_result

from canary_operator.archive.backlog import Backlog
from canary_operator.archive.entry import Entry, written_entry
from canary_operator.archive.spool import Gap
from canary_operator.archive.troubles import Teller, Trouble
from canary_operator.model.look import Look
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.posting.once import Later, Refused, Reply, Taken
from canary_operator.posting.patience import patience

_CANCELLING_SECONDS = 0.1


class Place(Protocol):
    """Where records go."""

    async def hand_on(self, entry: Entry) -> Reply:
        """Try once; whatever happens there is a value."""

    async def close(self) -> None:
        """Let go of what is open."""


class Forwarder:
    """A Sink and a Listener: hears of records and of the heads of chains, and hands on what is new."""

    def __init__(
        self,
        place: Place,
        backlog: Backlog,
        teller: Teller,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._place = place
        self._backlog = backlog
        self._teller = teller
        self._sleep = sleep
        self._heard = asyncio.Event()
        self._idle = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def keep(self, ref: RolloutRef, record: GateDecisionSpec) -> None:
        """Hear of a record that was written."""
        self._backlog.offer(written_entry(ref, record))
        self._wake()

    def is_kept(self, uid: str, sequence: int) -> bool:
        """Whether a record is at this place, or lost for it."""
        return self._backlog.is_settled(uid, sequence)

    def looked(self, look: Look) -> None:
        """Hear of a look: the gate knows of records that nobody may have told."""
        if look.status.rollout is not None and look.status.sequence:
            self._backlog.notice(look.ref, look.status.rollout.uid, look.status.sequence)
            self._wake()

    def forget(self, ref: RolloutRef) -> None:
        """A Rollout that is gone leaves its records."""

    def behind(self) -> int:
        """How many records wait. May be called from any thread."""
        return self._backlog.behind()

    def start(self) -> None:
        """Begin to hand on, if it has not begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="audit")

    async def close(self, seconds: float) -> None:
        """Hand on what can be handed on within ``seconds``."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCELLING_SECONDS)
        await self._place.close()
        self._backlog.close()

    def _wake(self) -> None:
        if self._backlog.behind():
            self._idle.clear()
            self._heard.set()

    async def _run(self) -> None:
        await self._insist(self._backlog.begin)
        while True:
            while self._backlog.behind():
                await self._insist(self._step)
            self._teller.all_is_well()
            self._idle.set()
            await self._heard.wait()
            self._heard.clear()

    async def _insist(self, attempt: Callable[[], Awaitable[Reply]]) -> None:
        async def guarded() -> Reply:
            try:
                return await attempt()
            except Exception as error:  # noqa: BLE001 - what nobody has foreseen is told, and does not end the handing on
                self._teller.failed(Trouble.PLACE, type(error).__name__)
                return Later(type(error).__name__)

        failed = retry_if_result(lambda reply: not isinstance(reply, Taken))
        await AsyncRetrying(sleep=self._sleep, wait=patience, retry=failed)(guarded)

    async def _step(self) -> Reply:
        due = await self._backlog.next()
        match due:
            case None:
                return Taken()
            case Gap():
                return await self._backlog.fill(due)
            case Entry():
                return await self._hand_on(due)
            case _:
                assert_never(due)

    async def _hand_on(self, entry: Entry) -> Reply:
        reply = await self._place.hand_on(entry)
        match reply:
            case Taken():
                await self._backlog.settle(entry)
                self._teller.delivered()
            case Refused(why) | Later(why):
                self._backlog.put_off(entry)
                self._teller.failed(Trouble.PLACE, why)
        return reply
