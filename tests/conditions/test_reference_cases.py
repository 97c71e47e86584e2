"""Argo's own cases of the condition language, and what its analysis controller showed beside them."""

import math

import pytest

from canary_operator.conditions import expression
from canary_operator.conditions.dialects import Dialect

SCALAR, VECTOR = expression.SCALAR, expression.VECTOR


def phase(result, success, failure, dialect=Dialect.ARGO):
    """Argo's rule: the first condition is computed before the second is read, an error in either is one."""
    wanted = VECTOR if isinstance(result, list) and all(isinstance(one, float) for one in result) else None
    wanted = wanted or expression.type_of_document(result)
    answers = []
    for text in (success, failure):
        try:
            found = expression.compile_condition(text, wanted, dialect).evaluate(result) if text else None
        except expression.ConditionError as error:
            return f"Error: {error.message}"
        answers.append(found)
    succeeded, failed = answers
    if failed is None:
        failed = succeeded is False
    if succeeded is None:
        succeeded = not failed
    return "Failed" if failed else "Successful" if succeeded else "Inconclusive"


# Columns: result, successCondition, failureCondition, what becomes of the measurement.
CASES = {
    "1 success": (True, "true", "false", "Successful"),
    "2 failure wins": (True, "true", "true", "Failed"),
    "3 neither": (True, "false", "false", "Inconclusive"),
    "4 failure only, false": (True, "", "false", "Successful"),
    "5 success only, false": (True, "false", "", "Failed"),
    "6 none": (True, "", "", "Successful"),
    "7 an error in the first": (True, "a == true", "true", "Error: unknown name a"),
    "8 an error in the second": (True, "true", "a == true", "Error: unknown name a"),
    "9 a number is no answer": (True, "1", "", "Error: expected bool, but got int"),
    "10 an unknown name": (True, "invalidVariable", "", "Error: unknown name invalidVariable"),
    "11 a number in a vector": ([2.0, 2.0], "2 in result", "", "Successful"),
    "12 a text as a float": ("1.1", "asFloat(result) >= 1.1", "", "Successful"),
    "13 a float is no text": (
        "1.1",
        'asFloat(result) == "1.1"',
        "",
        "Error: invalid operation: == (mismatched types float64 and string)",
    ),
    "14 a text that is no integer": ("1.1", "asInt(result) == 1.1", "", "Error: '1.1' is not an integer"),
    "15 a scalar": (10.0, "result == 10", "result != 10", "Successful"),
    "16 NaN with both": (math.nan, "result >= 0.9", "result < 0.9", "Inconclusive"),
    "17 NaN looked for": (math.nan, "result >= 0.9 || isNaN(result)", "", "Successful"),
    "18 NaN with success only": (math.nan, "result >= 0.9", "", "Failed"),
    "19 infinity": (math.inf, "result >= 0.9", "", "Successful"),
    "20 infinity looked for": (math.inf, "", "isInf(result)", "Failed"),
    "21 a vector": ([10.0, 11.0], "10 in result", "len(result) != 2", "Successful"),
    "22 a flattened matrix": ([11.0, 12.0, 13.0, 14.0], "all(result, # > 10)", "", "Successful"),
    "23 an empty vector": ([], "result[0] >= 0.95", "", "Error: index 0 out of range, the list has 0 values"),
    "NaN with failure only": (math.nan, "", "result >= 0.9", "Successful"),
    "NaN inside of a vector": ([math.nan], "result[0] < 1", "result[0] >= 1", "Inconclusive"),
    "an empty vector with its length asked": ([], "len(result) == 0 || result[0] < 1", "", "Successful"),
    "nil is nil": (None, "isNil(result)", "", "Successful"),
    "nil has a default": (None, "default(result, 0) == 0", "", "Successful"),
    "nil is no number": (None, "result > 1", "", "Error: invalid operation: > (mismatched types <nil> and int)"),
    "an empty vector is not nil": ([], "isNil(result)", "", "Failed"),
    "isNil does not look at what it is given": (1.0, "isNil(nil)", "", "Failed"),
    "a document": ({"key": [{"value": "1"}]}, "asInt(result.key[0].value) > 0", "", "Successful"),
    "a document without the key": ({"a": 1.0}, "result.b == nil and result?.b?.c == nil", "", "Successful"),
    "a missing key is no number": ({"a": 1.0}, "result.b > 1", "", "Error: invalid operation: <nil> > int"),
    "an error is folded away": ([1.0], "result[9] > 1 or true", "", "Successful"),
    "an error is not folded away": (
        [1.0],
        "result[9] > 1 or 2 > 1",
        "",
        "Error: index 9 out of range, the list has 1 values",
    ),
    "not comes first": ([1.0], "not result[0] > 1", "", "Error: invalid operation: not (mismatched type float64)"),
    "lists of two types": ([1.0, 2.0], "result == [1, 2]", "", "Failed"),
    "a swallowed not": ([2.0], "1 + 1 not in result", "", "Successful"),
    "a not that is left over": ([2.0], "true not", "", "Successful"),
    "wrong values beside a search": ([1.0], 'fromJSON("1") == findLastIndex([5, 6], # == 6)', "", "Failed"),
    "integers wrap": ([1.0], "9223372036854775807 + 1 < 0", "", "Successful"),
    "a function is nil": ([1.0], "len == nil", "", "Successful"),
}


@pytest.mark.parametrize(("result", "success", "failure", "expected"), CASES.values(), ids=CASES.keys())
def test_a_measurement_becomes_what_argo_makes_of_it(result, success, failure, expected):
    assert phase(result, success, failure) == expected


REFUSED = ("an error is folded away", "a swallowed not", "a not that is left over", "wrong values beside a search",
           "integers wrap", "a function is nil")  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_safe_dialect_refuses_only_what_nobody_means(name):
    result, success, failure, expected = CASES[name]
    found = phase(result, success, failure, Dialect.SAFE)

    assert found.startswith("Error") if name in REFUSED else found == expected
