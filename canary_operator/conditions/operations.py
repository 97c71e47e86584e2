"""What the machine can do: one function for each operation of Argo's machine.

Law: an operation takes its operands from the stack and leaves its value there. It answers how many instructions to
jump over, None for none. What is not possible is an OperandError.
"""

import math
import operator
from collections.abc import Callable

from canary_operator.conditions import arithmetic, comparing, containers, functions, patterns
from canary_operator.conditions.comparing import undefined
from canary_operator.conditions.dialects import Trait
from canary_operator.conditions.evaluation import Machine, Operation, Scope
from canary_operator.conditions.problems import OperandError
from canary_operator.conditions.values import (
    ANY,
    ANY_ARRAY,
    INT,
    MAX_WEIGHT,
    STRING,
    Array,
    Function,
    Kind,
    Map,
    Uint8,
    Value,
    assignable,
    is_nil,
    key_of,
    listed,
    mapped,
    octets,
    string,
    type_of,
    weight_of,
    whole,
)

_PLAIN = frozenset((float, int))
# Functions that turn a number into an integer, which NaN and infinity are not.
_WHOLE = frozenset(("int", "asInt"))


def truth(value: Value) -> bool:
    """Require a bool.

    Raises:

        OperandError: it is none.
    """
    if value is True or value is False:
        return value
    raise OperandError(f"expected bool, but got {type_of(value)}")


# Values.


def pop(machine: Machine, _: None) -> None:
    """Drop a value."""
    machine.stack.pop()


def load_result(machine: Machine, _: None) -> None:
    """Put the result on the stack."""
    machine.stack.append(machine.result)


def load_item(machine: Machine, index: int) -> None:
    """Put an item of the result on the stack."""
    result = machine.result
    if type(result) is Array and 0 <= index < len(result.items):
        machine.stack.append(result.items[index])
        return
    if type(result) is str:
        machine.spend(len(result))
    machine.stack.append(containers.fetch(result, index))


def load_environment(machine: Machine, _: None) -> None:
    """Put all names and their values on the stack."""
    entries: list[tuple[Value, Value]] = [("result", machine.result), *functions.ARGO.items()]
    machine.stack.append(mapped(entries, STRING))


def store(machine: Machine, index: int) -> None:
    """Keep a variable."""
    machine.variables[index] = machine.stack.pop()


def load(machine: Machine, index: int) -> None:
    """Put a variable on the stack."""
    machine.stack.append(machine.variables[index])


# Jumps.


def jump(machine: Machine, distance: int) -> int:
    """Go on elsewhere."""
    return distance


def jump_back(machine: Machine, distance: int) -> int:
    """Go back to the beginning of a loop; this is where loops cost."""
    machine.spend(-distance)
    return distance


def jump_if_true(machine: Machine, distance: int) -> int | None:
    """Go on elsewhere if the value is true; it stays."""
    return distance if truth(machine.stack[-1]) else None


def jump_if_false(machine: Machine, distance: int) -> int | None:
    """Go on elsewhere if the value is false; it stays."""
    return None if truth(machine.stack[-1]) else distance


def jump_if_nil(machine: Machine, distance: int) -> int | None:
    """Go on elsewhere if the value is nil; it stays."""
    return distance if is_nil(machine.stack[-1]) else None


def jump_if_not_nil(machine: Machine, distance: int) -> int | None:
    """Go on elsewhere if the value is not nil; it stays."""
    return None if is_nil(machine.stack[-1]) else distance


def jump_if_end(machine: Machine, distance: int) -> int | None:
    """Go on elsewhere if the predicate has seen all items."""
    scope = machine.scopes[-1]
    return distance if scope.index >= scope.length else None


# Operators.


def negate(machine: Machine, _: None) -> None:
    """``-x``."""
    value = machine.stack[-1]
    if type(value) is int:
        machine.stack[-1] = machine.whole(-value)
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OperandError(f"invalid operation: - {type_of(value)}")
    machine.stack[-1] = arithmetic.negated(value)


def invert(machine: Machine, _: None) -> None:
    """``not x``."""
    machine.stack[-1] = not truth(machine.stack[-1])


Usual = tuple[Callable[[float, float], bool], int, float]
OF_FLOATS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# The item, the bound and the comparison.
_STEPS = 3


def compare_item(machine: Machine, usual: Usual) -> int | None:
    """Compare an item of the result at once, and jump over its three single steps; they follow for what is unusual."""
    holds, index, bound = usual
    result = machine.result
    if type(result) is Array and index < len(result.items) and type(item := result.items[index]) is float:
        machine.stack.append(holds(item, bound))
        return _STEPS
    return None


