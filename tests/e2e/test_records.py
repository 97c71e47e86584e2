"""What people ask of the records of real releases: replay says identical, verify finds what was done to one."""

from __future__ import annotations

from tests.e2e.scenes import ended, override, traffic, waiting_without_traffic
from tests.e2e.stage import OURS, Stage


def test_records_of_an_override_and_an_abort_replay_and_one_that_is_taken_out_is_found(stage: Stage) -> None:
    waiting_without_traffic(stage, errors=0.5)
    override(stage, "Hold")
    stage.until(lambda: stage.verdict() == ("Hold", "Override"), "the override")
    stage.gate_patch({"override": None})
    traffic(stage)
    stage.until(lambda: stage.status().get("abort"), "the abort")
    ended(stage)
    admin = stage.lab.kubeconfig

    for words in (("replay",), ("audit", "verify")):
        said = stage.command(*words, "-n", stage.namespace, kubeconfig=admin)
        assert said.returncode == 0, said.stdout + said.stderr
    stage.forges = True
    second = next(body["metadata"]["name"] for body in stage.ours("gatedecisions") if body["spec"]["sequence"] == 2)
    stage.admin.delete(f"{OURS}/namespaces/{stage.namespace}/gatedecisions/{second}")

    said = stage.command("audit", "verify", "-n", stage.namespace, kubeconfig=admin)
    assert said.returncode == 1
    assert "record 2 is missing" in said.stdout
