"""JSON and base64, as Go reads and writes them.

Law: values in, values out, or an OperandError.
"""

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence

from canary_operator.conditions.containers import ordered
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.texts import plain_decimal
from canary_operator.conditions.values import (
    MAX_DEPTH,
    STRING,
    Array,
    Kind,
    Map,
    Value,
    listed,
    mapped,
    octets,
    string,
    text,
    type_of,
)

Values = tuple[Value, ...]
_STEP = "  "
# What Go writes as an escape although JSON would not ask for it.
_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SURROGATE = re.compile("[\ud800-\udfff]")


def to_json(values: Values) -> Value:
    """The function ``toJSON``: indented by two, keys in order."""
    return "".join(_written(values[0], "\n"))


def _written(value: Value, line: str) -> Iterator[str]:
    match value:
        case Array() if not value.absent:
            yield from _between("[", [((), item) for item in value.items], "]", line)
        case Map() if value.key.kind is not Kind.STRING:
            raise OperandError(f"json: unsupported type: {type_of(value)}")
        case Map() if not value.absent:
            entries = [((_quoted(string(key)), ": "), item) for key, item in ordered(value)]
            yield from _between("{", entries, "}", line)
        case _:
            yield _atom(value)


def _between(opening: str, parts: Sequence[tuple[tuple[str, ...], Value]], closing: str, line: str) -> Iterator[str]:
    yield opening
    for number, (before, item) in enumerate(parts):
        yield "," + line + _STEP if number else line + _STEP
        yield from before
        yield from _written(item, line + _STEP)
    yield line + closing if parts else closing


def _atom(value: Value) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case float():
            return _number(value)
        case str():
            return _quoted(value)
        case None | Array() | Map():
            return "null"
        case _:
            raise OperandError(f"json: unsupported type: {type_of(value)}")


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise OperandError(f"json: unsupported value: {value}")
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return "-0" if value == 0 and math.copysign(1, value) < 0 else plain_decimal(value)
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        # Python writes 0.00001 with an exponent only from 1e-05 down, Go from 1e-6 down.
        digits, exponent = f"{value:e}".split("e")
    number = int(exponent)
    return f"{digits.removesuffix('.0')}e{'+' if number > 0 else '-'}{abs(number):02d}".replace("e-0", "e-")


def _quoted(value: str) -> str:
    quoted = json.dumps(_SURROGATE.sub("\ufffd", value), ensure_ascii=False)
    return re.sub("[<>&\u2028\u2029]", lambda match: _ESCAPED[match.group()], quoted)


def from_json(values: Values) -> Value:
    """The function ``fromJSON``: numbers become floats."""
    document = string(values[0])
    if _SURROGATE.search(document):
        document = _SURROGATE.sub("\ufffd", document)
    depth = _depth(document)
    if depth > MAX_DEPTH:
        raise OperandError(f"JSON nested more than {MAX_DEPTH} deep")
    try:
        loaded = json.loads(document, parse_int=_finite, parse_float=_finite, parse_constant=_refused)
    except (ValueError, RecursionError):
        raise OperandError("invalid JSON") from None
    return value_of(loaded)


def _depth(document: str) -> int:
    depth = deepest = 0
    for one in re.sub(r'"(?:[^"\\]|\\.)*"', "", document):
        depth += (one in "[{") - (one in "]}")
        deepest = max(deepest, depth)
    return deepest


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(digits)
    return value


def _refused(word: str) -> float:
    raise ValueError(word)


def value_of(document: object) -> Value:
    """Turn a JSON document into a value of the language: numbers become floats, as Go's JSON has them.

    Raises:

        OperandError: it holds something else, holds too much, or lies too deep.
    """
    match document:
        case None | bool():
            return document
        case int() | float():
            return float(document)
        case str():
            return _SURROGATE.sub("\ufffd", document)
        case Mapping():
            return mapped(
                [(_SURROGATE.sub("\ufffd", str(key)), value_of(one)) for key, one in document.items()], STRING
            )
        case Sequence():
            return listed([value_of(one) for one in document])
        case _:
            raise OperandError(f"a {type(document).__name__} is no JSON")


def to_base64(values: Values) -> Value:
    """The function ``toBase64``."""
    return base64.b64encode(octets(string(values[0]))).decode("ascii")


def from_base64(values: Values) -> Value:
    """The function ``fromBase64``; line breaks inside are left out, as in Go."""
    try:
        encoded = string(values[0]).replace("\r", "").replace("\n", "").encode("ascii")
        return text(base64.b64decode(encoded, validate=True))
    except (ValueError, binascii.Error):
        raise OperandError("illegal base64 data") from None
