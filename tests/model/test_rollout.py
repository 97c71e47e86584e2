"""A Rollout as the engine sees it, from bodies as Argo stores them and from odd ones."""

import copy

import pytest

from canary_operator.errors import ConfigurationError
from canary_operator.model.fieldpath import extract_field
from canary_operator.model.pause import PauseReason
from canary_operator.model.rollout import StepKind, Strategy, parse_rollout
from tests.builders import T0, a_blue_green, a_rollout, at_a_pause, pause, set_weight


def test_a_canary_at_a_pause():
    rollout = parse_rollout(at_a_pause())

    assert rollout.strategy is Strategy.CANARY
    assert [step.kind for step in rollout.steps] == [StepKind.SET_WEIGHT, StepKind.PAUSE]
    assert [(each.reason, each.written_start) for each in rollout.pauses] == [(PauseReason.CANARY_STEP, T0)]
    assert (rollout.step_index, rollout.weight, rollout.revision, rollout.in_sync) == (1, 25, 2, True)


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (None, None),
        (30, 30),
        ("30", 30),
        ("+30", 30),
        ("30s", 30),
        ("1m30s", 90),
        ("1m30.9s", 90),
        ("500ms", 0),
        (0, 0),
        ("0", 0),
        (-5, 0),
        ("9999999999", 2**31 - 1),
    ],
)
def test_a_pause_is_as_long_as_argo_makes_it(duration, seconds):
    assert parse_rollout(a_rollout([pause(duration)])).steps[0].duration == seconds


@pytest.mark.parametrize("duration", ["soon", "1d", "99999999999", {"seconds": 5}])
def test_a_pause_that_argo_refuses_is_refused_by_its_place(duration):
    with pytest.raises(ConfigurationError, match=r"steps\[1\].pause.duration"):
        parse_rollout(a_rollout([set_weight(5), pause(duration)]))


@pytest.mark.parametrize(
    ("enabled", "seconds", "pauses", "timed"),
    [
        (None, None, False, None),
        (True, None, False, None),
        (None, 30, True, 30),
        (True, 30, True, 30),
        (False, None, True, None),
        (False, 30, True, None),
    ],
)
def test_a_blue_green_pause_ends_as_argo_ends_it(enabled, seconds, pauses, timed):
    rollout = parse_rollout(a_blue_green(seconds, enabled=enabled))

    assert (rollout.blue_green_pause, rollout.auto_promotion_seconds) == (pauses, timed)


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        ([{"setWeight": 5}], StepKind.SET_WEIGHT),
        ([{"pause": None}], StepKind.PAUSE),
        ([{"analysis": {}}], StepKind.ANALYSIS),
        ([{"tomorrow": {}}], StepKind.UNKNOWN),
    ],
)
def test_a_step_is_known_by_its_field(steps, kind):
    assert parse_rollout(a_rollout(steps)).steps[0].kind is kind


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": None},
        {"metadata": {"name": "x"}},
        {"spec": {"replicas": "many"}},
        {"status": {"pauseConditions": [{"reason": "CanaryPauseStep"}]}},
        {"status": {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": None}]}},
        {"status": {"pauseConditions": "none"}},
        {"spec": {"strategy": {"canary": {"steps": ["pause"]}}}},
    ],
)
def test_a_body_that_cannot_be_read_is_a_mistake_and_no_crash(change):
    with pytest.raises(ConfigurationError):
        parse_rollout({**a_rollout(), **change})


def test_a_new_rollout_without_a_status_is_read():
    body = copy.deepcopy(a_rollout())
    del body["status"]

    rollout = parse_rollout(body)

    assert (rollout.stable_hash, rollout.pod_hash, rollout.in_sync) == ("", "", False)


