"""Lists and maps: members, parts, sums, order.

Law: values in, values out, or an OperandError. Maps are read in the order of their keys, where Argo has none.
"""

import math
from collections.abc import Mapping, Sequence

from canary_operator.conditions.arithmetic import cut, quotient
from canary_operator.conditions.comparing import less
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    ANY,
    Array,
    Int64,
    Kind,
    Map,
    Type,
    Uint8,
    Value,
    array,
    assignable,
    depth_of,
    key_of,
    listed,
    mapped,
    octets,
    part_of,
    string,
    text,
    type_of,
    weight_of,
    wrapped,
)

Values = tuple[Value, ...]
# Up to here Go sorts by insertion, which is stable and has an answer even for NaN.
INSERTION = 12


def size(value: Value) -> int:
    """Count items, entries or bytes.

    Raises:

        OperandError: the value has no length.
    """
    match value:
        case str():
            return len(value) if value.isascii() else len(octets(value))
        case Array():
            return len(value.items)
        case Map():
            return len(value.entries)
        case _:
            raise OperandError(f"invalid argument for len (type {type_of(value)})")


def length(values: Values) -> Value:
    """The function ``len``."""
    return size(values[0])


def fetch(base: Value, index: Value) -> Value:
    """Get a member: by number from lists and texts, by key from maps.

    Raises:

        OperandError: there is no such member.
    """
    match base:
        case Array():
            return base.items[_position(len(base.items), index)]
        case str():
            data = octets(base)
            return Uint8(data[_position(len(data), index)])
        case Map():
            return _entry(base, index)
        case _:
            raise OperandError(f"cannot fetch a member from {type_of(base)}")


def _position(count: int, index: Value) -> int:
    wanted = cut(index)
    position = wanted + count if wanted < 0 else wanted
    if not 0 <= position < count:
        raise OperandError(f"index {wanted} out of range, the list has {count} values")
    return position


def _entry(base: Map, index: Value) -> Value:
    found = base.entries.get(key_of(_as_key(base, index)))
    if found is not None:
        return found[1]
    return Array((), base.element.element or ANY, absent=True) if base.element.kind is Kind.SLICE else None


def _as_key(base: Map, needle: Value) -> Value:
    """Nil stands for the key that Go makes of nothing; other keys must have the map's type."""
    if needle is None:
        nothing: Mapping[Kind, Value] = {Kind.STRING: "", Kind.INT: 0}
        return nothing.get(base.key.kind)
    if not assignable(type_of(needle), base.key):
        raise OperandError(f"value of type {type_of(needle)} is not assignable to type {base.key}")
    return needle


def has_key(base: Map, needle: Value) -> bool:
    """Whether a map has a key.

    Raises:

        OperandError: it cannot have such keys.
    """
    return key_of(_as_key(base, needle)) in base.entries


def found(base: Value, index: Value) -> Value:
    """Get a member; nil where there is none."""
    try:
        return fetch(base, index)
    except OperandError:
        return None


def sliced(base: Value, start: Value, stop: Value) -> Value:
    """Cut a list or the bytes of a text; bounds outside of it are moved to its ends.

    Raises:

        OperandError: it is neither, or a bound is no number.
    """
    if not isinstance(base, (Array, str)):
        raise OperandError(f"cannot slice {type_of(base)}")
    count = size(base)
    first, last = _bound(count, start), min(_bound(count, stop), count)
    first = min(first, last)
    return text(octets(base)[first:last]) if isinstance(base, str) else part_of(base, first, last)


def _bound(count: int, bound: Value) -> int:
    wanted = cut(bound)
    return max(0, wrapped(wanted + count) if wanted < 0 else wanted)


def take(values: Values) -> Value:
    """The function ``take``: the first so many."""
    items, count = array(values[0]), values[1]
    if type(count) not in (int, Int64):
        raise OperandError(f"cannot take {type_of(count)} elements")
    wanted = int(count)  # type: ignore[arg-type]
    if wanted > len(items.items):
        return items
    if wanted < 0:
        raise OperandError("slice index out of bounds")
    return part_of(items, 0, wanted)


# Sums.


def _real(value: Value, verb: str) -> int | float:
    if isinstance(value, bool | Uint8) or not isinstance(value, (int, float)):
        raise OperandError(f"cannot {verb} {type_of(value)}")
    return value


def total(values: Values) -> Value:
    """The function ``sum``: integers up to the first float, floats from there on."""
    found: int | float = 0
    for item in array(values[0]).items:
        one = _real(item, "sum")
        if isinstance(found, int) and isinstance(one, float):
            found = float(found)
        found = wrapped(found + int(one)) if isinstance(found, int) else found + float(one)
    return found


