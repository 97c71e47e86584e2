"""Which operators fit which types, and the type of what they give.

Law: types in, a type out; None where an operator and its operands do not fit.
"""

from collections.abc import Callable, Mapping

from canary_operator.conditions.functions import INTEGERS, LISTS, NUMBERS
from canary_operator.conditions.values import ANY, BOOL, FLOAT, INT, INT_ARRAY, STRING, Kind, Type, assignable

Kinds = frozenset[Kind]
Rule = Callable[[Type, Type], Type | None]

BOOLS: Kinds = frozenset((Kind.BOOL,))
STRINGS: Kinds = frozenset((Kind.STRING,))
ORDERED: Kinds = NUMBERS | STRINGS


def _both(left: Type, right: Type, family: Kinds) -> bool:
    return left.kind in family and right.kind in family


def _loosely(left: Type, right: Type, family: Kinds) -> bool:
    """Whether at least one is ``any`` and the other one is ``any`` or of the family."""
    kinds = {left.kind, right.kind}
    return Kind.ANY in kinds and kinds <= family | {Kind.ANY}


def combined(left: Type, right: Type) -> Type:
    """Return the type of a sum of two numbers."""
    if left.kind is right.kind:
        return left
    return FLOAT if Kind.FLOAT in (left.kind, right.kind) else INT


def comparable(left: Type, right: Type) -> bool:
    """Whether ``==`` makes sense; nil and ``any`` compare with everything, lists with lists, maps with maps."""
    loose = {left.kind, right.kind} & {Kind.NIL, Kind.ANY}
    return left.kind is right.kind or bool(loose) or _both(left, right, NUMBERS)


def either(yes: Type, no: Type) -> Type:
    """Return the type of a value that is one or the other."""
    if Kind.NIL in (yes.kind, no.kind):
        return no if yes.kind is Kind.NIL else yes
    return yes if assignable(yes, no) else ANY


def unary(operator: str, operand: Type) -> Type | None:
    """Return the type of an operator before an operand."""
    if operator in ("not", "!"):
        return BOOL if operand.kind in (Kind.BOOL, Kind.ANY) else None
    return operand if operand.kind in NUMBERS or operand.kind is Kind.ANY else None


def _comparison(left: Type, right: Type) -> Type | None:
    return BOOL if comparable(left, right) else None


def _test(*families: Kinds) -> Rule:
    loose = frozenset().union(*families)

    def rule(left: Type, right: Type) -> Type | None:
        strict = any(_both(left, right, family) for family in families)
        return BOOL if strict or _loosely(left, right, loose) else None

    return rule


def _arithmetic(family: Kinds, strict: Type | None, loose: Type) -> Rule:
    def rule(left: Type, right: Type) -> Type | None:
        if _both(left, right, family):
            return strict or combined(left, right)
        return loose if _loosely(left, right, family) else None

    return rule


def _sum(left: Type, right: Type) -> Type | None:
    if _both(left, right, STRINGS):
        return STRING
    return _arithmetic(NUMBERS, None, ANY)(left, right) or (ANY if _loosely(left, right, ORDERED) else None)


def _coalesced(left: Type, right: Type) -> Type | None:
    if Kind.NIL in (left.kind, right.kind):
        return right if left.kind is Kind.NIL else left
    return left if assignable(right, left) else ANY


def _membership(left: Type, right: Type) -> Type | None:
    if right.kind in LISTS or right.kind in (Kind.MAP, Kind.ANY):
        return BOOL
    return BOOL if left.kind is Kind.ANY and right.kind is Kind.STRING else None


_quotient = _arithmetic(NUMBERS, FLOAT, FLOAT)
_logical = _test(BOOLS)
_textual = _test(STRINGS)
_ordering = _test(NUMBERS, STRINGS)

BINARY: Mapping[str, Rule] = {
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
    "..": _arithmetic(INTEGERS, INT_ARRAY, INT_ARRAY),
    "in": _membership,
    "??": _coalesced,
}
