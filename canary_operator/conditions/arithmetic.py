"""Numbers as Go computes them: conversions, division, remainders and powers.

Law: values in, values out, or an OperandError. Integers come out unbounded; whoever knows the dialect cuts them.
"""

import math
import re

from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    LARGEST_INTEGER,
    SMALLEST_INTEGER,
    Int64,
    Uint8,
    Value,
    type_of,
    whole,
    wrapped,
)

_DECIMAL = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE | re.ASCII
)
_HEXADECIMAL = re.compile(r"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?[0-9]+", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)
# Where the exponent of a power that is being built is beyond every float.
_HUGE_EXPONENT = 1 << 12


def real(value: Value) -> int | float:
    """Require a number.

    Raises:

        OperandError: the value is none.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise OperandError(f"expected a number, but got {type_of(value)}")


def negated(value: Value) -> int | float:
    """Negate a number; a sized integer keeps its size and wraps, as in Go.

    Raises:

        OperandError: the value is none.
    """
    one = real(value)
    if isinstance(one, Uint8):
        return Uint8(-one % 256)
    if isinstance(one, Int64):
        return Int64(wrapped(-one))
    return -one


def cut(value: Value) -> int:
    """Turn a number into an int where Argo needs one, such as an index.

    Raises:

        OperandError: the value is no number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OperandError(f"invalid operation: int({type_of(value)})")
    return whole(value) if isinstance(value, float) else int(value)


def integer_of(value: Value) -> int:
    """Convert a number or a text to an int.

    Raises:

        OperandError: it is neither, or the text is no integer of 64 bits.
    """
    if not isinstance(value, str):
        return cut(value)
    if not _INTEGER.fullmatch(value) or not SMALLEST_INTEGER <= int(value) <= LARGEST_INTEGER:
        raise OperandError(f"{value!r} is not an integer")
    return int(value)


def float_of(value: Value) -> float:
    """Convert a number or a text to a float.

    Raises:

        OperandError: it is neither, or the text is no number or out of range.
    """
    if not isinstance(value, str):
        return float(real(value))
    read = float.fromhex if _HEXADECIMAL.fullmatch(value) else float if _DECIMAL.fullmatch(value) else None
    if read is None:
        raise OperandError(f"{value!r} is not a number")
    try:
        found = read(value)
    except OverflowError:
        found = math.inf
    if math.isinf(found) and "n" not in value.lower():
        raise OperandError(f"{value!r} is out of range")
    return found


def quotient(dividend: float, divisor: float) -> float:
    """Divide without failing: infinite or NaN when the divisor is 0."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or math.isnan(dividend) or math.isnan(divisor):
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


def power(base: float, exponent: float) -> float:
    """Raise to a power as Go does: squaring by squaring, so that the last digit is Go's.

    A part of an exponent behind the point is left to the C library, which may differ in the last digit.
    """
    special = _special_power(base, exponent)
    if special is not None:
        return special
    fraction, count = math.modf(abs(exponent))
    if fraction and base < 0:
        return math.nan
    if count >= 2.0**63:
        return _beyond(base, exponent)
    return _squared(base, exponent, fraction, int(count))


def _special_power(base: float, exponent: float) -> float | None:
    if exponent == 0 or base == 1:
        return 1.0
    if exponent == 1 or math.isnan(base) or math.isnan(exponent):
        return base if exponent == 1 else math.nan
    if base == 0:
        signed = base if _is_odd(exponent) else 0.0
        return signed if exponent > 0 else math.copysign(math.inf, signed)
    if math.isinf(exponent):
        return _beyond(base, exponent)
    if math.isinf(base):
        return power(1 / base, -exponent) if base < 0 else 0.0 if exponent < 0 else math.inf
    if abs(exponent) == 0.5:
        root = math.sqrt(base) if base > 0 else math.nan
        return root if exponent > 0 else 1 / root
    return None


def _is_odd(value: float) -> bool:
    return value.is_integer() and value % 2 == 1


def _beyond(base: float, exponent: float) -> float:
    if base == -1:
        return 1.0
    return 0.0 if (abs(base) < 1) == (exponent > 0) else math.inf


def _squared(base: float, exponent: float, fraction: float, count: int) -> float:
    product, scale = 1.0, 0
    if fraction:
        if fraction > 0.5:
            fraction, count = fraction - 1, count + 1
        product = math.exp(fraction * math.log(base))
    square, square_scale = math.frexp(base)
    while count:
        if abs(square_scale) > _HUGE_EXPONENT:
            scale += square_scale
            break
        if count & 1:
            product, scale = product * square, scale + square_scale
        square, square_scale = square * square, square_scale * 2
        if square < 0.5:
            square, square_scale = square * 2, square_scale - 1
        count >>= 1
    return _scaled(1 / product, -scale) if exponent < 0 else _scaled(product, scale)


def _scaled(value: float, scale: int) -> float:
    try:
        return math.ldexp(value, scale)
    except OverflowError:
        return math.copysign(math.inf, value)
