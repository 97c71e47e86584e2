"""PromQL as a tree of values that can be compared.

Law: the only place that knows promql-parser. Its nodes compare by identity and print without escaping, so they are
turned into nodes whose equality means "the same expression".
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import promql_parser

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.slo import tokens
from canary_operator.slo.tokens import Token

MAX_DEPTH = 100
NAME_LABEL = "__name__"

_KINDS = {
    str(promql_parser.MatchOp.Equal): MatchKind.EQUAL,
    str(promql_parser.MatchOp.NotEqual): MatchKind.NOT_EQUAL,
    str(promql_parser.MatchOp.Re): MatchKind.REGEX,
    str(promql_parser.MatchOp.NotRe): MatchKind.NOT_REGEX,
}


@dataclass(frozen=True, slots=True)
class Node:
    """One node.

    Args:

        kind: selector, matrix, subquery, call, aggregate, binary, unary, paren, number or string.

        detail: what else the node says, such as the operator, labels of a grouping, offsets.

        children: in the order of the text.

        selector: of a node of the kind selector.
    """

    kind: str
    detail: tuple[Hashable, ...] = ()
    children: tuple["Node", ...] = ()
    selector: Selector | None = None


def parse(promql: str) -> Node:
    """The tree of an expression.

    Raises:

        ConfigurationError: it is not PromQL as promql-parser reads it, or too long or too deep.
    """
    return parse_tokens(tokens.tokenize(promql))


def parse_tokens(words: Sequence[Token]) -> Node:
    """The tree of tokens; see ``parse``."""
    text = tokens.written(words)
    try:
        return _node(promql_parser.parse(text), 0)
    except (ValueError, OverflowError) as error:
        raise ConfigurationError(f"the PromQL cannot be read: {error!s:.200}: {text[:200]}") from error


def selectors_of(node: Node) -> Iterator[Selector]:
    """All selectors of a tree, in the order of the text."""
    if node.selector is not None:
        yield node.selector
    for child in node.children:
        yield from selectors_of(child)


def _node(expression: Any, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise ConfigurationError(f"the PromQL is nested more than {MAX_DEPTH} deep")
    children = tuple(_node(child, depth + 1) for child in _children(expression))
    match expression:
        case promql_parser.VectorSelector():
            return Node("selector", _time(expression), selector=_selector(expression))
        case promql_parser.MatrixSelector():
            return Node("matrix", (expression.range,), children)
        case promql_parser.SubqueryExpr():
            return Node("subquery", (expression.range, expression.step, *_time(expression)), children)
        case promql_parser.Call():
            return Node("call", (expression.func.name,), children)
        case promql_parser.AggregateExpr():
            return Node("aggregate", (str(expression.op), *_grouping(expression.modifier)), children)
        case promql_parser.BinaryExpr():
            return Node("binary", (str(expression.op), *_matching(expression.modifier)), children)
        case promql_parser.NumberLiteral():
            return Node("number", (repr(float(expression.val)),))
        case promql_parser.StringLiteral():
            return Node("string", (expression.val,))
        case promql_parser.UnaryExpr():
            return Node("unary", (), children)
        case promql_parser.ParenExpr():
            return Node("paren", (), children)
    raise ConfigurationError(f"the PromQL has a part of an unknown kind: {type(expression).__name__}")


def _children(expression: Any) -> Sequence[Any]:
    match expression:
        case promql_parser.MatrixSelector():
            return (expression.vector_selector,)
        case promql_parser.Call():
            return tuple(expression.args)
        case promql_parser.AggregateExpr():
            return (expression.expr,) if expression.param is None else (expression.param, expression.expr)
        case promql_parser.BinaryExpr():
            return (expression.lhs, expression.rhs)
        case promql_parser.SubqueryExpr() | promql_parser.UnaryExpr() | promql_parser.ParenExpr():
            return (expression.expr,)
    return ()


def _time(expression: Any) -> tuple[Hashable, ...]:
    return (expression.offset, None if expression.at is None else str(expression.at))


def _grouping(modifier: Any) -> tuple[Hashable, ...]:
    return ("", ()) if modifier is None else (str(modifier.type), tuple(modifier.labels))


def _matching(modifier: Any) -> tuple[Hashable, ...]:
    if modifier is None:
        return (None, False, None, None, (None, None))
    matching = modifier.matching
    on = None if matching is None else (str(matching.type), tuple(matching.labels))
    group = None if modifier.group_labels is None else tuple(modifier.group_labels)
    fill = (modifier.fill_values.lhs, modifier.fill_values.rhs)
    return (str(modifier.card), modifier.return_bool, on, group, fill)


def _selector(expression: Any) -> Selector:
    if expression.matchers.or_matchers:
        raise ConfigurationError('the PromQL has "or" between the matchers of a selector, which is MetricsQL')
    matchers = {Matcher(found.name, _KINDS[str(found.op)], found.value) for found in expression.matchers.matchers}
    names = [each for each in matchers if each.label == NAME_LABEL]
    metric = expression.name or ""
    if not metric and len(names) == 1 and names[0].kind is MatchKind.EQUAL:
        metric = names[0].value
        matchers.remove(names[0])
    return Selector(metric, tuple(sorted(matchers, key=lambda each: (each.label, each.kind.value, each.value))))
