"""What the very language of Argo v1.9.1 answered to seeded conditions, beside what this one answers."""

import json
from pathlib import Path

import pytest

from canary_operator.conditions import expression
from canary_operator.conditions.dialects import Dialect
from tests.conditions.generating import Case, case, read

DATA = Path(__file__).with_name("data") / "expressions.jsonl"
HEADER, *LINES = DATA.read_text(encoding="utf-8").splitlines()
# Part of a condition -> why Argo's answer cannot be ours.
EXPLAINED = {"string(isNaN)": "Argo writes the address of the function"}


def answer(found: Case, dialect: Dialect) -> bool | str:
    types = {"scalar": expression.SCALAR, "vector": expression.VECTOR}
    wanted = types.get(found.kind) or expression.type_of_document(found.result)
    try:
        return expression.compile_condition(found.condition, wanted, dialect).evaluate(found.result)
    except expression.ConditionError:
        return "error"


def recorded(start: int):
    for line in LINES[start::10]:
        row = json.loads(line)
        if not any(part in row["condition"] for part in EXPLAINED):
            yield row, read(line)


@pytest.mark.parametrize("start", range(10))
def test_argos_dialect_answers_what_argo_answers(start):
    different = [
        (row["condition"], row["answer"], row.get("message"))
        for row, found in recorded(start)
        if answer(found, Dialect.ARGO) != row["answer"]
    ]

    assert not different


@pytest.mark.parametrize("start", range(10))
def test_the_safe_dialect_answers_the_same_or_refuses(start):
    different = [
        (row["condition"], row["answer"])
        for row, found in recorded(start)
        if answer(found, Dialect.SAFE) not in (row["answer"], "error")
    ]

    assert not different


def test_the_cases_are_those_of_their_seed():
    seed = json.loads(HEADER)["seed"]

    for line in LINES[::40]:
        row = json.loads(line)
        assert case(seed, row["number"]).line() == read(line).line()


def test_both_answers_and_errors_were_recorded():
    answers = [json.loads(line)["answer"] for line in LINES]

    assert min(answers.count(one) for one in (True, False, "error")) >= 100
