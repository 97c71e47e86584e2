"""Whole releases: what people do in the middle of one."""

import pytest

from canary_operator.model.decision import Outcome
from canary_operator.model.pause import Hold
from canary_operator.model.policy import CanaryGateSpec
from tests.builders import (
    ARGS,
    BAD,
    CANARY,
    EMPTY,
    ONE_INDEFINITE,
    ONE_TIMED,
    POLICY,
    STABLE,
    T0,
    TEMPLATES,
    a_metric,
    a_policy,
    a_rollout,
    a_template,
    an_override,
    pause,
    set_weight,
)
from tests.scenarios.world import World


def a_world(*steps, **world):
    rollout = {key: world.pop(key) for key in ("mode", "annotations", "spec", "status") if key in world}
    return World(a_rollout(steps or ONE_TIMED, **rollout), **world)


def unsure(*steps, **world):
    """A release that is held because nothing is known."""
    return a_world(*steps, prometheus=lambda _: EMPTY, **world).release()


# The annotation.


@pytest.mark.parametrize("mode", ["off", None, "observe"])
def test_a_gate_that_is_taken_away_lets_its_hold_go_at_once(mode):
    world = unsure().until(30).gate(mode).until(30)
    let_go = (world.hold, world.step)
    world.until(70)

    assert let_go == (Hold.NONE, 1)
    assert world.of_kind("Release") == [(30, "Release", "Applied")]
    assert world.is_promoted


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_a_gate_that_comes_back_in_the_same_pause_holds_again(mode):
    world = unsure().until(30).gate(mode).until(35).gate("enforce").until(500)

    assert world.hold is Hold.CONFIRMED
    assert not world.is_promoted


def test_a_gate_that_is_taken_away_while_writes_are_refused_tries_until_it_may():
    world = unsure().until(30).gate("off")
    world.outcome = Outcome.REFUSED
    world.until(100)
    world.outcome = None
    world.until(130)

    assert world.is_promoted


def test_an_observing_gate_judges_and_never_writes():
    world = a_world(mode="observe", prometheus=lambda _: BAD).release().until(50)
    verdict = world.verdict
    world.until(100)

    assert verdict == ("Abort", "ConditionsFailed")
    assert world.actions == []
    assert world.is_promoted
    assert world.status.ended_by == "Argo"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("canary-operator.io/gate", "on"),
        ("canary-operator.io/tempate", "errors"),
        (TEMPLATES, "errors,,"),
        (TEMPLATES, "namespace/errors"),
        (ARGS, "{"),
        (ARGS, '{"a": 1}'),
        (ARGS, '{"nobody": "declares this"}'),
        (POLICY, "missing"),
    ],
)
def test_a_mistake_in_an_annotation_holds_and_is_told(key, value):
    world = a_world(annotations={key: value}).release().until(500)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert world.hold is Hold.CONFIRMED
    assert world.asked == []


def test_a_mistake_that_is_mended_is_forgotten():
    world = a_world(annotations={POLICY: "missing"}).release().until(30).annotate(POLICY, None).until(100)

    assert world.is_promoted


def test_two_policies_that_differ_hold_and_name_the_field():
    world = a_world(annotations={POLICY: "one,two"})
    world.policies = {"one": a_policy(), "two": a_policy(warmUp="1m")}
    world.release().until(100)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert "differ in timing" in world.status.message


def test_two_equal_policies_are_one():
    world = a_world(annotations={POLICY: "one,two"})
    world.policies = {"one": a_policy(warmUp="40s"), "two": a_policy(warmUp="40s")}
    world.release().until(70)

    assert world.is_promoted


def test_a_policy_that_is_deleted_while_judging_holds():
    world = a_world(*ONE_INDEFINITE, policy=a_policy(minMeasurements=5)).release().until(15)
    world.policies.clear()
    world.until(500)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert world.actions == []


# The template.


def test_a_template_that_is_deleted_while_judging_holds_and_keeps_the_evidence():
    world = a_world(*ONE_INDEFINITE, policy=a_policy(minMeasurements=5)).release().until(25)
    template = world.templates["errors"]
    world.writes(errors=None).until(28)
    without = world.verdict
    world.writes(errors=template).until(41)

    assert without == ("Hold", "ConfigurationError")
    assert world.actions == [(40, "Promote", "Applied")]


