"""Pods that fail in bursts, each by itself: a canary is judged by what stable's hour before the release says."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.scenes import WITH_POLICY, ended
from tests.e2e.stage import V1, V2, Stage
from tests.e2e.test_objectives import AVAILABILITY, QUICK

# One pod of six: ranks need five of stable.
STEPS = ({"setWeight": 17}, {"pause": {}})
BURST = 0.3
NAMES = ("known", "unknown")


def test_a_canary_that_fails_in_a_burst_as_stables_pods_did_is_aborted_only_where_their_past_is_unknown(
    stage: Stage,
) -> None:
    world, namespace = stage.lab.world, stage.namespace
    stage.policy(objectives=[AVAILABILITY], timing=QUICK)
    ours = {"canary-operator.io/gate": "enforce", **WITH_POLICY}
    for name in NAMES:
        stage.rollout(name, gate=None, annotations=ours, steps=STEPS, replicas=6, rate=0)
    world.set_bursts(namespace, "known", V1, error_ratio=BURST, burst_seconds=5, calm_seconds=100)
    world.age(namespace, "known", seconds=3600, requests_per_second=120)
    world.set_rate(namespace, "unknown", 120)
    # Bursts are seldom: from now on it is the canary's turn, in both Rollouts alike.
    world.set_bursts(namespace, "known", V1, error_ratio=BURST, calm_seconds=0)
    past = f'min(count_over_time(http_requests_total{{namespace="{namespace}",pod=~"known.*",status="200"}}[1h]))'
    stage.until(lambda: (stage.lab.prometheus.value(past) or 0) > 240, "the hour to be scraped")
    stage.operator()
    for name in NAMES:
        stage.release(V2, name)

    def memory(name: str) -> dict[str, Any]:
        return dict(json.loads((stage.gate(name).get("evidence") or [{}])[0].get("memory") or "{}"))

    for name in NAMES:
        stage.until(lambda name=name: memory(name).get("dispersion"), f"what is learnt of {name}")
    assert memory("known")["dispersion"][0] > 5
    assert memory("unknown")["dispersion"][0] == 1

    for name in NAMES:
        world.set_behaviour(namespace, name, V2, error_ratio=BURST)
    stage.until(lambda: stage.status("unknown").get("abort"), "the abort of the one", timeout=30)
    world.set_behaviour(namespace, "known", V2, error_ratio=0.001)
    assert ended(stage, "unknown")["reason"] == "CanaryRegression"
    stage.throughout(lambda: not stage.status("known").get("abort"), 5, "no abort of the other")
    assert memory("known")["ranking"]["stable"]
    assert "stable's own pods differ by more than chance" in stage.gate("known")["evidence"][0]["message"]

    world.set_behaviour(namespace, "known", V2, error_ratio=1.0)
    stage.until(lambda: stage.status("known").get("abort"), "the abort of a canary that fails everything", timeout=60)
    assert ended(stage, "known")["reason"] == "CanaryRegression"
