"""What Argo's own controller did with recorded cases is what our rules do with them. No lab is needed."""

import copy
import json
from pathlib import Path

import pytest

from canary_operator.conditions.differences import TABLE, Situation
from tests.oracle import judging, page
from tests.oracle.cases import case
from tests.oracle.replay import stale

RECORDED = sorted(Path(__file__).with_name("recorded").glob("*.jsonl"))


BY_SEED = [file for file in RECORDED if file.stem.startswith("seed-")]


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()[1:]]


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_in_the_dialect_of_argo_nothing_differs(file):
    wrong = {line["number"]: judging.to_the_letter(line) for line in lines(file)}

    assert {number: said for number, said in wrong.items() if said} == {}


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: file.stem)
def test_in_the_safe_dialect_only_rows_of_the_table_differ_and_only_hold(file):
    wrong = {line["number"]: judging.safely(line) for line in lines(file)}

    assert {number: said for number, said in wrong.items() if said} == {}


def test_there_are_five_hundred_cases():
    assert sum(len(lines(file)) for file in RECORDED) >= 500


def test_the_cases_are_those_of_their_seeds():
    wrong = [line["number"] for line in lines(BY_SEED[0]) if line["spec"] != case(line["seed"], line["number"]).spec]

    assert wrong == []


def measured():
    return next(
        line for line in lines(BY_SEED[0]) if line["writes"][-1]["status"].get("metricResults") and not stale(line)
    )


SPOILT = {
    "another phase": lambda status: status.update(phase="Pending"),
    "another message": lambda status: status.update(message="something else"),
    "another count": lambda status: status["metricResults"][0].update(count=99),
    "another value": lambda status: status["metricResults"][0]["measurements"][-1].update(value="99"),
    "another summary": lambda status: status.update(runSummary={"count": 9}),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_a_difference_would_be_seen(spoil):
    line = copy.deepcopy(measured())
    spoil(line["writes"][-1]["status"])

    assert judging.to_the_letter(line)


def test_every_situation_is_one_row_of_the_table():
    assert sorted(row.situation.name for row in TABLE) == sorted(each.name for each in Situation)


def test_the_page_is_what_the_commands_counted():
    assert page.PAGE.read_text() == page.page()
