"""Whole releases: what happens at a pause, and when."""

import pytest

from canary_operator.model.pause import Hold
from tests.builders import (
    BAD,
    EMPTY,
    GOOD,
    NAN,
    ONE_INDEFINITE,
    ONE_TIMED,
    OUTAGE,
    T0,
    a_blue_green,
    a_metric,
    a_policy,
    a_rollout,
    a_template,
    analysis,
    pause,
    set_weight,
    vector,
)
from tests.scenarios.world import World


def a_world(*steps, **world):
    rollout = {key: world.pop(key) for key in ("mode", "annotations", "spec") if key in world}
    return World(a_rollout(steps or ONE_TIMED, **rollout), **world)


def bad_until(seconds, before=BAD):
    return lambda at: before if at < seconds else GOOD


def test_a_timed_pause_is_held_at_once_and_again_a_moment_later():
    world = a_world().release().until(0)
    held_first = world.hold
    world.until(2)

    assert (held_first, world.hold) == (Hold.WRITTEN, Hold.CONFIRMED)
    assert world.actions == [(0, "Hold", "Applied"), (1.5, "Hold", "Applied")]


def test_both_writes_of_a_hold_are_one_decision():
    world = a_world().release().until(0)
    first = world.status.last_action.decision_id
    world.until(2)

    assert first == world.status.last_action.decision_id


def test_nothing_is_asked_before_the_hold_is_written_twice():
    world = a_world().release().until(30)

    assert world.asked[0][0] >= 1.5


def test_a_good_canary_leaves_at_the_end_of_the_users_pause_and_not_before():
    world = a_world().release().until(59.9)
    before = (world.verdict, world.step)
    world.until(60.1)

    assert before == (("Promote", "ConditionsMet"), 1)
    assert world.actions[-1] == (60, "Release", "Applied")
    assert world.is_promoted


def test_a_canary_that_gets_its_evidence_later_is_held_until_then():
    world = a_world(prometheus=bad_until(70, EMPTY)).release().until(200)

    assert world.of_kind("Release") == [(90, "Release", "Applied")]
    assert world.is_promoted


def test_an_indefinite_pause_is_promoted_with_enough_evidence():
    world = a_world(*ONE_INDEFINITE).release().until(100)

    assert world.actions == [(20, "Promote", "Applied")]
    assert world.is_promoted
    assert (
        world.status.phase,
        world.status.ended_by,
        *world.verdict,
    ) == ("Ended", "Gate", "Promote", "ConditionsMet")


@pytest.mark.parametrize("answer", [EMPTY, NAN, OUTAGE, vector(0.01, 0.02)])
def test_an_indefinite_pause_without_evidence_is_never_left(answer):
    world = a_world(*ONE_INDEFINITE, prometheus=lambda _: answer).release().until(400)

    assert world.actions == []
    assert world.step == 1


@pytest.mark.parametrize("answer", [EMPTY, NAN, OUTAGE, vector(0.01, 0.02)])
def test_a_timed_pause_without_evidence_is_never_left(answer):
    world = a_world(prometheus=lambda _: answer).release().until(400)

    assert world.of_kind("Release", "Promote", "Abort") == []
    assert Hold.CONFIRMED is world.hold


def test_a_pause_is_left_early_where_the_policy_wants_it():
    world = a_world(policy=a_policy(promoteEarly=True)).release().until(25)

    assert world.of_kind("Promote") == [(20, "Promote", "Applied")]
    assert world.is_promoted


def test_a_failing_canary_is_aborted_at_the_first_measurement_that_breaks_the_limit():
    world = a_world(prometheus=lambda _: BAD).release().until(30)

    assert world.of_kind("Abort") == [(2, "Abort", "Applied")]
    assert world.is_aborted
    assert (
        world.status.phase,
        world.status.ended_by,
        *world.verdict,
    ) == ("Ended", "Gate", "Abort", "ConditionsFailed")


def test_a_failure_limit_tolerates_as_many_failures():
    template = a_template(a_metric(failureLimit=2))
    world = a_world(prometheus=lambda _: BAD, templates={"errors": template}).release().until(30)

    assert world.of_kind("Abort") == [(20, "Abort", "Applied")]


