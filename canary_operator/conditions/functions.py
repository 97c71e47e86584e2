"""The functions of the condition language that are neither operators nor predicates.

Law: one row per function in the table at the end: what it returns for given types, and how it computes.
To add one, write the two parts and the row, and a case in the tests of its room.
"""

import decimal
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    INT64,
    STRING,
    Array,
    Type,
    Value,
    array,
    bounded,
    is_integer,
    less,
    number,
    quotient,
    type_of,
    whole,
)

Types = tuple[Type, ...]
Values = tuple[Value, ...]
NUMBERS = (INT, INT64, FLOAT, ANY)
_DECIMAL = re.compile(r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its two halves.

    Args:

        returns: types of the arguments -> type of the value; OperandError for wrong ones.

        apply: the arguments -> the value; OperandError when they do not fit after all.
    """

    returns: Callable[[Types], Type]
    apply: Callable[[Values], Value]


# What a function returns.


def _count(types: Types, expected: int) -> None:
    if len(types) != expected:
        raise OperandError(f"invalid number of arguments (expected {expected}, got {len(types)})")


def _one_number(returned: Type | None) -> Callable[[Types], Type]:
    def returns(types: Types) -> Type:
        _count(types, 1)
        if types[0] not in NUMBERS:
            raise OperandError(f"invalid argument of type {types[0]}, expected a number")
        return returned or types[0]

    return returns


def _one_float(types: Types) -> Type:
    _count(types, 1)
    if types[0] not in NUMBERS:
        raise OperandError(f"cannot use {types[0]} as argument (type float64)")
    return BOOL


def _number_or_string(returned: Type) -> Callable[[Types], Type]:
    def returns(types: Types) -> Type:
        _count(types, 1)
        if types[0] not in (*NUMBERS, STRING):
            raise OperandError(f"invalid argument of type {types[0]}, expected a number or a string")
        return returned

    return returns


def _any_arguments(count: int, returned: Type) -> Callable[[Types], Type]:
    def returns(types: Types) -> Type:
        _count(types, count)
        return returned

    return returns


def _numbers(types: Types) -> Type:
    if not types:
        raise OperandError("not enough arguments")
    for one in types:
        if one is ANY:
            return ANY
        if one not in NUMBERS:
            raise OperandError(f"invalid argument of type {one}, expected numbers")
    return types[0]


def _one_array(returned: Type | None) -> Callable[[Types], Type]:
    def returns(types: Types) -> Type:
        _count(types, 1)
        if types[0] is not ANY and types[0].element is None:
            raise OperandError(f"invalid argument of type {types[0]}, expected a list")
        return returned or types[0].element or ANY

    return returns


def _sized(types: Types) -> Type:
    _count(types, 1)
    if types[0] not in (ANY, STRING) and types[0].element is None:
        raise OperandError(f"invalid argument of type {types[0]}, expected a list or a string")
    return INT


# How it computes.


def _length(values: Values) -> Value:
    (value,) = values
    # Go counts bytes.
    return len(value.encode()) if isinstance(value, str) else len(array(value).items)


def _absolute(values: Values) -> Value:
    value = number(values[0])
    if isinstance(value, int):
        return bounded(abs(value))
    return -value if value < 0 else value


def _rounding(rounded: Callable[[float], int]) -> Callable[[Values], Value]:
    def apply(values: Values) -> Value:
        value = float(number(values[0]))
        # From 2**52 on every float is whole; the infinities and NaN stay what they are.
        if not abs(value) < 2.0**52:
            return value
        return math.copysign(float(rounded(value)), value)

    return apply


def _half_away_from_zero(value: float) -> int:
    size = math.floor(abs(value))
    return size + 1 if abs(value) - size >= 0.5 else size


def _to_int(values: Values) -> Value:
    (value,) = values
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise OperandError(f"{value!r} is not an integer")
        return bounded(int(value))
    one = number(value)
    return whole(one) if isinstance(one, float) else one


def _to_float(values: Values) -> Value:
    (value,) = values
    if isinstance(value, str):
        if not _DECIMAL.fullmatch(value):
            raise OperandError(f"{value!r} is not a number")
        return _in_range(value)
    return float(number(value))


def _in_range(digits: str) -> float:
    value = float(digits)
    if math.isinf(value) and "n" not in digits.lower():
        raise OperandError(f"{digits!r} is out of range")
    return value


def _extreme(replaces: Callable[[Value, Value], bool]) -> Callable[[Values], Value]:
    def apply(values: Values) -> Value:
        # One value after the other, as Go does it: with NaN the order matters.
        best: int | float = number(values[0])
        for value in values[1:]:
            if replaces(best, value):
                best = number(value)
        return best

    return apply


def _total(values: Values) -> Value:
    total: int | float = 0
    for value in _items(values):
        total = total + value
    return bounded(total) if isinstance(total, int) else total


def _mean(values: Values) -> Value:
    items = _items(values)
    return quotient(sum(float(item) for item in items), len(items)) if items else 0.0


def _median(values: Values) -> Value:
    # NaN first, as Go sorts.
    items = sorted((float(item) for item in _items(values)), key=lambda one: (not math.isnan(one), one))
    if not items:
        return 0.0
    middle = len(items) // 2
    return items[middle] if len(items) % 2 else (items[middle - 1] + items[middle]) / 2


def _items(values: Values) -> list[int | float]:
    return [number(item) for item in array(values[0]).items]


def _end(position: int) -> Callable[[Values], Value]:
    def apply(values: Values) -> Value:
        items = array(values[0]).items
        return items[position] if items else None

    return apply


def _text(values: Values) -> Value:
    return text_of(values[0])


def text_of(value: Value) -> str:
    """Write a value as Go's ``%v`` does."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int() | str():
            return str(value)
        case float():
            return _float_text(value)
        case Array():
            return "[" + " ".join(text_of(item) for item in value.items) + "]"


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    digits, _, exponent = f"{value!r}".partition("e")
    if value == 0 or 1e-4 <= abs(value) < 1e21:
        return plain_decimal(value)
    return f"{digits.removesuffix('.0')}e{int(exponent):+03d}"


def plain_decimal(value: float) -> str:
    """Write the shortest decimal that reads back as the float, never with an exponent."""
    if not math.isfinite(value):
        return _float_text(value)
    text = format(decimal.Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _is_nan(values: Values) -> Value:
    return math.isnan(number(values[0]))


def _is_infinite(values: Values) -> Value:
    return math.isinf(number(values[0]))


def _as_int(values: Values) -> Value:
    if not is_integer(values[0]) and not isinstance(values[0], (float, str)):
        raise OperandError(f"asInt() not supported on {type_of(values[0])}")
    return _to_int(values)


def _as_float(values: Values) -> Value:
    if isinstance(values[0], (bool, Array)) or values[0] is None:
        raise OperandError(f"asFloat() not supported on {type_of(values[0])}")
    return _to_float(values)


FUNCTIONS = {
    # Argo's own. isNil and default look at the result, not at their arguments: see evaluation.
    "isNaN": Function(_one_float, _is_nan),
    "isInf": Function(_one_float, _is_infinite),
    "asInt": Function(_any_arguments(1, INT64), _as_int),
    "asFloat": Function(_any_arguments(1, FLOAT), _as_float),
    # The language's.
    "len": Function(_sized, _length),
    "abs": Function(_one_number(None), _absolute),
    "ceil": Function(_one_number(FLOAT), _rounding(math.ceil)),
    "floor": Function(_one_number(FLOAT), _rounding(math.floor)),
    "round": Function(_one_number(FLOAT), _rounding(lambda v: int(math.copysign(_half_away_from_zero(v), v)))),
    "int": Function(_number_or_string(INT), _to_int),
    "float": Function(_number_or_string(FLOAT), _to_float),
    "string": Function(_any_arguments(1, STRING), _text),
    "max": Function(_numbers, _extreme(less)),
    "min": Function(_numbers, _extreme(lambda best, value: less(value, best))),
    "sum": Function(_one_array(ANY), _total),
    "mean": Function(_one_array(FLOAT), _mean),
    "median": Function(_one_array(FLOAT), _median),
    "first": Function(_one_array(None), _end(0)),
    "last": Function(_one_array(None), _end(-1)),
}
# These two ignore their first argument: Argo asks the raw result, which here is never nil.
RESULT_FUNCTIONS = {"isNil": _any_arguments(1, BOOL), "default": _any_arguments(2, ANY)}
# Functions that no integer but a literal one can be given to.
FLOAT_ONLY = frozenset(("isNaN", "isInf"))
# Where one value is chosen by its place in the list.
POSITIONAL = frozenset(("first", "last"))
