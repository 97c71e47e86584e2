"""The functions of the condition language that are neither operators nor predicates.

Law: one row per function in the table at the end: what it returns for given types, and how it computes.
To add one, write the two parts and the row, and a case in the tests of its room. What works on texts alone stands in
``texts``, the arithmetic in ``arithmetic``, JSON and base64 in ``encoding``.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from canary_operator.conditions import arithmetic, containers, encoding, texts
from canary_operator.conditions.comparing import greater, less
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    ANY,
    ANY_ARRAY,
    ANY_MAP,
    BOOL,
    FLOAT,
    INT,
    INT64,
    STRING,
    STRING_ARRAY,
    Array,
    Function,
    Int64,
    Kind,
    Map,
    Type,
    Value,
    assignable,
    type_of,
)

Types = tuple[Type, ...]
Values = tuple[Value, ...]
Returns = Callable[[Types], Type]
INTEGERS = frozenset((Kind.INT, Kind.INT64, Kind.UINT8))
SIGNED = frozenset((Kind.INT, Kind.INT64))
NUMBERS = INTEGERS | {Kind.FLOAT}
LISTS = frozenset((Kind.SLICE, Kind.PAIR))

# They take a closure; the checker and the compiler know them.
PREDICATES = frozenset(
    (
        *("all", "none", "any", "one", "filter", "map", "count", "groupBy", "reduce"),
        *("find", "findIndex", "findLast", "findLastIndex"),
    )
)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function by its two halves.

    Args:

        returns: types of the arguments -> type of the value; OperandError for wrong ones.

        apply: the arguments -> the value; OperandError when they do not fit after all.
    """

    returns: Returns
    apply: Callable[[Values], Value]


# What a function returns.


def count_arguments(types: Types, least: int, most: int) -> None:
    """Check how many arguments there are.

    Raises:

        OperandError: there are too few or too many.
    """
    if not least <= len(types) <= most:
        wanted = str(least) if least == most else f"{least} or {most}"
        raise OperandError(f"invalid number of arguments (expected {wanted}, got {len(types)})")


def accepts(name: str, parameters: Types, arguments: Types) -> None:
    """Check arguments against parameters as Argo does: nil and ``any`` fit everywhere, integers fit each other.

    Raises:

        OperandError: they do not fit.
    """
    if len(arguments) != len(parameters):
        raise OperandError(
            f"{'too many' if len(arguments) > len(parameters) else 'not enough'} arguments to call {name}"
        )
    for wanted, given in zip(parameters, arguments, strict=True):
        if given.kind in INTEGERS and (wanted.kind in INTEGERS or wanted.kind is Kind.FLOAT):
            continue
        if given.kind not in (Kind.NIL, Kind.ANY) and not assignable(given, wanted):
            raise OperandError(f"cannot use {given} as argument (type {wanted}) to call {name}")


def _overloads(name: str, returns: Type, *overloads: Types) -> Returns:
    def found(types: Types) -> Type:
        for parameters in overloads[:-1]:
            try:
                accepts(name, parameters, types)
            except OperandError:
                continue
            return returns
        accepts(name, overloads[-1], types)
        return returns

    return found


def _one_of(kinds: frozenset[Kind], returned: Type | None, wanted: str) -> Returns:
    """One argument of these kinds, or ``any``; None returns the argument's own type."""

    def returns(types: Types) -> Type:
        count_arguments(types, 1, 1)
        _expect(types[0], kinds, wanted)
        return returned or types[0]

    return returns


def _expect(given: Type, kinds: frozenset[Kind], wanted: str) -> None:
    if given.kind is not Kind.ANY and given.kind not in kinds:
        raise OperandError(f"invalid argument of type {given}, expected {wanted}")


def _numbers(types: Types) -> Type:
    if not types:
        raise OperandError("not enough arguments")
    for one in types:
        if one.kind is Kind.ANY:
            return ANY
        _expect(one, NUMBERS, "numbers")
    return types[0]


def _element(types: Types) -> Type:
    count_arguments(types, 1, 1)
    _expect(types[0], LISTS, "a list")
    return types[0].element or ANY


def _item(types: Types) -> Type:
    """``get``: nil as a base or an index is no index at all."""
    count_arguments(types, 2, 2)
    base, index = types
    if base.kind is Kind.ANY:
        return ANY
    if base.kind not in LISTS and base.kind is not Kind.MAP:
        raise OperandError(f"type {base} does not support indexing")
    if index.kind is Kind.NIL:
        raise OperandError("cannot use nil as an index")
    if index.kind is not Kind.ANY:
        fits = assignable(index, base.key) if base.key else index.kind in INTEGERS
        if not fits:
            raise OperandError(f"cannot use {index} to get an element from {base}")
    return base.element or ANY