def _test(holds: Callable[[Value, Value], bool], of_floats: Callable[[float, float], bool] | None = None) -> Operation:
    def operation(machine: Machine, _: object) -> None:
        right = machine.stack.pop()
        left = machine.stack[-1]
        # Most comparisons are those of a float with a number; the rest may be lists of any size.
        if of_floats is not None and type(left) is float and type(right) in _PLAIN:
            machine.stack[-1] = of_floats(left, float(right))  # type: ignore[arg-type]
            return
        machine.spend(weight_of(left) + weight_of(right))
        machine.stack[-1] = holds(left, right)

    return operation


def _of_texts(holds: Callable[[str, str], bool]) -> Operation:
    return _test(lambda left, right: holds(string(left), string(right)))


def _same_integer(left: Value, right: Value) -> bool:
    if type(left) is int and type(right) is int:
        return left == right
    raise OperandError(f"interface conversion: {type_of(left)} and {type_of(right)} are not both int")


def _calculation(sign: str, exact: Callable[[int, int], int], real: Callable[[float, float], float]) -> Operation:
    def operation(machine: Machine, _: object) -> None:
        right = machine.stack.pop()
        left = machine.stack[-1]
        machine.stack[-1] = computed(machine, left, right)

    def computed(machine: Machine, left: Value, right: Value) -> Value:
        if isinstance(left, bool | str) or isinstance(right, bool | str):
            raise undefined(sign, type_of(left), type_of(right))
        if isinstance(left, int) and isinstance(right, int):
            return machine.whole(exact(left, right))
        if isinstance(left, (int, float)) and isinstance(right, (int, float)):
            return real(float(left), float(right))
        raise undefined(sign, type_of(left), type_of(right))

    return operation


_plus = _calculation("+", lambda a, b: a + b, lambda a, b: a + b)


def add(machine: Machine, _: object) -> None:
    """``a + b`` for numbers and texts."""
    left, right = machine.stack[-2], machine.stack[-1]
    if not (isinstance(left, str) and isinstance(right, str)):
        _plus(machine, None)
        return
    length = len(left) + len(right)
    if length > MAX_WEIGHT:
        raise OperandError(f"a text with more than {MAX_WEIGHT} characters")
    machine.spend(length)
    machine.stack.pop()
    machine.stack[-1] = left + right


def _ratio(compute: Callable[[float, float], float], sign: str) -> Operation:
    def operation(machine: Machine, _: object) -> None:
        right = machine.stack.pop()
        left = machine.stack[-1]
        for one in (left, right):
            if isinstance(one, bool) or not isinstance(one, (int, float)):
                raise undefined(sign, type_of(left), type_of(right))
        machine.stack[-1] = compute(float(left), float(right))  # type: ignore[arg-type]

    return operation


def modulo(machine: Machine, _: object) -> None:
    """``a % b`` for integers."""
    right = machine.stack.pop()
    left = machine.stack[-1]
    if isinstance(left, bool) or isinstance(right, bool) or not (isinstance(left, int) and isinstance(right, int)):
        raise undefined("%", type_of(left), type_of(right))
    machine.stack[-1] = arithmetic.remainder(left, right)


def span(machine: Machine, _: object) -> None:
    """``a..b``."""
    last, first = arithmetic.cut(machine.stack.pop()), arithmetic.cut(machine.stack[-1])
    # The length of a range over nearly all integers wraps, and is no length any more.
    count = max(0, machine.whole(last - first + 1))
    machine.allocate(count)
    machine.stack[-1] = Array(range(first, first + count), INT, weight=count)


def _contains(needle: Value, hay: Value) -> bool:
    match hay:
        case None:
            return False
        case Map():
            return containers.has_key(hay, needle)
        case Array(items=range() as numbers):
            # Its items are not looked at one by one.
            return _is_in_range(needle, numbers)
        case Array():
            return any(comparing.equal(item, needle) for item in hay.items)
        case _:
            raise OperandError(f'operator "in" not defined on {type_of(hay)}')


def _is_in_range(needle: Value, numbers: range) -> bool:
    if isinstance(needle, bool) or not isinstance(needle, (int, float)):
        return False
    return float(needle).is_integer() and int(needle) in numbers if math.isfinite(needle) else False


def member_of(machine: Machine, _: object) -> None:
    """``a in b``."""
    hay = machine.stack.pop()
    needle = machine.stack[-1]
    if isinstance(hay, Array) and not isinstance(hay.items, range):
        machine.spend(weight_of(hay) + weight_of(needle))
    machine.stack[-1] = _contains(needle, hay)