def test_fail_action_hold_holds_with_the_reason_of_the_abort():
    world = a_world(prometheus=lambda _: BAD, policy=a_policy(failAction="Hold")).release().until(300)

    assert world.verdict == ("Hold", "ConditionsFailed")
    assert world.of_kind("Abort", "Release", "Promote") == []
    assert Hold.CONFIRMED is world.hold


def test_fail_action_notify_tells_and_lets_the_pause_end_as_without_a_gate():
    world = a_world(prometheus=lambda _: BAD, policy=a_policy(failAction="Notify")).release().until(59)
    before = (world.verdict, world.hold, world.step)
    world.until(70)

    assert before == (("Abort", "ConditionsFailed"), Hold.NONE, 1)
    assert world.of_kind("Abort", "Promote") == []
    assert world.is_promoted
    assert world.status.ended_by == "Argo"


def test_fail_action_notify_leaves_an_indefinite_pause_to_a_person():
    world = a_world(*ONE_INDEFINITE, prometheus=lambda _: BAD, policy=a_policy(failAction="Notify"))
    world.release().until(500)

    assert world.verdict == ("Abort", "ConditionsFailed")
    assert world.actions == []


@pytest.mark.parametrize(
    ("then", "verdict", "action"),
    [("Hold", ("Hold", "MaxHold"), []), ("Abort", ("Abort", "MaxHold"), [(600, "Abort", "Applied")])],
)
def test_max_hold_is_over(then, verdict, action):
    policy = a_policy(maxHold="10m", onMaxHold=then)
    world = a_world(prometheus=lambda _: EMPTY, policy=policy).release().until(700)

    assert verdict == world.verdict
    assert action == world.of_kind("Abort", "Release", "Promote")
    assert "NoData" in world.status.message


def test_max_hold_promotes_what_was_measured_and_told_too_little():
    policy = a_policy(maxHold="2m", onMaxHold="Promote", minMeasurements=100)
    world = a_world(policy=policy).release().until(200)

    assert world.of_kind("Release") == [(120, "Release", "Applied")]
    assert world.verdict == ("Promote", "MaxHold")


@pytest.mark.parametrize("answer", [EMPTY, NAN, OUTAGE, vector(0.01, 0.02)])
def test_max_hold_promotes_nothing_without_evidence(answer):
    policy = a_policy(maxHold="2m", onMaxHold="Promote", minMeasurements=100)
    world = a_world(prometheus=lambda _: answer, policy=policy).release().until(500)

    assert world.verdict == ("Hold", "MaxHold")
    assert world.of_kind("Release", "Promote") == []


def test_max_hold_promotes_nothing_when_one_metric_has_never_been_measured():
    late = a_metric("late", initialDelay="1h")
    policy = a_policy(maxHold="2m", onMaxHold="Promote")
    world = a_world(templates={"errors": a_template(a_metric(), late)}, policy=policy).release().until(500)

    assert world.verdict == ("Hold", "MaxHold")


def test_max_hold_promotes_from_inconclusive():
    metric = a_metric(failureCondition="result[0] > 0.9")
    policy = a_policy(maxHold="2m", onMaxHold="Promote")
    prometheus = lambda at: GOOD if at < 30 else BAD  # noqa: E731
    world = a_world(templates={"errors": a_template(metric)}, policy=policy, prometheus=prometheus)
    world.release().until(300)

    assert world.of_kind("Release") == [(120, "Release", "Applied")]
    assert "before it Inconclusive" in world.status.message


def test_a_dry_run_metric_does_not_keep_max_hold_from_promoting():
    template = a_template(a_metric(), a_metric("trial"), dryRun=[{"metricName": "trial"}])
    policy = a_policy(maxHold="2m", onMaxHold="Promote", minMeasurements=100)
    prometheus = {"error-ratio()": lambda _: GOOD, "trial()": lambda _: BAD}
    world = a_world(templates={"errors": template}, policy=policy, prometheus=prometheus).release().until(200)

    assert world.verdict == ("Promote", "MaxHold")


def test_on_max_hold_applies_while_a_template_is_missing():
    policy = a_policy(maxHold="2m", onMaxHold="Abort")
    world = a_world(policy=policy).writes(errors=None).release().until(200)

    assert world.of_kind("Abort") == [(120, "Abort", "Applied")]


