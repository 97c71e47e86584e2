"""People and programs are told of new verdicts: by the operator, and by Argo as far as it can see."""

from __future__ import annotations

import base64
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks import Webhook

from tests.e2e.receiver import Receiver, receiver
from tests.e2e.scenes import INDEFINITE, ended, timed, traffic
from tests.e2e.stage import Operator, Stage
from tests.e2e.test_native_analysis import QUICK, Native

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/notifications/argo-rollouts.yaml"
SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes....").decode()
SUBSCRIBE = "notifications.argoproj.io/subscribe"
ALL = ["Promote", "Hold", "Abort"]


@pytest.fixture
def told() -> Iterator[Receiver]:
    with receiver() as opened:
        yield opened


@pytest.fixture
def notify(stage: Stage, told: Receiver, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Configure this test's operators: Slack, a signed webhook, and one that hangs and is told of every hold."""

    def configure(hold_after: str) -> None:
        slack, secret = stage.folder / "slack-url", stage.folder / "secret"
        slack.write_text(f"{told.url}/slack\n")
        secret.write_text(SECRET)
        audit = {"url": f"{told.url}/events", "secretFile": str(secret)}
        targets = [
            {"name": "deploys", "slack": {"urlFile": str(slack)}, "holdAfter": hold_after},
            {"name": "audit", "webhook": audit, "holdAfter": hold_after},
            {"name": "hangs", "webhook": {"url": f"{told.url}/hangs"}, "verdicts": ALL, "holdAfter": "0s"},
        ]
        monkeypatch.setenv("CANARY_OPERATOR_NOTIFICATIONS", json.dumps(targets))

    return configure


def counted(operator: Operator) -> dict[tuple[str, str], float]:
    """What became of the news, by target and outcome, zeros left out."""
    text = requests.get(f"{operator.web}/metrics", timeout=5).text
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "canary_operator_notifications_total"
    ]
    return {(each.labels["target"], each.labels["outcome"]): each.value for each in samples if each.value}


def test_a_bad_canary_is_told_once_to_each_and_whoever_hangs_delays_nobody(
    stage: Stage, told: Receiver, notify: Callable[[str], None]
) -> None:
    notify("5m")
    stage.template(failure_limit=4)
    stage.rollout(steps=timed("60s"))
    operator = stage.operator()

    stage.release(errors=0.5)

    stage.until(lambda: told.hanging, "the one that hangs to be told of the first hold")
    gate = ended(stage, timeout=60)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "ConditionsFailed")
    stage.until(lambda: len(counted(operator)) == 2, "both to be told")
    delivered = {("deploys", "delivered"): 1.0, ("audit", "delivered"): 1.0}
    assert counted(operator) == delivered, "the abort was decided, done and told while the third one hung"
    (text,) = told.texts("/slack")
    sentence = gate["message"].replace("<", "&lt;")
    assert text == f"*Abort* ConditionsFailed: {stage.namespace}/web {sentence}"
    ((headers, body),) = told.at("/events")
    Webhook(SECRET).verify(body, headers)
    event = from_http_event(HTTPMessage(headers, body))
    assert event.get_type() == "io.canary-operator.decision.v1"
    assert event.get_subject() == f"{stage.namespace}/web"
    data = event.get_data()
    assert isinstance(data, dict)
    assert (data["verdict"], data["reason"], data["message"]) == ("Abort", "ConditionsFailed", gate["message"])
    assert (data["step"], data["revision"], data["mode"]) == ("1/2", "2", "enforce")
    assert operator.stop(timeout=6) == 0, "the one that hangs does not keep the operator either"
    assert told.url not in operator.log.read_text()


def test_a_hold_is_told_once_over_a_crash_and_then_the_promotion(
    stage: Stage, told: Receiver, notify: Callable[[str], None]
) -> None:
    notify("2s")
    stage.template()
    stage.rollout(steps=INDEFINITE, rate=0)
    operator = stage.operator()
    stage.release()
    stage.until(lambda: told.texts("/slack") and told.at("/events"), "the hold to be told", timeout=60)
    # Until nobody could think that it was not told yet: twice as long as it must stand to be told.
    stage.throughout(lambda: len(told.texts("/slack")) == 1, 3, "it is told once, however long it stands")
    operator.stop(signal.SIGKILL)

    stage.operator()
    traffic(stage)

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: any("*Promote*" in text for text in told.texts("/slack")), "the promotion to be told")
    texts = told.texts("/slack")
    held = [text for text in texts if text.startswith("*Hold*")]
    assert len(held) == len({text.partition(":")[0] for text in held}), "each reason once"
    assert [text.partition(":")[0] for text in texts if text not in held] == ["*Promote* ConditionsMet"]
    assert len({json.loads(body)["id"] for _, body in told.at("/events")}) == len(texts)


def test_argo_tells_what_it_can_see(stage: Stage, told: Receiver) -> None:
    """One test for both ways, because Argo's notifications have one configuration for the whole cluster."""
    native = Native(stage)
    try:
        _subscribed(stage, told)
        native.templates(**QUICK)
        stage.template()
        stage.rollout(annotations={f"{SUBSCRIBE}.on-rollout-aborted.deploys": ""})
        asking = {"canary": {"steps": [{"setWeight": 50}, {"analysis": native.analysis()}]}}
        failing = {f"{SUBSCRIBE}.on-analysis-run-failed.deploys": ""}
        stage.rollout("asked", gate="observe", strategy=asking, annotations=failing)
        native.operator()

        stage.release(errors=0.5)
        stage.release(name="asked", errors=0.5)

        stage.until(lambda: len(told.texts("/argo")) >= 2, "both to be told", timeout=60)
        (failure,) = [each["message"] for each in native.heard() if each["verdict"] == "fail"]
        assert failure.startswith("aborted at step 1/2 (50 %): error-rate 0.")
        assert sorted(told.texts("/argo")) == [
            f"{stage.namespace}/asked: {failure.replace('<', '&lt;')}",
            f"{stage.namespace}/web was aborted; why: kubectl get canarygate web -n {stage.namespace}",
        ]
    finally:
        native.tidy()
        stage.admin.delete("/api/v1/namespaces/argo-rollouts/configmaps/argo-rollouts-notification-configmap")
        stage.admin.delete("/api/v1/namespaces/argo-rollouts/secrets/argo-rollouts-notification-secret")


def _subscribed(stage: Stage, told: Receiver) -> None:
    """Give Argo the example as it is shipped, and the address that stands in a Secret beside it."""
    meta = {"name": "argo-rollouts-notification-secret", "namespace": "argo-rollouts"}
    secret: dict[str, Any] = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
    stage.lab.apply(yaml.safe_dump({**secret, "stringData": {"deploys-url": f"{told.url}/argo"}}))
    stage.lab.apply(EXAMPLE.read_text())
