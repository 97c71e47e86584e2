"""Types and values of the condition language, which are those of Go.

Law: no tree and no position here; what cannot be done is a OperandError. Numbers are Python's ``int`` (64 bits
are enforced) and ``float``, lists are Array, and ``bool`` is never a number.
"""

import math
from dataclasses import dataclass

from canary_operator.conditions.problems import OperandError


@dataclass(frozen=True, slots=True)
class Type:
    """A Go type by its Go name; lists know the type of their elements."""

    name: str
    element: "Type | None" = None

    def __str__(self) -> str:
        return self.name


def array_of(element: Type) -> Type:
    """Return the type of lists of ``element``."""
    return Type(f"[]{element.name}", element)


NIL = Type("<nil>")
BOOL = Type("bool")
INT = Type("int")
INT64 = Type("int64")
FLOAT = Type("float64")
STRING = Type("string")
ANY = Type("interface {}")
ANY_ARRAY = array_of(ANY)

# What ``result`` can be: a scalar answer, and a vector or matrix answer.
SCALAR = FLOAT
VECTOR = array_of(FLOAT)


@dataclass(frozen=True, slots=True)
class Array:
    """A list. Its element type matters: Go never takes lists of different types for equal."""

    items: tuple["Value", ...]
    element: Type


Value = bool | int | float | str | Array | None

LARGEST_INTEGER = 2**63 - 1
SMALLEST_INTEGER = -(2**63)


def is_number(value: Value) -> bool:
    """Whether it is an int or a float, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_integer(value: Value) -> bool:
    """Whether it is an int and not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def type_of(value: Value) -> Type:
    """Return the type that a value has while it is computed."""
    match value:
        case None:
            return NIL
        case bool():
            return BOOL
        case int():
            return INT
        case float():
            return FLOAT
        case str():
            return STRING
        case Array():
            return array_of(value.element)


def number(value: Value) -> int | float:
    """Require a number.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise OperandError(f"expected a number, but got {type_of(value)}")


def integer(value: Value) -> int:
    """Require an int.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise OperandError(f"expected an integer, but got {type_of(value)}")


def boolean(value: Value) -> bool:
    """Require a bool.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, bool):
        return value
    raise OperandError(f"expected bool, but got {type_of(value)}")


def string(value: Value) -> str:
    """Require a string.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, str):
        return value
    raise OperandError(f"expected string, but got {type_of(value)}")


def array(value: Value) -> Array:
    """Require a list.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, Array):
        return value
    raise OperandError(f"expected a list, but got {type_of(value)}")


def whole(value: float) -> int:
    """Cut a float to an integer.

    Raises:

        OperandError: it is NaN or outside of 64 bits, for which Go's answer depends on the processor.
    """
    if not math.isfinite(value):
        raise OperandError(f"{value} has no integer value")
    return bounded(math.trunc(value))


def bounded(value: int) -> int:
    """Check that an integer fits into 64 bits.

    Raises:

        OperandError: it does not. Go would go on with a wrong number.
    """
    if SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    raise OperandError("integer overflow")


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal: numbers by value, everything else only within one type."""
    if is_number(left) and is_number(right):
        return _same_number(number(left), number(right))
    if isinstance(left, Array) and isinstance(right, Array):
        return left is right or _same_items(left, right)
    return type_of(left) == type_of(right) and left == right


def _same_number(left: float, right: float) -> bool:
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    return float(left) == float(right)


def _same_items(left: Array, right: Array) -> bool:
    return (
        left.element == right.element
        and len(left.items) == len(right.items)
        and all(
            type_of(one) == type_of(other) and equal(one, other)
            for one, other in zip(left.items, right.items, strict=True)
        )
    )


def less(left: Value, right: Value) -> bool:
    """Whether ``left`` < ``right``, for two numbers or two strings.

    Raises:

        OperandError: they cannot be ordered.
    """
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    one, other = number(left), number(right)
    if isinstance(one, int) and isinstance(other, int):
        return one < other
    return float(one) < float(other)


def power(base: float, exponent: float) -> float:
    """Raise to a power without failing: infinite when too large, NaN when there is no answer."""
    odd = exponent.is_integer() and exponent % 2 == 1
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        return math.nan if base else math.copysign(math.inf, base if odd else 1.0)


def quotient(dividend: float, divisor: float) -> float:
    """Divide without failing: infinite or NaN when the divisor is 0."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def remainder(dividend: int, divisor: int) -> int:
    """Compute ``dividend % divisor`` with the sign of the dividend, as Go does.

    Raises:

        OperandError: the divisor is 0.
    """
    if divisor == 0:
        raise OperandError("integer divide by zero")
    size = abs(dividend) % abs(divisor)
    return -size if dividend < 0 else size