def matches_constant(machine: Machine, pattern: patterns.Pattern) -> None:
    """``a matches "pattern"``, the pattern being compiled already."""
    machine.stack[-1] = _found(machine, pattern, string(machine.stack[-1]))


def matches(machine: Machine, _: object) -> None:
    """``a matches b``."""
    pattern = patterns.compiled(string(machine.stack.pop()))
    machine.spend(patterns.COMPILING)
    machine.stack[-1] = _found(machine, pattern, string(machine.stack[-1]))


def _found(machine: Machine, pattern: patterns.Pattern, subject: str) -> bool:
    machine.spend(pattern.cost(subject))
    return pattern.found(subject)


# Lists and maps.


def fetch(machine: Machine, _: object) -> None:
    """``base[index]``."""
    index = machine.stack.pop()
    base = machine.stack[-1]
    if type(base) is Array and type(index) is int and 0 <= index < len(base.items):
        machine.stack[-1] = base.items[index]
        return
    if type(base) is str:
        machine.spend(len(base))
    machine.stack[-1] = containers.fetch(base, index)


def slice_(machine: Machine, _: object) -> None:
    """``base[start:stop]``; the stop is computed first."""
    start, stop = machine.stack.pop(), machine.stack.pop()
    base = machine.stack[-1]
    machine.spend(weight_of(base))
    machine.stack[-1] = containers.sliced(base, start, stop)


def length(machine: Machine, _: object) -> None:
    """Put the length of a value on the stack; the value stays."""
    machine.stack.append(containers.size(machine.stack[-1]))


def make_list(machine: Machine, _: object) -> None:
    """Make a list of so many values as the last one says."""
    count = _taken_count(machine)
    items = tuple(_taken(machine, count))
    machine.stack.append(listed(items))


def make_map(machine: Machine, _: object) -> None:
    """Make a map of so many keys and values as the last one says; of equal keys the first one counts."""
    count = _taken_count(machine)
    parts = _taken(machine, 2 * count)
    pairs = [(string(parts[place]), parts[place + 1]) for place in range(0, 2 * count, 2)]
    machine.stack.append(mapped(pairs[::-1], STRING))


def _taken_count(machine: Machine) -> int:
    count = machine.stack.pop()
    if type(count) is not int:
        raise OperandError(f"interface conversion: {type_of(count)} is not int")
    machine.allocate(count)
    machine.spend(count)
    return count


def _taken(machine: Machine, count: int) -> list[Value]:
    if not count:
        return []
    parts = machine.stack[-count:]
    del machine.stack[-count:]
    return parts


# Calls.


def call_builtin(machine: Machine, argument: tuple[str, functions.Builtin, int]) -> None:
    """Call a function of the language."""
    name, known, count = argument
    values = tuple(_taken(machine, count))
    for one in values:
        machine.spend(weight_of(one))
    if name in _WHOLE:
        _check_whole(machine, values)
    value = known.apply(values)
    if type(value) is int:
        value = machine.whole(value)
    elif type(value) is not float:
        machine.spend(weight_of(value))
    machine.stack.append(value)


def _check_whole(machine: Machine, values: tuple[Value, ...]) -> None:
    if type(values[0]) is float and not _is_whole(values[0]):
        machine.refuse(Trait.NO_INTEGER)


def _is_whole(value: float) -> bool:
    return math.isfinite(value) and whole(value) == int(value)


def call(machine: Machine, count: int) -> None:
    """Call a value, which only Argo's own functions allow."""
    function = machine.stack.pop()
    values = tuple(_taken(machine, count))
    if not isinstance(function, Function):
        raise OperandError(f"{type_of(function)} cannot be called")
    if len(values) != len(function.parameters):
        raise OperandError(f"wrong number of arguments to call {function.name}")
    for value, wanted in zip(values, function.parameters, strict=True):
        if not assignable(type_of(value), wanted):
            raise OperandError(f"cannot use {type_of(value)} as argument (type {wanted}) to call {function.name}")
    machine.stack.append(_applied(machine, function.name, values))


def call_argo(machine: Machine, argument: tuple[str, int]) -> None:
    """Call a function of Argo's by its name; how many arguments it has is checked already."""
    name, count = argument
    machine.stack.append(_applied(machine, name, tuple(_taken(machine, count))))


def _applied(machine: Machine, name: str, values: tuple[Value, ...]) -> Value:
    for one in values:
        machine.spend(weight_of(one))
    if name in _WHOLE:
        _check_whole(machine, values)
    # Argo asks the raw result here, and ignores the first argument.
    if name == "isNil":
        return machine.result is None
    if name == "default":
        return values[1] if machine.result is None else machine.result
    return functions.APPLIED[name](values)


