"""Whole releases in which Argo's own analysis asks for the verdict: nothing is held or promoted by a write."""

import pytest

from canary_operator.engine import answering
from canary_operator.engine.answering import Query, Told
from canary_operator.model import durations
from tests.builders import (
    BAD,
    CANARY,
    EMPTY,
    GATE,
    GOOD,
    STABLE,
    T0,
    TEMPLATES,
    UID,
    a_blue_green,
    a_metric,
    a_policy,
    a_rollout,
    a_template,
    an_override,
    analysis,
    pause,
    set_weight,
)
from tests.scenarios.argo import Argo
from tests.scenarios.world import World

VERDICT = {"spec": {"metrics": [{"name": "gate", "provider": {"web": {"url": "http://operator/v1/verdict?ns=x"}}}]}}
ASKING = analysis("verdict")
STEPS = (set_weight(25), ASKING, set_weight(50), ASKING)


class AskingArgo(Argo):
    """Says which analysis it runs, as Argo does; ``analysis`` is what that analysis has come to, None while it runs."""

    def _analysis_step(self, now):
        run = {"name": f"run-{self.status['currentStepIndex']}", "status": self.analysis or "Running"}
        self.status["canary"] = {**self.status.get("canary", {}), "currentStepAnalysisRunStatus": run}
        super()._analysis_step(now)
        if self.analysis == "Successful":
            self.analysis = None

    def _set_weight(self, percent):
        kept = {key: run for key, run in self.status.get("canary", {}).items() if "Background" in key}
        super()._set_weight(percent)
        self.status["canary"] |= kept

    def _blue_green(self, now):
        """One analysis before and one after the promotion; where it has come to is told by hand."""


def a_world(*steps, mode="observe", body=None, **world):
    templates = {"errors": a_template(a_metric(interval="10s")), "verdict": VERDICT}
    made = World(body or a_rollout(steps or STEPS, mode=mode), templates=templates, **world)
    made.argo = AskingArgo(made.argo.body)
    made.argo.analysis = None
    return made


def ask(world, step="1", **changed):
    """What Argo is answered now."""
    query = {"uid": UID, "latest": CANARY, "stable": STABLE, **changed}
    last = Told(world.status, world.now, 4 * world.interval)
    answer = answering.answer(Query(world.snapshot().rollout.ref, step=step, **query), last, world.now)
    return answer.word.value, answer.reason


def answered(world, phase):
    """Argo's analysis has come to an end."""
    world.argo.analysis = phase
    world.until(world.now - T0)
    world.argo.analysis = None
    return world


def test_the_step_is_judged_like_a_pause_and_nothing_is_written():
    world = a_world().release().until(19)
    before = ask(world)
    world.until(20)

    assert (before, ask(world)) == (("wait", "Collecting"), ("pass", "ConditionsMet"))
    assert world.status.message.startswith("passed step 1/4 (25 %): ")
    assert (world.step, world.actions) == (1, [])


def test_the_next_step_is_judged_anew():
    world = answered(a_world().release().until(25), "Successful").until(26)

    assert world.step == 3
    assert (ask(world, "1"), ask(world, "3")) == (("wait", "Mismatch"), ("wait", "Collecting"))
    assert world.status.evidence[0].measurements.successful == 1
    world.until(46)
    assert ask(world, "3") == ("pass", "ConditionsMet")


def test_a_release_that_argo_was_told_to_promote_was_promoted_by_the_gate():
    world = answered(answered(a_world().release().until(25), "Successful").until(50), "Successful").until(55)

    assert world.is_promoted
    assert (world.status.verdict, world.status.reason, world.status.ended_by) == ("Promote", "ConditionsMet", "Gate")
    assert world.status.message.startswith("passed step 3/4 (50 %): ")


def test_a_promotion_that_argo_heard_of_before_the_gate_changed_its_mind_was_no_persons():
    world = a_world(prometheus=lambda seconds: BAD if seconds > 50 else GOOD)
    answered(world.release().until(25), "Successful").until(49)
    assert ask(world, "3") == ("pass", "ConditionsMet")

    answered(world.until(60), "Successful").until(65)

    assert (world.status.verdict, world.status.ended_by) == ("Abort", "Argo")
    assert world.status.message.startswith("promoted by Argo; the gate's last word: aborted at step 3/4 (50 %): ")


def test_a_release_that_argo_was_told_to_fail_was_aborted_by_the_gate():
    world = a_world(prometheus=lambda _: BAD).release().until(20)

    assert ask(world) == ("fail", "ConditionsFailed")
    assert world.status.message.startswith("aborted at step 1/4 (25 %): ")
    answered(world, "Failed").until(25)
    assert (world.status.verdict, world.status.ended_by) == ("Abort", "Gate")
    assert ask(world) == ("wait", "Ended")
    assert world.actions == []


def test_a_gate_that_enforces_aborts_too_and_promotes_nothing():
    good = a_world(mode="enforce").release().until(100)
    bad = a_world(mode="enforce", prometheus=lambda _: BAD).release().until(20)

    assert (ask(good), good.actions) == (("pass", "ConditionsMet"), [])
    assert (bad.is_aborted, [kind for _, kind, _ in bad.actions]) == (True, ["Abort"])
    assert bad.status.ended_by == "Gate"


@pytest.mark.parametrize("seen", [0, 7])
def test_the_step_begins_when_it_is_first_seen_and_a_restart_begins_nothing_anew(seen):
    world = a_world(prometheus=lambda _: EMPTY)
    world.argo.down = True
    world.release().until(seen)
    world.argo.down = False
    world.until(seen + 60)

    # The world forgets everything but the gate's status between two looks.
    assert durations.parse_time(world.status.pause.start_time) == T0 + seen
    assert world.status.pause.asked_by == "run-1"


