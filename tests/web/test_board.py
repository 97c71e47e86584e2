"""Who hears of looks: what changed since when, and the course of each release."""

import asyncio

import pytest

from canary_operator.cluster import kinds
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.assets import load_assets
from canary_operator.web.board import Board, release_of
from canary_operator.web.drawing import Drawing
from canary_operator.web.rows import Rows
from tests.web import town as made_up
from tests.web.town import Town, a_record, an_evidence, held, judged

API = RolloutRef("shop", "api")
KEY = "SLOPolicy/api/availability/availability"


@pytest.fixture
def town():
    town = Town()
    town.gate(API, held(API), rollout=made_up.a_rollout())
    return town


def towards(town, ref=API, key=KEY):
    status = town.sources.sight.known(ref).status
    return [round(point.towards_promote, 2) for point in town.board.course(ref, status).get(key, ())]


def look(town, promote, seconds=15.0, **fields):
    town.now += seconds
    town.look(API, held(API, evidence=[an_evidence(towardsPromote=promote)], **fields))


def test_every_look_is_a_point(town):
    for promote in (0.1, 0.2, 0.3):
        look(town, promote)

    assert towards(town) == [0.1, 0.2, 0.3]


def test_a_new_release_begins_a_new_course(town):
    look(town, 0.9)
    look(town, 0.1, rollout=judged(API, revision=3, podHash="newer"))

    assert towards(town) == [0.1]


def test_what_has_ended_keeps_its_course_and_gets_no_points(town):
    look(town, 0.9)
    look(town, 1.0, phase="Ended")

    assert towards(town) == [0.9]


def test_a_gate_that_invents_evidences_gets_no_more_memory_than_others(town):
    for number in range(100):
        town.now += 15
        town.look(API, held(API, evidence=[an_evidence(f"n{number}", source="x")]))

    status = town.sources.sight.known(API).status
    assert len(town.board.course(API, status)) == 40


def test_what_was_recorded_before_the_operator_started_comes_first(town):
    look(town, 0.5, seconds=100)
    records = [
        a_record(API, 2, 0.2, 60),
        a_record(API, 1, 0.1, 30),
        a_record(API, 3, 0.9, 500),
        a_record(API, 4, 0.8, 10, podHash="old"),
    ]

    release = release_of(records[0].rollout)
    town.board.seed(API, release, records)

    assert towards(town) == [0.1, 0.2, 0.5]
    assert town.board.is_seeded(API, release)
    assert not town.board.is_seeded(API, ("other", "hash", 1))


def test_news_are_told_from_a_revision_on(town):
    before = town.board.revision

    look(town, 0.5)

    assert town.board.heard_since(before) == [API]
    assert town.board.heard_since(town.board.revision) == []


def test_a_gate_that_is_gone_is_news_and_its_course_is_forgotten(town):
    look(town, 0.5)
    status, before = town.sources.sight.known(API).status, town.board.revision

    town.delete(API)

    assert town.board.heard_since(before) == [API]
    assert town.board.course(API, status) == {}


async def test_a_gate_that_goes_after_its_rollout_leaves_the_table_then(town):
    rows = Rows(town.sources.sight, town.board, Drawing(load_assets()))
    town.store.remove(kinds.ROLLOUTS, made_up.body_of(API, kinds.ROLLOUTS))
    town.board.forget(API)
    assert [row.said.message for row in await rows.all()] == ["the Rollout is gone"]

    town.store.remove(kinds.CANARY_GATES, made_up.body_of(API, kinds.CANARY_GATES))
    town.board.forget(API)

    assert await rows.all() == []


def test_a_rollout_that_never_had_a_gate_is_no_news_when_it_goes():
    board = Board()

    board.forget(API)

    assert (board.revision, board.heard_since(0)) == (1, [])


def test_who_was_away_for_longer_than_deletes_are_remembered_is_told_to_read_anew(town):
    before = town.board.revision
    for number in range(1200):
        ref = RolloutRef("shop", f"short-{number}")
        town.board.notice(ref)
        town.board.forget(ref)

    assert not town.board.knows(before)
    assert town.board.knows(town.board.revision)
    assert not town.board.knows(town.board.revision + 1)


async def test_who_waits_for_news_is_woken_up(town):
    waiting = asyncio.create_task(town.board.news(town.board.revision))
    await asyncio.sleep(0)
    assert not waiting.done()

    look(town, 0.5)

    await asyncio.wait_for(waiting, 5)


async def test_who_comes_too_late_for_news_does_not_wait(town):
    await asyncio.wait_for(town.board.news(town.board.revision - 1), 5)


def test_a_look_without_a_judged_rollout_is_news_and_no_point(town):
    status = made_up.idle(API)

    town.look(API, status)

    assert town.board.course(API, GateStatus.model_validate(status)) == {}
