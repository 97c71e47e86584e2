"""Argo's rules on a real control plane: to the letter, templates of templates over ranges, few requests."""

from typing import Any

from tests.e2e.stage import Stage


def _metric(query: str, condition: str, **fields: Any) -> dict[str, Any]:
    return {
        "name": "judged",
        "interval": "1s",
        "successCondition": condition,
        "provider": {"prometheus": {"query": query}},
        **fields,
    }


def _requests(suffix: str = "") -> str:
    hashed = 'rollouts_pod_template_hash="{{args.canary-hash}}"'
    return f'http_requests_total{{namespace="{{{{args.namespace}}}}",{hashed}{suffix}}}'


ARGS = [{"name": "namespace"}, {"name": "canary-hash"}]


def test_what_has_no_answer_holds_and_to_the_letter_of_argo_it_aborts(stage: Stage) -> None:
    stage.template(spec={"metrics": [_metric("absent_metric", "result[0] < 1", count=1, consecutiveErrorLimit=0)]})
    stage.policy(name="safe", compatibility="safe")
    stage.policy(name="argo", compatibility="argo")
    stage.rollout("safe", annotations={"canary-operator.io/slo-policy": "safe"})
    stage.rollout("argo", annotations={"canary-operator.io/slo-policy": "argo"})
    stage.operator()

    stage.release(name="safe")
    stage.release(name="argo")

    stage.until(lambda: stage.status("argo").get("abort"), "the abort by Argo's rules")
    assert 'Metric "judged" assessed Error due to consecutiveErrors (1)' in stage.gate("argo")["message"]
    stage.until(lambda: stage.verdict("safe") == ("Hold", "NoData"), "the hold without data")


def test_a_template_of_a_template_asks_over_a_range(stage: Stage) -> None:
    span = {"start": 'now() - duration("10s")', "end": "now()", "step": "5s"}
    metric = _metric(f"sum(rate({_requests()}[10s]))", "all(result, # >= 0) and len(result) > 0", count=2)
    metric["provider"]["prometheus"]["rangeQuery"] = span
    stage.template("inner", spec={"args": ARGS, "metrics": [metric]})
    stage.template(spec={"metrics": [], "templates": [{"templateName": "inner"}]})
    stage.rollout()
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.gate()["evidence"][0]["source"] == "AnalysisTemplate/inner"


def test_a_ratio_over_few_requests_waits_for_more(stage: Stage) -> None:
    bad = _requests(',status=~"5.."')
    query = f"(sum(rate({bad}[10s])) or vector(0)) / sum(rate({_requests()}[10s]))"
    stage.template(spec={"args": ARGS, "metrics": [_metric(query, "result[0] < 0.05", count=1)]})
    stage.rollout(rate=4)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.verdict() == ("Hold", "LowTraffic"), "the hold for more requests")
    assert "60 could show a breach" in stage.gate()["message"]
    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.until(stage.is_promoted, "the promotion after enough requests")
