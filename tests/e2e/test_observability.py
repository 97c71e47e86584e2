"""What an operator's operator sees of a real operator: metrics, dashboard, probes, log lines, traces."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from lab.programs import cache
from observability import dashboard
from tests.e2e import telemetryproxy
from tests.e2e.scenes import WITH_POLICY, timed
from tests.e2e.stage import Operator, Stage, free_port
from tests.e2e.telemetryproxy import TelemetryProxy
from tests.telemetry.test_tracing import VERBS, Receiver

RATIO = {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}
POLICY = {
    "objectives": [{"name": "availability", "objective": "95", "indicator": {"ratio": RATIO}}],
    "timing": {"warmUp": "0s", "settle": "0s"},
}
SECRET_PATH = "/hooks/T0P-s3cret"
# Two at a time would each write the other's job out of Prometheus' configuration.
one_at_a_time = pytest.mark.xdist_group("scraped operators")
QUESTIONS = [query.promql for _, panels in dashboard.ROWS for panel in panels for query in panel.queries]


def metrics(operator: Operator) -> list[Any]:
    """Return every sample that the operator exposes."""
    text = requests.get(f"{operator.web}/metrics", timeout=5).text
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def gauge(operator: Operator, name: str, **labels: str) -> float | None:
    """Return the value of one series of the operator, None where there is none."""
    found = [each.value for each in metrics(operator) if (each.name, each.labels) == (name, labels)]
    return found[0] if found else None


def gated(stage: Stage) -> None:
    """A Rollout with a pause that is judged by an objective, which takes a minute at least, and by a template."""
    stage.template()
    stage.policy(**POLICY)
    stage.rollout(annotations=WITH_POLICY, steps=timed("5s"))


@pytest.fixture
def scraped(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Operator]:
    """An operator that the lab's Prometheus scrapes, and that notifies somebody who wants to know nothing of it."""
    slack = stage.folder / "slack-url"
    slack.write_text(stage.lab.prometheus_url + SECRET_PATH)
    monkeypatch.setenv(
        "CANARY_OPERATOR_NOTIFICATIONS", json.dumps([{"name": "refusing", "slack": {"urlFile": str(slack)}}])
    )
    monkeypatch.setenv("CANARY_OPERATOR_AUDIT", json.dumps({"stream": str(stage.folder / "decisions.jsonl")}))
    port = free_port()
    stage.lab.prometheus.add_job(f"operator-{stage.namespace}", f"127.0.0.1:{port}")
    try:
        yield stage.operator(web={"port": port})
    finally:
        stage.lab.prometheus.remove_job(f"operator-{stage.namespace}")


def rendered(stage: Stage, promql: str) -> str:
    """Write into a question what Grafana would."""
    chosen = {"$namespace": stage.namespace, "$rollout": ".*"}
    spans = {"$__rate_interval": "10s", "$__interval": "5s", "$__range": "300s"}
    for name, value in {**chosen, **spans}.items():
        promql = promql.replace(name, value)
    assert "$" not in promql, promql
    return promql


def answers(stage: Stage, promql: str, since: float) -> list[dict[str, Any]]:
    """Return the series of a question that have a number somewhere."""
    asked = {"query": rendered(stage, promql), "start": since, "end": time.time(), "step": 2}
    answer = requests.post(f"{stage.lab.prometheus_url}/api/v1/query_range", data=asked, timeout=20)
    assert answer.ok, answer.text
    series = answer.json()["data"]["result"]
    return [one for one in series if any(value != "NaN" for _, value in one["values"])]


@one_at_a_time
def test_every_question_of_the_dashboard_has_an_answer_while_a_release_is_gated(
    stage: Stage, scraped: Operator
) -> None:
    since = time.time()
    gated(stage)
    stage.release()
    stage.until(stage.is_promoted, "the promotion", timeout=180)

    for promql in [*QUESTIONS, dashboard.DECISIONS]:
        stage.until(lambda asked=promql: answers(stage, asked, since), f"an answer to {promql}", timeout=30)
    ours = answers(stage, dashboard.DECISIONS, since)
    assert {("web", "Promote")} <= {(one["metric"]["rollout"], one["metric"]["verdict"]) for one in ours}


@one_at_a_time
def test_the_reader_may_choose_the_namespace_and_the_rollout(stage: Stage, scraped: Operator) -> None:
    gated(stage)

    for name, query in dashboard.VARIABLES.items():
        selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()
        stage.until(lambda asked=(selector, label): chosen_from(stage, *asked), f"something to choose as {name}")
    assert "web" in chosen_from(stage, f'canary_operator_gate_state{{namespace="{stage.namespace}"}}', "rollout")


