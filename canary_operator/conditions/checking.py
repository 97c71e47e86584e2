"""Tree -> type of the condition, so that a wrong one is known before there is anything to measure.

Law: the rules are those of Argo's language, where ``any`` fits everywhere and is checked again while
computing. Only the first problem is reported.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from canary_operator.conditions import functions, patterns, syntax
from canary_operator.conditions.problems import ConditionError, OperandError
from canary_operator.conditions.values import (
    ANY,
    ANY_ARRAY,
    BOOL,
    FLOAT,
    INT,
    INT64,
    NIL,
    STRING,
    Type,
    array_of,
    type_of,
)

INTEGERS = (INT, INT64)
NUMBERS = (INT, INT64, FLOAT)
BOOLS = (BOOL,)
STRINGS = (STRING,)
ORDERED = (*NUMBERS, STRING)

Rule = Callable[[Type, Type], Type | None]


def _fits(left: Type, right: Type, family: tuple[Type, ...]) -> bool:
    """Whether at least one is ``any`` and the other one is ``any`` or of the family."""
    return (left is ANY or left in family) and (right is ANY or right in family) and (left is ANY or right is ANY)


def _both(left: Type, right: Type, family: tuple[Type, ...]) -> bool:
    return left in family and right in family


def combined(left: Type, right: Type) -> Type:
    """Return the type of a sum of two numbers."""
    if left == right:
        return left
    return FLOAT if FLOAT in (left, right) else INT


def comparable(left: Type, right: Type) -> bool:
    """Whether ``==`` makes sense; nil and ``any`` compare with everything, lists with all lists."""
    if left in (NIL, ANY) or right in (NIL, ANY) or _both(left, right, NUMBERS):
        return True
    return left == right or (left.element is not None and right.element is not None)


def _comparison(left: Type, right: Type) -> Type | None:
    return BOOL if comparable(left, right) else None


def _predicate_on(*families: tuple[Type, ...], loose: tuple[Type, ...]) -> Rule:
    def rule(left: Type, right: Type) -> Type | None:
        same = any(_both(left, right, family) for family in families)
        return BOOL if same or _fits(left, right, loose) else None

    return rule


def _arithmetic(family: tuple[Type, ...], strict: Type | None, loose: Type) -> Rule:
    def rule(left: Type, right: Type) -> Type | None:
        if _both(left, right, family):
            return strict or combined(left, right)
        return loose if _fits(left, right, family) else None

    return rule


def _sum(left: Type, right: Type) -> Type | None:
    if _both(left, right, NUMBERS):
        return combined(left, right)
    if _both(left, right, STRINGS):
        return STRING
    return ANY if _fits(left, right, ORDERED) else None


def _coalesced(left: Type, right: Type) -> Type | None:
    if left is NIL or right is NIL:
        return right if left is NIL else left
    return left if right == left else ANY


_logical = _predicate_on(BOOLS, loose=BOOLS)
_ordering = _predicate_on(NUMBERS, STRINGS, loose=ORDERED)
_textual = _predicate_on(STRINGS, loose=STRINGS)
_quotient = _arithmetic(NUMBERS, FLOAT, FLOAT)

# Operator -> rule; a rule that has no answer means mismatched types. "in" has more to say, see below.
RULES: Mapping[str, Rule] = {
    "==": _comparison,
    "!=": _comparison,
    "or": _logical,
    "||": _logical,
    "and": _logical,
    "&&": _logical,
    "<": _ordering,
    ">": _ordering,
    "<=": _ordering,
    ">=": _ordering,
    "-": _arithmetic(NUMBERS, None, ANY),
    "*": _arithmetic(NUMBERS, None, ANY),
    "/": _quotient,
    "**": _quotient,
    "^": _quotient,
    "%": _arithmetic(INTEGERS, None, ANY),
    "+": _sum,
    "matches": _textual,
    "contains": _textual,
    "startsWith": _textual,
    "endsWith": _textual,
    "..": _arithmetic(INTEGERS, array_of(INT), array_of(INT)),
    "??": _coalesced,
}

# Predicate -> type of its value for a collection and a body of these types.
PREDICATES: Mapping[str, Callable[[Type, Type], Type]] = {
    "all": lambda collection, body: BOOL,
    "none": lambda collection, body: BOOL,
    "any": lambda collection, body: BOOL,
    "one": lambda collection, body: BOOL,
    "count": lambda collection, body: INT,
    "filter": lambda collection, body: array_of(collection.element or ANY),
    "map": lambda collection, body: array_of(body),
}


def check(text: str, root: syntax.Node, result: Type) -> None:
    """Check that a tree is a condition for results of one type.

    Raises:

        ConditionError: a name is unknown, types do not match, or the value is not a bool.
    """
    found = _Checker(text, result).check(root)
    if found not in (BOOL, ANY):
        raise ConditionError(f"expected bool, but got {found}", text, 0)


@dataclass(slots=True)
class _Checker:
    text: str
    result: Type
    elements: list[Type] = field(default_factory=list)
    # Position of an array literal -> type that all its items have.
    literals: dict[int, Type] = field(default_factory=dict)

    def problem(self, message: str, node: syntax.Node) -> ConditionError:
        return ConditionError(message, self.text, node.at)

    # One branch per kind of node: splitting it would only hide that it is complete.
    def check(self, node: syntax.Node) -> Type:  # noqa: C901, PLR0912
        match node:
            case syntax.Literal():
                return type_of(node.value)
            case syntax.Name():
                return self.name(node)
            case syntax.Pointer():
                return self.elements[-1]
            case syntax.Unary():
                return self.unary(node)
            case syntax.Binary():
                return self.binary(node)
            case syntax.Conditional():
                return self.conditional(node)
            case syntax.Index():
                return self.index(node)
            case syntax.Field():
                raise self.problem(f"type {self.check(node.base)} has no field {node.name}", node)
            case syntax.Slice():
                return self.slice(node)
            case syntax.ArrayLiteral():
                return self.array(node)
            case syntax.Call():
                return self.call(node)
            case syntax.Predicate():
                return self.predicate(node)
            case _:
                assert_never(node)

    def name(self, node: syntax.Name) -> Type:
        if node.name == "result":
            return self.result
        if node.name in functions.FUNCTIONS or node.name in functions.RESULT_FUNCTIONS:
            raise self.problem(f"{node.name} is a function: write {node.name}(...)", node)
        raise self.problem(f"unknown name {node.name}", node)

    def unary(self, node: syntax.Unary) -> Type:
        operand = self.check(node.operand)
        if node.operator in ("not", "!") and operand in (BOOL, ANY):
            return BOOL
        if node.operator in ("-", "+") and operand in (*NUMBERS, ANY):
            return operand
        raise self.problem(f"invalid operation: {node.operator} (mismatched type {operand})", node)

    def binary(self, node: syntax.Binary) -> Type:
        left, right = self.check(node.left), self.check(node.right)
        if node.operator == "matches" and isinstance(node.right, syntax.Literal):
            self.pattern(node.right)
        within = node.operator == "in"
        found = self.membership(node, left, right) if within else RULES[node.operator](left, right)
        if found is None:
            raise self.problem(f"invalid operation: {node.operator} (mismatched types {left} and {right})", node)
        return found

    def membership(self, node: syntax.Binary, left: Type, right: Type) -> Type | None:
        if right.element is None:
            return BOOL if right is ANY or (left is ANY and right is STRING) else None
        for element in (right.element, self.literals.get(node.right.at, ANY)):
            if not comparable(left, element):
                raise self.problem(f"cannot use {left} as type {element} in array", node)
        return BOOL

    def pattern(self, node: syntax.Literal) -> None:
        if isinstance(node.value, str):
            try:
                patterns.translate(node.value)
            except OperandError as fault:
                raise self.problem(str(fault), node) from None

    def conditional(self, node: syntax.Conditional) -> Type:
        condition = self.check(node.condition)
        if condition not in (BOOL, ANY):
            raise self.problem(f"non-bool expression (type {condition}) used as condition", node.condition)
        yes, no = self.check(node.yes), self.check(node.no)
        if yes is NIL or no is NIL:
            return no if yes is NIL else yes
        return yes if no in (yes, ANY) else ANY

    def index(self, node: syntax.Index) -> Type:
        base, index = self.check(node.base), self.check(node.index)
        if base is not ANY and base.element is None:
            raise self.problem(f"type {base}[{index}] is undefined", node)
        if index not in (*INTEGERS, ANY) and base is not ANY:
            raise self.problem(f"array elements can only be selected using an integer (got {index})", node.index)
        if node.index != syntax.Literal(0, node.index.at):
            self.not_last_of_filter(node.base, node)
        return base.element or ANY

    def slice(self, node: syntax.Slice) -> Type:
        base = self.check(node.base)
        if base.element is None and base not in (ANY, STRING):
            raise self.problem(f"cannot slice {base}", node)
        for bound in (node.start, node.stop):
            if bound is not None and (found := self.check(bound)) not in (*INTEGERS, ANY):
                raise self.problem(f"non-integer slice index {found}", bound)
        return base

    def array(self, node: syntax.ArrayLiteral) -> Type:
        types = [self.check(item) for item in node.items]
        if types and NIL not in types and len(set(types)) == 1:
            self.literals[node.at] = types[0]
        return ANY_ARRAY

    def call(self, node: syntax.Call) -> Type:
        known = functions.FUNCTIONS.get(node.function)
        returns = known.returns if known else functions.RESULT_FUNCTIONS.get(node.function)
        if returns is None:
            raise self.problem(f"unknown name {node.function}", node)
        types = tuple(self.check(argument) for argument in node.arguments)
        try:
            found = returns(types)
        except OperandError as fault:
            raise self.problem(f"{node.function}: {fault}", node) from None
        if node.function in functions.FLOAT_ONLY and types[0] in INTEGERS:
            self.float_argument(node)
        if node.function == "last":
            self.not_last_of_filter(node.arguments[0], node)
        return found

    def float_argument(self, node: syntax.Call) -> None:
        # Where a float is wanted Argo turns integer literals into floats, but not other integers.
        if not syntax.is_literal_arithmetic(node.arguments[0]):
            raise self.problem(f"{node.function}: cannot use int as argument (type float64)", node)

    def not_last_of_filter(self, base: syntax.Node, node: syntax.Node) -> None:
        # Argo turns this into a search from the end, which leaves a wrong value on its stack.
        if isinstance(base, syntax.Predicate) and base.function == "filter":
            raise self.problem("the last value of a filter is not supported", node)

    def predicate(self, node: syntax.Predicate) -> Type:
        collection = self.check(node.collection)
        if collection is not ANY and collection.element is None:
            raise self.problem(f"{node.function} takes only a list (got {collection})", node.collection)
        self.elements.append(collection.element or ANY)
        body = self.check(node.body)
        self.elements.pop()
        if body is NIL:
            raise self.problem("a predicate cannot be nil", node.body)
        if node.function != "map" and body not in (BOOL, ANY):
            raise self.problem(f"predicate should return boolean (got {body})", node.body)
        return PREDICATES[node.function](collection, body)
