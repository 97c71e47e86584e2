"""Every alert fires when it should and is quiet otherwise, by Prometheus' own engine: ``promtool test rules``."""

import subprocess
from pathlib import Path

import pytest

from lab.programs import cache

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "charts/canary-operator/files/alerts.yaml"
TESTS = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))


@pytest.fixture(scope="session")
def promtool():
    return cache.install(only=("promtool",)).programs["promtool"]


def said(promtool, *arguments):
    answer = subprocess.run([promtool, *map(str, arguments)], check=False, capture_output=True, text=True)
    return answer.returncode, answer.stdout + answer.stderr


def test_the_rules_are_rules(promtool):
    status, text = said(promtool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS)

    assert status == 0, text


@pytest.mark.parametrize("test", TESTS, ids=[path.stem for path in TESTS])
def test_an_alert_fires_when_it_should_and_not_otherwise(promtool, test):
    status, text = said(promtool, "test", "rules", test)

    assert status == 0, text


def test_a_wrong_expectation_is_noticed(promtool, tmp_path):
    wrong = TESTS[0].read_text().replace("../../..", str(ROOT)).replace("exp_alerts: []", "exp_alerts: [{}]")
    file = tmp_path / "wrong.yaml"
    file.write_text(wrong)

    status, _ = said(promtool, "test", "rules", file)

    assert status == 1