def test_a_template_that_changes_while_judging_starts_its_evidence_anew():
    world = a_world(*ONE_INDEFINITE).release().until(15)
    world.writes(errors=a_template(a_metric(successCondition="result[0] < 0.04"))).until(100)

    assert world.actions == [(35, "Promote", "Applied")]


def test_an_argument_without_a_value_holds():
    template = a_template(args=[{"name": "service"}])
    world = a_world(templates={"errors": template}).release().until(100)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert "service" in world.status.message


# The CanaryGate.


def test_an_override_promotes_over_everything():
    world = unsure(*ONE_INDEFINITE).until(30).says(an_override("Promote")).until(31)

    assert world.of_kind("Promote") == [(30, "Promote", "Applied")]
    assert world.is_promoted
    assert world.verdict == ("Promote", "Override")


def test_an_override_ends_a_timed_pause_early():
    world = unsure().until(30).says(an_override("Promote")).until(31)

    assert world.is_promoted


def test_an_override_aborts_at_a_pause():
    world = a_world().release().until(10).says(an_override("Abort")).until(11)

    assert world.is_aborted
    assert world.verdict == ("Abort", "Override")


def test_an_override_aborts_between_two_pauses():
    world = a_world(set_weight(25), {"analysis": {"templates": [{"templateName": "errors"}]}}, pause())
    world.argo.analysis = None
    world.release().until(10).says(an_override("Abort")).until(11)

    assert world.is_aborted
    assert world.status.ended_by == "Gate"


def test_an_override_holds_until_it_expires():
    world = a_world().release().says(an_override("Hold", until=T0 + 200)).until(199)
    held = (world.verdict, world.step)
    world.until(201)

    assert held == (("Hold", "Override"), 1)
    assert world.of_kind("Release") == [(200, "Release", "Applied")]


def test_an_expired_override_says_nothing():
    world = unsure(*ONE_INDEFINITE).says(an_override("Promote", until=T0 - 1)).until(100)

    assert world.verdict == ("Hold", "NoData")


def test_an_abort_of_a_person_is_never_softened():
    world = unsure(policy=a_policy(failAction="Hold")).until(10).says(an_override("Abort")).until(11)

    assert world.is_aborted


def test_an_observing_gate_carries_no_override_out():
    world = unsure(*ONE_INDEFINITE, mode="observe").says(an_override("Promote")).until(100)

    assert world.actions == []


def test_a_gate_whose_spec_cannot_be_read_holds():
    world = a_world().release().says("CanaryGate: spec.override.expiresAt: not a time").until(100)

    assert world.verdict == ("Hold", "ConfigurationError")


def test_a_suspended_gate_lets_its_hold_go():
    world = unsure().until(30).says(CanaryGateSpec(suspend=True)).until(70)

    assert world.of_kind("Release") == [(30, "Release", "Applied")]
    assert world.is_promoted
    assert (world.status.phase, world.status.reason) == ("Idle", "NotGated")


# Argo's own commands.


def test_a_person_promotes_a_held_pause():
    world = unsure().until(100).promote().until(101)

    assert world.is_promoted
    assert (world.status.phase, world.status.ended_by) == ("Ended", "Person")
    assert world.status.pause.left_by != "Gate"
    assert world.of_kind("Promote", "Release", "Nudge") == []


def test_a_person_promotes_in_full():
    world = unsure(set_weight(25), pause(), set_weight(50), pause()).until(100).patch(promoteFull=True).until(101)

    assert world.is_promoted
    assert (world.status.phase, world.status.ended_by) == ("Ended", "Person")


def test_a_person_aborts():
    world = unsure().until(100).patch(abort=True).until(101)

    assert (world.status.phase, world.status.ended_by) == ("Ended", "Person")
    assert world.of_kind("Abort") == []


def test_a_release_that_is_retried_is_judged_anew():
    world = a_world(prometheus=lambda at: BAD if at < 30 else EMPTY).release().until(30).patch(abort=False).until(100)

    assert world.verdict == ("Hold", "NoData")
    assert world.status.phase == "Judging"
    assert world.hold is Hold.CONFIRMED


