"""What is true of every decision, whatever the world says."""

import json
from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator import engine
from canary_operator.conditions.measurement import Measurement, MeasurementPhase
from canary_operator.conditions.metric import Counters, MetricPhase, assess, fold, passes
from canary_operator.conditions.metric_spec import Limits
from canary_operator.engine import judged
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import ActionKind, Outcome
from canary_operator.model.gate import parse_gate_status
from canary_operator.model.pause import DAY_SECONDS, FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS, Hold, Pause, PauseReason
from canary_operator.model.policy import parse_opt_in, parse_policy
from canary_operator.model.rollout import TemplateRef, parse_rollout
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import (
    ARGS,
    EMPTY,
    GATE,
    GOOD,
    NAN,
    OUTAGE,
    POLICY,
    T0,
    TEMPLATES,
    a_blue_green,
    a_rollout,
    a_snapshot,
    a_template,
    an_override,
    at_a_pause,
    pause,
    set_weight,
    vector,
)
from tests.scenarios.world import World

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(["", "enforce", "observe", "off", "errors", "errors,missing", "strict", "cluster/x", "{}", "["])
annotations = st.dictionaries(
    st.sampled_from([GATE, POLICY, TEMPLATES, ARGS, "canary-operator.io/typo"]),
    words | st.text(max_size=12),
    max_size=4,
)
moments = st.integers(-100, 5000).map(lambda seconds: durations.format_micro_time(T0 + seconds)) | st.text(max_size=5)
counts = st.integers(0, 5)
measured = st.fixed_dictionaries(
    {"at": moments, "phase": st.sampled_from(["Successful", "Failed", "Inconclusive", "NoData", "?"])}
)
measurements = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(("successful", "failed", "inconclusive", "error", "consecutiveError"), counts),
        "lastAt": moments,
        "recent": st.lists(measured, max_size=2),
    },
)
digest = judged.judged_metrics(a_snapshot())[0].digest
evidence = st.fixed_dictionaries(
    {
        "name": st.just("error-ratio"),
        "kind": st.just("Condition"),
        "source": st.just("AnalysisTemplate/errors"),
        "digest": st.sampled_from([digest, "other"]),
        "since": moments,
    },
    optional={"measurements": measurements},
)
about = {"at": moments, "decisionId": st.just("d")}
acted = {
    "pauseStart": st.just(durations.format_time(T0)) | moments,
    "stepIndex": st.sampled_from([None, 0, 1]),
    "podHash": st.sampled_from(["", "6c54544bf9"]),
    "verdict": st.sampled_from(["", "Promote", "Abort"]),
}
kinds = st.sampled_from([*(kind.value for kind in ActionKind), "?"])
outcomes = st.sampled_from([outcome.value for outcome in Outcome])
statuses = st.fixed_dictionaries(
    {},
    optional={
        "phase": st.sampled_from(["Idle", "Judging", "Ended"]),
        "verdict": st.sampled_from([None, "Promote", "Hold", "Abort"]),
        "rollout": st.just(
            {
                "uid": "6f1c2c0e-0000-4000-8000-000000000001",
                "generation": 1,
                "revision": 2,
                "podHash": "6c54544bf9",
                "stableHash": "7d8f9cbb44",
            }
        ),
        "evidence": st.lists(evidence, max_size=2),
        "pause": st.fixed_dictionaries(
            {"startTime": st.just(durations.format_time(T0)) | moments},
            optional={"stepIndex": st.just(1), "telemetryLostSince": moments, "leftBy": st.just("Gate")},
        ),
        "pending": st.fixed_dictionaries({**about, "action": kinds}, optional=acted),
        "lastAction": st.fixed_dictionaries(
            {**about, "action": kinds, "outcome": outcomes}, optional={**acted, "nudgedAt": moments}
        ),
    },
)
shifts = st.sampled_from([0, FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS])
bodies = st.builds(
    lambda shift, duration, status, spec: at_a_pause(duration, started=T0 + shift, status=status, spec=spec),
    shifts,
    st.sampled_from([None, "60s", 0, "1h"]),
    st.just({}),
    st.sampled_from([{}, {"paused": True}, {"replicas": 0}, {"rollbackWindow": {"revisions": 1}}]),
) | st.sampled_from([a_rollout(), a_blue_green(30), at_a_pause(spec={"replicas": 2})])
changes = st.fixed_dictionaries(
    {},
    optional={
        "abort": st.booleans(),
        "promoteFull": st.booleans(),
        "controllerPause": st.booleans(),
        "pauseConditions": st.sampled_from(
            [[], None, [{"reason": "InconclusiveAnalysisRun", "startTime": durations.format_time(T0)}]]
        ),
        "currentStepIndex": st.sampled_from([0, 1, 2, 9]),
        "observedGeneration": st.sampled_from(["1", "0", ""]),
    },
)
answers = st.sampled_from(
    [GOOD, EMPTY, NAN, OUTAGE, vector(0.5), vector(0.1, 0.2), Absent(HoldReason.CONFIGURATION_ERROR, "no")]
)
templates = st.sampled_from([a_template(), None]) | st.dictionaries(
    st.sampled_from(["metrics", "args", "dryRun", "templates"]), json_values, max_size=3
).map(lambda spec: {"spec": spec})
specs = st.sampled_from([an_override(action) for action in ("Promote", "Hold", "Abort")] + ["cannot be read"])
presents = st.integers(-50, 4000).map(lambda seconds: T0 + seconds)


