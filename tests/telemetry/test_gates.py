"""What /metrics says of Rollouts: right rates, few series, and none of what is gone."""

import dataclasses
from fractions import Fraction

import pytest

from canary_operator.model import durations
from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Look
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason
from canary_operator.telemetry import Telemetry
from canary_operator.telemetry.gates import PAIRS
from tests.builders import NAME, NAMESPACE, POLICY, T0, a_snapshot, at_a_pause

OBJECTIVE = {
    "name": "availability",
    "objective": "99.5",
    "indicator": {"ratio": {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}},
}
EVIDENCE = {
    "name": "availability",
    "kind": "Ratio",
    "source": "SLOPolicy/api",
    "digest": "d",
    "since": "2026-09-14T10:00:00Z",
    "canary": {"bad": 3, "total": 600},
    "stable": {"bad": 0, "total": 0},
    "towardsAbort": 0.25,
    "towardsPromote": 0.5,
}


def a_status(verdict="Hold", reason="Collecting", phase="Judging", **fields):
    pause = {"startTime": durations.format_time(T0 - 90)}
    return GateStatus.model_validate(
        {"mode": "enforce", "phase": phase, "verdict": verdict, "reason": reason, "pause": pause, **fields}
    )


def a_look(status=None, *, changed=False, name=NAME, snapshot=None):
    snapshot = snapshot or a_snapshot()
    ref = RolloutRef(NAMESPACE, name)
    snapshot = dataclasses.replace(snapshot, rollout=dataclasses.replace(snapshot.rollout, ref=ref))
    return Look(snapshot, status or a_status(), T0, changed)


def a_judged_snapshot():
    policy = SLOPolicySpec.model_validate({"objectives": [OBJECTIVE]})
    return a_snapshot(at_a_pause(annotations={POLICY: "api"}), policies={"api": policy})


@pytest.fixture
def telemetry():
    return Telemetry()


def series(telemetry, name):
    """Every series of a metric that names a Rollout, by its labels after namespace and rollout."""
    found = {}
    for family in telemetry.registry.collect():
        for sample in family.samples:
            if sample.name == f"canary_operator_{name}" and "rollout" in sample.labels:
                key = tuple(value for label, value in sample.labels.items() if label not in {"namespace", "rollout"})
                found[sample.labels["rollout"], *key] = sample.value
    return found


def value(telemetry, name, **labels):
    return telemetry.registry.get_sample_value(f"canary_operator_{name}", labels)


def test_the_fleet_has_every_verdict_with_every_reason_at_zero_before_anything_happens(telemetry):
    reasons = [*PromoteReason, *HoldReason, *AbortReason]

    assert len(PAIRS) == len(set(PAIRS)) == len(reasons)
    assert {value(telemetry, "fleet_decisions_total", verdict=verdict, reason=reason) for verdict, reason in PAIRS} == {
        0
    }


def test_a_release_that_is_judged_has_every_pair_at_zero_before_its_verdict_changes(telemetry):
    telemetry.looked(a_look())

    assert series(telemetry, "decisions_total") == {(NAME, *pair): 0 for pair in PAIRS}


def test_a_change_of_the_verdict_counts_once_for_the_rollout_and_once_for_the_fleet(telemetry):
    telemetry.looked(a_look(changed=True))
    telemetry.looked(a_look())

    assert series(telemetry, "decisions_total")[NAME, "Hold", "Collecting"] == 1
    assert value(telemetry, "fleet_decisions_total", verdict="Hold", reason="Collecting") == 1
    assert sum(series(telemetry, "decisions_total").values()) == 1


def test_after_a_release_only_what_happened_is_left_and_goes_on_with_the_next(telemetry):
    telemetry.looked(a_look(changed=True))
    telemetry.looked(a_look(a_status("Abort", "CanaryRegression"), changed=True))
    telemetry.looked(a_look(a_status("Abort", "CanaryRegression", "Ended")))

    happened = {(NAME, "Hold", "Collecting"): 1, (NAME, "Abort", "CanaryRegression"): 1}
    assert series(telemetry, "decisions_total") == happened
    telemetry.looked(a_look())
    assert series(telemetry, "decisions_total") == {**{(NAME, *pair): 0 for pair in PAIRS}, **happened}


def test_a_verdict_that_changes_as_the_release_ends_is_counted(telemetry):
    telemetry.looked(a_look())

    telemetry.looked(a_look(a_status("Promote", "ConditionsMet", "Ended"), changed=True))

    assert series(telemetry, "decisions_total") == {(NAME, "Promote", "ConditionsMet"): 1}


def test_rollouts_at_rest_cost_one_series_each_however_many_there_are(telemetry):
    idle = a_status(None, "NotGated", "Idle", pause=None)
    for number in range(300):
        telemetry.looked(a_look(idle, name=f"web-{number}"))

    assert len(series(telemetry, "gate_state")) == 300
    assert series(telemetry, "decisions_total") == {}