# Predicates.


def begin(machine: Machine, _: object) -> None:
    """Begin to look at the items of a list; a text has its bytes, a map has a length only."""
    value = machine.stack.pop()
    match value:
        case Array():
            machine.scopes.append(Scope(value.items, len(value.items)))
        case str():
            items = tuple(Uint8(one) for one in octets(value))
            machine.scopes.append(Scope(items, len(items)))
        case Map():
            machine.scopes.append(Scope(None, len(value.entries)))
        case _:
            raise OperandError(f"{type_of(value)} has no items")


def end(machine: Machine, _: object) -> None:
    """Leave the list."""
    machine.scopes.pop()


def pointer(machine: Machine, _: object) -> None:
    """``#``."""
    machine.stack.append(_item(machine))


def _item(machine: Machine) -> Value:
    scope = machine.scopes[-1]
    if scope.items is None or not 0 <= scope.index < scope.length:
        raise OperandError(f"index {scope.index} out of range, the list has {scope.length} values")
    return scope.items[scope.index]


def next_item(machine: Machine, step: int) -> None:
    """Go to the next item, or to the one before."""
    machine.scopes[-1].index += step


def count(machine: Machine, _: object) -> None:
    """Count an item."""
    machine.scopes[-1].count += 1


def get_index(machine: Machine, _: object) -> None:
    """``#index``."""
    machine.stack.append(machine.scopes[-1].index)


def set_index(machine: Machine, _: object) -> None:
    """Go to the item that the value says."""
    machine.scopes[-1].index = arithmetic.cut(machine.stack.pop())


def get_count(machine: Machine, _: object) -> None:
    """Put the number of counted items on the stack."""
    machine.stack.append(machine.scopes[-1].count)


def get_length(machine: Machine, _: object) -> None:
    """Put the length of the list on the stack."""
    machine.stack.append(machine.scopes[-1].length)


def get_accumulated(machine: Machine, _: object) -> None:
    """``#acc``."""
    machine.stack.append(machine.scopes[-1].accumulated)


def set_accumulated(machine: Machine, _: object) -> None:
    """Keep what ``reduce`` has so far."""
    machine.scopes[-1].accumulated = machine.stack.pop()


def group(machine: Machine, _: object) -> None:
    """Put the item into the group that the value names."""
    scope = machine.scopes[-1]
    item = _item(machine)
    scope.groups = scope.groups or []
    scope.groups.append((machine.stack.pop(), item))


def get_groups(machine: Machine, _: object) -> None:
    """Put the groups on the stack."""
    pairs = machine.scopes[-1].groups
    machine.allocate(len(pairs or ()))
    keys: dict[object, Value] = {}
    members: dict[object, list[Value]] = {}
    for key, item in pairs or ():
        place = key_of(key)
        keys.setdefault(place, key)
        members.setdefault(place, []).append(item)
    entries = {place: (key, listed(members[place])) for place, key in keys.items()}
    weight = sum(weight_of(key) + weight_of(items) for key, items in entries.values())
    depth = 1 + max((items.depth for _, items in entries.values()), default=0)
    machine.stack.append(Map(entries, ANY, ANY_ARRAY, absent=pairs is None, weight=weight, depth=depth))


def out_of_range(machine: Machine, _: object) -> None:
    """Nothing was found where there had to be something."""
    raise OperandError("index out of range: no value satisfies the filter")


TESTS = {
    "==": _test(comparing.equal, operator.eq),
    "<": _test(comparing.less, operator.lt),
    ">": _test(comparing.greater, operator.gt),
    "<=": _test(comparing.at_most, operator.le),
    ">=": _test(comparing.at_least, operator.ge),
    "contains": _of_texts(lambda left, right: right in left),
    "startsWith": _of_texts(lambda left, right: left.startswith(right)),
    "endsWith": _of_texts(lambda left, right: left.endswith(right)),
}
# Operator -> operation, for those that always need both operands.
OPERATORS = {
    **TESTS,
    "+": add,
    "-": _calculation("-", lambda a, b: a - b, lambda a, b: a - b),
    "*": _calculation("*", lambda a, b: a * b, lambda a, b: a * b),
    "/": _ratio(arithmetic.quotient, "/"),
    "%": modulo,
    "**": _ratio(arithmetic.power, "**"),
    "^": _ratio(arithmetic.power, "^"),
    "in": member_of,
    "matches": matches,
    "..": span,
}
# ``==`` where the types' check has seen the same type on both sides; it fails if that was not true after all.
SAME = {Kind.INT: _test(_same_integer), Kind.STRING: _of_texts(lambda left, right: left == right)}