def test_warm_up_is_not_judged():
    world = a_world(policy=a_policy(warmUp="30s"), prometheus=bad_until(30)).release().until(29)
    warming = world.verdict
    world.until(100)

    assert warming == ("Hold", "WarmUp")
    assert world.asked[0][0] >= 30
    assert world.of_kind("Abort") == []
    assert world.is_promoted


def test_a_template_that_changes_in_the_warm_up_is_not_measured_in_it():
    world = a_world(policy=a_policy(warmUp="30s"), prometheus=bad_until(30)).release().until(10)
    world.writes(errors=a_template(a_metric(successCondition="result[0] < 0.04"))).until(100)

    assert world.asked[0][0] >= 30
    assert world.of_kind("Abort") == []


@pytest.mark.parametrize(
    ("then", "verdict"), [("Hold", ("Hold", "TelemetryLost")), ("Abort", ("Abort", "TelemetryLost"))]
)
def test_lost_telemetry_escalates_as_the_policy_says(then, verdict):
    policy = a_policy(telemetryLoss={"escalateAfter": "5m", "then": then}, maxHold="10h")
    world = a_world(policy=policy, prometheus=lambda _: OUTAGE).release().until(290)
    before = world.verdict
    world.until(400)

    assert before == ("Hold", "TelemetryUnavailable")
    assert verdict == world.verdict
    assert not world.is_promoted


def test_telemetry_that_was_lost_for_long_and_comes_back_is_judged_as_ever():
    policy = a_policy(telemetryLoss={"escalateAfter": "5m", "then": "Hold"}, maxHold="10h")
    world = a_world(*ONE_INDEFINITE, policy=policy, outages=[(0, 600)]).release().until(590)
    lost = world.verdict
    world.until(900)

    assert lost == ("Hold", "TelemetryLost")
    assert world.is_promoted


def test_telemetry_that_is_lost_for_long_is_never_promoted_by_time():
    loss = {"escalateAfter": "5m", "then": "Hold"}
    policy = a_policy(telemetryLoss=loss, maxHold="10m", onMaxHold="Promote", minMeasurements=1000)
    world = a_world(*ONE_INDEFINITE, policy=policy, outages=[(60, 10_000)]).release().until(2000)

    assert world.verdict == ("Hold", "MaxHold")
    assert "before it TelemetryLost" in world.status.message
    assert not world.is_promoted


def test_telemetry_that_came_back_starts_the_escalation_anew():
    policy = a_policy(telemetryLoss={"escalateAfter": "5m", "then": "Abort"}, maxHold="10h", minMeasurements=1000)
    world = a_world(policy=policy, outages=[(0, 240), (260, 10_000)]).release().until(500)
    before = world.verdict
    world.until(700)

    assert before == ("Hold", "TelemetryUnavailable")
    assert world.verdict == ("Abort", "TelemetryLost")


def test_after_an_outage_questions_are_asked_for_the_times_they_were_due():
    world = a_world(*ONE_INDEFINITE, outages=[(5, 95)]).release().until(300)

    answered = [query.at - T0 for asked, query in world.asked if not 5 <= asked < 95]
    # All of them, before anything is promoted: the last ones tell of now.
    assert answered == [float(at) for at in range(0, 110, 10)]
    assert world.is_promoted


def test_after_a_long_outage_only_the_last_minutes_are_asked_for():
    policy = a_policy(minMeasurements=1000, maxHold="10h")
    world = a_world(*ONE_INDEFINITE, outages=[(5, 900)], policy=policy).release().until(915)

    caught_up = [query.at - T0 for asked, query in world.asked if asked >= 900]
    assert caught_up[0] == 610
    assert caught_up[-1] == 910


def test_a_dry_run_metric_judges_nothing():
    template = a_template(a_metric(), a_metric("trial"), dryRun=[{"metricName": "trial"}])
    prometheus = {"error-ratio()": lambda _: GOOD, "trial()": lambda _: BAD}
    world = a_world(templates={"errors": template}, prometheus=prometheus).release().until(100)

    assert world.is_promoted


