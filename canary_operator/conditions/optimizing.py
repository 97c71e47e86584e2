"""Checked tree -> the tree that Argo computes instead.

Law: one rule for each of Argo's, in its order. What they hide, such as an error in ``result[9] > 1 or true``, is hidden
here as well; the safe dialect computes both trees. A node that Argo makes without a type has none.
"""

from collections.abc import Callable, Iterator
from functools import partial

from canary_operator.conditions import arithmetic, syntax
from canary_operator.conditions.dialects import Dialect, Trait, refusal
from canary_operator.conditions.problems import ConditionError
from canary_operator.conditions.syntax import Binary, Builtin, Constant, Literal, Node, Rule
from canary_operator.conditions.values import (
    BOOL,
    FLOAT,
    INT,
    STRING,
    Array,
    Kind,
    Map,
    key_of,
    listed,
    wrapped,
)

# Argo's own bounds: passes over the tree, and items of a range that is written out.
MAX_PASSES = 1000
MAX_RANGE = 1_000_000


def optimized(text: str, root: Node, dialect: Dialect) -> Node:
    """Return the tree that Argo computes; the same object if it changes nothing.

    Raises:

        ConditionError: a constant part cannot be computed, or the dialect refuses what comes out.
    """
    if "in" in text:
        root = syntax.rewritten(root, _in_array)
    fold = partial(_folded, text, dialect)
    for _ in range(MAX_PASSES):
        before, root = root, syntax.rewritten(root, fold)
        if root is before:
            break
    # Nothing below has any effect without one of these two words.
    if ".." not in text and "filter" not in text:
        return root
    names = set(_names(root))
    for rule, needs in _RULES:
        if needs <= names:
            root = syntax.rewritten(root, rule)
    why = refusal(dialect, Trait.BACKWARDS)
    if why is not None and "filter" in names:
        _refuse_backwards(text, root, why)
    return root


def _refuse_backwards(text: str, root: Node, why: str) -> None:
    for _, node in syntax.walk(root):
        if isinstance(node, Builtin) and node.name == "findLast":
            raise ConditionError(why, text, node.at)


def _names(root: Node) -> Iterator[str]:
    for _, node in syntax.walk(root):
        match node:
            case Binary():
                yield node.operator
            case Builtin():
                yield node.name


def _in_array(node: Node) -> Node:
    """``x in [1, 2]`` and ``x in ["a"]`` look into a map, which takes keys of its own type only."""
    match node:
        case Binary(operator="in", right=syntax.ArrayLiteral(items=items)) if items:
            integers = node.left.type is not None and node.left.type.kind is Kind.INT
            for type_, fits in ((INT, integers), (STRING, True)):
                values = [item.value for item in items if isinstance(item, Literal) and item.type == type_]
                if fits and len(values) == len(items):
                    entries = Map({key_of(one): (one, None) for one in values}, type_, BOOL)
                    return Binary("in", node.left, Constant(entries, node.right.at), node.at)
    return node


# Constants.


def _folded(text: str, dialect: Dialect, node: Node) -> Node:
    match node:
        case syntax.Unary(operand=Literal()):
            return _unary(node, dialect)
        case Binary():
            return _binary(text, dialect, node)
        case syntax.ArrayLiteral(items=items) if items and all(_is_scalar(item) for item in items):
            return Constant(listed(tuple(item.value for item in items if isinstance(item, Literal))), node.at)
        case Builtin(name="filter", arguments=(Builtin(name="filter", then=None) as base, closure)):
            both = Binary("&&", base.arguments[1], closure, node.at)
            return Builtin("filter", (base.arguments[0], both), node.at)
        case _:
            return node


def _is_scalar(node: Node) -> bool:
    return isinstance(node, Literal) and node.value is not None


def _unary(node: syntax.Unary, dialect: Dialect) -> Node:
    assert isinstance(node.operand, Literal)
    value = node.operand.value
    if node.operator in ("not", "!"):
        return Literal(not value, node.at) if isinstance(value, bool) else node
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return node
    return _number(value if node.operator == "+" else -value, node, dialect)


def _number(value: float, node: Node, dialect: Dialect) -> Node:
    """A literal number; what the dialect refuses stays as it was, and fails when it is computed."""
    if isinstance(value, float):
        return Literal(value, node.at, FLOAT)
    cut = wrapped(value)
    if cut != value and refusal(dialect, Trait.OVERFLOW):
        return node
    return Literal(cut, node.at, INT)


