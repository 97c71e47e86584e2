"""Types and values of the condition language, which are those of Go.

Law: no tree and no position here; what cannot be done is an OperandError. A number is Python's ``int`` or
``float``; sized integers are subclasses, so that arithmetic gives plain ones, as in Go. ``bool`` is never a number.
Texts are Go's bytes: what is no UTF-8 is kept in Python's surrogate escapes.
"""

import enum
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from canary_operator.conditions.problems import OperandError

# How much one value may hold, counting every item and character inside, and how deep lists may lie in lists.
MAX_WEIGHT = 1_000_000
MAX_DEPTH = 60


class Kind(enum.Enum):
    """Go's kinds, as far as conditions meet them."""

    NIL = "invalid"
    BOOL = "bool"
    INT = "int"
    INT64 = "int64"
    UINT8 = "uint8"
    FLOAT = "float64"
    STRING = "string"
    ANY = "interface"
    SLICE = "slice"
    PAIR = "array"
    MAP = "map"
    FUNCTION = "func"


@dataclass(frozen=True, slots=True)
class Type:
    """A Go type by its Go name.

    Args:

        element: of lists and maps.

        key: of maps.
    """

    name: str
    kind: Kind
    element: "Type | None" = None
    key: "Type | None" = None

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=256)
def array_of(element: Type) -> Type:
    """Return the type of lists of ``element``."""
    return Type(f"[]{element.name}", Kind.SLICE, element)


def map_of(key: Type, element: Type) -> Type:
    """Return the type of maps from ``key`` to ``element``."""
    return Type(f"map[{key.name}]{element.name}", Kind.MAP, element, key)


NIL = Type("<nil>", Kind.NIL)
BOOL = Type("bool", Kind.BOOL)
INT = Type("int", Kind.INT)
INT64 = Type("int64", Kind.INT64)
UINT8 = Type("uint8", Kind.UINT8)
FLOAT = Type("float64", Kind.FLOAT)
STRING = Type("string", Kind.STRING)
ANY = Type("interface {}", Kind.ANY)
ANY_ARRAY = array_of(ANY)
STRING_ARRAY = array_of(STRING)
INT_ARRAY = array_of(INT)
PAIR = Type("[2]interface {}", Kind.PAIR, ANY)
MAP = map_of(STRING, ANY)
ANY_MAP = map_of(ANY, ANY)
GROUPS = map_of(ANY, ANY_ARRAY)
FUNCTION = Type("func(...interface {}) (interface {}, error)", Kind.FUNCTION)

# What ``result`` can be: a scalar answer, and a vector or matrix answer.
SCALAR = FLOAT
VECTOR = array_of(FLOAT)


class Int64(int):
    """An integer that ``asInt`` made; equal to others by value, but not inside of lists."""

    __slots__ = ()


class Uint8(int):
    """One byte of a text."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """A list. Its element type matters: Go never takes lists of different types for equal.

    Args:

        pair: it is one of ``toPairs``, which is of another type than any list.

        absent: Go's nil slice, which is nil and a list without items.

        storage: the list that this is a part of, None for itself. Go takes two lists at one place for equal
            without looking, which is seen with NaN.

        start: where in the storage it begins.
    """

    items: Sequence["Value"]
    element: Type
    pair: bool = False
    absent: bool = False
    storage: "Array | None" = None
    start: int = 0
    weight: int = 0
    depth: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A map.

    Args:

        entries: ``key_of`` a key -> the key and its value.

        absent: Go's nil map.
    """

    entries: Mapping[Hashable, tuple["Value", "Value"]]
    key: Type
    element: Type
    absent: bool = False
    weight: int = 0
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Function:
    """A function of Argo's as a value: it can be called, and that is all."""

    name: str
    parameters: tuple[Type, ...] = field(compare=False)
    returns: Type = field(compare=False)

    @property
    def type(self) -> Type:
        """Its Go type."""
        inside = ", ".join(one.name for one in self.parameters)
        return Type(f"func({inside}) {self.returns.name}", Kind.FUNCTION)


Value = bool | int | float | str | Array | Map | Function | None

