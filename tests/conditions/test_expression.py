"""The condition language: what it answers, what it refuses, and that nothing makes it hang or crash."""

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator import errors
from canary_operator.conditions import expression
from canary_operator.conditions.values import BOOL, STRING

SCALAR, VECTOR = expression.SCALAR, expression.VECTOR
TYPES = {bool: BOOL, str: STRING, float: SCALAR, list: VECTOR}


def evaluated(text, result):
    return expression.compile_condition(text, TYPES[type(result)]).evaluate(result)


def attempted(text, result):
    try:
        return evaluated(text, result)
    except expression.ConditionError as error:
        return error


def problem(text, result):
    found = attempted(text, result)
    assert isinstance(found, expression.ConditionError)
    return found


# Columns: condition, result, answer; all of them were compared with Argo Rollouts v1.9.1.
ANSWERS = {
    "a literal": ("true", True, True),
    "a list holds a number": ("2 in result", [2.0, 2.0], True),
    "a list does not hold a number": ("3 not in result", [2.0], True),
    "text becomes a float": ("asFloat(result) >= 1.1", "1.1", True),
    "text becomes an integer": ("asInt(result) == 12", "12", True),
    "a float is cut to an integer": ("asInt(result) == 1", 1.9, True),
    "a scalar is compared": ("result == 10", 10.0, True),
    "NaN is never at least anything": ("result >= 0.9", math.nan, False),
    "NaN is found": ("result >= 0.9 || isNaN(result)", math.nan, True),
    "infinity is at least anything": ("result >= 0.9", math.inf, True),
    "infinity is found": ("isInf(result)", -math.inf, True),
    "every value": ("all(result, # > 10)", [11.0, 12.0], True),
    "every value with braces": ("all(result, {# > 10})", [11.0, 9.0], False),
    "every value of nothing": ("all(result, # > 10)", [], True),
    "any value": ("any(result, # > 10)", [1.0, 11.0], True),
    "no value": ("none(result, # > 10)", [1.0, 11.0], False),
    "exactly one value": ("one(result, # > 10)", [1.0, 11.0], True),
    "how many values": ("count(result, # > 10) == 2", [11.0, 11.0, 1.0], True),
    "how many are left": ("len(filter(result, # > 10)) == 1", [11.0, 1.0], True),
    "changed values": ("sum(map(result, # * 2)) == 6", [1.0, 2.0], True),
    "values piped into a function": ("result | all(# > 10)", [11.0], True),
    "values piped twice": ("result | filter(# > 1) | len() == 1", [1.0, 2.0], True),
    "the first value": ("result[0] < 0.05", [0.01], True),
    "the last value": ("result[-1] == 2", [1.0, 2.0], True),
    "a slice": ("len(result[1:]) == 1 and len(result[:-1]) == 1 and len(result[:]) == 2", [1.0, 2.0], True),
    "first and last": ("first(result) < last(result)", [1.0, 2.0], True),
    "empty or small": ("len(result) == 0 || result[0] < 1", [], True),
    "mean and median": ("mean(result) == 2 and median(result) == 1", [1.0, 1.0, 4.0], True),
    "greatest and least": ("max(1.0, result[0]) == 3 and min(result[0], 4.0) == 3", [3.0], True),
    "sizes": ("abs(-2) == 2 and floor(1.5) == 1 and ceil(1.5) == 2 and round(2.5) == 3", True, True),
    "rounding away from zero": ("round(-2.5) == -3 and round(0.49999999999999994) == 0", True, True),
    "conversions": ('int("5") == 5 and float("1.5") == 1.5 and string(1.5) == "1.5" and int(2.9) == 2', True, True),
    "hexadecimal and underscores": ("0x1F == 31 and 1_000 == 1000", True, True),
    "floats with exponents": ("1e3 == 1000 and .5 == 0.5 and 1.5e-1 == 0.15 and 1. == 1", True, True),
    "powers bind to the right": ("2 ** 3 ** 2 == 512 and 2 ^ 2 == 4", True, True),
    "a minus comes after a power": ("-2 ** 2 == -4", True, True),
    "division is never cut": ("1 / 2 == 0.5 and isInf(1 / 0) and isNaN(0 / 0)", True, True),
    "a remainder has the sign of the left": ("-7 % 3 == -1", True, True),
    "and binds tighter than or": ("true or false and false", True, True),
    "a question": ("result > 1 ? true : false", 2.0, True),
    "a short question": ("(result > 1) ?: false", 2.0, True),
    "the first that is not nil": ("(nil ?? 1) == 1", True, True),
    "a range": ("2 in 1..3 and len(3..1) == 0", True, True),
    "a range after a number": ("[1, 2] | len() == len(1..2)", True, True),
    "texts": ('"abc" contains "b" and "abc" startsWith "a" and "abc" endsWith "c"', True, True),
    "texts that do not": ('"abc" not contains "x" and "a" + "b" == "ab" and "a" < "b"', True, True),
    "escaped texts": (r'"\u00e9\n" == "é\n" and "\x41" == "A" and "\101" == "A"', True, True),
    "the length of a text is in bytes": ('len("é") == 2', True, True),
    "a pattern": (r'"v1.2" matches "^v[0-9]+\\.2$"', True, True),
    "a trailing comma in a list": ("1 in [1, 2,]", True, True),
    "a comment": ("result > 1 // traffic\n and /* errors */ result < 3", 2.0, True),
    "lists of different types are never equal": ("result == [1, 2]", [1.0, 2.0], False),
    "literal lists are equal": ("[1, 2] == [1, 2]", True, True),
    "a literal list of other numbers is not": ("[1] == [1.0]", True, False),
    "a result is equal to itself": ("result == result", [1.0], True),
    "isNil looks at the result only": ("isNil(nil)", 1.0, False),
    "default hands out the result": ("default(nil, 5) == 1", 1.0, True),
    "an empty list is not nil": ("isNil(result)", [], False),
    "nil is not in a list": ("nil in result", [1.0], False),
    "short circuits skip what cannot be computed": ("result > 0 or [1][5] == 1", 1.0, True),
}