def test_an_abort_by_a_person_after_a_retry_is_theirs():
    world = a_world(*ONE_INDEFINITE, prometheus=lambda at: BAD if at < 30 else EMPTY).release().until(30)
    first = world.status.ended_by
    world.patch(abort=False).until(60).patch(abort=True).until(61)

    assert (first, world.status.ended_by) == ("Gate", "Person")


def test_a_full_promotion_of_a_retried_release_does_not_tell_the_verdict_before():
    world = a_world({"analysis": {}}, pause(), prometheus=lambda at: BAD)
    world.release().until(30)
    world.argo.analysis = None
    world.patch(abort=False).until(60).patch(promoteFull=True).until(61)

    assert world.verdict[0] == "Hold"


def test_a_rollout_paused_by_a_person_is_theirs():
    world = a_world().release().until(10)
    world.argo.change(paused=True)
    world.until(200)
    untouched = world.of_kind("Release", "Promote")
    world.argo.change(paused=False)
    world.until(201)

    assert untouched == []
    assert world.is_promoted


def test_a_failing_canary_is_aborted_even_if_a_person_has_paused_it():
    world = a_world(prometheus=lambda at: BAD if at > 30 else EMPTY).release().until(10)
    world.argo.change(paused=True)
    world.until(60)

    assert world.is_aborted
    assert "spec.paused" in world.status.message


# New versions.


def test_a_new_version_in_the_middle_starts_from_nothing():
    world = a_world().release().until(30).release("v3").until(89)
    before = (world.step, world.status.evidence[0].measurements.successful)
    world.until(91)

    assert before == (1, 6)
    assert world.is_promoted
    assert world.argo.status["stableRS"] == "v3"


def test_an_action_decided_on_the_old_version_is_void_on_the_new_one():
    world = a_world(*ONE_INDEFINITE, lag=1).release().until(19.5).release("v3").until(20.4)

    assert world.actions == [(20, "Promote", "Stale")]
    assert not world.is_promoted


def test_a_scale_up_in_a_pause_keeps_the_evidence():
    world = a_world(*ONE_INDEFINITE).release().until(15)
    world.argo.change(replicas=20)
    world.until(21)

    assert world.actions == [(20, "Promote", "Applied")]


def test_going_back_to_stable_is_not_gated():
    world = unsure().until(30).release(STABLE).until(31)

    assert (world.status.phase, world.status.verdict) == ("Idle", None)
    assert world.is_promoted


def test_the_first_deploy_is_not_gated():
    world = a_world(status={"stableRS": "", "currentStepIndex": 2}).release().until(10)

    assert (world.status.phase, world.status.reason) == ("Idle", "NotGated")
    assert world.actions == []


def test_a_canary_without_pauses_is_not_gated():
    world = a_world(set_weight(25), set_weight(50)).release().until(10)

    assert world.status.phase == "Idle"


def test_a_release_that_is_scaled_to_zero_is_not_gated_and_not_let_through_unseen():
    world = a_world().release().until(30)
    world.argo.change(replicas=0)
    world.until(500)
    at_zero = (world.status.phase, world.status.reason, world.hold)
    world.argo.change(replicas=4)
    world.until(600)

    assert at_zero == ("Idle", "NotGated", Hold.CONFIRMED)
    assert world.is_promoted


def test_the_verdict_that_decided_stays_until_the_next_release():
    world = a_world(*ONE_INDEFINITE).release().until(100_000)
    ended = (world.status.phase, *world.verdict)
    world.release("v3").until(100_001)

    assert ended == ("Ended", "Promote", "ConditionsMet")
    assert world.status.phase == "Judging"


def test_a_release_that_is_over_costs_no_looks_and_no_writes():
    world = a_world().release().until(100)
    looks, written = len(world.decisions), world.written
    world.until(100_000)

    assert (len(world.decisions), world.written) == (looks, written)


def test_an_idle_rollout_costs_no_looks_and_no_writes():
    world = a_world().until(1)
    world.look()
    looks, written = len(world.decisions), world.written
    world.until(100_000)

    assert (len(world.decisions), world.written) == (looks, written)
    assert world.argo.status["stableRS"] != CANARY