def test_only_dry_run_metrics_hold():
    template = a_template(a_metric(), dryRun=[{"metricName": ".*"}])
    world = a_world(templates={"errors": template}).release().until(500)

    assert world.verdict == ("Hold", "ConfigurationError")


def test_a_dry_run_metric_whose_provider_is_down_costs_no_more_than_a_look_each_interval():
    template = a_template(a_metric(), a_metric("trial"), dryRun=[{"metricName": "trial"}])
    prometheus = {"error-ratio()": lambda _: GOOD, "trial()": lambda _: OUTAGE}
    world = a_world(*ONE_INDEFINITE, templates={"errors": template}, prometheus=prometheus, mode="observe")
    world.release().until(600)

    assert len(world.decisions) <= 600 / 10 * 2 + 10


def test_a_broken_metric_beside_an_outage_costs_no_more_than_a_look_each_interval():
    template = a_template(a_metric(), a_metric("other"))
    prometheus = {"error-ratio()": lambda _: EMPTY, "other()": lambda _: OUTAGE}
    world = a_world(templates={"errors": template}, prometheus=prometheus).release().until(600)

    assert len(world.decisions) <= 600 / 10 * 2 + 10


def test_a_metric_with_a_count_passes_when_argo_would_call_it_successful():
    template = a_template(a_metric(count=2))
    world = a_world(*ONE_INDEFINITE, templates={"errors": template}).release().until(100)

    assert world.actions == [(10, "Promote", "Applied")]
    assert len(world.asked) == 2


def test_a_metric_without_an_interval_is_measured_once():
    template = a_template({key: value for key, value in a_metric().items() if key != "interval"})
    world = a_world(*ONE_INDEFINITE, templates={"errors": template}).release().until(100)

    assert world.actions == [(2, "Promote", "Applied")]
    assert len(world.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NAN, "NoData"),
        (EMPTY, "NoData"),
        (vector(0.01, 0.02), "AmbiguousSeries"),
        (OUTAGE, "TelemetryUnavailable"),
    ],
)
def test_an_answer_that_is_no_evidence_holds_with_its_reason(answer, reason):
    world = a_world(prometheus=lambda _: answer).release().until(100)

    assert ("Hold", reason) == world.verdict


def test_two_metrics_must_both_say_so():
    template = a_template(a_metric(), a_metric("other"))
    prometheus = {"error-ratio()": lambda _: GOOD, "other()": lambda _: EMPTY}
    world = a_world(*ONE_INDEFINITE, templates={"errors": template}, prometheus=prometheus).release().until(500)

    assert world.verdict == ("Hold", "NoData")
    assert world.actions == []


def test_evidence_starts_anew_at_every_pause():
    world = a_world(set_weight(25), pause(), set_weight(50), pause()).release().until(100)

    assert world.actions == [(20, "Promote", "Applied"), (40, "Promote", "Applied")]


def test_an_analysis_step_of_argo_between_two_pauses_keeps_its_say():
    world = a_world(set_weight(25), pause(), analysis(), pause())
    world.argo.analysis = None
    world.release().until(100)
    running = (world.step, world.verdict)
    world.argo.analysis = "Successful"
    world.until(101).until(200)

    assert running == (2, ("Hold", "Collecting"))
    assert world.is_promoted


def test_argos_own_analysis_aborts():
    world = a_world(set_weight(25), pause(), analysis())
    world.argo.analysis = "Failed"
    world.release().until(100)

    assert world.is_aborted
    assert (world.status.phase, world.status.ended_by) == ("Ended", "Argo")
    assert world.of_kind("Abort") == []


def test_an_inconclusive_analysis_of_argo_is_left_to_a_person_and_to_nobody_else():
    world = a_world(set_weight(25), pause(), analysis())
    world.argo.analysis = "Inconclusive"
    world.release().until(300)

    assert world.verdict == ("Hold", "Inconclusive")
    assert world.actions == [(20, "Promote", "Applied")]


def test_a_pause_before_a_blue_green_promotion_is_promoted():
    world = World(a_blue_green(enabled=False)).release().until(100)

    assert world.actions == [(20, "Promote", "Applied")]
    assert world.is_promoted