@pytest.mark.parametrize(("text", "result", "expected"), ANSWERS.values(), ids=ANSWERS.keys())
def test_it_answers(text, result, expected):
    assert expected is evaluated(text, result)


# Columns: condition, result, part of the message, position.
PROBLEMS = {
    "a number is no answer": ("1", 1.0, "expected bool, but got int", 0),
    "a float is no answer": ("result", 1.0, "expected bool, but got float64", 0),
    "an unknown name": ("invalidVariable", 1.0, "unknown name invalidVariable", 0),
    "an unknown name on one side": ("true and a == true", 1.0, "unknown name a", 9),
    "an unknown function": ("sqrt(result) > 1", 1.0, "unknown name sqrt", 0),
    "a function without a call": ("len == 1", 1.0, "len: it is a function", 0),
    "a float is no text": ('asFloat(result) == "1.1"', "1.1", "(mismatched types float64 and string)", 16),
    "a text that is no integer": ("asInt(result) == 1.1", "1.1", "'1.1' is not an integer", 0),
    "a text that is no number": ("asFloat(result) == 1.1", "one", "'one' is not a number", 0),
    "a list is not less than a number": ("result < 1", [1.0], "(mismatched types []float64 and int)", 7),
    "a scalar has no values": ("result[0] < 1", 1.0, "type float64[int] is undefined", 6),
    "an index that is no integer": ("result[0.5] < 1", [1.0], "using an integer (got float64)", 7),
    "an index behind the end": ("result[0] >= 0.95", [], "index 0 out of range, the list has 0 values", 6),
    "an error is not hidden": ("result[9] > 1 or true", [1.0], "index 9 out of range", 6),
    "not comes before a comparison": ("not result[0] > 1", [1.0], "not (mismatched type float64)", 0),
    "a number is no condition": ("result and true", 1.0, "(mismatched types float64 and bool)", 7),
    "a text among numbers": ('"a" in result', [1.0], "cannot use string as type float64 in array", 4),
    "a number among texts": ('result in ["a"]', 1.0, "cannot use float64 as type string in array", 7),
    "a predicate that is no condition": ("all(result, # + 1)", [1.0], "predicate should return boolean", 12),
    "a predicate over a number": ("all(result, # > 1)", 1.0, "builtin all takes only array (got float64)", 4),
    "a pointer outside": ("# > 1", [1.0], "cannot use # outside", 0),
    "a field": ("result.value > 1", 1.0, "has no field value", 7),
    "wrong number of arguments": ("isNaN(result, 1)", 1.0, "too many arguments to call isNaN", 0),
    "a list where a number belongs": ("isNaN(result)", [1.0], "cannot use []float64 as argument", 0),
    "an integer where a float belongs": ("isNaN(len(result))", [1.0], "cannot use int as argument", 0),
    "division of integers by zero": ("1 % 0 == 0", True, "integer divide by zero", 2),
    "remainders are for integers": ("result % 2 == 0", 4.0, "% (mismatched types", 7),
    "overflow is not silent": ("9223372036854775807 + 1 > 0", True, "integer overflow", 20),
    "infinity is no integer": ("int(result) > 0", math.inf, "has no integer value", 0),
    "a wrong branch": ("1 ? true : false", True, "non-bool expression (type int)", 0),
    "a swallowed not": ("1 + 1 not in result", [2.0], "into parentheses", 6),
    "mixed with ??": ("true ?? false and true", True, "?? and and need parentheses", 14),
    "nothing": ("", 1.0, "unexpected end", 0),
    "half a comparison": ("result >", 1.0, "unexpected end", 8),
    "an open parenthesis": ("(result > 1", 1.0, "unexpected end", 11),
    "one equals sign": ("result = 1", 1.0, "unexpected symbol '='", 7),
    "an open string": ('"abc', 1.0, "string is not closed", 0),
    "a wrong escape": (r'"\q" == "q"', 1.0, "invalid escape", 0),
    "a character of no meaning": ("result @ 1", 1.0, "unrecognized character '@'", 7),
    "a number with a unit": ("result > 10s", 1.0, "bad number", 9),
    "a binary number": ("result > 0b11", 1.0, "invalid number 0b11", 9),
    "a number that is too large": ("result > 9223372036854775808", 1.0, "invalid number", 9),
    "a float that is too large": ("result > 1e999", 1.0, "invalid number", 9),
    "two expressions": ("true true", 1.0, "unexpected name 'true'", 5),
    "a let in the middle": ("1 + let x = 1; x > 0", 1.0, "unexpected symbol 'let'", 4),
    "a variable named as the result": ("let result = 1; true", 1.0, "cannot redeclare result", 4),
    "the last of a filter": ("last(filter(result, # > 1)) > 1", [2.0], "last value of a filter", 0),
    "the last of a filter by its index": ("filter(result, # > 1)[-1] > 1", [2.0], "last value of a filter", 21),
    "a search": ("find(result, # > 1) > 1", [2.0], "goes on with nil", 0),
    "a search from the end": ("findLastIndex(result, # > 1) > 1", [2.0], "last value of a filter", 0),
    "keys": ("keys(fromJSON(string(result[0]))) == nil", [2.0], "another order each time", 0),
    "the environment": ("$env.result[0] > 1", [2.0], "$env is not supported", 0),
    "the clock": ("now() == nil", [2.0], "judged the same at any time", 0),
    "what the optimizer reads otherwise": (
        "result[0] in [1, 2] or map(filter([5, 6], # > 5), #index)[0] == 1",
        [3.0],
        "optimizer changes what this means",
        0,
    ),
    "a backreference": (r'"a" matches "(a)\\1"', True, "invalid escape sequence at character 4", 4),
    "a pattern that repeats too much": ('"a" matches "(a{1000}){1000}"', True, "is too large", 4),
    "too long": ("1 > 0 " + " " * 5000, True, "longer than 4096", 4096),
    "nested too deep": ("(" * 1000 + "true" + ")" * 1000, True, "nested more than", 40),
    "a chain that is too long": (" or ".join(["true"] * 500), True, "operations deep", None),
    "a range without end": ("len(1..1000000000) > 0", True, "memory budget exceeded", 5),
}


