"""What a gate waits for, and until when."""

import pytest

from canary_operator.cluster import kinds
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.sight import Known
from canary_operator.web.waiting import Wait, waits
from tests.builders import POLICY, T0
from tests.web.town import Town, a_rollout, an_evidence, at, held, idle

API = RolloutRef("shop", "api")
MAX_HOLD = Wait("maxHold at the latest, then: a person decides", T0 + 3600)


def waits_of(status, rollout=None, *, now=T0 + 60, spec=None):
    town = Town(now)
    town.gate(API, status, rollout=rollout or a_rollout(), spec=spec)
    return list(waits(town.sources.sight.known(API), now))


def test_a_timed_pause_waits_for_its_end_its_evidence_and_max_hold():
    assert waits_of(held(API)) == [
        Wait("the end of the pause itself", T0 + 600),
        MAX_HOLD,
        Wait("1,200 more requests of the canary for availability", T0 + 1020),
    ]


def test_what_is_over_is_not_waited_for():
    found = waits_of(held(API), now=T0 + 1200)

    assert found == [MAX_HOLD, Wait("1,200 more requests of the canary for availability")]


def test_after_max_hold_it_says_what_then():
    assert Wait("maxHold is over: a person decides") in waits_of(held(API), now=T0 + 4000)


def test_a_pause_without_an_end_has_none():
    assert waits_of(held(API, evidence=[an_evidence()], step=5), a_rollout(5)) == [MAX_HOLD]


def test_an_override_comes_first_with_its_end():
    override = {"action": "Hold", "reason": "freeze", "requestedBy": "ada", "expiresAt": at(T0 + 500)}

    assert waits_of(held(API), spec={"override": override})[0] == Wait("ada says Hold: freeze", T0 + 500)


def test_an_override_that_has_expired_is_not_waited_for():
    override = {"action": "Hold", "reason": "freeze", "requestedBy": "ada", "expiresAt": at(T0 + 5)}

    assert waits_of(held(API), spec={"override": override})[0].what == "the end of the pause itself"


def test_a_person_who_suspended_the_gate_or_paused_the_rollout_is_waited_for():
    rollout = a_rollout()
    rollout["spec"]["paused"] = True

    found = [wait.what for wait in waits_of(held(API), rollout, spec={"suspend": True})]

    assert found[:2] == [
        "a person, who has suspended this gate (spec.suspend)",
        "a person, who has paused the Rollout (spec.paused)",
    ]


def test_an_action_whose_outcome_is_not_known_is_waited_for():
    pending = {"action": "Promote", "decisionId": "d", "at": at(T0)}

    assert waits_of(held(API, pending=pending))[0] == Wait("the outcome of Promote")


def test_a_policy_that_cannot_be_used_leaves_the_end_of_the_pause():
    rollout = a_rollout(annotations={POLICY: "missing"})

    assert waits_of(held(API, evidence=[]), rollout) == [Wait("the end of the pause itself", T0 + 600)]


def test_between_pauses_it_waits_for_what_argo_does():
    (wait,) = waits_of(held(API), a_rollout(2))

    assert wait.until is None
    assert wait.what


def test_a_gate_without_a_release_waits_for_nothing():
    rollout = a_rollout(6)
    rollout["status"]["stableRS"] = rollout["status"]["currentPodHash"]

    assert waits_of(idle(API), rollout) == []


def test_without_a_rollout_nothing_is_known_to_be_waited_for():
    town = Town()
    town.gate(API, held(API))

    known = town.sources.sight.known(API)

    assert isinstance(known, Known)
    assert (known.lack, waits(known, T0)) == ("the Rollout is gone", ())


@pytest.mark.parametrize(("policy", "then"), [("Abort", "abort"), ("Promote", "promote if the evidence allows")])
def test_a_policy_says_what_happens_after_max_hold(policy, then):
    town = Town(T0)
    spec = {"timing": {"maxHold": "30m", "onMaxHold": policy}}
    town._put(kinds.SLO_POLICIES, RolloutRef("shop", "careful"), {"spec": spec})
    town.gate(API, held(API, evidence=[]), rollout=a_rollout(5, annotations={POLICY: "careful"}))

    found = waits(town.sources.sight.known(API), T0)

    assert found == (Wait(f"maxHold at the latest, then: {then}", T0 + 1800),)
