"""Equality and order of values, as Go has them.

Law: numbers by value, everything else only within one type. What has no order is an OperandError.
"""

from typing import Any

from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import Array, Function, Map, Type, Value, is_nil, octets, type_of


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal: numbers by value, everything else only within one type."""
    one, other = type(left), type(right)
    if one is float or other is float or (isinstance(left, int) and isinstance(right, int)):
        return _same_number(left, right)
    if is_nil(left) and is_nil(right):
        return True
    return _same(left, right)


def _same_number(left: Value, right: Value) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return float(left) == float(right)
    return False


def _same(left: Value, right: Value) -> bool:
    """Go's DeepEqual: inside of lists and maps even numbers must be of one type."""
    match left, right:
        case Array(), Array():
            return _same_list(left, right)
        case Map(), Map():
            return _same_map(left, right)
        case (Function(), _) | (_, Function()):
            return False
        case _:
            return type(left) is type(right) and left == right


def _same_list(left: Array, right: Array) -> bool:
    if type_of(left) != type_of(right) or left.absent is not right.absent or len(left.items) != len(right.items):
        return False
    if not left.pair and (left.storage or left) is (right.storage or right) and left.start == right.start:
        return True
    return all(_same(one, other) for one, other in zip(left.items, right.items, strict=True))


def _same_map(left: Map, right: Map) -> bool:
    if type_of(left) != type_of(right) or left.absent is not right.absent or len(left.entries) != len(right.entries):
        return False
    if left is right:
        return True
    return all(key in right.entries and _same(value, right.entries[key][1]) for key, (_, value) in left.entries.items())


def less(left: Value, right: Value) -> bool:
    """Whether ``left`` < ``right``, for two numbers or two strings; strings are ordered by their bytes.

    Raises:

        OperandError: they cannot be ordered.
    """
    one, other = _ordered("<", left, right)
    return bool(one < other)


def at_most(left: Value, right: Value) -> bool:
    """Whether ``left`` <= ``right``; OperandError as for ``less``."""
    one, other = _ordered("<=", left, right)
    return bool(one <= other)


def greater(left: Value, right: Value) -> bool:
    """Whether ``left`` > ``right``; OperandError as for ``less``."""
    one, other = _ordered(">", left, right)
    return bool(one > other)


def at_least(left: Value, right: Value) -> bool:
    """Whether ``left`` >= ``right``; OperandError as for ``less``."""
    one, other = _ordered(">=", left, right)
    return bool(one >= other)


def _ordered(operator: str, left: Value, right: Value) -> tuple[Any, Any]:
    """Bring two values to one type that Python orders as Go does."""
    one, other = type(left), type(right)
    if one is float and other is float:
        return left, right
    if isinstance(left, str) and isinstance(right, str):
        return octets(left), octets(right)
    if bool in (one, other) or not (isinstance(left, (int, float)) and isinstance(right, (int, float))):
        raise undefined(operator, type_of(left), type_of(right))
    # An integer beside a float becomes a float, even where that loses digits.
    return (left, right) if float not in (one, other) else (float(left), float(right))


def undefined(operator: str, left: Type, right: Type) -> OperandError:
    """Say that an operator is not for these types, as Argo does."""
    return OperandError(f"invalid operation: {left} {operator} {right}")