def chosen_from(stage: Stage, selector: str, label: str) -> list[str]:
    """Return the values of a label, as Grafana asks for them."""
    url = f"{stage.lab.prometheus_url}/api/v1/label/{label}/values"
    answer = requests.get(url, params={"match[]": rendered(stage, selector)}, timeout=10)
    assert answer.ok, answer.text
    return list(answer.json()["data"])


def test_the_series_of_a_rollout_go_with_it(stage: Stage) -> None:
    gated(stage)
    operator = stage.operator()
    stage.release()
    stage.until(
        lambda: any(each.name == "canary_operator_bad_ratio" for each in metrics(operator)), "the evidence's series"
    )

    stage.admin.delete(stage.path())

    stage.until(
        lambda: not [each for each in metrics(operator) if "rollout" in each.labels],
        "the series to be gone",
        timeout=30,
    )


def said(operator: Operator) -> list[tuple[str, str, str]]:
    return [(line["verdict"], line["reason"], line["message"]) for line in lines(operator, "verdict")]


@one_at_a_time
def test_what_an_operator_says_of_a_release_is_whole_well_formed_and_has_no_secret(
    stage: Stage, scraped: Operator
) -> None:
    gated(stage)
    stage.release()
    stage.until(stage.is_promoted, "the promotion", timeout=180)
    stage.until(lambda: lines(scraped, "notification_lost"), "the lost notification")

    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end")
    records = [record for record in stage.decisions() if "action" not in record]
    wanted = [(record["verdict"], record["reason"], record["message"]) for record in records]
    stage.until(lambda: said(scraped) == wanted, "a line for each record of a verdict, and no other")
    last = lines(scraped, "verdict")[-1]
    counted = {each["name"]: each["canary"] for each in records[-1]["evidence"] if "canary" in each}
    assert {each["name"]: each["canary"] for each in last["evidence"] if each["canary"]} == counted
    assert counted["availability"]["total"] > 100
    assert checked(scraped) == (0, b"", b"")
    text = scraped.log.read_text()
    assert "s3cret" not in text
    for kubeconfig in (stage.lab.kubeconfig, stage.identity):
        assert kubeconfig.read_text().partition("token: ")[2].split()[0] not in text


def lines(operator: Operator, event: str) -> list[dict[str, Any]]:
    """Return the operator's log lines with one event."""
    return [line for line in operator.logged() if line["event"] == event]


def checked(operator: Operator) -> tuple[int, bytes, bytes]:
    """Return what promtool has to say of the operator's metrics."""
    promtool = cache.install(only=("promtool",)).programs["promtool"]
    text = requests.get(f"{operator.web}/metrics", timeout=5).content
    said = subprocess.run([promtool, "check", "metrics"], input=text, check=False, capture_output=True)
    return said.returncode, said.stdout, said.stderr


def test_an_operator_whose_prometheus_is_away_is_alive_and_ready_and_says_who_is_away(
    stage: Stage, telemetry: TelemetryProxy
) -> None:
    telemetry.answers(telemetryproxy.saying(503))
    stage.template()
    stage.rollout()
    operator = stage.operator(prometheus=telemetry.url)
    assert gauge(operator, "canary_operator_metric_source_up", provider="default") is None
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "TelemetryUnavailable"), "the hold")

    assert gauge(operator, "canary_operator_metric_source_up", provider="default") == 0
    assert [requests.get(f"{operator.web}{path}", timeout=5).status_code for path in ("/livez", "/readyz")] == [200] * 2
    telemetry.answers(telemetryproxy.passing)
    stage.until(
        lambda: gauge(operator, "canary_operator_metric_source_up", provider="default") == 1, "the provider to answer"
    )


def test_a_collector_is_sent_the_looks_at_a_release(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver() as receiver:
        monkeypatch.setenv("CANARY_OPERATOR_TRACING__ENDPOINT", receiver.url)
        stage.template()
        stage.rollout()
        stage.operator()
        stage.release()
        stage.until(stage.is_promoted, "the promotion")

        stage.until(lambda: promoted(receiver), "the span of the promotion", timeout=30)

    (look, *_) = promoted(receiver)
    children = [span.name for span in receiver.spans() if span.parent_span_id == look.span_id]
    assert sorted(children) == sorted(VERBS)


def promoted(receiver: Receiver) -> list[Any]:
    """Return the spans of looks that came to a promotion."""
    return [
        span
        for span in receiver.spans()
        if span.name == "look"
        and ("verdict", "Promote") in {(each.key, each.value.string_value) for each in span.attributes}
    ]


def test_an_endpoint_without_the_extra_is_a_mistake_that_is_named(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python finds first is what is installed, for the program: an OpenTelemetry without anything in it.
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("CANARY_OPERATOR_TRACING__ENDPOINT", "http://127.0.0.1:4318/v1/traces")

    said = stage.command("run")

    assert said.returncode == 3
    assert "tracing.endpoint: OpenTelemetry is not installed; install canary-operator[otel]" in said.stderr
