"""The AnalysisRun that shows a judged pause to Argo's own tools.

It carries a foreign instance id, so that Argo leaves it alone, and an owner that is no controller, so that
``kubectl argo rollouts get rollout`` lists it under its revision.

Law: pure builders of bodies.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from canary_operator.engine.judged import JudgedMetric
from canary_operator.engine.memory import POST_PROMOTION
from canary_operator.model import durations
from canary_operator.model.gate import Evidence, GateStatus, Measured, PauseStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Verdict

INSTANCE_LABEL = "argo-rollouts.argoproj.io/controller-instance-id"
INSTANCE = "canary-operator"
ROLLOUT_LABEL = "canary-operator.io/rollout"
PAUSE_ANNOTATION = "canary-operator.io/pause"
# Every reconcile of Argo lists all runs of the namespace, so that old ones cost.
KEPT_RUNS = 10

_FINAL = {Verdict.PROMOTE.value: "Successful", Verdict.ABORT.value: "Failed"}
_MEASURED = ("Successful", "Failed", "Inconclusive")


def run_name(ref: RolloutRef, status: GateStatus) -> str:
    """``<rollout>-<hash>-<revision>-gate-<step>``, with ``pre`` or ``post`` for a blue/green promotion."""
    judged, pause = status.rollout, status.pause
    assert judged is not None
    assert pause is not None
    after = status.step is not None and status.step.kind == POST_PROMOTION
    step = ("post" if after else "pre") if pause.step_index is None else str(pause.step_index)
    return f"{ref.name}-{judged.pod_hash}-{judged.revision}-gate-{step}"


def pause_key(status: GateStatus) -> str:
    """What tells the runs of one step apart: a retried release pauses there again."""
    assert status.rollout is not None
    assert status.pause is not None
    return f"{status.rollout.uid}/{status.rollout.pod_hash}/{status.pause.start_time}"


def run_metadata(ref: RolloutRef, status: GateStatus) -> Mapping[str, Any]:
    """The metadata of a new run, without its name."""
    judged = status.rollout
    assert judged is not None
    return {
        "namespace": ref.namespace,
        "annotations": {
            "rollout.argoproj.io/revision": str(judged.revision),
            PAUSE_ANNOTATION: pause_key(status),
        },
        "labels": {
            INSTANCE_LABEL: INSTANCE,
            # A label value has at most 63 characters, a Rollout's name may have more.
            ROLLOUT_LABEL: judged.uid,
            "rollouts-pod-template-hash": judged.pod_hash,
            "app.kubernetes.io/managed-by": INSTANCE,
        },
        "ownerReferences": [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Rollout",
                "name": ref.name,
                "uid": judged.uid,
                "controller": False,
                "blockOwnerDeletion": False,
            }
        ],
    }


def run_content(status: GateStatus, metrics: Sequence[JudgedMetric], now: float, link: str) -> Mapping[str, Any]:
    """The spec and status of the run: live while the pause lasts, final once it was left.

    The message ends with ``link``, the address of the gate's page, if there is one.
    """
    pause = status.pause
    assert pause is not None
    phase = _phase(pause)
    results = [_result(evidence, phase != "Running", phase) for evidence in status.evidence]
    content: dict[str, Any] = {
        "phase": phase,
        "message": f"{pause.message} {link}" if link else pause.message,
        "startedAt": pause.start_time,
        "runSummary": _summary(results),
        "metricResults": results,
    }
    if phase != "Running":
        content["completedAt"] = durations.format_time(now)
    return {"spec": {"metrics": _spec(metrics, status.evidence)}, "status": content}


def _phase(pause: PauseStatus) -> str:
    return "Running" if pause.left_by is None else _FINAL.get(pause.verdict, "Inconclusive")


def _spec(metrics: Sequence[JudgedMetric], evidence: Sequence[Evidence]) -> list[Mapping[str, Any]]:
    shown = [_metric(judged) for judged in metrics]
    names = {judged.spec.name for judged in metrics}
    shown += [_objective(item) for item in evidence if item.name not in names]
    # Nothing could be read (yet), and Argo's schema wants a metric.
    return shown or [{"name": "gate", "provider": {}}]


def _objective(evidence: Evidence) -> Mapping[str, Any]:
    if not evidence.queries:
        return {"name": evidence.name, "provider": {}}
    provider = evidence.digest.partition("/")[0]
    return {
        "name": evidence.name,
        "provider": {"prometheus": {"address": f"provider:{provider}", "query": evidence.queries[0]}},
    }


def _metric(judged: JudgedMetric) -> Mapping[str, Any]:
    spec = judged.spec
    conditions = {"successCondition": spec.success_condition, "failureCondition": spec.failure_condition}
    return {
        "name": spec.name,
        **{key: text for key, text in conditions.items() if text},
        "provider": {"prometheus": {"address": f"provider:{judged.provider}", "query": spec.query}},
    }


def _result(evidence: Evidence, final: bool, phase: str) -> dict[str, Any]:
    counted = evidence.measurements
    if counted is None:
        return {"name": evidence.name, "phase": phase, "message": evidence.message}
    last = counted.recent[-1].phase if counted.recent else ""
    return {
        "name": evidence.name,
        "phase": (last if last in _MEASURED else "Inconclusive") if final else "Running",
        "message": evidence.message,
        "count": counted.successful + counted.failed + counted.inconclusive,
        "successful": counted.successful,
        "failed": counted.failed,
        "inconclusive": counted.inconclusive,
        "error": counted.error,
        "consecutiveError": counted.consecutive_error,
        "consecutiveSuccess": counted.consecutive_success,
        "measurements": [_measurement(measured) for measured in counted.recent],
    }


def _measurement(measured: Measured) -> Mapping[str, Any]:
    at = durations.format_time(durations.parse_time(measured.at))
    times = {"startedAt": at, "finishedAt": at}
    if measured.phase in _MEASURED:
        return {"phase": measured.phase, "value": measured.value, **times}
    return {"phase": "Error", "message": measured.phase, **times}


def _summary(results: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    phases = [str(result["phase"]).lower() for result in results]
    counted: dict[str, int] = {
        phase: phases.count(phase) for phase in ("successful", "failed", "inconclusive") if phase in phases
    }
    return {"count": len(results), **counted}