def mean(values: Values) -> Value:
    """The function ``mean``; 0 of nothing."""
    items = array(values[0]).items
    # Not sum(), which rounds better than Go from Python 3.12 on.
    added = 0.0
    for item in items:
        added += float(_real(item, "mean"))
    return quotient(added, len(items)) if items else 0.0


def median(values: Values) -> Value:
    """The function ``median``; 0 of nothing, NaN is the least."""
    items = sorted((float(_real(item, "median")) for item in array(values[0]).items), key=_not_a_number_first)
    if not items:
        return 0.0
    middle = len(items) // 2
    return items[middle] if len(items) % 2 else (items[middle - 1] + items[middle]) / 2


def _not_a_number_first(value: float) -> tuple[bool, float]:
    return (False, 0.0) if math.isnan(value) else (True, value)


# Maps.


def ordered(base: Map) -> list[tuple[Value, Value]]:
    """Return keys and values in the order in which Go writes them: by type, then by value."""
    return sorted(base.entries.values(), key=lambda entry: (type(entry[0]).__name__, _plain(entry[0])))


def _plain(value: Value) -> bytes | float | int:
    if isinstance(value, str):
        return octets(value)
    return value if isinstance(value, (int, float)) else 0


def _map(value: Value, verb: str) -> Map:
    if not isinstance(value, Map):
        raise OperandError(f"cannot {verb} {type_of(value)}")
    return value


def keys(values: Values) -> Value:
    """The function ``keys``."""
    return listed([key for key, _ in ordered(_map(values[0], "get keys from"))])


def values(values: Values) -> Value:
    """The function ``values``."""
    return listed([value for _, value in ordered(_map(values[0], "get values from"))])


def to_pairs(values: Values) -> Value:
    """The function ``toPairs``."""
    pairs = [
        Array(pair, ANY, pair=True, weight=sum(map(weight_of, pair)), depth=1 + max(map(depth_of, pair)))
        for pair in ordered(_map(values[0], "transform"))
    ]
    return listed(pairs, Type("[2]interface {}", Kind.PAIR, ANY))


def from_pairs(values: Values) -> Value:
    """The function ``fromPairs``."""
    return mapped([_pair(item) for item in array(values[0]).items], ANY)


def _pair(value: Value) -> tuple[Value, Value]:
    if not isinstance(value, Array) or len(value.items) != 2:
        raise OperandError("invalid pair")
    return value.items[0], value.items[1]


# Order.


def sort(values: Values) -> Value:
    """The function ``sort``; a map has its place by its entry without a name, if it has one."""
    items = array(values[0]).items
    return _in_order(items, [_sort_key(item, "") for item in items], descending=_descends(values[1:]))


def sort_by(values: Values) -> Value:
    """The function ``sortBy``: maps by the value of a key; what is no map by itself."""
    items, field = array(values[0]).items, string(values[1])
    return _in_order(items, [_sort_key(item, field) for item in items], descending=_descends(values[2:]))


def _sort_key(item: Value, field: str) -> Value:
    if not isinstance(item, Map):
        return item
    if not has_key(item, field):
        raise OperandError(f"a map without {field!r} cannot be sorted by it")
    return fetch(item, field)


def _descends(direction: Values) -> bool:
    if direction and direction[0] not in ("asc", "desc"):
        raise OperandError('the order must be "asc" or "desc"')
    return direction == ("desc",)


def _in_order(items: Sequence[Value], by: Sequence[Value], *, descending: bool) -> Array:
    types = {type_of(one) for one in by}
    if len(types) > 1:
        raise OperandError("cannot sort values of different types")
    if len(by) > 1 and not types <= _SORTABLE:
        raise OperandError(f"cannot sort {types.pop()}")
    places = _insertion_order(by, descending=descending) if len(by) <= INSERTION else _order(by, descending=descending)
    return listed([items[place] for place in places])


_SORTABLE = {type_of(one) for one in (0, Int64(0), 0.0, "")}


def _precedes(one: Value, other: Value, *, descending: bool) -> bool:
    return less(other, one) if descending else less(one, other)


def _insertion_order(by: Sequence[Value], *, descending: bool) -> list[int]:
    places = list(range(len(by)))
    for start in range(1, len(by)):
        place = start
        while place > 0 and _precedes(by[places[place]], by[places[place - 1]], descending=descending):
            places[place], places[place - 1] = places[place - 1], places[place]
            place -= 1
    return places


def _order(by: Sequence[Value], *, descending: bool) -> list[int]:
    # NaN has no place; it goes to the front, where Go leaves it anywhere.
    return sorted(range(len(by)), key=lambda place: _rank(by[place]), reverse=descending)


def _rank(value: Value) -> tuple[bool, bytes | float | int]:
    nan = isinstance(value, float) and math.isnan(value)
    return (not nan, 0 if nan else _plain(value))
