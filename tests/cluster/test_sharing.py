"""Plan: how often a question is asked, by whom its answer is shared, and what a failure or an impatient asker does."""

import asyncio

import pytest

from canary_operator.cluster.sharing import Shared
from canary_operator.errors import ClusterUnavailable

MAX_AGE = 10.0


class Somebody:
    """Answers when told to, or at once; the answer says how often the question was asked."""

    def __init__(self, *, at_once: int = 8) -> None:
        self.now = 1000.0
        self.asked: list[str] = []
        self.broken = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.shared: Shared[str, str] = Shared(self.ask, MAX_AGE, lambda: self.now, at_once)

    async def ask(self, key: str) -> str:
        self.asked.append(key)
        count = self.asked.count(key)
        await self.may_answer.wait()
        if self.broken:
            raise ClusterUnavailable("down")
        return f"{key}{count}"


async def settled() -> None:
    """Let everybody run who can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_asks_at_the_same_time_shares_one_answer() -> None:
    somebody = Somebody()

    answers = await asyncio.gather(*(somebody.shared.get(key) for key in "aaba"))

    assert answers == ["a1", "a1", "b1", "a1"]
    assert sorted(somebody.asked) == ["a", "b"]


@pytest.mark.parametrize(
    ("later", "answer"), [(0.0, "a1"), (9.9, "a1"), (10.0, "a2"), (3600.0, "a2"), (-0.1, "a2"), (-3600.0, "a2")]
)
async def test_an_answer_is_kept_for_a_while_and_not_for_ever_when_the_clock_is_set_back(
    later: float, answer: str
) -> None:
    somebody = Somebody()
    await somebody.shared.get("a")

    somebody.now += later

    assert await somebody.shared.get("a") == answer


async def test_an_answer_is_as_old_as_its_question() -> None:
    somebody = Somebody()
    somebody.may_answer.clear()
    slow = asyncio.ensure_future(somebody.shared.get("a"))
    await settled()
    somebody.now += 9
    somebody.may_answer.set()
    await slow

    somebody.now += 1

    assert await somebody.shared.get("a") == "a2"


async def test_a_slow_answer_is_waited_for_and_not_asked_for_again() -> None:
    somebody = Somebody()
    somebody.may_answer.clear()
    first = asyncio.ensure_future(somebody.shared.get("a"))
    await settled()
    somebody.now += 10 * MAX_AGE
    second = asyncio.ensure_future(somebody.shared.get("a"))
    await settled()
    somebody.may_answer.set()

    assert await asyncio.gather(first, second) == ["a1", "a1"]


async def test_a_failure_is_told_to_all_who_waited_and_not_kept() -> None:
    somebody = Somebody()
    somebody.broken = True
    failures = await asyncio.gather(*(somebody.shared.get("a") for _ in range(2)), return_exceptions=True)
    somebody.broken = False

    assert [type(failure) for failure in failures] == [ClusterUnavailable] * 2
    assert somebody.asked == ["a"]
    assert await somebody.shared.get("a") == "a2"


async def test_who_stops_waiting_stops_nobody_else() -> None:
    somebody = Somebody()
    somebody.may_answer.clear()
    impatient = asyncio.ensure_future(somebody.shared.get("a"))
    patient = asyncio.ensure_future(somebody.shared.get("a"))
    await settled()

    impatient.cancel()
    await settled()
    somebody.may_answer.set()

    assert await patient == "a1"
    assert impatient.cancelled()


async def test_an_answer_that_nobody_waits_for_any_more_serves_the_next() -> None:
    somebody = Somebody()
    somebody.may_answer.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(somebody.shared.get("a"), 0)
    impatient = asyncio.ensure_future(somebody.shared.get("a"))
    await settled()
    impatient.cancel()
    await settled()
    somebody.may_answer.set()
    await settled()

    assert await somebody.shared.get("a") == "a1"


async def test_only_so_many_questions_are_asked_at_once() -> None:
    somebody = Somebody(at_once=2)
    somebody.may_answer.clear()
    waiting = [asyncio.ensure_future(somebody.shared.get(key)) for key in "abc"]
    await settled()

    assert somebody.asked == ["a", "b"]
    somebody.may_answer.set()
    assert await asyncio.gather(*waiting) == ["a1", "b1", "c1"]


async def test_what_is_old_is_forgotten_whoever_asks_for_what() -> None:
    somebody = Somebody()
    for key in "abc":
        await somebody.shared.get(key)
    somebody.now += MAX_AGE

    await somebody.shared.get("d")

    assert list(somebody.shared._asked) == ["d"]
