"""Whole releases with everything that goes wrong between the gate and the cluster."""

import json

import pytest

from canary_operator import engine
from canary_operator.model.decision import ActionKind, Outcome
from canary_operator.model.pause import Hold
from tests.builders import (
    BAD,
    EMPTY,
    GOOD,
    ONE_INDEFINITE,
    ONE_TIMED,
    a_policy,
    a_rollout,
    pause,
    set_weight,
)
from tests.scenarios.world import World

LONG = (set_weight(25), pause("30s"), set_weight(50), pause(), set_weight(75), pause("20s"))


def a_world(*steps, **world):
    return World(a_rollout(steps or ONE_TIMED), **world)


def test_a_restart_between_any_two_looks_changes_nothing():
    world = a_world(*LONG).release().until(300)

    again = World(a_rollout(LONG)).release().until(300)

    assert world.actions == again.actions
    assert world.verdicts == again.verdicts
    assert world.is_promoted


def test_every_decision_can_be_replayed_to_the_letter():
    world = a_world(*LONG, prometheus=lambda at: EMPTY if at < 50 else GOOD).release().until(300)

    assert len(world.decisions) > 10
    for snapshot, samples, now, decision in world.decisions:
        assert engine.decide(snapshot, samples, now) == decision


def test_a_crash_before_a_promotion_is_sent_promotes_once_afterwards():
    world = a_world(*ONE_INDEFINITE).release().until(19)
    world.now += 1
    world.look(crash="before")
    world.until(30)

    assert world.of_kind("Promote") == [(20, "Promote", "Applied")]
    assert world.is_promoted


def test_a_crash_after_a_promotion_is_sent_is_told_from_the_rollout():
    world = a_world(set_weight(25), pause(), set_weight(50), pause(), prometheus=lambda at: GOOD if at < 21 else EMPTY)
    world.release().until(19)
    world.now += 1
    world.look(crash="after")
    world.until(60)

    assert world.of_kind("Promote") == []
    assert world.step == 3
    concluded = [decision.status.last_action for *_, decision in world.decisions if decision.concluded]
    assert [(last.action, last.outcome) for last in concluded] == [("Promote", "Applied")]


@pytest.mark.parametrize("crash", ["before", "after"])
def test_a_crash_around_a_hold_leaves_it_held(crash):
    world = a_world(prometheus=lambda _: EMPTY).release()
    world._let_argo()
    world.look(crash=crash)
    world.until(200)

    assert world.hold is Hold.CONFIRMED


def concluded(world: World) -> list[tuple[str, str]]:
    told = [decision.status.last_action for *_, decision in world.decisions if decision.concluded]
    return [(last.action, last.outcome) for last in told]


@pytest.mark.parametrize("crash", ["before", "after"])
def test_nobody_knows_what_became_of_a_hold_whose_pause_was_over_before_anybody_looked(crash):
    world = a_world(set_weight(25), pause("60s"), set_weight(50), pause()).release()
    world._let_argo()
    world.look(crash=crash)
    world.promote().until(10)

    assert concluded(world) == [("Hold", "Unknown")]


@pytest.mark.parametrize("crash", ["before", "after"])
def test_nobody_knows_what_became_of_a_promotion_of_a_release_that_a_person_has_aborted(crash):
    world = a_world(set_weight(25), pause(), set_weight(50), pause()).release().until(19)
    world.now += 1
    world.look(crash=crash)
    world.patch(abort=True).until(30)

    assert concluded(world) == [("Promote", "Unknown")]


@pytest.mark.parametrize("crash", ["before", "after"])
def test_nobody_knows_what_became_of_an_action_once_another_revision_has_begun(crash):
    world = a_world().release()
    world._let_argo()
    world.look(crash=crash)
    world.release("5c6b8dd4f9").until(10)

    assert concluded(world) == [("Hold", "Unknown")]


def test_a_hold_that_is_tried_again_because_the_watch_is_late_is_no_less_written():
    world = a_world(lag=4, prometheus=lambda _: EMPTY).release().until(12)

    assert world.of_kind("Hold")[-1][2] == "Stale"
    assert (world.status.last_action.action, world.status.last_action.outcome) == ("Hold", "Applied")


@pytest.mark.parametrize("crash", ["before", "after"])
def test_a_crash_around_an_abort_aborts(crash):
    world = a_world(*ONE_INDEFINITE, prometheus=lambda _: BAD).release()
    world._let_argo()
    world.look(crash=crash)
    world.until(30)

    assert world.is_aborted
    assert (world.status.ended_by, *world.verdict) == ("Gate", "Abort", "ConditionsFailed")


@pytest.mark.parametrize("crash", ["before", "after"])
def test_a_crash_around_a_release_ends_the_pause(crash):
    world = a_world().release().until(59.9)
    world.now += 0.1
    world.look(crash=crash)
    world.until(70)

    assert world.is_promoted
    assert world.status.ended_by == "Gate"


def test_a_promotion_that_argo_misses_is_nudged_and_never_repeated():
    world = a_world(*ONE_INDEFINITE).release().until(19)
    world.argo.deaf = True
    world.until(100)

    assert world.of_kind("Promote", "Nudge") == [(20, "Promote", "Applied"), (25, "Nudge", "Applied")]
    assert world.is_promoted
    assert world.status.ended_by == "Gate"


