"""Every right to write that a way of installing grants is one that the operator uses, under the account that has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from canary_operator.cluster.api import gate_body
from canary_operator.cluster.ledger import RETIRED_EVERY
from canary_operator.journal.analysis_run import INSTANCE, KEPT_RUNS, ROLLOUT_LABEL
from canary_operator.model.rollout import RolloutRef
from lab.cluster import Lab
from tests.e2e.scenes import override, traffic
from tests.e2e.stage import ARGO, MERGE, OURS, Objects, Stage, stage_in
from tests.rights.granted import CLUSTER, NAMESPACED, OBSERVE, Mode, install
from tests.rights.used import keep, used

# A lab without the shared installation, whose policies let only its own account write.
pytestmark = pytest.mark.xdist_group("own lab of modes")


ROOT = Path(__file__).parents[2]
# Asked for, and not there.
ELSEWHERE = (
    {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective"},
    {"apiVersion": "sloth.slok.dev/v1", "kind": "PrometheusServiceLevel"},
    {"apiVersion": "v1", "kind": "ConfigMap"},
)


@pytest.fixture(scope="module")
def modes(own_cluster: Lab) -> Iterator[Lab]:
    yield own_cluster
    keep(own_cluster)


@pytest.fixture
def stage(modes: Lab, mode: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A namespace, and an account with the rights of the mode."""
    if mode is OBSERVE:
        monkeypatch.setenv("CANARY_OPERATOR_MODE", "observe")
    # What is for one namespace brings no kinds.
    modes.kubectl("apply", "--server-side", "-k", str(ROOT / "crds"))
    identity = install(mode, modes)
    modes.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    with stage_in(modes, identity, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("mode", [CLUSTER, OBSERVE], ids=lambda mode: mode.name)
def test_every_right_to_write_is_used(modes: Lab, mode: Mode, stage: Stage) -> None:
    uses_all_rights(stage, mode.namespace)

    granted = {right for right in mode.granted() if right.writes}
    assert granted - used(modes.audit_logs, mode) == set()


@pytest.mark.parametrize("mode", [NAMESPACED], ids=lambda mode: mode.name)
def test_every_right_to_write_is_used_in_the_one_namespace_that_has_them(modes: Lab, mode: Mode, stage: Stage) -> None:
    stage.namespace = mode.namespace
    uses_all_rights(stage, mode.namespace)

    granted = {right for right in mode.granted() if right.writes}
    assert granted - used(modes.audit_logs, mode) == set()


def uses_all_rights(stage: Stage, home: str) -> None:
    """A release of a Rollout with a long past is overruled, judged and sent back; another has its first gate."""
    stage.template()
    stage.policy(objectives=[{"name": ref["kind"], "sloRef": {**ref, "name": "nowhere"}} for ref in ELSEWHERE])
    ours = {"canary-operator.io/gate": "enforce", "canary-operator.io/slo-policy": "policy"}
    stage.rollout("young", gate=None, annotations=ours, replicas=1)
    stage.rollout(rate=0)
    with_a_long_past(stage)
    stage.operator(lease={"namespace": home})
    stage.release(name="young")
    stage.until(lambda: stage.verdict("young") == ("Hold", "ConfigurationError"), "a new gate")
    stage.release(errors=0.5)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the verdict without traffic")
    # The same Event twice: it is renewed.
    for _ in range(2):
        override(stage, "Hold")
        stage.until(lambda: stage.verdict() == ("Hold", "Override"), "the override")
        stage.gate_patch({"override": None})
        stage.until(lambda: stage.verdict()[1] != "Override", "the end of the override")
    traffic(stage)
    stage.until(lambda: stage.verdict() == ("Abort", "ConditionsFailed"), "the verdict")
    stage.until(lambda: len(old_runs(stage)) < KEPT_RUNS, "the oldest runs to go")
    stage.until(lambda: 1 not in [spec["sequence"] for spec in stage.decisions()], "the oldest decision to go")


def with_a_long_past(stage: Stage) -> None:
    """As many runs and decisions as the operator keeps, under its own account."""
    stage.forges = True
    operator = Objects(stage.identity, stage.folder)
    uid = stage.get()["metadata"]["uid"]
    inside = f"namespaces/{stage.namespace}"
    operator.post(f"{OURS}/{inside}/canarygates", gate_body(RolloutRef(stage.namespace, "web"), uid))
    given_up = {"sequence": 1, "hash": "sha256:1"}
    past = {"status": {"sequence": RETIRED_EVERY - 1, "recordHash": "sha256:1", "retired": given_up}}
    operator.patch(f"{OURS}/{inside}/canarygates/web/status", past, MERGE)
    operator.post(f"{OURS}/{inside}/gatedecisions", the_first_decision(uid))
    for number in range(KEPT_RUNS + 1):
        operator.post(f"{ARGO}/{inside}/analysisruns", an_old_run(f"old-{number}", uid))


def old_runs(stage: Stage) -> list[str]:
    return [body["metadata"]["name"] for body in stage.runs() if body["metadata"]["name"].startswith("old-")]


def the_first_decision(uid: str) -> dict[str, Any]:
    rollout = {"uid": uid, "generation": 1, "revision": 1, "podHash": "a", "stableHash": "b"}
    spec = {
        "rolloutName": "web",
        "rollout": rollout,
        "step": {"index": 1, "count": 2, "kind": "pause", "weight": 50},
        "at": "2026-09-14T10:00:00Z",
        "mode": "enforce",
        "verdict": "Hold",
        "reason": "Collecting",
        "message": "long ago",
        "policies": [],
        "actor": {"kind": "Operator"},
        "operatorVersion": "0.1.0",
        "configuration": "",
        "inputs": {"digest": "", "size": 0, "data": "", "leftOut": "everything, 1 KiB"},
        "sequence": 1,
        "previousHash": "",
        "hash": "sha256:1",
    }
    head = {"apiVersion": "canary-operator.io/v1alpha1", "kind": "GateDecision"}
    return {**head, "metadata": {"name": "web-first", "labels": {"canary-operator.io/rollout-uid": uid}}, "spec": spec}


def an_old_run(name: str, uid: str) -> dict[str, Any]:
    labels = {"argo-rollouts.argoproj.io/controller-instance-id": INSTANCE, ROLLOUT_LABEL: uid}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": name, "labels": {**labels, "rollouts-pod-template-hash": "old"}},
        "spec": {"metrics": []},
    }