def test_a_blue_green_preview_has_no_weight():
    body = a_blue_green(enabled=False)
    body["status"] |= {"availableReplicas": 2, "updatedReplicas": 2}
    world = World(body).release().until(5)

    assert world.status.step is not None
    assert world.status.step.weight is None
    assert world.status.message.startswith("held at the promotion: ")


def test_a_blue_green_pause_with_an_end_is_held_and_released():
    world = World(a_blue_green(30)).release().until(29)
    before = (world.hold, world.is_promoted)
    world.until(40)

    assert before == (Hold.CONFIRMED, False)
    assert world.of_kind("Release") == [(30, "Release", "Applied")]
    assert world.is_promoted


def test_a_blue_green_pause_that_argo_would_not_end_is_promoted_whatever_its_seconds():
    world = World(a_blue_green(30, enabled=False)).release().until(100)

    assert world.actions == [(20, "Promote", "Applied")]
    assert world.is_promoted


def test_a_blue_green_pause_with_an_end_is_never_left_before_it():
    world = World(a_blue_green(60), policy=a_policy(promoteEarly=True)).release().until(100)

    assert world.of_kind("Promote") == []
    assert world.of_kind("Release") == [(60, "Release", "Applied")]
    assert world.is_promoted


def test_a_blue_green_release_without_a_pause_is_not_gated():
    world = World(a_blue_green()).release().until(10)

    assert (world.status.phase, world.status.reason) == ("Idle", "NotGated")
    assert world.is_promoted


def test_a_pause_of_seconds_without_a_unit_is_one_of_seconds():
    world = a_world(set_weight(25), pause("45")).release().until(100)

    assert world.of_kind("Release") == [(45, "Release", "Applied")]


def test_a_pause_of_a_lifetime_is_told_without_stumbling():
    world = a_world(set_weight(25), pause(2**31 - 1)).release().until(100)

    assert world.verdict == ("Promote", "ConditionsMet")
    assert world.step == 1


def test_a_change_that_argo_has_missed_is_brought_to_its_notice_and_the_pause_is_judged_on():
    world = a_world(set_weight(25), pause()).release().until(5)
    world.argo.deaf = True
    world.argo.change(replicas=20)
    world.until(100)

    assert world.actions == [(10, "Nudge", "Applied"), (20, "Promote", "Applied")]
    assert world.status.unseen_since is None
    assert world.is_promoted


def test_who_only_observes_waits_until_argo_sees_a_change_by_itself():
    world = a_world(set_weight(25), pause()).gate("observe").release().until(5)
    world.argo.deaf = True
    world.argo.change(replicas=20)
    world.until(60)

    assert world.actions == []
    assert world.status.unseen_since is not None


@pytest.mark.parametrize("gate", ["enforce", "observe"])
def test_what_a_person_did_and_argo_has_missed_is_brought_to_its_notice_by_who_may_write(gate):
    def missed(**status):
        world = a_world(set_weight(25), pause(), prometheus=lambda _: EMPTY).gate(gate).release().until(5)
        world.argo.deaf = True
        return world.patch(**status).until(60)

    promoted, full, aborted = missed(pauseConditions=None), missed(promoteFull=True), missed(abort=True)

    nudged = [(10, "Nudge", "Applied")] if gate == "enforce" else []
    assert [world.actions for world in (promoted, full, aborted)] == [nudged] * 3
    assert [world.is_promoted for world in (promoted, full)] == [gate == "enforce"] * 2
    assert bool(aborted.argo.status.get("abortedAt")) is (gate == "enforce")
    if gate == "enforce":
        assert {world.status.ended_by for world in (promoted, full, aborted)} == {"Person"}


@pytest.mark.parametrize(("declared", "reason"), [((), "ConditionsMet"), (({"name": "region"},), "ConfigurationError")])
def test_an_argument_of_the_rollout_that_has_no_value_matters_only_to_templates_that_declare_it(declared, reason):
    region = {"name": "region", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['region']"}}}
    own = {"analysis": {"templates": [{"templateName": "errors"}], "args": [region]}}
    world = a_world(set_weight(25), pause(), own, templates={"errors": a_template(args=list(declared))})

    world.release().until(40)

    assert reason in {said for _, _, said in world.verdicts}
