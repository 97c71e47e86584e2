"""After the promotion: the gate looks on for a while, aborts where Argo still can, and says what to do where not."""

from __future__ import annotations

import re
import signal
import time

import yaml

from canary_operator.model import durations
from tests.e2e.routing import blue_green, load_balancer, pods_wanted
from tests.e2e.scenes import WITH_POLICY, ended
from tests.e2e.stage import V1, V2, V3, Stage
from tests.e2e.telemetryproxy import TelemetryProxy
from tests.e2e.test_objectives import AVAILABILITY, OPENSLO, QUICK, evidence, gated_by

STEPS = ({"setWeight": 50}, {"pause": {}})
GATED = {"canary-operator.io/gate": "enforce", **WITH_POLICY}


def requests_seen(stage: Stage) -> int:
    return int(evidence(stage)[0]["canary"]["total"])


def test_a_promoted_version_that_goes_bad_is_told_with_the_command_that_brings_back_the_version_before(
    stage: Stage,
) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "slos", "namespace": stage.namespace}}
    stage.lab.apply(yaml.safe_dump({**config, "data": {"web.yaml": yaml.safe_dump(OPENSLO)}}))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "slos"}
    stage.policy(objectives=[{"name": "imported", "sloRef": reference}], timing={**QUICK, "bake": "5m"})
    stage.rollout(gate=None, annotations=GATED, strategy=load_balancer(stage, STEPS))
    operator = stage.operator()
    # Argo's undo without a revision would go back to this one.
    stage.release(V2, errors=1.0)
    stage.until(lambda: stage.status().get("abort"), "the abort of another version")
    ended(stage)
    stage.release(V3)
    stage.until(lambda: stage.gate().get("phase") == "Judging", "the next release")
    stage.at_pause()
    stage.argo("promote", "web")
    stage.until(lambda: stage.is_promoted(image=V3), "the promotion")
    ended(stage)
    assert pods_wanted(stage).keys() >= {V1, V3}, "the old pods are still there"
    operator.stop(signal.SIGKILL)
    stage.operator()

    stage.lab.world.set_behaviour(stage.namespace, "web", V3, error_ratio=0.3)

    stage.until(lambda: stage.verdict() == ("Abort", "ObjectiveBreached"), "the verdict", timeout=30)
    assert not stage.status().get("abort")
    assert [kind for kind, _ in stage.actions()] == ["Abort"], "only of the version before"
    message = stage.gate()["message"]
    command = f"kubectl argo rollouts undo web -n {stage.namespace} --to-revision=1"
    assert message.endswith(command)
    told = [each for each in stage.events() if each["reason"] == "ObjectiveBreached"]
    assert [(each["type"], each["message"]) for each in told] == [("Warning", f"Abort: {message}")]
    assert stage.decisions()[-1]["reason"] == "ObjectiveBreached"
    stage.argo(*re.findall(r"rollouts (.*)$", message)[0].split())
    assert stage.get()["spec"]["template"]["spec"]["containers"][0]["image"] == V1


def test_a_version_that_stays_good_after_the_gate_promoted_it_is_left_alone_when_the_bake_is_over(
    stage: Stage, telemetry: TelemetryProxy
) -> None:
    gated_by(stage, steps=STEPS, timing={**QUICK, "bake": "4s"})
    stage.operator(prometheus=telemetry.url)
    stage.release()
    stage.until(stage.is_promoted, "the promotion", timeout=180)
    before, told = ended(stage), len(stage.events())
    counted = requests_seen(stage)

    stage.until(lambda: requests_seen(stage) > counted, "requests after the promotion", timeout=10)
    # The last look, at the end of the bake, may take as long as Prometheus may.
    over = durations.parse_time(before["endedAt"]) + 4 + 3
    stage.until(lambda: time.time() > over, "the end of the bake")
    asked = telemetry.asked
    stage.throughout(lambda: telemetry.asked == asked, 4, "no question after the bake")
    after = stage.gate()
    kept = ("phase", "verdict", "reason", "message", "since", "endedBy")
    assert {key: after.get(key) for key in kept} == {key: before.get(key) for key in kept}
    assert (after["verdict"], after["reason"], after["endedBy"]) == ("Promote", "EvidenceSufficient", "Gate")
    assert len(stage.events()) == told


def test_a_version_that_goes_bad_after_its_last_step_is_aborted_as_long_as_argo_can(stage: Stage) -> None:
    gated_by(stage, steps=STEPS, timing={**QUICK, "bake": "5m"})
    stage.operator()
    stage.release()
    stage.at_pause()
    # New pods must serve for so long before Argo calls the version stable.
    stage.patch({"spec": {"minReadySeconds": 60}})
    stage.argo("promote", "web")
    stage.until(lambda: stage.step() == 2, "the end of the steps")

    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.5)

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=30)
    gate = ended(stage)
    assert gate["verdict"] == "Abort"
    assert gate["endedBy"] == "Gate"
    assert "undo" not in gate["message"]
    stage.until(lambda: pods_wanted(stage).get(V1) == 2, "the old version in full")


def test_a_blue_green_version_that_goes_bad_under_its_users_is_told_as_well(stage: Stage) -> None:
    stage.policy(objectives=[AVAILABILITY], timing={**QUICK, "bake": "5m"})
    strategy = blue_green(stage, autoPromotionEnabled=False, scaleDownDelaySeconds=60)
    stage.rollout(gate=None, annotations=GATED, strategy=strategy)
    stage.operator()
    stage.release()
    stage.until(lambda: stage.gate().get("pause"), "the gate at the pause before the promotion")
    stage.argo("promote", "web")
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)

    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.3)

    stage.until(lambda: stage.verdict() == ("Abort", "ObjectiveBreached"), "the verdict", timeout=30)
    assert stage.gate()["message"].endswith(f"undo web -n {stage.namespace} --to-revision=1")
    assert stage.is_promoted()
