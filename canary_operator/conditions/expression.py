"""The condition language of Argo Rollouts v1.9: compile a text, evaluate it for a result.

Law: the only door to the language; the other modules behind it (tokens, grammar, checking, optimizing, compiling,
evaluation) are its rooms. It means what Argo means by it. The safe dialect refuses what ``dialects`` lists, and answers
only where Argo's optimizer changes nothing; both dialects have bounds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canary_operator.conditions import (
    checking,
    compiling,
    encoding,
    evaluation,
    functions,
    grammar,
    optimizing,
    syntax,
    values,
)
from canary_operator.conditions.dialects import REFUSED_WHEN_SAFE, Dialect, Trait
from canary_operator.conditions.problems import (
    ConditionError,
    EvaluationError,
    OperandError,
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
    "Dialect",
    "EvaluationError",
    "Type",
    "check_syntax",
    "compile_condition",
    "in_one_line",
    "indexes_result",
    "type_of_document",
    "with_caret",
]

# By these names the result comes into a condition.
RESULT_NAMES = frozenset(("result", "default", "$env"))
# What a provider may hand over: numbers for Prometheus, and any JSON document otherwise.
Result = bool | float | str | Sequence[object] | Mapping[str, object] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A condition that compares the result, or its first value, with one number."""

    operator: str
    bound: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that is well formed for results of one type.

    Args:

        root: the tree as it was written.

        type: of the results.

        programs: what is computed; all must agree. There is a second one in the safe dialect only, where Argo's
            optimizer changes the first.
    """

    text: str
    root: syntax.Node
    type: Type
    dialect: Dialect
    programs: tuple[evaluation.Program, ...]

    def evaluate(self, result: Result) -> bool:
        """Whether the result satisfies the condition.

        Args:

            result: a number for SCALAR, a sequence of numbers for VECTOR, else a JSON document.

        Raises:

            EvaluationError: the condition cannot be computed for this result, or the dialect refuses that.
        """
        value = _value(result, self.type, self.text)
        answer = evaluation.evaluate(self.programs[0], value, self.dialect)
        for program in self.programs[1:]:
            if evaluation.evaluate(program, value, self.dialect) is not answer:
                raise EvaluationError(REFUSED_WHEN_SAFE[Trait.HIDDEN], self.text, 0)
        return answer

    def comparison(self) -> Comparison | None:
        """Return the plain comparison that this condition is, if it is one.

        It serves sentences for people; deciding is for ``evaluate``.
        """
        return comparison_of(self.root)


def comparison_of(root: syntax.Node) -> Comparison | None:
    """Return the plain comparison that a tree is, if it is one."""
    match root:
        case syntax.Binary(operator=("<" | "<=" | ">" | ">=" | "==" | "!=") as operator):
            bound = _number(root.right)
            if bound is not None and _is_result(root.left):
                return Comparison(operator, bound)
    return None


def compile_condition(text: str, result_type: Type, dialect: Dialect = Dialect.SAFE) -> Condition:
    """Parse and type-check a condition for results of one type.

    Args:

        dialect: SAFE refuses what ``dialects.REFUSED_WHEN_SAFE`` lists; ARGO does what Argo does.

    Raises:

        ConditionError: the text is no condition, does not fit the type, or the dialect refuses it.
    """
    root = grammar.parse(text, dialect)
    checked = checking.check(text, root, result_type, dialect)
    best = optimizing.optimized(text, checked, dialect)
    trees = (checked, best) if dialect is Dialect.SAFE and best is not checked else (best,)
    return Condition(text, root, result_type, dialect, tuple([compiling.compiled(text, tree) for tree in trees]))


def check_syntax(text: str, dialect: Dialect = Dialect.SAFE) -> None:
    """Check what can be known before the type of the result is.

    Raises:

        ConditionError: the text is no condition, or the dialect refuses it.
    """
    grammar.parse(text, dialect)


def type_of_document(document: object) -> Type:
    """Return the type that a JSON document has as a result.

    Raises:

        ConditionError: it is no JSON document, or too large.
    """
    try:
        return values.type_of(encoding.value_of(document))
    except OperandError as fault:
        raise ConditionError(str(fault), "", 0) from None


def indexes_result(text: str) -> bool:
    """Whether the condition picks values of the result by their place, such as ``result[0]``.

    With more than one series the place depends on the order in which the server answers. Slices, ``first`` and
    ``last`` count as well, and variables and elements that may be the result.

    Raises:

        ConditionError: the text is no condition in any dialect.
    """
    root = grammar.parse(text, Dialect.ARGO)
    variables = {node.name for _, node in syntax.walk(root) if isinstance(node, syntax.Let)}
    if not _mentions(root, RESULT_NAMES, pointers=False):
        return False
    names = RESULT_NAMES | variables
    return any(_picks_by_place(node, names) for _, node in syntax.walk(root))


def _picks_by_place(node: syntax.Node, names: frozenset[str]) -> bool:
    match node:
        case syntax.Member(index=syntax.Literal(value=str())):
            return False
        case syntax.Member() | syntax.Slice():
            return _mentions(node.base, names)
        case syntax.Builtin():
            return node.name in functions.POSITIONAL and _mentions(node, names)
        case _:
            return False


def _mentions(root: syntax.Node, names: frozenset[str], *, pointers: bool = True) -> bool:
    return any(
        (pointers and isinstance(node, syntax.Pointer)) or (isinstance(node, syntax.Name) and node.name in names)
        for _, node in syntax.walk(root)
    )


def _is_result(node: syntax.Node) -> bool:
    match node:
        case syntax.Name(name="result"):
            return True
        case syntax.Member(base=syntax.Name(name="result"), index=syntax.Literal(value=0)):
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


def _value(result: Result, wanted: Type, text: str) -> Value:
    if wanted is VECTOR and isinstance(result, (list, tuple)):
        numbers = tuple(map(float, result))
        return Array(numbers, FLOAT, weight=len(numbers))
    if wanted is SCALAR and isinstance(result, float):
        return result
    try:
        value = float(result) if type(result) is int else encoding.value_of(result)
    except OperandError as fault:
        raise EvaluationError(str(fault), text, 0) from None
    if values.type_of(value) != wanted:
        raise EvaluationError(f"the result is of type {values.type_of(value)}, not {wanted}", text, 0)
    return value
