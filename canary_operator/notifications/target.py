"""One target: its queue, and the task that empties it.

Law: offering takes no time and never fails. What cannot be told is counted and named in the log, the oldest first.
"""

import asyncio
import collections
import enum
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_never

import aiohttp
import structlog
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt

from canary_operator.model.news import News
from canary_operator.posting import once
from canary_operator.posting.once import Later, Letter, Refused, Reply, Taken
from canary_operator.posting.patience import last_reply, patience
from canary_operator.settings.mounted import UnreadableError

log = structlog.get_logger()

QUEUE_LENGTH = 100
ATTEMPTS = 8
_CANCELLING_SECONDS = 0.1


class Outcome(enum.Enum):
    """What became of one piece of news at one target."""

    DELIVERED = "delivered"
    # The target says no, or one of its files cannot be used.
    REFUSED = "refused"
    # Every attempt failed.
    FAILED = "failed"
    # The queue was full, or the operator stopped.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Time:
    """What time it is (Unix seconds), and how one waits (seconds)."""

    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Target:
    """Somebody who is told. One message at a time, in the order of the news."""

    def __init__(
        self, name: str, write: Callable[[News], Letter], observe: Callable[[str, Outcome], None], time: Time
    ) -> None:
        self._name = name
        self._write = write
        self._observe = observe
        self._time = time
        self._queue: collections.deque[News] = collections.deque()
        self._task: asyncio.Task[None] | None = None

    def offer(self, news: News) -> None:
        """Take news into the queue; the oldest goes where there is no room."""
        if len(self._queue) >= QUEUE_LENGTH:
            self._conclude(self._queue.popleft(), Outcome.DROPPED, "the queue is full")
        self._queue.append(news)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._empty())

    async def close(self, seconds: float) -> None:
        """Tell what can be told within ``seconds``, and drop the rest."""
        if self._task is not None and not self._task.done():
            await asyncio.wait([self._task], timeout=seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCELLING_SECONDS)
        while self._queue:
            self._conclude(self._queue.popleft(), Outcome.DROPPED, "the operator stops")

    async def _empty(self) -> None:
        async with once.client() as session:
            while self._queue:
                await self._tell(session, self._queue.popleft())

    async def _tell(self, session: aiohttp.ClientSession, news: News) -> None:
        outcome, why = Outcome.DROPPED, "the operator stops"
        try:
            outcome, why = _outcome(await self._persist(session, news))
        except Exception as error:  # noqa: BLE001 - what nobody has foreseen costs this message, not the next ones
            outcome, why = Outcome.FAILED, type(error).__name__
        finally:
            self._conclude(news, outcome, why)

    async def _persist(self, session: aiohttp.ClientSession, news: News) -> Reply:
        retrying = AsyncRetrying(
            sleep=self._time.sleep,
            stop=stop_after_attempt(ATTEMPTS),
            wait=patience,
            retry=retry_if_result(lambda reply: isinstance(reply, Later)),
            retry_error_callback=last_reply,
        )
        reply: Reply = await retrying(self._attempt, session, news)
        return reply

    async def _attempt(self, session: aiohttp.ClientSession, news: News) -> Reply:
        try:
            letter = self._write(news)
        except UnreadableError as error:
            return Refused(str(error))
        return await once.post(session, letter, self._time.now)

    def _conclude(self, news: News, outcome: Outcome, why: str) -> None:
        self._observe(self._name, outcome)
        if outcome is not Outcome.DELIVERED:
            verdict, reason = news.words["verdict"], news.words["reason"]
            log.warning(
                "notification_lost",
                target=self._name,
                outcome=outcome.value,
                rollout=str(news.ref),
                verdict=verdict,
                reason=reason,
                message=why,
            )


def _outcome(reply: Reply) -> tuple[Outcome, str]:
    match reply:
        case Taken():
            return Outcome.DELIVERED, ""
        case Refused(why):
            return Outcome.REFUSED, why
        case Later(why):
            return Outcome.FAILED, f"{why}, {ATTEMPTS} times"
        case _:
            assert_never(reply)