def _taken(types: Types) -> Type:
    count_arguments(types, 2, 2)
    _expect(types[0], LISTS, "a list")
    _expect(types[1], SIGNED, "an integer")
    return types[0]


def _sorted(least: int) -> Callable[[Types], Type]:
    """A list and texts, ``least`` arguments or one more: which field it is sorted by, and in which order."""

    def returns(types: Types) -> Type:
        count_arguments(types, least, least + 1)
        _expect(types[0], LISTS, "a list")
        for one in types[1:]:
            _expect(one, frozenset((Kind.STRING,)), "a string")
        return ANY_ARRAY

    return returns


# How it computes.


def _absolute(values: Values) -> Value:
    value = values[0]
    return arithmetic.negated(value) if arithmetic.real(value) < 0 else value


def _rounding(rounded: Callable[[float], int]) -> Callable[[Values], Value]:
    def apply(values: Values) -> Value:
        value = float(arithmetic.real(values[0]))
        # From 2**52 on every float is whole; the infinities and NaN stay what they are.
        if not abs(value) < 2.0**52:
            return value
        return math.copysign(float(rounded(value)), value)

    return apply


def _half_away_from_zero(value: float) -> int:
    size = math.floor(abs(value))
    return int(math.copysign(size + 1 if abs(value) - size >= 0.5 else size, value))


def _extreme(replaces: Callable[[Value, Value], bool]) -> Callable[[Values], Value]:
    def apply(values: Values) -> Value:
        # One value after the other, as Go does it: with NaN the order matters.
        best: Value = None
        for value in values:
            if best is None or replaces(best, value):
                best = value
        return best

    return apply


def _to_int(values: Values) -> Value:
    return arithmetic.integer_of(values[0])


def _is_nan(values: Values) -> Value:
    return math.isnan(_float(values[0]))


def _is_infinite(values: Values) -> Value:
    return math.isinf(_float(values[0]))


def _float(value: Value) -> float:
    if isinstance(value, float):
        return value
    raise OperandError(f"cannot use {type_of(value)} as argument (type float64)")


def _as_int(values: Values) -> Value:
    if isinstance(values[0], (bool, Array, Map, Function)) or values[0] is None:
        raise OperandError(f"asInt() not supported on {type_of(values[0])}")
    return Int64(arithmetic.integer_of(values[0]))


def _as_float(values: Values) -> Value:
    if isinstance(values[0], (bool, Array, Map, Function)) or values[0] is None:
        raise OperandError(f"asFloat() not supported on {type_of(values[0])}")
    return arithmetic.float_of(values[0])


_NUMBER = _one_of(NUMBERS, FLOAT, "a number")
_TEXT_PAIR = (STRING, STRING)

