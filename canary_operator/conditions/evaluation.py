"""Tree and result -> value, in a bounded number of steps.

Law: every operation looks at the actual values, because ``any`` passes the types' check. What is not
possible is an EvaluationError at its place. Nothing is optimized: where Argo's optimizer hides an error,
as in ``result[9] > 1 or true``, the error stays visible here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from canary_operator.conditions import functions, patterns, syntax
from canary_operator.conditions.problems import EvaluationError, OperandError
from canary_operator.conditions.values import (
    ANY,
    INT,
    Array,
    Value,
    array,
    boolean,
    bounded,
    equal,
    integer,
    is_integer,
    less,
    number,
    power,
    quotient,
    remainder,
    string,
    type_of,
)

# A condition over 1,000 series with 20 operations takes 20,000 steps, some ten milliseconds.
MAX_STEPS = 200_000

Operator = Callable[[Value, Value], Value]


def _calculation(exact: Callable[[int, int], int], real: Callable[[float, float], float]) -> Operator:
    def operator(left: Value, right: Value) -> Value:
        one, other = number(left), number(right)
        if isinstance(one, int) and isinstance(other, int):
            return bounded(exact(one, other))
        return real(float(one), float(other))

    return operator


_plus = _calculation(lambda a, b: a + b, lambda a, b: a + b)


def _sum(left: Value, right: Value) -> Value:
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    return _plus(left, right)


def _at_most(left: Value, right: Value) -> Value:
    return less(left, right) or equal(left, right)


def _at_least(left: Value, right: Value) -> Value:
    return less(right, left) or equal(left, right)


def _membership(needle: Value, hay: Value) -> Value:
    if hay is None:
        return False
    return any(equal(item, needle) for item in array(hay).items)


# Operator -> computation, for those that always need both operands.
OPERATORS: Mapping[str, Operator] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": less,
    ">": lambda left, right: less(right, left),
    "<=": _at_most,
    ">=": _at_least,
    "+": _sum,
    "-": _calculation(lambda a, b: a - b, lambda a, b: a - b),
    "*": _calculation(lambda a, b: a * b, lambda a, b: a * b),
    "/": lambda left, right: quotient(float(number(left)), float(number(right))),
    "%": lambda left, right: remainder(integer(left), integer(right)),
    "**": lambda left, right: power(float(number(left)), float(number(right))),
    "^": lambda left, right: power(float(number(left)), float(number(right))),
    "in": _membership,
    "matches": lambda left, right: patterns.found(string(right), string(left)),
    "contains": lambda left, right: string(right) in string(left),
    "startsWith": lambda left, right: string(left).startswith(string(right)),
    "endsWith": lambda left, right: string(left).endswith(string(right)),
}


def evaluate(text: str, root: syntax.Node, result: Value) -> bool:
    """Compute a checked condition.

    Raises:

        EvaluationError: it cannot be computed for this result, or takes too many steps.
    """
    evaluator = _Evaluator(text, result)
    value = evaluator.value(root)
    if not isinstance(value, bool):
        raise EvaluationError(f"expected bool, but got {type_of(value)}", text, 0)
    return value


@dataclass(slots=True)
class _Evaluator:
    text: str
    result: Value
    steps: int = 0
    elements: list[Value] = field(default_factory=list)

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > MAX_STEPS:
            raise OperandError(f"takes more than {MAX_STEPS} steps")

    def value(self, node: syntax.Node) -> Value:
        try:
            self.spend(1)
            return self.compute(node)
        except OperandError as fault:
            raise EvaluationError(str(fault), self.text, node.at) from None

    # One branch per kind of node: splitting it would only hide that it is complete.
    def compute(self, node: syntax.Node) -> Value:  # noqa: C901, PLR0912
        match node:
            case syntax.Literal():
                return node.value
            case syntax.Name():
                return self.result
            case syntax.Pointer():
                return self.elements[-1]
            case syntax.Unary():
                return self.unary(node)
            case syntax.Binary():
                return self.binary(node)
            case syntax.Conditional():
                chosen = node.yes if boolean(self.value(node.condition)) else node.no
                return self.value(chosen)
            case syntax.Index():
                return self.index(array(self.value(node.base)), self.value(node.index))
            case syntax.Field():
                raise OperandError(f"{type_of(self.value(node.base))} has no field {node.name}")
            case syntax.Slice():
                return self.slice(node)
            case syntax.ArrayLiteral():
                return Array(tuple(self.value(item) for item in node.items), ANY)
            case syntax.Call():
                return self.call(node)
            case syntax.Predicate():
                return self.predicate(node)
            case _:
                assert_never(node)

    def unary(self, node: syntax.Unary) -> Value:
        operand = self.value(node.operand)
        if node.operator in ("not", "!"):
            return not boolean(operand)
        if node.operator == "+":
            return operand
        negated = -number(operand)
        return bounded(negated) if isinstance(negated, int) else negated

    def binary(self, node: syntax.Binary) -> Value:
        left = self.value(node.left)
        match node.operator:
            case "or" | "||":
                return boolean(left) or boolean(self.value(node.right))
            case "and" | "&&":
                return boolean(left) and boolean(self.value(node.right))
            case "??":
                return self.value(node.right) if left is None else left
        right = self.value(node.right)
        self.spend(_size(left) + _size(right))
        if node.operator == "..":
            return self.range(integer(left), integer(right))
        return OPERATORS[node.operator](left, right)

    def range(self, first: int, last: int) -> Value:
        self.spend(max(0, last - first + 1))
        return Array(tuple(range(first, last + 1)), INT)

    def index(self, base: Array, index: Value) -> Value:
        # A float that came through "any" is cut, as in Go.
        wanted = integer(index) if is_integer(index) else int(number(index))
        position = wanted + len(base.items) if wanted < 0 else wanted
        if not 0 <= position < len(base.items):
            raise OperandError(f"index {wanted} out of range, the list has {len(base.items)} values")
        return base.items[position]

    def slice(self, node: syntax.Slice) -> Value:
        base = self.value(node.base)
        stop = None if node.stop is None else integer(self.value(node.stop))
        start = 0 if node.start is None else integer(self.value(node.start))
        if isinstance(base, str):
            # Go cuts bytes; half a character is nothing anybody wants to compare.
            return base.encode()[start:stop].decode(errors="replace")
        return Array(array(base).items[start:stop], array(base).element)

    def call(self, node: syntax.Call) -> Value:
        values = tuple(self.value(argument) for argument in node.arguments)
        if node.function == "default":
            return self.result
        if node.function == "isNil":
            return False
        self.spend(sum(_size(value) for value in values))
        if node.function in functions.FLOAT_ONLY and is_integer(values[0]):
            self.float_argument(node)
        return functions.FUNCTIONS[node.function].apply(values)

    def float_argument(self, node: syntax.Call) -> None:
        # The types' check does the same; it cannot see an integer that comes through "any".
        if not syntax.is_literal_arithmetic(node.arguments[0]):
            raise OperandError(f"{node.function}: cannot use int as argument (type float64)")

    def predicate(self, node: syntax.Predicate) -> Value:
        items = array(self.value(node.collection)).items
        if node.function == "map":
            return Array(tuple(self.element(node, item) for item in items), ANY)
        return self.search(node, items)

    def element(self, node: syntax.Predicate, item: Value) -> Value:
        self.elements.append(item)
        value = self.value(node.body)
        self.elements.pop()
        return value

    def holds(self, node: syntax.Predicate, item: Value) -> bool:
        return boolean(self.element(node, item))

    def search(self, node: syntax.Predicate, items: tuple[Value, ...]) -> Value:
        # Lazy, because Argo stops at the first element that decides.
        found = (item for item in items if self.holds(node, item))
        match node.function:
            case "all":
                return all(self.holds(node, item) for item in items)
            case "any":
                return any(True for _ in found)
            case "none":
                return not any(True for _ in found)
            case "one":
                return sum(1 for _ in found) == 1
            case "count":
                return sum(1 for _ in found)
            case _:
                return Array(tuple(found), ANY)


def _size(value: Value) -> int:
    return len(value.items) if isinstance(value, Array) else 0
