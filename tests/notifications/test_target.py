"""One target: its queue, its patience, and what becomes of what cannot be told. Waits are recorded and cost no time."""

import json

import pytest
from structlog.testing import capture_logs
from yarl import URL

from canary_operator.notifications.target import (
    ATTEMPTS,
    QUEUE_LENGTH,
    Outcome,
    Target,
    Time,
)
from canary_operator.posting.once import Letter
from canary_operator.posting.patience import LONGEST_SECONDS
from canary_operator.settings.mounted import UnreadableError
from tests.builders import T0
from tests.notifications.looks import some_news
from tests.posting.receiving import Dies, Hangs, receiving, status

D, R, F, X = Outcome.DELIVERED, Outcome.REFUSED, Outcome.FAILED, Outcome.DROPPED


class Told:
    """A target of one server, what was counted of it, and how long it would have waited."""

    def __init__(self, url, write=None):
        self.outcomes, self.waited = [], []
        self.target = Target("deploys", write or self._write, self._observe, Time(lambda: T0, self._sleep))
        self._url = url

    def _write(self, news):
        return Letter(URL(self._url), {}, json.dumps(news.words).encode())

    def _observe(self, name, outcome):
        assert name == "deploys"
        self.outcomes.append(outcome)

    async def _sleep(self, seconds):
        self.waited.append(seconds)

    async def settled(self):
        await self.target._task


def messages(server):
    return [json.loads(body)["message"] for _, body in server.requests]


async def test_news_are_told_in_their_order():
    async with receiving(status(200)) as server:
        told = Told(server.url)
        for message in ("first", "second", "third"):
            told.target.offer(some_news(message=message))
        await told.settled()

    assert messages(server) == ["first", "second", "third"]
    assert told.outcomes == [D, D, D]
    assert told.waited == []


async def test_news_after_a_silence_are_told_too():
    async with receiving(status(200)) as server:
        told = Told(server.url)
        for _ in range(2):
            told.target.offer(some_news())
            await told.settled()

    assert told.outcomes == [D, D]


@pytest.mark.parametrize("trouble", [status(500), status(429), Dies(), Dies("HTTP/1.1 200 OK\r\n")])
async def test_what_passes_costs_patience_and_no_message(trouble):
    async with receiving(trouble, trouble, status(200)) as server:
        told = Told(server.url)
        told.target.offer(some_news())
        await told.settled()

    assert (len(server.requests), told.outcomes, len(told.waited)) == (3, [D], 2)


async def test_what_does_not_pass_is_given_up_with_a_line_that_says_why():
    async with receiving(status(503, body="s3cret")) as server:
        told = Told(server.url)
        with capture_logs() as logs:
            told.target.offer(some_news())
            await told.settled()

    assert (len(server.requests), told.outcomes, len(told.waited)) == (ATTEMPTS, [F], ATTEMPTS - 1)
    assert logs == [
        {
            "event": "notification_lost",
            "log_level": "warning",
            "target": "deploys",
            "outcome": "failed",
            "rollout": "shop/guestbook",
            "verdict": "Abort",
            "reason": "ConditionsFailed",
            "message": "HTTP 503, 8 times",
        }
    ]


async def test_waits_grow_with_jitter_up_to_two_minutes_together():
    runs = []
    async with receiving(status(500)) as server:
        for _ in range(3):
            told = Told(server.url)
            told.target.offer(some_news())
            await told.settled()
            runs.append(told.waited)

    for waited in runs:
        assert all(0 <= wait <= min(2**number, 60) for number, wait in enumerate(waited))
    assert len({tuple(waited) for waited in runs}) == 3, "no two of many operators come back at the same time"


@pytest.mark.parametrize(
    ("asked", "waits"),
    [("Retry-After: 120", 120.0), ("Retry-After: 86400", LONGEST_SECONDS)],
)
async def test_whoever_asks_for_patience_gets_it_within_reason(asked, waits):
    async with receiving(status(429, asked), status(200)) as server:
        told = Told(server.url)
        told.target.offer(some_news())
        await told.settled()

    assert (told.waited, told.outcomes) == ([waits], [D])


@pytest.mark.parametrize("answer", [status(404), status(302, "Location: /elsewhere")])
async def test_a_refusal_is_not_tried_again_and_does_not_stop_the_next(answer):
    async with receiving(answer, status(200)) as server:
        told = Told(server.url)
        told.target.offer(some_news(message="refused"))
        told.target.offer(some_news(message="taken"))
        await told.settled()

    assert (messages(server), told.outcomes, told.waited) == (["refused", "taken"], [R, D], [])


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (UnreadableError("/etc/slack/url cannot be read"), R, "/etc/slack/url cannot be read"),
        (RuntimeError("https://hooks.slack.com/s3cret"), F, "RuntimeError"),
    ],
)
async def test_whatever_cannot_be_written_costs_that_message_alone(error, outcome, why):
    troubles = [error]
    async with receiving(status(200)) as server:

        def write(news):
            if troubles:
                raise troubles.pop()
            return Letter(URL(server.url), {}, b"{}")

        told = Told(server.url, write)
        with capture_logs() as logs:
            told.target.offer(some_news())
            told.target.offer(some_news())
            await told.settled()

    assert told.outcomes == [outcome, D]
    assert [line["message"] for line in logs] == [why]


async def test_a_full_queue_drops_the_oldest():
    async with receiving(Hangs()) as server:
        told = Told(server.url)
        told.target.offer(some_news(message="under way"))
        await server.arrived.wait()
        for number in range(QUEUE_LENGTH + 3):
            told.target.offer(some_news(message=f"waiting {number}"))

        assert told.outcomes == [X, X, X]
        assert [news.words["message"] for news in told.target._queue][:1] == ["waiting 3"]
        await told.target.close(0.0)

    assert told.outcomes == [X] * (QUEUE_LENGTH + 4)


async def test_the_end_waits_for_what_can_be_told():
    async with receiving(status(200)) as server:
        told = Told(server.url)
        told.target.offer(some_news())
        await told.target.close(30.0)

    assert told.outcomes == [D]


async def test_the_end_does_not_wait_for_whoever_hangs():
    async with receiving(Hangs()) as server:
        told = Told(server.url)
        told.target.offer(some_news())
        told.target.offer(some_news())
        await server.arrived.wait()

        with capture_logs() as logs:
            await told.target.close(0.0)

        assert told.target._task.done()
    assert told.outcomes == [X, X]
    assert {line["message"] for line in logs} == {"the operator stops"}


async def test_the_end_of_a_target_that_was_told_nothing_is_nothing():
    told = Told("http://127.0.0.1:1")

    await told.target.close(30.0)

    assert told.outcomes == []