LARGEST_INTEGER = 2**63 - 1
SMALLEST_INTEGER = -(2**63)

_TYPES: Mapping[type, Type] = {
    type(None): NIL,
    bool: BOOL,
    int: INT,
    Int64: INT64,
    Uint8: UINT8,
    float: FLOAT,
    str: STRING,
}


def type_of(value: Value) -> Type:
    """Return the type that a value has while it is computed."""
    if isinstance(value, Array):
        return PAIR if value.pair else array_of(value.element)
    if isinstance(value, Map):
        return map_of(value.key, value.element)
    return value.type if isinstance(value, Function) else _TYPES[type(value)]


def assignable(given: Type, wanted: Type) -> bool:
    """Whether Go lets a value of one type stand where another is wanted; nil is not asked here."""
    return given == wanted or wanted.kind is Kind.ANY


def is_nil(value: Value) -> bool:
    """Whether Go calls it nil: nil itself, and lists and maps that were never made."""
    return value is None or (isinstance(value, (Array, Map)) and value.absent)


def key_of(value: Value) -> Hashable:
    """Return what two keys of a map share exactly if Go takes them for one.

    Raises:

        OperandError: lists, maps and functions are no keys.
    """
    if isinstance(value, (Array, Map, Function)):
        raise OperandError(f"{type_of(value)} cannot be a key of a map")
    if isinstance(value, float) and math.isnan(value):
        # NaN is not even equal to itself.
        return object()
    return (type(value), value)


def weight_of(value: Value) -> int:
    """How much a value holds: items and characters, and one for itself."""
    if isinstance(value, (Array, Map)):
        return value.weight + 1
    return len(value) + 1 if isinstance(value, str) else 1


def depth_of(value: Value) -> int:
    """How deep lists and maps lie in it."""
    return value.depth if isinstance(value, (Array, Map)) else 0


def listed(items: Sequence[Value], element: Type = ANY) -> Array:
    """Make a list, and know how much it holds.

    Raises:

        OperandError: it would hold too much, or lie too deep.
    """
    weight, depth = _measured(items)
    return Array(items, element, weight=weight, depth=depth)


def mapped(pairs: Sequence[tuple[Value, Value]], key: Type, element: Type = ANY) -> Map:
    """Make a map of keys and values; of equal keys the last one counts.

    Raises:

        OperandError: something is no key, it would hold too much, or lie too deep.
    """
    weight, depth = _measured([part for pair in pairs for part in pair])
    return Map({key_of(one): (one, value) for one, value in pairs}, key, element, weight=weight, depth=depth)


def _measured(items: Sequence[Value]) -> tuple[int, int]:
    weight = sum(map(weight_of, items))
    depth = 1 + max(map(depth_of, items), default=0)
    if weight > MAX_WEIGHT:
        raise OperandError(f"a value with more than {MAX_WEIGHT} items and characters")
    if depth > MAX_DEPTH:
        raise OperandError(f"lists or maps nested more than {MAX_DEPTH} deep")
    return weight, depth


def part_of(whole: Array, start: int, stop: int) -> Array:
    """Cut a list as Go does: the part lies in the same place as the whole."""
    items = whole.items[start:stop]
    storage = whole.storage or whole
    weight = sum(map(weight_of, items)) if whole.element is ANY else len(items)
    return Array(items, whole.element, storage=storage, start=whole.start + start, weight=weight, depth=whole.depth)


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


def octets(text: str) -> bytes:
    """Return the bytes that a text is in Go."""
    return text.encode("utf-8", "surrogateescape")


def text(data: bytes) -> str:
    """Return the text of Go's bytes; those that are no UTF-8 are kept."""
    return data.decode("utf-8", "surrogateescape")


def wrapped(value: int) -> int:
    """Cut an integer to 64 bits, as Go's arithmetic does without a word."""
    if SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
        return value
    return (value + 2**63) % 2**64 - 2**63


def whole(value: float) -> int:
    """Cut a float to an integer; NaN and what has more than 64 bits gives what Go gives on x86-64: the smallest."""
    if math.isnan(value) or not -(2.0**63) <= value < 2.0**63:
        return SMALLEST_INTEGER
    return int(value)