def test_an_outage_waits_however_long_it_lasts():
    world = a_world(outages=[(0, 10_000)]).release()

    for seconds in (1, 60, 600):
        assert ask(world.until(seconds)) == ("wait", "TelemetryUnavailable")
    assert ask(world.until(3500)) == ("wait", "TelemetryLost")


@pytest.mark.parametrize(
    ("on_max_hold", "prometheus", "answer"),
    [
        ("Hold", EMPTY, ("wait", "MaxHold")),
        ("Abort", EMPTY, ("fail", "MaxHold")),
        ("Promote", EMPTY, ("wait", "MaxHold")),
    ],
)
def test_max_hold_counts_from_the_start_of_the_step(on_max_hold, prometheus, answer):
    world = a_world(policy=a_policy(maxHold="5m", onMaxHold=on_max_hold), prometheus=lambda _: prometheus)

    assert ask(world.release().until(299)) == ("wait", "NoData")
    assert ask(world.until(301)) == answer


@pytest.mark.parametrize(("action", "answer"), [("Promote", "pass"), ("Hold", "wait"), ("Abort", "fail")])
def test_a_person_overrules_what_is_answered(action, answer):
    world = a_world(prometheus=lambda _: EMPTY).release().until(20).says(an_override(action)).until(21)

    assert ask(world) == (answer, "Override")


def test_an_analysis_that_was_inconclusive_is_left_to_a_person():
    world = answered(a_world(prometheus=lambda _: EMPTY).release().until(30), "Inconclusive").until(40)

    assert world.verdict == ("Hold", "Inconclusive")
    assert world.status.pause.left_by == "Argo"
    assert ask(world)[0] == "wait"


def test_a_step_that_a_person_skips_was_left_by_a_person():
    world = a_world(prometheus=lambda _: EMPTY).release().until(30)
    world.patch(currentStepIndex=2).until(31)

    assert world.status.pause.asked_by == "run-3"
    world.patch(currentStepIndex=4).until(32)
    assert (world.is_promoted, world.status.ended_by) == (True, "Person")


def test_without_an_analysis_that_asks_nothing_is_gated():
    world = a_world(set_weight(25), analysis("errors")).release().until(20)

    assert (world.verdict, world.status.message) == (
        (None, "NotGated"),
        "the strategy has no pause step to hold at",
    )
    assert ask(world) == ("wait", "NotGated")


def test_what_asks_is_no_judge_so_one_must_be_named():
    world = a_world().annotate(TEMPLATES, None).release().until(20)

    assert ask(world) == ("wait", "ConfigurationError")
    assert "nothing is named that judges: name an SLOPolicy" in world.status.message
    world.annotate(TEMPLATES, "errors").until(60)
    assert ask(world) == ("pass", "ConditionsMet")


def test_beside_pauses_a_background_analysis_is_told_of_a_bad_canary_and_changes_nothing_else():
    body = a_rollout((set_weight(25), pause("60s")), mode="observe")
    body["spec"]["strategy"]["canary"]["analysis"] = ASKING["analysis"]
    world = a_world(body=body, prometheus=lambda at: GOOD if at < 30 else BAD)
    world.argo.status["canary"]["currentBackgroundAnalysisRunStatus"] = {"name": "beside", "status": "Running"}
    world.release().until(29)

    assert ask(world, "") == ("wait", "NoStep")
    assert ask(world.until(31), "") == ("fail", "ConditionsFailed")
    assert (world.status.pause.asked_by, world.actions) == (None, [])


def test_while_an_analysis_of_argos_own_lasts_a_background_analysis_is_told_what_is_found():
    body = a_rollout((set_weight(25), analysis("errors")), mode="observe")
    body["spec"]["strategy"]["canary"]["analysis"] = ASKING["analysis"]
    world = a_world(body=body, prometheus=lambda at: GOOD if at < 30 else BAD)
    world.argo.status["canary"]["currentBackgroundAnalysisRunStatus"] = {"name": "beside", "status": "Running"}
    world.release().until(29)

    assert ask(world, "") == ("wait", "NoStep")
    assert ask(world.until(31), "") == ("fail", "ConditionsFailed")
    answered(world, "Successful").until(40)
    assert (world.is_promoted, world.status.ended_by) == (True, "Argo")


def preview(run=None, after=None):
    body = a_blue_green()
    asked = {"prePromotionAnalysis": ASKING["analysis"], "postPromotionAnalysis": ASKING["analysis"]}
    body["spec"]["strategy"]["blueGreen"] |= asked
    body["metadata"]["annotations"][GATE] = "observe"
    world = a_world(body=body).release()
    world.until(0).patch(blueGreen={"prePromotionAnalysisRunStatus": {"name": "pre", "status": "Running"}})
    return world


def test_before_and_after_a_blue_green_promotion_are_two_questions():
    world = preview().until(20)

    assert (ask(world, "pre"), ask(world, "post")) == (("pass", "ConditionsMet"), ("wait", "Mismatch"))
    runs = {"prePromotionAnalysisRunStatus": {"name": "pre", "status": "Successful"}}
    world.patch(blueGreen={**runs, "postPromotionAnalysisRunStatus": {"name": "post", "status": "Running"}}).until(21)
    assert (ask(world, "pre"), ask(world, "post")) == (("wait", "Mismatch"), ("wait", "Collecting"))
    assert world.status.step.kind == "postPromotion"
    assert ask(world.until(41), "post") == ("pass", "ConditionsMet")
