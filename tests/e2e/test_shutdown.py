"""The operator starts, answers its probes, and ends within 5 s whatever hangs."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests
import yaml

from canary_operator.cluster import kinds
from canary_operator.handlers import Watcher
from tests.e2e import apiproxy, telemetryproxy
from tests.e2e.apiproxy import ApiProxy
from tests.e2e.stage import Operator, Stage
from tests.e2e.telemetryproxy import TelemetryProxy

# What Kubernetes grants by default is 30 s; what we promise is 5.
PROMISED_SECONDS = 5.0
TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})


def _ends_in_time(operator: Operator, how: int = signal.SIGTERM) -> None:
    start = time.monotonic()
    status = operator.stop(how, timeout=20)
    took = time.monotonic() - start
    assert status == 0, operator.log.read_text()[-2000:]
    assert took < PROMISED_SECONDS
    assert "Traceback" not in operator.log.read_text()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_operator_ends_at_once(stage: Stage, how: int) -> None:
    stage.template()
    stage.rollout()
    _ends_in_time(stage.operator(), how)


def test_an_operator_ends_in_time_while_prometheus_hangs(stage: Stage, telemetry: TelemetryProxy) -> None:
    telemetry.answers(telemetryproxy.hanging)
    stage.template()
    stage.rollout(steps=TIMED)
    operator = stage.operator(prometheus=telemetry.url, timeout="60s")
    stage.release()
    stage.until(lambda: telemetry.asked, "a question that hangs")

    _ends_in_time(operator)

    assert stage.gate().get("pending") is None
    telemetry.answers(telemetryproxy.passing)
    stage.operator(prometheus=telemetry.url)
    stage.until(stage.is_promoted, "the promotion by the next operator")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]


def test_an_operator_ends_in_time_while_a_write_hangs(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig)
    hanging = api.on_action("Promote", apiproxy.hang)
    stage.release()
    stage.until(lambda: hanging.seen, "a write that hangs")

    _ends_in_time(operator)

    assert stage.gate()["pending"]["action"] == "Promote"
    stage.operator()
    stage.until(stage.is_promoted, "the promotion by the next operator")
    assert stage.actions() == [("Promote", "Stale"), ("Promote", "Applied")]


def test_an_operator_ends_in_time_while_the_whole_api_server_hangs(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(rate=0)
    operator = stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold")
    hanging = [api.on(method, "/apis/", apiproxy.hang, times=None) for method in ("GET", "POST", "PATCH")]
    api.cut_watches()
    stage.until(lambda: any(rule.seen for rule in hanging), "a request that hangs")

    _ends_in_time(operator)


def test_an_operator_that_has_not_listed_yet_is_alive_and_not_ready_and_ends_in_time(
    stage: Stage, api: ApiProxy
) -> None:
    listing = api.on("GET", "/rollouts", apiproxy.hang, times=None)
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig, wait=False)
    stage.until(lambda: listing.seen, "the listing")

    assert requests.get(f"{operator.web}/readyz", timeout=5).status_code == 503
    assert requests.get(f"{operator.web}/livez", timeout=5).status_code == 200
    _ends_in_time(operator)


def test_a_dead_watcher_is_a_complaint() -> None:
    watcher = Watcher([kinds.ROLLOUTS], ["nowhere"], lambda *_: None)

    assert watcher.deaf() == ["rollouts"]


def test_one_pass_judges_and_ends(stage: Stage) -> None:
    stage.template()
    stage.rollout(rate=0)
    stage.release()
    stage.at_pause()

    result = _once(stage, stage.identity)

    assert result.returncode == 0, result.stdout + result.stderr
    assert stage.verdict() == ("Hold", "NoData")
    assert stage.gate()["phase"] == "Judging"


def test_one_pass_holds_a_timed_pause(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "90s"}}))
    stage.release()
    stage.at_pause()

    result = _once(stage, stage.identity)

    assert result.returncode == 0, result.stdout + result.stderr
    assert stage.actions() == [("Hold", "Applied")]


def test_one_pass_that_fails_says_so_by_its_status(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    stage.release()
    stage.at_pause()
    api.on("POST", "/canarygates", apiproxy.refuse(500), times=None)

    result = _once(stage, api.kubeconfig)

    assert result.returncode == 1
    assert "look_failed" in result.stdout


def _once(stage: Stage, kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    config = stage.folder / "once.yaml"
    provider = {
        "name": "default",
        "url": stage.lab.prometheus_url,
        "addresses": ["http://prometheus.monitoring:9090"],
    }
    config.write_text(yaml.safe_dump({"evaluationInterval": "1s", "providers": [provider]}))
    program = Path(sys.executable).with_name("canary-operator")
    return subprocess.run(
        [str(program), "run", "--once", f"--config={config}", f"--namespace={stage.namespace}"],
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
