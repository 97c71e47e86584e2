"""The condition language of Argo Rollouts v1.9: compile a text, evaluate it for a result.

Law: the only door to the language; the other modules behind it (tokens, grammar, checking, evaluation)
are its rooms. It accepts a part of what Argo accepts, with the same meaning, and refuses the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.conditions import checking, evaluation, functions, grammar, syntax
from canary_operator.conditions.problems import (
    ConditionError,
    EvaluationError,
    in_one_line,
    with_caret,
)
from canary_operator.conditions.values import FLOAT, SCALAR, VECTOR, Array, Type, Value

__all__ = [
    "SCALAR",
    "VECTOR",
    "Comparison",
    "Condition",
    "ConditionError",
    "EvaluationError",
    "Type",
    "check_syntax",
    "compile_condition",
    "in_one_line",
    "indexes_result",
    "with_caret",
]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that compares the result, or its first value, with one number."""

    operator: str
    bound: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is well formed for results of one type."""

    text: str
    root: syntax.Node

    def evaluate(self, result: bool | float | str | Sequence[float]) -> bool:
        """Whether the result satisfies the condition.

        Args:

            result: a number for SCALAR, a sequence of numbers for VECTOR.

        Raises:

            EvaluationError: the condition cannot be computed for this result.
        """
        return evaluation.evaluate(self.text, self.root, _value(result))

    def comparison(self) -> Comparison | None:
        """Return the plain comparison that this condition is, if it is one.

        It serves sentences for people; deciding is for ``evaluate``.
        """
        match self.root:
            case syntax.Binary(operator=("<" | "<=" | ">" | ">=" | "==" | "!=") as operator):
                bound = _number(self.root.right)
                if bound is not None and _is_result(self.root.left):
                    return Comparison(operator, bound)
        return None


def compile_condition(text: str, result_type: Type) -> Condition:
    """Parse and type-check a condition for results of one type.

    Raises:

        ConditionError: the text is no condition, does not fit the type, or is not supported.
    """
    root = grammar.parse(text)
    checking.check(text, root, result_type)
    return Condition(text, root)


def check_syntax(text: str) -> None:
    """Check what can be known before the type of the result is.

    Raises:

        ConditionError: the text is no condition, or is not supported.
    """
    grammar.parse(text)


def indexes_result(text: str) -> bool:
    """Whether the condition picks values of the result by their place, such as ``result[0]``.

    With more than one series the place depends on the order in which the server answers. Slices, ``first``
    and ``last`` count as well.

    Raises:

        ConditionError: the text is no condition.
    """
    return any(_picks_by_place(node) for _, node in syntax.walk(grammar.parse(text)))


def _picks_by_place(node: syntax.Node) -> bool:
    match node:
        case syntax.Index() | syntax.Slice():
            return syntax.mentions_result(node.base)
        case syntax.Call():
            return node.function in functions.POSITIONAL and syntax.mentions_result(node)
        case _:
            return False


def _is_result(node: syntax.Node) -> bool:
    match node:
        case syntax.Name(name="result"):
            return True
        case syntax.Index(base=syntax.Name(name="result"), index=syntax.Literal(value=0)):
            return True
        case _:
            return False


def _number(node: syntax.Node) -> float | None:
    match node:
        case syntax.Literal(value=value) if isinstance(value, (int, float)):
            return None if isinstance(value, bool) else float(value)
        case syntax.Unary(operator="-", operand=operand):
            inner = _number(operand)
            return None if inner is None else -inner
        case _:
            return None


def _value(result: bool | float | str | Sequence[float]) -> Value:
    if isinstance(result, (bool, str)):
        return result
    if isinstance(result, (int, float)):
        return float(result)
    return Array(tuple(float(item) for item in result), FLOAT)