@st.composite
def snapshots(draw):
    """A snapshot of anything that the API server could store, and some that it could not."""
    body = draw(bodies)
    body["metadata"]["annotations"] = {GATE: "enforce", TEMPLATES: "errors", **draw(annotations)}
    body["status"] = {**body["status"], **draw(changes)}
    rollout = parse_rollout(body)
    fields = {"opt_in": parse_opt_in(rollout.annotations)}
    template = draw(templates)
    fields["templates"] = {} if template is None else {TemplateRef("errors"): template}
    with suppress(ConfigurationError):
        fields["status"] = parse_gate_status({"status": draw(statuses)})
    if draw(st.booleans()):
        fields["gate_spec"] = draw(specs)
    return a_snapshot(body, **fields)


def cycle(snapshot, answer, now):
    samples = dict.fromkeys(engine.plan(snapshot, now), answer)
    return engine.decide(snapshot, samples, now)


@settings(max_examples=80)
@given(snapshots(), answers, presents)
def test_a_decision_is_made_whatever_the_world_is_like(snapshot, answer, now):
    decision = cycle(snapshot, answer, now)

    assert decision.next_look == decision.next_look


@settings(max_examples=40)
@given(snapshots(), answers, presents)
def test_every_action_is_about_the_object_that_was_judged(snapshot, answer, now):
    action = cycle(snapshot, answer, now).action

    if action is not None:
        assert (action.fence, action.ref) == (snapshot.rollout.fence, snapshot.rollout.ref)


@settings(max_examples=40)
@given(snapshots(), answers, presents, st.sampled_from(["observe", "off"]))
def test_a_gate_that_does_not_enforce_only_ever_lets_go(snapshot, answer, now, mode):
    opt_in = replace(snapshot.opt_in, mode=parse_opt_in({GATE: mode}).mode)
    action = cycle(replace(snapshot, opt_in=opt_in), answer, now).action

    assert action is None or action.kind in {ActionKind.RELEASE, ActionKind.NUDGE}


@settings(max_examples=40)
@given(snapshots(), answers, presents)
def test_the_same_again_is_decided_the_same(snapshot, answer, now):
    assert cycle(snapshot, answer, now) == cycle(snapshot, answer, now)


@settings(max_examples=40)
@given(snapshots(), answers, presents)
def test_a_memory_comes_back_from_json_as_it_was(snapshot, answer, now):
    status = cycle(snapshot, answer, now).status

    document = json.loads(json.dumps(status.model_dump(mode="json", by_alias=True, exclude_none=True)))

    assert parse_gate_status({"status": document}) == status


