"""Functions on texts, and values written as text.

Law: texts are bytes where they are counted, and characters where they are changed, as in Go. No text becomes longer
than a value may weigh; that is checked before it is made.
"""

import decimal
import math

from canary_operator.conditions.arithmetic import cut
from canary_operator.conditions.containers import ordered
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    MAX_WEIGHT,
    STRING,
    Array,
    Function,
    Kind,
    Map,
    Value,
    listed,
    octets,
    string,
    type_of,
)

Values = tuple[Value, ...]
# Go's White_Space; Python's own strip() takes some control characters as well.
BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
BLANKS += "\u2028\u2029\u202f\u205f\u3000"
# The exponent from which on Go writes a float with one.
LARGE_EXPONENT = 21
_NAMES = {Kind.FLOAT: "float", Kind.INT64: "int", Kind.UINT8: "uint", Kind.SLICE: "array", Kind.PAIR: "array"}


def fitting(length: int) -> int:
    """Check the length of a text before it is made.

    Raises:

        OperandError: it is too long.
    """
    if length > MAX_WEIGHT:
        raise OperandError(f"a text with more than {MAX_WEIGHT} characters")
    return length


# Values as text.


def type_name(values: Values) -> Value:
    """The function ``type``."""
    kind = type_of(values[0]).kind
    return "nil" if kind is Kind.NIL else _NAMES.get(kind, kind.value)


def text_of(value: Value) -> str:
    """Write a value as Go's ``%v`` does.

    Raises:

        OperandError: it is a function, whose address nobody means.
    """
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
        case Map():
            return "map[" + " ".join(f"{text_of(key)}:{text_of(item)}" for key, item in ordered(value)) + "]"
        case Function():
            raise OperandError(f"{value.name} is a function, which has no text")


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    digits, _, exponent = f"{value!r}".partition("e")
    if value == 0 or 1e-4 <= abs(value) < 10**LARGE_EXPONENT:
        return plain_decimal(value)
    return f"{digits.removesuffix('.0')}e{int(exponent):+03d}"


def plain_decimal(value: float) -> str:
    """Write the shortest decimal that reads back as the float, never with an exponent."""
    if not math.isfinite(value):
        return _float_text(value)
    text = format(decimal.Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


# Parts of texts.


def trim(values: Values) -> Value:
    """The function ``trim``: blanks, or the characters of a second text."""
    return string(values[0]).strip(BLANKS if len(values) == 1 else string(values[1]))


def trim_prefix(values: Values) -> Value:
    """The function ``trimPrefix``: one blank, or a second text."""
    return string(values[0]).removeprefix(" " if len(values) == 1 else string(values[1]))


def trim_suffix(values: Values) -> Value:
    """The function ``trimSuffix``: one blank, or a second text."""
    return string(values[0]).removesuffix(" " if len(values) == 1 else string(values[1]))


def upper(values: Values) -> Value:
    """The function ``upper``: character by character, so that none becomes two."""
    return "".join(one.upper() if len(one.upper()) == 1 else one for one in string(values[0]))


def lower(values: Values) -> Value:
    """The function ``lower``: character by character, so that none becomes two."""
    return "".join(one.lower()[0] for one in string(values[0]))


def split(values: Values) -> Value:
    """The function ``split``: at every place, or into at most so many parts."""
    return _split(values, keep="")


def split_after(values: Values) -> Value:
    """The function ``splitAfter``: as ``split``, and the separators stay."""
    return _split(values, keep=string(values[1]))


def _split(values: Values, keep: str) -> Value:
    whole, separator = string(values[0]), string(values[1])
    most = cut(values[2]) if len(values) > 2 else -1
    if most == 0:
        return Array((), STRING, absent=True)
    if not separator:
        return listed(_characters(whole, most), STRING)
    parts = whole.split(separator, most - 1 if most > 0 else -1)
    return listed([part + keep for part in parts[:-1]] + parts[-1:], STRING)


def _characters(whole: str, most: int) -> list[str]:
    if most < 0 or most > len(whole):
        return list(whole)
    return [*whole[: most - 1], whole[most - 1 :]]


def join(values: Values) -> Value:
    """The function ``join``."""
    items = values[0]
    if not isinstance(items, Array) or items.element.kind not in (Kind.STRING, Kind.ANY) or items.pair:
        raise OperandError(f"invalid argument for join (type {type_of(items)})")
    glue = string(values[1]) if len(values) > 1 else ""
    parts = [string(item) for item in items.items]
    fitting(sum(map(len, parts)) + len(glue) * len(parts))
    return glue.join(parts)


def replace(values: Values) -> Value:
    """The function ``replace``: all, or the first so many."""
    whole, old, new = string(values[0]), string(values[1]), string(values[2])
    most = cut(values[3]) if len(values) > 3 else -1
    fitting(len(whole) + (whole.count(old) + 1) * len(new))
    return whole.replace(old, new, most if most >= 0 else -1)


def repeat(values: Values) -> Value:
    """The function ``repeat``."""
    whole, count = string(values[0]), cut(values[1])
    if count < 0:
        raise OperandError("negative repeat count")
    fitting(max(count, len(whole) * count))
    return whole * count


# Places in texts.


def index_of(values: Values) -> Value:
    """The function ``indexOf``, in bytes."""
    return octets(string(values[0])).find(octets(string(values[1])))


def last_index_of(values: Values) -> Value:
    """The function ``lastIndexOf``, in bytes."""
    return octets(string(values[0])).rfind(octets(string(values[1])))


def has_prefix(values: Values) -> Value:
    """The function ``hasPrefix``."""
    return string(values[0]).startswith(string(values[1]))


def has_suffix(values: Values) -> Value:
    """The function ``hasSuffix``."""
    return string(values[0]).endswith(string(values[1]))
