"""What listeners are told live: rows that changed, a gate that changed, and never more than there is to say."""

import asyncio
import contextlib
import json

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from canary_operator.errors import ClusterUnavailable
from canary_operator.model.rollout import RolloutRef
from canary_operator.web import Health, Page
from canary_operator.web.drawing import Drawing
from canary_operator.web.server import _app
from canary_operator.web.streams import Limits, Streams
from canary_operator.web.verdict import Door
from tests.web import town as made_up
from tests.web.town import Town, a_record, an_evidence, ended, held, promoting, regressing

API, WEB = RolloutRef("shop", "api"), RolloutRef("shop", "web")
GATE = "/live/shop/api"


class Ear:
    """One listener, and what it was told since it asked last."""

    def __init__(self, response):
        self._response = response

    async def event(self):
        """The next event: its name, its data, and where the stream is."""
        fields = {"event": "", "id": "", "data": []}
        async with asyncio.timeout(10):
            async for line in self._response.content:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "data":
                    fields["data"].append(value)
                elif name in fields:
                    fields[name] = value
                elif not name and fields["event"]:
                    return fields["event"], "\n".join(fields["data"]), fields["id"]
        raise EOFError

    async def until(self, wanted):
        """The data of the next event of a name."""
        while True:
            event, data, _ = await self.event()
            if event == wanted:
                return data

    async def words(self):
        """Nothing but silence is told any more: the next word is a tick."""
        return [(await self.event())[0]]


@pytest.fixture
def town():
    town = Town()
    for ref in (API, WEB):
        town.gate(ref, held(ref), rollout=made_up.a_rollout())
    return town


@contextlib.asynccontextmanager
async def served(town, **limits):
    app = _app(Health(alive=list, ready=lambda: True), CollectorRegistry(), Door(None, lambda _: None))
    town.streams = Streams(town.board, "me", Limits(**{"pace": 0.0, **limits}))
    Page(town.sources, None, town.streams).add_to(app)
    async with TestClient(TestServer(app)) as client:
        yield client


@contextlib.asynccontextmanager
async def listening(client, path, since=None):
    params = {} if since is None else {"since": since}
    async with client.get(path, params=params, headers={"Accept": "text/event-stream"}) as response:
        assert response.status == 200
        yield Ear(response)


async def test_a_change_is_told_with_its_row_and_the_new_counts(town):
    async with served(town) as client, listening(client, "/live", town.streams.position) as ear:
        await ear.until("tick")
        town.look(API, promoting(API))

        rows, verdicts = await ear.until("rows"), await ear.until("verdicts")

    assert rows.count("<tr") == 1
    assert 'id="gate-shop/api"' in rows
    assert 'Promote <span class="count">1</span>' in verdicts


async def test_who_was_away_is_told_what_changed_meanwhile(town):
    async with served(town) as client:
        before = town.streams.position
        town.look(API, promoting(API))

        async with listening(client, "/live", before) as ear:
            event, rows, _ = await ear.event()

    assert (event, rows.count("<tr")) == ("rows", 1)


@pytest.mark.parametrize("since", [None, "", "another-3", "me-", "me-x", "me-999999", "me--1", "3"])
async def test_who_comes_from_another_process_must_read_anew(town, since):
    async with served(town) as client, listening(client, "/live", since) as ear:
        event, _, position = await ear.event()

        assert (event, position) == ("reset", town.streams.position)


async def test_a_look_that_changes_nothing_that_is_shown_is_not_told(town):
    async with served(town) as client:
        await client.get("/", headers={"Accept": "text/html"})
        async with listening(client, "/live", town.streams.position) as ear:
            await ear.until("tick")
            town.look(API, held(API))

            assert await ear.words() == ["tick"]


@pytest.mark.parametrize("query", ["?verdict=Hold", "?q=collecting", "?namespace=elsewhere"])
async def test_what_is_not_wanted_any_more_leaves_the_table(town, query):
    async with served(town) as client, listening(client, f"/live{query}", town.streams.position) as ear:
        await ear.until("tick")
        town.look(API, promoting(API))

        assert (await ear.until("rows")).strip() == '<tr id="gate-shop/api" data-gone></tr>'


async def test_a_rollout_that_is_deleted_leaves_the_table(town):
    async with served(town) as client, listening(client, "/live", town.streams.position) as ear:
        await ear.until("tick")
        town.delete(WEB)

        assert 'id="gate-shop/web" data-gone' in await ear.until("rows")


