"""Routes of the traffic: a canary that gets more of a bad one is not blamed for it where like is compared with like."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.scenes import ended
from tests.e2e.stage import V1, V2, Stage
from tests.e2e.test_objectives import AVAILABILITY, QUICK

STEPS = ({"setWeight": 50}, {"pause": {}})
# Of both versions alike: users' searches fail more often than they may.
SEARCH = {"error_ratio": 0.04}
OTHERS = {"error_ratio": 0.001}


def mixed(stage: Stage, name: str, image: str, searches: float, **search: float) -> None:
    """Let a part of a version's requests be searches."""
    routes = {"/search": {"share": searches, **SEARCH, **search}, "/": {"share": 1 - searches, **OTHERS}}
    stage.lab.world.set_routes(stage.namespace, name, image, routes)


def gated(stage: Stage, name: str, **policy: Any) -> None:
    """A Rollout with a policy of its name, one tenth of whose requests are searches."""
    stage.policy(name, objectives=[AVAILABILITY], timing=QUICK, **policy)
    mixed(stage, name, V1, searches=0.1)
    ours = {"canary-operator.io/gate": "enforce", "canary-operator.io/slo-policy": name}
    stage.rollout(name, gate=None, annotations=ours, steps=STEPS, rate=100.0)


def test_a_canary_that_gets_more_of_a_bad_route_is_aborted_only_where_routes_are_thrown_together(stage: Stage) -> None:
    gated(stage, "together")
    gated(stage, "apart", stratifyBy=["route"])
    for name in ("together", "apart"):
        mixed(stage, name, V2, searches=0.9)
    stage.operator()

    for name in ("together", "apart"):
        stage.patch({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": V2}]}}}}, name)

    stage.until(lambda: stage.status("together").get("abort"), "the abort of the one", timeout=60)
    blamed = ended(stage, "together")["evidence"][0]
    fair = lambda: stage.gate("apart")["evidence"][0]  # noqa: E731
    stage.until(lambda: fair()["canary"]["bad"] > blamed["canary"]["bad"], "more errors than those of the one")
    assert not stage.status("apart").get("abort")
    assert fair()["towardsAbort"] < 0.5
    assert "part by part it is " in fair()["message"]
    assert set(json.loads(fair()["memory"])["strata"]) >= {'route="/"', 'route="/search"'}

    # The same share of searches as before, and now they fail more often than stable's.
    mixed(stage, "apart", V2, searches=0.9, error_ratio=0.3)

    stage.until(lambda: stage.status("apart").get("abort"), "the abort of the other", timeout=60)
    gate = ended(stage, "apart")
    assert gate["reason"] == "CanaryRegression"
    assert 'part by part it is worst in route="/search"' in gate["message"]