@pytest.mark.parametrize(
    ("annotation", "observed", "in_sync"), [("3", "3", True), ("4", "3", False), (None, "3", False)]
)
def test_a_referenced_workload_must_have_been_seen_too(annotation, observed, in_sync):
    body = a_rollout(spec={"workloadRef": {"name": "x"}}, status={"workloadObservedGeneration": observed})
    if annotation:
        body["metadata"]["annotations"]["rollout.argoproj.io/workload-generation"] = annotation

    assert parse_rollout(body).in_sync is in_sync


@pytest.mark.parametrize(
    ("argument", "resolved", "missing"),
    [
        ({"name": "a", "value": "1"}, {"a": "1"}, ()),
        ({"name": "a", "valueFrom": {"podTemplateHashValue": "Latest"}}, {"a": "6c54544bf9"}, ()),
        ({"name": "a", "valueFrom": {"podTemplateHashValue": "Stable"}}, {"a": "7d8f9cbb44"}, ()),
        ({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"a": "guestbook"}, ()),
        ({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['x']"}}}, {}, ("a",)),
    ],
)
def test_arguments_of_the_rollouts_own_analysis_are_resolved_as_argo_does(argument, resolved, missing):
    body = at_a_pause()
    body["spec"]["strategy"]["canary"]["analysis"] = {"templates": [{"templateName": "t"}], "args": [argument]}

    (analysis,) = parse_rollout(body).analyses

    assert (analysis.arguments, analysis.unresolved) == (resolved, missing)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("metadata.name", "x"),
        (".metadata.name", "x"),
        ("metadata.labels['app.io/name']", "shop"),
        ('metadata.labels["app.io/name"]', "shop"),
        ("spec.list[1]", "b"),
        ("spec.number", "3"),
        ("spec.truth", "true"),
        ("spec.list", None),
        ("spec.list[9]", None),
        ("spec.missing.more", None),
        ("", None),
        ("spec..x{", None),
    ],
)
def test_a_field_is_read_by_its_path_or_missing(path, text):
    body = {
        "metadata": {"name": "x", "labels": {"app.io/name": "shop"}},
        "spec": {"list": ["a", "b"], "number": 3, "truth": True},
    }

    assert extract_field(body, path) == text


@pytest.mark.parametrize(
    ("run", "name"),
    [
        (None, ""),
        ({"name": "a", "status": ""}, "a"),
        ({"name": "a"}, "a"),
        ({"name": "a", "status": "Pending"}, "a"),
        ({"name": "a", "status": "Running"}, "a"),
        ({"name": "a", "status": "Successful"}, ""),
        ({"name": "a", "status": "Inconclusive"}, ""),
        ({"name": "a", "status": "Failed"}, ""),
        ({"name": "a", "status": "Error"}, ""),
    ],
)
def test_an_analysis_knows_its_run_while_that_is_in_progress(run, name):
    asked = {"templates": [{"templateName": "t"}]}
    body = a_rollout((pause(), {"analysis": asked}, {"analysis": asked}))
    body["spec"]["strategy"]["canary"]["analysis"] = asked
    body["status"] |= {"currentStepIndex": 1}
    body["status"]["canary"] |= {"currentStepAnalysisRunStatus": run, "currentBackgroundAnalysisRunStatus": None}

    assert [analysis.run for analysis in parse_rollout(body).analyses] == ["", name, ""]


def test_the_analysis_after_a_promotion_stays_apart_and_says_when_users_have_the_new_version():
    body = a_blue_green()
    asked = {"templates": [{"templateName": "t"}]}
    body["spec"]["strategy"]["blueGreen"] |= {"prePromotionAnalysis": asked, "postPromotionAnalysis": asked}
    before = parse_rollout(body)
    body["status"]["blueGreen"] = {"postPromotionAnalysisRunStatus": {"name": "post", "status": "Running"}}
    after = parse_rollout(body)

    assert (len(before.analyses), before.is_after_promotion) == (1, False)
    assert (len(after.analyses), after.is_after_promotion, after.post_promotion.run) == (1, True, "post")