def test_hundreds_of_rollouts_that_are_gone_leave_nothing(telemetry):
    before = {name: series(telemetry, name) for name in ("decisions_total", "gate_state", "bad_ratio")}
    for number in range(300):
        status = a_status(evidence=[EVIDENCE])
        telemetry.looked(a_look(status, changed=True, name=f"web-{number}", snapshot=a_judged_snapshot()))
    telemetry.looked(a_look(changed=True, name="stays"))
    for number in range(300):
        telemetry.forget(RolloutRef(NAMESPACE, f"web-{number}"))

    left = [
        sample.labels["rollout"]
        for family in telemetry.registry.collect()
        for sample in family.samples
        if "rollout" in sample.labels
    ]
    assert set(left) == {"stays"}
    telemetry.forget(RolloutRef(NAMESPACE, "stays"))
    assert {name: series(telemetry, name) for name in before} == before
    assert value(telemetry, "fleet_decisions_total", verdict="Hold", reason="Collecting") == 301


def test_a_rollout_that_was_never_heard_of_may_be_forgotten(telemetry):
    telemetry.forget(RolloutRef(NAMESPACE, "unknown"))

    assert series(telemetry, "gate_state") == {}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (a_status(), ("enforce", "Hold", "Collecting")),
        (a_status("Promote", "ConditionsMet", mode="observe"), ("observe", "Promote", "ConditionsMet")),
        (a_status("Abort", "Override", "Ended"), ("enforce", "Ended", "Override")),
        (a_status(None, "NotGated", "Idle"), ("enforce", "Idle", "NotGated")),
    ],
)
def test_a_gate_has_one_state_at_a_time(telemetry, status, said):
    telemetry.looked(a_look(a_status("Hold", "NoData")))

    telemetry.looked(a_look(status))

    assert series(telemetry, "gate_state") == {(NAME, *said): 1}


def test_a_gate_that_was_turned_off_has_none(telemetry):
    telemetry.looked(a_look())

    telemetry.looked(a_look(a_status(None, "NotGated", "Idle", mode="off")))

    assert series(telemetry, "gate_state") == {}


def test_the_evidence_is_told_while_a_release_is_judged_and_no_longer(telemetry):
    judged = a_look(a_status(evidence=[EVIDENCE]), snapshot=a_judged_snapshot())

    telemetry.looked(judged)

    assert series(telemetry, "evidence_requests") == {
        (NAME, "availability", "canary"): 600,
        (NAME, "availability", "stable"): 0,
    }
    assert series(telemetry, "bad_ratio") == {(NAME, "availability", "canary"): 0.005}, "no ratio of no requests"
    assert series(telemetry, "allowed_bad_ratio") == {(NAME, "availability"): float(Fraction(1, 200))}
    assert series(telemetry, "evidence_progress_ratio") == {
        (NAME, "availability", "Ratio", "Abort"): 0.25,
        (NAME, "availability", "Ratio", "Promote"): 0.5,
    }
    telemetry.looked(a_look(a_status("Promote", "EvidenceSufficient", "Ended", evidence=[EVIDENCE])))
    for name in ("evidence_requests", "bad_ratio", "allowed_bad_ratio", "evidence_progress_ratio"):
        assert series(telemetry, name) == {}


def test_what_an_objective_allows_follows_a_changed_objective(telemetry):
    telemetry.looked(a_look(a_status(evidence=[EVIDENCE]), snapshot=a_judged_snapshot()))
    policy = SLOPolicySpec.model_validate({"objectives": [{**OBJECTIVE, "objective": "90"}]})
    changed = a_snapshot(at_a_pause(annotations={POLICY: "api"}), policies={"api": policy})

    telemetry.looked(a_look(a_status(evidence=[{**EVIDENCE, "digest": "e"}]), snapshot=changed))

    assert series(telemetry, "allowed_bad_ratio") == {(NAME, "availability"): 0.1}


@pytest.mark.parametrize("verdict", ["Promote", "Abort"])
def test_the_time_to_a_decision_counts_from_the_beginning_of_the_pause(telemetry, verdict):
    telemetry.looked(a_look(changed=True))
    telemetry.looked(a_look(a_status(verdict, "Override"), changed=True))

    assert value(telemetry, "time_to_decision_seconds_sum", verdict=verdict) == 90
    assert value(telemetry, "time_to_decision_seconds_count", verdict=verdict) == 1


def test_before_the_first_pause_it_counts_from_when_the_release_was_seen(telemetry):
    since = durations.format_micro_time(T0 - 7)

    telemetry.looked(a_look(a_status("Abort", "CanaryUnhealthy", pause=None, generationSince=since), changed=True))

    assert value(telemetry, "time_to_decision_seconds_sum", verdict="Abort") == pytest.approx(7)


def test_a_hold_is_no_decision_that_anybody_waited_for(telemetry):
    telemetry.looked(a_look(changed=True))

    assert value(telemetry, "time_to_decision_seconds_count", verdict="Promote") == 0
    assert value(telemetry, "time_to_decision_seconds_count", verdict="Abort") == 0