BUILTINS: Mapping[str, Builtin | None] = {
    **dict.fromkeys(PREDICATES),
    "len": Builtin(_one_of(LISTS | {Kind.MAP, Kind.STRING}, INT, "a list, a map or a string"), containers.length),
    "type": Builtin(_overloads("type", STRING, (ANY,)), texts.type_name),
    "abs": Builtin(_one_of(NUMBERS, None, "a number"), _absolute),
    "ceil": Builtin(_NUMBER, _rounding(math.ceil)),
    "floor": Builtin(_NUMBER, _rounding(math.floor)),
    "round": Builtin(_NUMBER, _rounding(_half_away_from_zero)),
    "int": Builtin(_one_of(NUMBERS | {Kind.STRING}, INT, "a number or a string"), _to_int),
    "float": Builtin(
        _one_of(NUMBERS | {Kind.STRING}, FLOAT, "a number or a string"), lambda v: arithmetic.float_of(v[0])
    ),
    "string": Builtin(_overloads("string", STRING, (ANY,)), lambda v: texts.text_of(v[0])),
    "trim": Builtin(_overloads("trim", STRING, (STRING,), _TEXT_PAIR), texts.trim),
    "trimPrefix": Builtin(_overloads("trimPrefix", STRING, _TEXT_PAIR, (STRING,)), texts.trim_prefix),
    "trimSuffix": Builtin(_overloads("trimSuffix", STRING, _TEXT_PAIR, (STRING,)), texts.trim_suffix),
    "upper": Builtin(_overloads("upper", STRING, (STRING,)), texts.upper),
    "lower": Builtin(_overloads("lower", STRING, (STRING,)), texts.lower),
    "split": Builtin(_overloads("split", STRING_ARRAY, _TEXT_PAIR, (*_TEXT_PAIR, INT)), texts.split),
    "splitAfter": Builtin(_overloads("splitAfter", STRING_ARRAY, _TEXT_PAIR, (*_TEXT_PAIR, INT)), texts.split_after),
    "replace": Builtin(_overloads("replace", STRING, (*_TEXT_PAIR, STRING, INT), (*_TEXT_PAIR, STRING)), texts.replace),
    "repeat": Builtin(_overloads("repeat", STRING, (STRING, INT)), texts.repeat),
    "join": Builtin(
        _overloads("join", STRING, (STRING_ARRAY, STRING), (ANY_ARRAY, STRING), (ANY_ARRAY,), (STRING_ARRAY,)),
        texts.join,
    ),
    "indexOf": Builtin(_overloads("indexOf", INT, _TEXT_PAIR), texts.index_of),
    "lastIndexOf": Builtin(_overloads("lastIndexOf", INT, _TEXT_PAIR), texts.last_index_of),
    "hasPrefix": Builtin(_overloads("hasPrefix", BOOL, _TEXT_PAIR), texts.has_prefix),
    "hasSuffix": Builtin(_overloads("hasSuffix", BOOL, _TEXT_PAIR), texts.has_suffix),
    "max": Builtin(_numbers, _extreme(less)),
    "min": Builtin(_numbers, _extreme(greater)),
    "sum": Builtin(_one_of(LISTS, ANY, "a list"), containers.total),
    "mean": Builtin(_one_of(LISTS, FLOAT, "a list"), containers.mean),
    "median": Builtin(_one_of(LISTS, FLOAT, "a list"), containers.median),
    "toJSON": Builtin(_overloads("toJSON", STRING, (ANY,)), encoding.to_json),
    "fromJSON": Builtin(_overloads("fromJSON", ANY, (STRING,)), encoding.from_json),
    "toBase64": Builtin(_overloads("toBase64", STRING, (STRING,)), encoding.to_base64),
    "fromBase64": Builtin(_overloads("fromBase64", STRING, (STRING,)), encoding.from_base64),
    "first": Builtin(_element, lambda v: containers.found(v[0], 0)),
    "last": Builtin(_element, lambda v: containers.found(v[0], -1)),
    "get": Builtin(_item, lambda v: containers.found(v[0], v[1])),
    "take": Builtin(_taken, containers.take),
    "keys": Builtin(_one_of(frozenset((Kind.MAP,)), ANY_ARRAY, "a map"), containers.keys),
    "values": Builtin(_one_of(frozenset((Kind.MAP,)), ANY_ARRAY, "a map"), containers.values),
    "toPairs": Builtin(_one_of(frozenset((Kind.MAP,)), ANY_ARRAY, "a map"), containers.to_pairs),
    "fromPairs": Builtin(_one_of(LISTS, ANY_MAP, "a list"), containers.from_pairs),
    "sort": Builtin(_sorted(1), containers.sort),
    "sortBy": Builtin(_sorted(2), containers.sort_by),
}

# Argo's own. isNil and default look at the result, not at their arguments: see the machine.
ARGO = {
    "isNaN": Function("isNaN", (FLOAT,), BOOL),
    "isInf": Function("isInf", (FLOAT,), BOOL),
    "isNil": Function("isNil", (ANY,), BOOL),
    "default": Function("default", (ANY, ANY), ANY),
    "asInt": Function("asInt", (ANY,), INT64),
    "asFloat": Function("asFloat", (ANY,), FLOAT),
}
# Where a value has the type of a function, it is one of these.
BY_TYPE = {function.type.name: function for function in ARGO.values()}
APPLIED: Mapping[str, Callable[[Values], Value]] = {
    "isNaN": _is_nan,
    "isInf": _is_infinite,
    "asInt": _as_int,
    "asFloat": _as_float,
}
# Argo has them; a condition that asks the clock or the zones of a machine cannot be judged again later.
UNSUPPORTED = frozenset(("now", "date", "duration"))
# Where one value is chosen by its place in the list.
POSITIONAL = frozenset(("first", "last", "get", "take", "find", "findIndex", "findLast", "findLastIndex"))