@given(st.lists(st.sampled_from([EMPTY, NAN, OUTAGE, vector(0.1, 0.2)]), min_size=1, max_size=12), st.booleans())
@settings(max_examples=40)
def test_absent_data_never_promotes(looks, timed):
    answers_in_turn = iter(looks * 40)
    steps = (set_weight(25), pause("30s" if timed else None))
    world = World(a_rollout(steps), prometheus=lambda _: next(answers_in_turn)).release().until(120)

    assert world.of_kind("Promote", "Release", "Abort") == []
    assert not world.is_promoted


GOODNESS = {"S": 2, "F": 0, "I": 1, "A": 1}
MEASUREMENTS = {
    "S": Measurement(MeasurementPhase.SUCCESSFUL, "[0]", ""),
    "F": Measurement(MeasurementPhase.FAILED, "[1]", ""),
    "I": Measurement(MeasurementPhase.INCONCLUSIVE, "[1]", ""),
    "A": Absent(HoldReason.NO_DATA, ""),
}


def verdict(stream, limits):
    """2 for a promotion, 1 for a hold, 0 for an abort; the first that ends the metric stays."""
    counters = Counters()
    for position, letter in enumerate(stream):
        counters = fold(counters, float(position), MEASUREMENTS[letter])
        phase = assess(counters, limits)
        if phase is MetricPhase.FAILED:
            return 0
        if not limits.endless and phase not in {MetricPhase.RUNNING, MetricPhase.PENDING}:
            break
    return 2 if passes(counters, limits, 3) else 1


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from("SFIA"), min_size=1, max_size=12),
    st.sampled_from([None, 1, 2, 3, 5]),
    st.integers(0, 3),
    st.data(),
)
def test_a_success_that_fails_or_is_missing_never_makes_a_verdict_better(stream, count, failures, data):
    # Not with a consecutiveSuccessLimit and a count: there Argo counts, so that a look less can come out better.
    limits = Limits(count=count, interval_seconds=10, failure_limit=failures, inconclusive_limit=1)
    successes = [position for position, letter in enumerate(stream) if letter == "S"]
    if not successes:
        return
    position, worse = data.draw(st.sampled_from(successes)), data.draw(st.sampled_from("FA"))
    spoiled = [*stream[:position], worse, *stream[position + 1 :]]

    assert verdict(spoiled, limits) <= verdict(stream, limits)


@given(st.integers(0, 2**32), st.floats(0, 400 * DAY_SECONDS), shifts)
def test_a_shifted_pause_always_tells_the_users_start(start, waited, shift):
    pause_ = Pause(PauseReason.CANARY_STEP, float(start + shift))
    holds = {0: Hold.NONE, FIRST_SHIFT_SECONDS: Hold.WRITTEN, SECOND_SHIFT_SECONDS: Hold.CONFIRMED}

    assert pause_.hold(start + waited) is holds[shift]
    assert pause_.user_start(start + waited) == start


@given(st.dictionaries(st.text(max_size=20).map(lambda key: f"canary-operator.io/{key}"), st.text(max_size=30)))
def test_any_annotations_are_an_opt_in(values):
    assert parse_opt_in(values).mode is not None
    assert parse_opt_in({**values, GATE: "enforce"}).mode is not None


@given(json_values)
def test_any_policy_is_read_or_refused(spec):
    with suppress(ConfigurationError):
        parse_policy("strict", {"spec": spec if isinstance(spec, dict) else {}})


@given(st.dictionaries(st.sampled_from(["metadata", "spec", "status"]), json_values))
def test_any_body_is_a_rollout_or_refused(body):
    with suppress(ConfigurationError):
        parse_rollout(body)


def test_every_action_of_a_release_has_a_decision_of_its_own_except_the_two_writes_of_a_hold():
    world = World(a_rollout()).release().until(100)
    ids = [decision.action.decision_id for *_, decision in world.decisions if decision.action]

    assert len(set(ids)) == len(ids) - 1