def test_a_release_that_argo_misses_is_nudged():
    world = a_world().release().until(59)
    world.argo.deaf = True
    world.until(100)

    assert [kind for _, kind, _ in world.actions] == ["Hold", "Hold", "Release", "Nudge"]
    assert world.is_promoted


def test_an_abort_that_argo_misses_is_nudged():
    world = a_world(*ONE_INDEFINITE, prometheus=lambda at: BAD if at >= 10 else EMPTY).release().until(9)
    world.argo.deaf = True
    world.until(100)

    assert [kind for _, kind, _ in world.actions] == ["Abort", "Nudge"]
    assert world.argo.status["abortedAt"]


def test_no_nudge_follows_into_the_next_pause():
    world = a_world(set_weight(25), pause(), set_weight(50), pause(), prometheus=lambda at: GOOD if at < 21 else EMPTY)
    world.release().until(500)

    assert [kind for _, kind, _ in world.actions] == ["Promote"]


@pytest.mark.parametrize("lag", [0.2, 1])
def test_what_the_watch_tells_late_is_not_written_twice(lag):
    world = a_world(*LONG, lag=lag).release().until(300)

    kinds = [(kind, outcome) for _, kind, outcome in world.actions if kind != "Nudge"]
    assert kinds == [(kind, "Applied") for kind in ("Hold", "Hold", "Release", "Promote", "Hold", "Hold", "Release")]
    assert world.is_promoted
    assert world.status.ended_by == "Gate"


@pytest.mark.parametrize("lag", [2, 4])
def test_what_the_watch_tells_very_late_is_void_when_it_is_written_twice(lag):
    world = a_world(*LONG, lag=lag).release().until(300)

    applied = [kind for _, kind, outcome in world.actions if outcome == "Applied" and kind != "Nudge"]
    assert applied == ["Hold", "Hold", "Release", "Promote", "Hold", "Hold", "Release"]
    assert len(world.actions) <= len(applied) + 8
    assert world.is_promoted
    assert world.status.ended_by == "Gate"


@pytest.mark.parametrize("lag", [0.2, 1, 2, 4])
def test_an_abort_that_the_watch_tells_late_is_written_once(lag):
    world = a_world(lag=lag, prometheus=lambda _: BAD).release().until(100)

    assert world.of_kind("Abort") == [(world.of_kind("Abort")[0][0], "Abort", "Applied")]
    assert world.status.ended_by == "Gate"


def test_a_refused_hold_is_tried_again_and_does_not_turn_in_circles():
    world = a_world(set_weight(25), pause("300s"))
    world.outcome = Outcome.REFUSED
    world.release().until(290)

    assert 290 / 15 <= len(world.actions) + 1 <= 25


def test_a_refused_promotion_is_tried_again():
    world = a_world(*ONE_INDEFINITE)
    world.outcome = Outcome.REFUSED
    world.release().until(100)
    world.outcome = None
    world.until(120)

    assert world.is_promoted
    assert len(world.actions) < 20


def test_argo_being_down_keeps_everything_where_it_is():
    world = a_world().release().until(30)
    world.argo.down = True
    world.until(100)
    while_down = [kind for _, kind, _ in world.actions if kind != "Nudge"]
    world.argo.down = False
    world.until(101)

    assert while_down == ["Hold", "Hold", "Release"]
    assert world.is_promoted


def test_an_operator_that_comes_late_holds_before_it_asks():
    world = a_world(prometheus=lambda _: EMPTY).release()
    world._let_argo()
    world._seen = world._seen[-1:]
    world.now += 40
    world.look()

    assert world.hold is Hold.WRITTEN
    assert world.asked == []


def test_memory_that_cannot_be_read_begins_anew_and_only_holds_longer():
    world = a_world(*ONE_INDEFINITE).release().until(15)
    world.memory = json.dumps({})
    world.until(100)

    assert world.of_kind("Promote") == [(30, "Promote", "Applied")] or world.is_promoted


def test_a_hold_found_without_memory_is_released_when_the_gate_passes():
    world = a_world().release().until(30)
    world.memory = None
    world.until(200)

    assert world.is_promoted
    assert ActionKind.RELEASE.value == world.actions[-1][1]


def test_nothing_writes_its_status_more_often_than_it_looks():
    world = a_world(prometheus=lambda _: EMPTY, policy=a_policy()).release().until(300)

    assert world.written <= 300 / 10 + 20


def test_nothing_is_promoted_or_aborted_just_after_a_change_of_the_spec():
    """Argo can say that it has seen a new spec a moment before it says which version that is."""
    world = a_world(set_weight(25), pause(), prometheus=lambda _: GOOD).release().until(19)
    world.argo.body["metadata"]["generation"] += 1
    world.argo.body["status"]["observedGeneration"] = str(world.argo.body["metadata"]["generation"])
    world.until(30)

    [(at, _, outcome)] = world.of_kind("Promote")
    assert (at >= 21, outcome) == (True, "Applied")


def test_what_passed_before_an_outage_promotes_only_after_the_looks_that_are_due_since():
    world = a_world(*ONE_INDEFINITE, prometheus=lambda at: GOOD if at < 35 else BAD, outages=((15, 200),))
    world.release().until(400)

    assert world.of_kind("Promote") == []
    assert world.is_aborted