def _binary(text: str, dialect: Dialect, node: Binary) -> Node:
    if node.operator in _LOGIC:
        return _logic(node, *_LOGIC[node.operator])
    if not (isinstance(node.left, Literal) and isinstance(node.right, Literal)):
        return node
    left, right = node.left.value, node.right.value
    if node.operator == "==":
        same = type(left) is type(right) and isinstance(left, (bool, int, str))
        return Literal(left == right, node.at) if same else node
    if isinstance(left, str) and isinstance(right, str):
        return Literal(left + right, node.at) if node.operator == "+" else node
    if isinstance(left, bool | str | None) or isinstance(right, bool | str | None):
        return node
    return _arithmetic(text, dialect, node, left, right)


def _arithmetic(text: str, dialect: Dialect, node: Binary, left: float, right: float) -> Node:
    if node.operator == "%" and isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise ConditionError("integer divide by zero", text, node.at)
        return Literal(arithmetic.remainder(left, right), node.at)
    compute = _RATIOS.get(node.operator)
    if compute is not None:
        return Literal(compute(float(left), float(right)), node.at, FLOAT)
    exact = _SUMS.get(node.operator)
    if exact is None:
        return node
    both = isinstance(left, int) and isinstance(right, int)
    return _number(exact(left, right) if both else exact(float(left), float(right)), node, dialect)


_RATIOS: dict[str, Callable[[float, float], float]] = {
    "/": arithmetic.quotient,
    "**": arithmetic.power,
    "^": arithmetic.power,
}
_SUMS: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}
# Operator -> the value that changes nothing, the value that decides.
_LOGIC = {"and": (True, False), "&&": (True, False), "or": (False, True), "||": (False, True)}


def _logic(node: Binary, neutral: bool, deciding: bool) -> Node:
    if _is(node.left, neutral):
        return node.right
    if _is(node.right, neutral):
        return node.left
    if _is(node.left, deciding) or _is(node.right, deciding):
        return Literal(deciding, node.at)
    return node


def _is(node: Node, value: bool) -> bool:
    return isinstance(node, Literal) and node.value is value


# Ranges.


def _integer(node: Node) -> int | None:
    return node.value if isinstance(node, Literal) and type(node.value) is int else None


def _in_range(node: Node) -> Node:
    """``x in 1..3`` compares with both ends."""
    match node:
        case Binary(operator="in", right=Binary(operator="..", left=first, right=last)):
            integer = node.left.type is not None and node.left.type.kind is Kind.INT
            if integer and _integer(first) is not None and _integer(last) is not None:
                above = Binary(">=", node.left, first, node.at)
                return Binary("and", above, Binary("<=", node.left, last, node.at), node.at)
    return node


def _constant_range(node: Node) -> Node:
    match node:
        case Binary(operator="..", left=left, right=right):
            first, last = _integer(left), _integer(right)
            if first is not None and last is not None and wrapped(last - first + 1) <= MAX_RANGE:
                size = max(0, wrapped(last - first + 1))
                return Constant(Array(range(first, first + size), INT, weight=size), node.at)
    return node


# Filters.


def _filter_map(node: Node) -> Node:
    match node:
        case Builtin(name="map", arguments=(Builtin(name="filter", then=None) as base, syntax.Closure(body=body))):
            return Builtin("filter", base.arguments, node.at, then=body)
        case _:
            return node


def _filter_length(node: Node) -> Node:
    match node:
        case Builtin(name="len", arguments=(Builtin(name="filter") as base,)):
            return Builtin("count", base.arguments, node.at)
        case _:
            return node


def _filter_end(function: str, search: str, index: int, node: Node) -> Node:
    """``first(filter(...))`` and ``filter(...)[0]`` search, and so for the last one."""
    match node:
        case syntax.Member(base=Builtin(name="filter") as base, optional=False) if _integer(node.index) == index:
            return Builtin(search, base.arguments, node.at, then=base.then, throws=True)
        case Builtin(name=name, arguments=(Builtin(name="filter") as base,)) if name == function:
            return Builtin(search, base.arguments, node.at, then=base.then)
        case _:
            return node


# Rule -> the operators and functions without which it changes nothing.
_RULES: tuple[tuple[Rule, set[str]], ...] = (
    (_in_range, {"in", ".."}),
    (_constant_range, {".."}),
    (_filter_map, {"map", "filter"}),
    (_filter_length, {"len", "filter"}),
    (partial(_filter_end, "last", "findLast", -1), {"filter"}),
    (partial(_filter_end, "first", "find", 0), {"filter"}),
)
