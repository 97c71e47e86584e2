"""What people write: annotations, policies, and the spec of a gate."""

import pytest

from canary_operator.errors import ConfigurationError
from canary_operator.model.policy import Mode, SLOPolicySpec, parse_gate_spec, parse_opt_in, parse_policy
from canary_operator.model.rollout import TemplateRef
from tests.builders import ARGS, GATE, POLICY, TEMPLATES


def test_no_annotation_is_off():
    assert parse_opt_in({"app": "x", TEMPLATES: "errors"}).mode is Mode.OFF


def test_everything_that_can_be_asked_for():
    asked = parse_opt_in(
        {GATE: "observe", POLICY: "a, b", TEMPLATES: "errors,cluster/latency", ARGS: '{"service": "x"}'}
    )

    assert (asked.mode, asked.mistake) == (Mode.OBSERVE, "")
    assert asked.policies == ("a", "b")
    assert asked.templates == (TemplateRef("errors"), TemplateRef("latency", cluster=True))
    assert asked.arguments == {"service": "x"}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        (GATE, "Enforce", '"Enforce" is not one of enforce, observe, off'),
        (GATE, "", "is not one of"),
        (POLICY, "", "empty name"),
        (TEMPLATES, "a,,b", "empty name"),
        (TEMPLATES, "cluster/", "neither a name nor cluster/name"),
        (TEMPLATES, "a/b", "neither a name nor cluster/name"),
        (ARGS, "", "is not JSON"),
        (ARGS, "[1]", "JSON object of strings"),
        (ARGS, '{"a": 1}', "JSON object of strings"),
        (ARGS, "[" * 100_000, "is not JSON"),
        ("canary-operator.io/polciy", "x", "is not known; allowed are"),
    ],
)
def test_a_mistake_is_told_and_keeps_the_gate(key, value, told):
    asked = parse_opt_in({GATE: "enforce", key: value})

    assert asked.mode is Mode.ENFORCE
    assert told in asked.mistake


A_RATIO = {"name": "a", "objective": "99", "indicator": {"ratio": {"bad": 'x_total{code="500"}', "total": "x_total"}}}

WHOLE = {
    "provider": "default",
    "objectives": [
        {
            "name": "availability",
            "objective": "99.5",
            "indicator": {"ratio": {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}},
        },
        {
            "name": "latency",
            "objective": "95",
            "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": "0.5"}},
        },
        {
            "name": "imported",
            "sloRef": {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "name": "api"},
        },
    ],
    "attribution": {"preset": "auto"},
    "stratifyBy": [],
    "risk": {
        "falseAbort": "0.01",
        "falsePromotion": "0.05",
        "tolerableRatio": "1.25",
        "rejectRatio": "2",
        "maxExcessBad": 500,
    },
    "guards": {"maxTelemetryAge": "45s", "maxRestarts": 3, "minShareOfWeight": "0.5"},
    "timing": {
        "warmUp": "60s",
        "maxHold": "1h",
        "onMaxHold": "Hold",
        "promoteEarly": False,
        "minMeasurements": 3,
        "bake": "0s",
        "settle": "10s",
    },
    "telemetryLoss": {"escalateAfter": "15m", "then": "Hold"},
    "failAction": "Abort",
    "compatibility": "safe",
}


def test_everything_that_a_policy_can_say_is_read_and_is_the_default_where_it_says_the_default():
    policy = parse_policy("p", {"spec": WHOLE})

    assert [objective.name for objective in policy.objectives] == ["availability", "latency", "imported"]
    assert policy.risk == SLOPolicySpec().risk.model_copy(update={"max_excess_bad": 500})
    assert policy.guards == SLOPolicySpec().guards
    assert policy.timing == SLOPolicySpec().timing.model_copy(update={"warm_up": 60.0})


def test_a_number_of_a_policy_comes_back_as_it_was():
    policy = parse_policy("p", {"spec": {"risk": {"falseAbort": "0.001", "rejectRatio": "3"}}})

    dumped = policy.model_dump(mode="json", by_alias=True)["risk"]
    assert (dumped["falseAbort"], dumped["rejectRatio"]) == ("0.001", "3")


def test_a_policy_is_the_defaults_and_what_is_written():
    policy = parse_policy("p", {"spec": {"timing": {"maxHold": "10m"}}})

    assert policy.timing.max_hold == 600
    assert policy.timing.model_copy(update={"max_hold": 3600.0}) == SLOPolicySpec().timing


@pytest.mark.parametrize(
    "spec",
    [
        {"timing": {"maxHold": "soon"}},
        {"timing": {"maxHold": "-1m"}},
        {"timing": {"minMeasurements": 0}},
        {"timing": {"onMaxHold": "Wait"}},
        {"telemetryLoss": {"then": "Promote"}},
        {"failAction": "Ignore"},
        {"unknown": 1},
        {"objectives": [{"name": "a", "objective": "99"}]},
        {"objectives": [{"name": "a", "indicator": {}}]},
        {
            "objectives": [
                {"name": "a", "objective": "99", "sloRef": {"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}}
            ]
        },
        {"objectives": [A_RATIO, A_RATIO]},
        {"attribution": {"preset": "custom"}},
        {"attribution": {"preset": "custom", "custom": [{"label": "app", "value": "{rollout}"}]}},
        {"attribution": {"preset": "istio", "custom": [{"label": "version", "value": "{hash}"}]}},
        {"risk": {"falseAbort": "0"}},
        {"risk": {"falsePromotion": "0.5"}},
        {"risk": {"tolerableRatio": "0.5"}},
        {"risk": {"rejectRatio": "1"}},
        {"risk": {"falseAbort": "1e-2"}},
        {"guards": {"minShareOfWeight": "1"}},
        {"stratifyBy": ["not a label"]},
        {"compatibility": "exact"},
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_by_its_place(spec):
    with pytest.raises(ConfigurationError, match="SLOPolicy p: spec"):
        parse_policy("p", {"spec": spec})


@pytest.mark.parametrize("seconds", ["1234567s", "0.5s", "1h", "2562047h"])
def test_a_duration_of_a_policy_comes_back_as_it_was(seconds):
    policy = parse_policy("p", {"spec": {"timing": {"maxHold": seconds}}})

    assert parse_policy("p", {"spec": policy.model_dump(mode="json", by_alias=True)}) == policy


@pytest.mark.parametrize(
    "override",
    [
        {"action": "Promote"},
        {"action": "Skip", "reason": "x", "requestedBy": "x", "expiresAt": "2026-09-14T10:00:00Z"},
        {"action": "Promote", "reason": "", "requestedBy": "x", "expiresAt": "2026-09-14T10:00:00Z"},
        {"action": "Promote", "reason": "x", "requestedBy": "x", "expiresAt": "tomorrow"},
        {"action": "Promote", "reason": "x", "requestedBy": "x", "expiresAt": "2026-09-14T10:00:00"},
    ],
)
def test_an_override_needs_a_reason_a_person_and_an_end(override):
    with pytest.raises(ConfigurationError):
        parse_gate_spec({"spec": {"override": override}})
