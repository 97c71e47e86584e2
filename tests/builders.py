"""Builders of what a test is about; every field has a plausible value unless the test names it."""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.policy import CanaryGateSpec, Override, SLOPolicySpec, parse_opt_in
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import TemplateRef, parse_rollout
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

# 2026-09-14T10:00:00Z
T0 = 1_789_380_000.0
INTERVAL = 15.0
NAMESPACE = "shop"
NAME = "guestbook"
UID = "6f1c2c0e-0000-4000-8000-000000000001"
STABLE, CANARY = "7d8f9cbb44", "6c54544bf9"
GATE = "canary-operator.io/gate"
POLICY = "canary-operator.io/slo-policy"
TEMPLATES = "canary-operator.io/analysis-templates"
ARGS = "canary-operator.io/analysis-args"

Body = dict[str, Any]


def set_weight(percent: int) -> Body:
    return {"setWeight": percent}


def pause(duration: str | int | None = None) -> Body:
    return {"pause": {} if duration is None else {"duration": duration}}


def analysis(template: str = "errors") -> Body:
    return {"analysis": {"templates": [{"templateName": template}]}}


ONE_TIMED = (set_weight(25), pause("60s"))
ONE_INDEFINITE = (set_weight(25), pause())


def a_rollout(
    steps: Sequence[Body] = ONE_TIMED,
    *,
    mode: str | None = "enforce",
    annotations: Mapping[str, str] | None = None,
    spec: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
) -> Body:
    """A canary whose stable version is out and nothing is going on."""
    count = len(steps)
    given = {TEMPLATES: "errors", **({} if mode is None else {GATE: mode}), **(annotations or {})}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "uid": UID,
            "generation": 1,
            "annotations": {"rollout.argoproj.io/revision": "1", **given},
        },
        "spec": {
            "replicas": 4,
            "template": {"hash": STABLE},
            "strategy": {"canary": {"steps": copy.deepcopy(list(steps)), "trafficRouting": {"nginx": {}}}},
            **(spec or {}),
        },
        "status": {
            "observedGeneration": "1",
            "currentPodHash": STABLE,
            "stableRS": STABLE,
            "currentStepIndex": count,
            "canary": {"weights": {"canary": {"weight": 0}}},
            **(status or {}),
        },
    }


def a_blue_green(seconds: int | None = None, *, enabled: bool | None = None) -> Body:
    blue_green: Body = {"activeService": "active", "previewService": "preview"}
    if seconds is not None:
        blue_green["autoPromotionSeconds"] = seconds
    if enabled is not None:
        blue_green["autoPromotionEnabled"] = enabled
    body = a_rollout(())
    body["spec"]["strategy"] = {"blueGreen": blue_green}
    for field in ("currentStepIndex", "canary"):
        del body["status"][field]
    return body


def at_a_pause(duration: str | int | None = "60s", *, started: float = T0, **rollout: Any) -> Body:
    """A canary at its first pause, which began at ``started``."""
    body = a_rollout((set_weight(25), pause(duration)), **rollout)
    body["spec"]["template"]["hash"] = CANARY
    body["metadata"]["annotations"]["rollout.argoproj.io/revision"] = "2"
    body["status"] |= {
        "currentPodHash": CANARY,
        "currentStepIndex": 1,
        "controllerPause": True,
        "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": durations.format_time(started)}],
        "canary": {"weights": {"canary": {"weight": 25}}},
    }
    return body


def a_metric(name: str = "error-ratio", **fields: Any) -> Body:
    return {
        "name": name,
        "interval": "10s",
        "successCondition": "result[0] < 0.05",
        "provider": {"prometheus": {"query": f"{name}()"}},
        **fields,
    }


def a_template(*metrics: Body, **spec: Any) -> Body:
    return {"spec": {"metrics": list(metrics) or [a_metric()], **spec}}


def a_policy(**timing: Any) -> SLOPolicySpec:
    """A policy; fields of ``timing`` by their names outside, everything else in ``spec``."""
    spec = {key: timing.pop(key) for key in ("failAction", "telemetryLoss") if key in timing}
    return SLOPolicySpec.model_validate({"timing": timing, **spec})


def an_override(action: str, *, until: float = T0 + 3600) -> CanaryGateSpec:
    override = Override.model_validate(
        {
            "action": action,
            "reason": "release train",
            "requestedBy": "ada",
            "expiresAt": durations.format_time(until),
        }
    )
    return CanaryGateSpec(override=override)


def a_gate_status(**fields: Any) -> GateStatus:
    return GateStatus.model_validate(fields)


def a_snapshot(body: Body | None = None, **fields: Any) -> Snapshot:
    rollout = parse_rollout(at_a_pause() if body is None else body)
    known: dict[str, Any] = {
        "rollout": rollout,
        "opt_in": parse_opt_in(rollout.annotations),
        "policies": {},
        "templates": {TemplateRef("errors"): a_template()},
        "gate_spec": CanaryGateSpec(),
        "gate_generation": 1,
        "status": GateStatus(),
        "addresses": ProviderAddresses({"default": ("http://prometheus.monitoring:9090",)}),
        "evaluation_interval": INTERVAL,
    }
    return Snapshot(**{**known, **fields})


def remembering(snapshot: Snapshot, status: GateStatus) -> Snapshot:
    return dataclasses.replace(snapshot, status=status)


def vector(*values: float, at: float = T0) -> Answer:
    """An instant vector; the series differ in their label ``instance``."""
    series = (Series((("instance", str(i)),), (Sample(at, value),)) for i, value in enumerate(values))
    return Answer(ResultKind.VECTOR, tuple(series))


GOOD, BAD = vector(0.001), vector(0.5)
EMPTY, NAN = vector(), vector(float("nan"))
OUTAGE = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "Prometheus does not answer")
REFUSED_QUERY = Absent(HoldReason.CONFIGURATION_ERROR, "Prometheus refuses the query: parse error")
