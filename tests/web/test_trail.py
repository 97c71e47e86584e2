"""Recorded decisions are asked for once, however many people want to read them."""

import asyncio

import pytest

from canary_operator.errors import ClusterUnavailable
from canary_operator.model.rollout import RolloutRef
from tests.web import town as made_up
from tests.web.town import Town, a_record, held, idle

API = RolloutRef("shop", "api")


@pytest.fixture
def town():
    town = Town()
    town.gate(API, held(API), rollout=made_up.a_rollout())
    specs = [
        a_record(API, number, 0.1, number).model_dump(mode="json", by_alias=True, exclude_none=True)
        for number in (2, 1, 3)
    ]
    town.records.bodies = [{"spec": spec} for spec in specs]
    return town


async def read(town, trail):
    return await trail.decisions(town.sources.sight.known(API))


async def test_the_newest_comes_first(town):
    found = await read(town, town.sources.trail)

    assert [record.sequence for record in found.records] == [3, 2, 1]


async def test_many_readers_are_one_question_and_it_is_asked_again_later(town):
    trail = town.sources.trail

    await asyncio.gather(*(read(town, trail) for _ in range(20)))
    first = town.records.asked
    town.now += 11
    await read(town, trail)

    assert (first, town.records.asked) == (1, 2)


async def test_one_reader_who_goes_away_takes_the_answer_from_nobody(town):
    trail = town.sources.trail
    impatient, patient = asyncio.create_task(read(town, trail)), asyncio.create_task(read(town, trail))
    await asyncio.sleep(0)

    impatient.cancel()

    assert len((await patient).records) == 3


async def test_what_another_version_has_written_is_counted(town):
    town.records.bodies.append({"spec": {"sequence": 9, "of": "a newer operator"}})

    found = await read(town, town.sources.trail)

    assert (len(found.records), found.unreadable) == (3, 1)


async def test_an_api_server_that_does_not_answer_is_left_alone_for_a_while(town):
    trail = town.sources.trail
    town.records.error = ClusterUnavailable("no")

    for _ in range(3):
        with pytest.raises(ClusterUnavailable):
            await read(town, trail)

    assert town.records.asked == 1


async def test_a_gate_that_has_judged_nothing_has_no_records_and_nobody_is_asked(town):
    town.gate(API, idle(API))

    found = await read(town, town.sources.trail)

    assert (found.records, town.records.asked) == ((), 0)