@pytest.mark.parametrize(("text", "result", "message", "position"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_it_refuses(text, result, message, position):
    found = problem(text, result)

    assert message in found.message
    assert position in (None, found.position)


def test_a_problem_is_one_of_configuration():
    assert isinstance(problem("1", 1.0), errors.ConfigurationError)


def test_types_are_wrong_before_there_is_a_result_but_an_index_only_with_one():
    with pytest.raises(expression.ConditionError):
        expression.compile_condition("result[0] < 1", SCALAR)
    condition = expression.compile_condition("result[0] < 1", VECTOR)
    with pytest.raises(expression.EvaluationError):
        condition.evaluate([])


def test_a_problem_shows_its_place_in_one_line():
    assert (
        str(problem("result < 0.02 and result[0] > 0.000001", [1.0]))
        == "invalid operation: < (mismatched types []float64 and float64), at column 8: < 0.02 and result[0] > 0..."
    )


def test_a_problem_at_the_end_says_so():
    assert expression.in_one_line(problem("result >", 1.0)) == "unexpected end, at the end"


def test_a_problem_has_a_caret_under_its_line():
    shown = expression.with_caret(problem("true and\ntrue and result", 1.0))

    assert shown[shown.index("\n") :] == "\n  true and result\n       ^"


INDEXING = {
    "result[0] < 1": True,
    "result[-1] < 1": True,
    "len(result) > 0 and (result)[0] < 1": True,
    "all([1], result[0] > #)": True,
    "filter(result, # > 1)[0] > 1": True,
    "default(result, 0)[0] > 1": True,
    "first(result) < 1": True,
    "result | last() < 1": True,
    "sum(result[1:]) < 1": True,
    "all(result, # < 1)": False,
    "sum(result) < 1": False,
    "result < 1": False,
    "[1, 2][0] == 1": False,
    "len(result) == 0": False,
}


@pytest.mark.parametrize(("text", "expected"), INDEXING.items())
def test_it_knows_whether_a_value_is_picked_by_its_place(text, expected):
    assert expected is expression.indexes_result(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("result < 0.02", ("<", 0.02)),
        ("result[0] >= -1", (">=", -1.0)),
        ("(result[0]) == 1", ("==", 1.0)),
        ("result[1] < 1", None),
        ("result < 1 and true", None),
        ("all(result, # < 1)", None),
        ("result == true", None),
    ],
)
def test_it_knows_a_plain_comparison(text, expected):
    found = expression.comparison_of(expression.grammar.parse(text))

    assert expected == (found and (found.operator, found.bound))


WORDS = (
    *("result", "result[0]", "#", "1", "0.5", '"a"', "nil", "true", "not", "in", "and", "or", "+", "-", "**", "<"),
    *("==", "??", "?", ":", "(", ")", "[", "]", "{", "}", ",", "..", ".", "|", "all(result,", "len(", "filter("),
    *("matches", "contains", "1e5", "0x", "'", "\\", "//", "/*", "let", "=", "isNaN(", "default(", "\n"),
)
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join))
results = st.one_of(st.floats(), st.lists(st.floats(), max_size=4), st.just("1.5"), st.booleans())


