"""Every alert is written so that whoever it wakes knows what to do, and has a page that says so."""

import re
from pathlib import Path

import pytest
import yaml

from canary_operator.engine import tables
from canary_operator.model.verdict import HoldReason
from canary_operator.telemetry import Telemetry

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "charts/canary-operator/files/alerts.yaml").read_text())
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
TESTS = Path(__file__).parent / "alerts"
PAGES = ROOT / "docs/runbooks"


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_means_and_where_to_read_on(alert):
    rule = ALERTS[alert]

    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{alert}.md"


def test_there_is_one_page_for_each_alert_and_one_alert_for_each_page():
    assert {path.stem for path in PAGES.iterdir()} == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_the_page_of_an_alert_says_what_follows_where_to_look_and_what_mends(alert):
    lines = (PAGES / f"{alert}.md").read_text().splitlines()

    assert [line for line in lines if line.startswith("#")] == [f"# {alert}", "## What follows", "## Look", "## Mend"]


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_is_tested_both_firing_and_not(alert):
    tests = yaml.safe_load((TESTS / f"{alert}.yaml").read_text())["tests"]
    outcomes = [bool(check["exp_alerts"]) for test in tests for check in test["alert_rule_test"]]

    assert {check["alertname"] for test in tests for check in test["alert_rule_test"]} == {alert}
    assert set(outcomes) == {True, False}


def test_alerts_ask_for_metrics_that_the_operator_has():
    known = {family.name for family in Telemetry().registry.collect()}
    asked = {
        name.removesuffix("_total")
        for rule in ALERTS.values()
        for name in re.findall(r"canary_operator_\w+", rule["expr"])
    }

    assert asked <= known


def test_every_hold_that_needs_a_person_is_told_by_exactly_one_alert():
    classes = ("GateMisconfigured", "GateWithoutEvidence", "GateWaitsForAPerson")
    told = [
        reason
        for name in classes
        for matched in re.findall(r'reason=~?"([^"]+)"', ALERTS[f"CanaryOperator{name}"]["expr"])
        for reason in matched.split("|")
    ]

    assert len(told) == len(set(told))
    assert {HoldReason(reason) for reason in told} == tables.NEEDS_A_PERSON
