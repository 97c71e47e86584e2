"""The committed dashboard is the one that is written, and can be imported anywhere. Its questions have an e2e test."""

import json
import re
from pathlib import Path

from canary_operator.engine import tables
from canary_operator.model.verdict import HoldReason
from canary_operator.telemetry import Telemetry
from observability import dashboard

FILE = Path(__file__).parents[2] / "charts/canary-operator/files/dashboard.json"
PAGE = json.loads(FILE.read_text())
DRAWN = [panel for panel in PAGE["panels"] if panel["type"] != "row"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_the_committed_dashboard_is_what_the_script_writes():
    assert FILE.read_text() == dashboard.page()


def test_it_is_the_same_dashboard_wherever_it_is_imported():
    assert PAGE["uid"] == "canary-operator"
    ids = [panel["id"] for panel in PAGE["panels"]]
    assert ids == list(range(1, len(ids) + 1))


def test_the_reader_chooses_prometheus_namespace_and_rollout():
    variables = {each["name"]: each for each in PAGE["templating"]["list"]}

    assert list(variables) == ["datasource", "namespace", "rollout"]
    assert variables["datasource"]["type"] == "datasource"
    asked = [target["datasource"] for panel in DRAWN for target in panel["targets"]]
    assert {json.dumps(each) for each in (*asked, *(panel["datasource"] for panel in DRAWN))} == {json.dumps(SOURCE)}
    assert all(variables[name]["datasource"] == SOURCE for name in ("namespace", "rollout"))


def test_what_is_about_rollouts_follows_the_choice():
    asked = [target["expr"] for panel in DRAWN for target in panel["targets"]]
    about_rollouts = [
        promql for promql in asked if re.search("gate_state|evidence_|bad_ratio|operator_decisions", promql)
    ]

    assert len(about_rollouts) >= 8
    assert all('namespace=~"$namespace",rollout=~"$rollout"' in promql for promql in about_rollouts)


def test_every_change_of_a_verdict_is_a_mark():
    (marks,) = PAGE["annotations"]["list"]

    assert "canary_operator_decisions_total" in marks["expr"]
    assert (marks["enable"], marks["datasource"]) == (True, SOURCE)


def test_every_metric_but_those_of_details_is_shown():
    known = {family.name for family in Telemetry().registry.collect()}
    shown = {name for name in known if name in FILE.read_text()}

    assert known - shown == {
        "canary_operator_fleet_decisions",
        "canary_operator_prometheus_infos",
        "canary_operator_prometheus_questions_per_request",
    }


def test_who_waits_for_a_person_is_counted_by_the_tables_reasons():
    (promql,) = (panel["targets"][0]["expr"] for panel in DRAWN if panel["title"] == "Held for a person")
    passing = re.search(r'reason!~"([^"]+)"', promql)[1].split("|")

    assert {HoldReason(reason) for reason in passing} == set(HoldReason) - tables.NEEDS_A_PERSON
