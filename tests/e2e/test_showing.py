"""What people see with the tools they already have."""

from __future__ import annotations

import re
from typing import Any

from canary_operator.journal.records import record_hash
from canary_operator.model.record import GateDecisionSpec
from tests.e2e.scenes import ended, held_without_traffic, traffic, waiting_without_traffic
from tests.e2e.stage import OURS, Stage


def listed(stage: Stage) -> dict[str, tuple[str, str]]:
    """The AnalysisRuns that `kubectl argo rollouts get rollout` lists: status and info by name."""
    lines = stage.argo("get", "rollout", "web", "--no-color").splitlines()
    rows = [re.split(r"\s{2,}", line.strip(" │├└─")) for line in lines if "AnalysisRun" in line]
    return {re.sub(r"^[^a-z]+", "", row[0]): (row[2].split()[-1], row[-1]) for row in rows}


def test_argos_own_tool_shows_the_gate_live_under_its_revision(stage: Stage) -> None:
    waiting_without_traffic(stage)
    name = f"web-{stage.status()['currentPodHash']}-2-gate-1"

    stage.until(lambda: listed(stage).get(name, ("", ""))[0] == "Running", "the run to be listed")
    tree = stage.argo("get", "rollout", "web", "--no-color")
    second, first = tree.index("# revision:2"), tree.index("# revision:1")
    assert second < tree.index(name) < first, "it is listed under its revision"
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion")

    stage.until(lambda: listed(stage)[name][0] == "Successful", "the run to end", timeout=15)
    assert re.search(r"✔ \d+", listed(stage)[name][1])


def test_argos_own_tool_shows_a_failed_gate_with_its_counts(stage: Stage) -> None:
    waiting_without_traffic(stage, errors=0.5)
    name = f"web-{stage.status()['currentPodHash']}-2-gate-1"
    traffic(stage)

    stage.until(lambda: listed(stage).get(name, ("", ""))[0] == "Failed", "the run to fail")

    assert re.search(r"✖ 3", listed(stage)[name][1])
    (run,) = stage.runs()
    assert run["status"]["metricResults"][0]["failed"] == 3
    assert run["status"]["message"].startswith("aborted at step 1/2 (50 %): error-rate 0.")


def test_a_hold_reads_like_a_sentence_with_numbers(stage: Stage) -> None:
    stage.template(limit=0.02, failure_limit=1000)
    stage.rollout()
    stage.operator()

    stage.release(errors=0.3)

    sentence = re.compile(
        r"held at step 1/2 \(50 %\): error-rate 0\.\d+ is not < 0\.02 "
        r"\(\d+ measurements, \d+ of at most 1000 failures\)(, next look in 1 s)?"
    )
    stage.until(lambda: sentence.fullmatch(stage.gate().get("message", "")), "the sentence")


def test_kubectl_lists_gates_with_what_matters(stage: Stage) -> None:
    waiting_without_traffic(stage)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the verdict")

    header, row = stage.lab.kubectl("get", "cg", namespace=stage.namespace).splitlines()

    assert header.split() == ["NAME", "STEP", "WEIGHT", "VERDICT", "REASON", "REQUESTS", "AGE"]
    # Conditions count no requests.
    assert row.split()[:5] == ["web", "1/2", "50", "Hold", "NoData"]
    assert "held at step 1/2" in stage.lab.kubectl("get", "cg", "--output=wide", namespace=stage.namespace)


def test_kubectl_describe_shows_one_event_for_each_change_of_the_verdict(stage: Stage) -> None:
    waiting_without_traffic(stage)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the verdict")
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)

    told = {(event["action"], event["reason"]) for event in stage.events()}
    changes = {(entry["verdict"], entry["reason"]) for entry in stage.gate()["history"]}
    # The image has a tag that can be moved: that is said, too.
    assert told == changes | {("Beware", "ImagesFixed")}
    stage.until(
        lambda: (
            "Promote: passed step 1/2" in stage.lab.kubectl("describe", "rollout", "web", namespace=stage.namespace)
        ),
        "the Event to be shown",
        timeout=10,
    )
    described = stage.lab.kubectl("describe", "rollout", "web", namespace=stage.namespace)
    assert re.search(r"Normal\s+ConditionsMet\s.*canary-operator", described)
    assert re.search(r"Warning\s+NoData\s.*canary-operator", described)


def test_decisions_form_a_chain_that_nobody_can_change(stage: Stage) -> None:
    held_without_traffic(stage)
    traffic(stage)
    stage.until(stage.is_promoted, "the promotion")
    ended(stage)

    decisions = stage.decisions()

    assert [spec["sequence"] for spec in decisions] == list(range(1, len(decisions) + 1))
    hashes = [record_hash(GateDecisionSpec.model_validate(spec)) for spec in decisions]
    assert [spec["hash"] for spec in decisions] == hashes
    assert [spec["previousHash"] for spec in decisions] == ["", *hashes[:-1]]
    assert stage.gate()["recordHash"] == hashes[-1]
    assert [spec["action"]["kind"] for spec in decisions if "action" in spec] == ["Hold", "Release"]

    path = f"{OURS}/namespaces/{stage.namespace}/gatedecisions"
    body: dict[str, Any] = (stage.admin.get(path) or {})["items"][0]
    assert "ownerReferences" not in body["metadata"]
    changed = stage.admin.ask(
        "PATCH",
        f"{path}/{body['metadata']['name']}",
        {"spec": {"message": "it was somebody else"}},
        "application/merge-patch+json",
    )
    assert changed.status_code == 422
    assert "it cannot be changed" in changed.text


def test_a_gate_goes_with_its_rollout_and_its_decisions_stay(stage: Stage) -> None:
    held_without_traffic(stage)
    recorded = len(stage.decisions())

    stage.admin.delete(stage.path())

    gate = f"{OURS}/namespaces/{stage.namespace}/canarygates/web"
    stage.until(lambda: stage.admin.get(gate) is None, "the gate to be collected")
    assert len(stage.decisions()) >= recorded > 0
    assert stage.operators[0].process.poll() is None
