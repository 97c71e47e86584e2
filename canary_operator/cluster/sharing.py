"""Answers that many ask for: each question is asked once at a time, and its answer is kept for a while.

Law: it knows no question. A failure is told to all who waited and is not kept.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[Value]):
    at: float
    answer: "asyncio.Future[Value]"


class Shared(Generic[Key, Value]):
    """The answers by key.

    Args:

        ask: how an answer is got.

        max_age: seconds for which an answer is good, from when it was asked for.

        clock: seconds.

        at_once: how many questions are asked at the same time; the others wait.
    """

    def __init__(
        self, ask: Callable[[Key], Awaitable[Value]], max_age: float, clock: Callable[[], float], at_once: int
    ) -> None:
        self._ask = ask
        self._max_age = max_age
        self._clock = clock
        self._turns = asyncio.Semaphore(at_once)
        self._asked: dict[Key, _Asked[Value]] = {}

    async def get(self, key: Key) -> Value:
        """The answer, at most ``max_age`` old. Whoever stops waiting stops nobody else.

        Raises whatever asking raises.
        """
        now = self._clock()
        self._asked = {key: asked for key, asked in self._asked.items() if self._is_good(asked, now)}
        if key not in self._asked:
            self._asked[key] = _Asked(now, asyncio.ensure_future(self._ask_in_turn(key)))
        return await asyncio.shield(self._asked[key].answer)

    async def _ask_in_turn(self, key: Key) -> Value:
        async with self._turns:
            return await self._ask(key)

    def _is_good(self, asked: _Asked[Value], now: float) -> bool:
        answer = asked.answer
        if not answer.done():
            return True
        if answer.cancelled() or answer.exception() is not None:
            return False
        # A clock that was set back must not keep an answer for ever.
        return 0 <= now - asked.at < self._max_age