@settings(max_examples=100, deadline=None)
@given(texts, results)
def test_any_text_is_a_condition_or_a_condition_error(text, result):
    found = attempted(text, result)

    if isinstance(found, expression.ConditionError):
        assert 0 <= found.position <= len(text)
        assert expression.with_caret(found)
    else:
        assert isinstance(found, bool)


numbers = st.one_of(
    st.integers(-9, 9).map(str), st.sampled_from(["0.5", "result[0]", "len(result)", "result[1]", "1e308", "2"])
)
sums = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "%"]), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("abs({})".format),
        inner.map("int({})".format),
    ),
    max_leaves=8,
)


@settings(max_examples=75, deadline=None)
@given(sums, st.sampled_from(["<", ">=", "=="]), sums, st.lists(st.floats(), max_size=3))
def test_arithmetic_never_escapes_as_a_python_error(left, operator, right, result):
    with contextlib.suppress(expression.ConditionError):
        assert isinstance(evaluated(f"{left} {operator} {right}", result), bool)


@settings(max_examples=50, deadline=None)
@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_a_comparison_is_that_of_floats(value, bound):
    condition = expression.compile_condition("result[0] < result[1]", VECTOR)

    assert (value < bound) is condition.evaluate([value, bound])


def test_hostile_conditions_end_quickly():
    nested = "all(1..900, all(1..900, all(1..900, # > 0)))"

    assert "takes more than" in problem(nested, True).message