async def test_many_changes_between_two_messages_are_one_message(town):
    async with served(town, pace=0.2) as client, listening(client, "/live", town.streams.position) as ear:
        await ear.until("tick")
        for status in (promoting(API), regressing(API), ended(API)):
            town.look(API, status)
        town.look(WEB, promoting(WEB))

        rows = await ear.until("rows")

    assert rows.count("<tr") == 2
    assert 'data-group="ended"' in rows


async def test_the_page_of_a_gate_is_told_as_a_whole_with_its_course(town):
    town.look(API, held(API))
    async with served(town) as client, listening(client, GATE, town.streams.position) as ear:
        gate, course = await ear.until("gate"), json.loads(await ear.until("course"))

    assert "availability needs 1,200 more requests" in gate
    (points,) = course.values()
    assert (points["promote"], points["abort"]) == ([0.62], [0.04])


async def test_the_course_begins_with_what_was_recorded_before_the_operator_started(town):
    record = a_record(API, 1, 0.1, -300).model_dump(mode="json", by_alias=True, exclude_none=True)
    town.records.bodies = [{"spec": record}]
    town.look(API, held(API))

    async with served(town) as client, listening(client, GATE, town.streams.position) as ear:
        (points,) = json.loads(await ear.until("course")).values()

    assert points["promote"] == [0.1, 0.62]
    assert town.records.asked == 1


async def test_a_course_without_its_beginning_is_better_than_none(town):
    town.records.error = ClusterUnavailable("no")
    town.look(API, held(API))

    async with served(town) as client, listening(client, GATE, town.streams.position) as ear:
        (points,) = json.loads(await ear.until("course")).values()

    assert points["promote"] == [0.62]


async def test_a_change_of_the_gate_is_told_and_one_of_another_gate_is_not(town):
    async with served(town) as client, listening(client, GATE, town.streams.position) as ear:
        await ear.until("course")
        town.look(WEB, promoting(WEB))
        assert await ear.words() == ["tick"]

        town.look(API, held(API, evidence=[an_evidence(towardsPromote=0.99)]))
        assert "Towards promote 99 %" in await ear.until("gate")


async def test_a_gate_is_drawn_once_for_all_who_look_at_it_and_not_for_news_of_others(town, monkeypatch):
    drawn, draw = [], Drawing.draw

    def counting(self, template, **what):
        drawn.append(template)
        return draw(self, template, **what)

    monkeypatch.setattr(Drawing, "draw", counting)
    town.look(API, held(API))
    async with (
        served(town) as client,
        listening(client, GATE, town.streams.position) as one,
        listening(client, GATE, town.streams.position) as two,
    ):
        await one.until("course")
        await two.until("course")
        town.look(WEB, promoting(WEB))
        await one.until("tick")
        await two.until("tick")

    # Once as it was, and once more with what was recorded before.
    assert drawn.count("gate_now.html") <= 2


async def test_a_gate_that_is_deleted_is_said_to_be_gone(town):
    async with served(town) as client, listening(client, GATE, town.streams.position) as ear:
        await ear.until("course")
        town.delete(API)

        await ear.until("gone")


async def test_one_listener_too_many_is_refused(town):
    async with served(town, listeners=1) as client, listening(client, "/live"):
        response = await client.get("/live", headers={"Accept": "text/event-stream"})

        assert response.status == 503


async def test_who_leaves_makes_room(town):
    async with served(town, listeners=1) as client:
        async with listening(client, "/live") as ear:
            await ear.event()
        for _ in range(100):
            town.board.notice(API)
            response = await client.get("/live", headers={"Accept": "text/event-stream"})
            if response.status == 200:
                break

        assert response.status == 200


async def test_a_stopping_operator_ends_all_streams(town):
    async with served(town) as client, listening(client, "/live") as ear:
        await ear.event()
        town.streams.close()

        with pytest.raises(EOFError):
            await ear.until("nothing more")


async def test_a_gate_that_is_not_there_has_no_stream(town):
    async with served(town) as client:
        response = await client.get("/live/shop/nobody", headers={"Accept": "text/event-stream"})

        assert response.status == 404


async def test_one_who_reads_nothing_is_let_go_and_others_are_told_meanwhile(town):
    async with served(town, send=0.1) as client, asyncio.timeout(60):
        _, writer = await asyncio.open_connection("127.0.0.1", client.port, limit=1)
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        async with listening(client, "/live", town.streams.position) as other:
            while town.streams.listeners < 2:
                town.gate(API, held(API, message=f"news {town.board.revision}"))
                await other.until("rows")
            while town.streams.listeners == 2:
                message = "x" * 100_000 + str(town.board.revision)
                town.gate(API, held(API, message=message))
                assert message in await other.until("rows")
        writer.close()
