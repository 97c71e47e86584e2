"""Tree -> tree with types, so that a wrong condition is known before there is anything to measure.

Law: the rules are those of Argo's language, where ``any`` fits everywhere and is checked again while computing. Only
the first problem is reported. The rules of operators stand in ``typing_rules``, those of functions in ``functions``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from canary_operator.conditions import functions, patterns, syntax, typing_rules
from canary_operator.conditions.dialects import Dialect, Trait, refusal
from canary_operator.conditions.functions import INTEGERS, LISTS
from canary_operator.conditions.problems import ConditionError, OperandError
from canary_operator.conditions.syntax import Node
from canary_operator.conditions.values import (
    ANY,
    ANY_ARRAY,
    BOOL,
    FLOAT,
    FUNCTION,
    GROUPS,
    INT,
    MAP,
    Function,
    Kind,
    Type,
    array_of,
    assignable,
    type_of,
)

ENVIRONMENT = "$env"

# Predicate -> type of its value for a collection and a body of these types.
PREDICATES: Mapping[str, Callable[[Type, Type], Type]] = {
    **dict.fromkeys(("all", "none", "any", "one"), lambda collection, body: BOOL),
    **dict.fromkeys(("count", "findIndex", "findLastIndex"), lambda collection, body: INT),
    **dict.fromkeys(("find", "findLast"), lambda collection, body: collection.element or ANY),
    "filter": lambda collection, body: array_of(collection.element or ANY),
    "map": lambda collection, body: array_of(body),
    "groupBy": lambda collection, body: GROUPS,
    "reduce": lambda collection, body: body,
}
# Predicates whose body may be anything, and the pointers that a body knows beside #.
ANY_BODY = frozenset(("map", "groupBy", "reduce"))
POINTERS: Mapping[str, Mapping[str, Type]] = {"map": {"index": INT}, "reduce": {"index": INT, "acc": ANY}}


def check(text: str, root: Node, result: Type, dialect: Dialect) -> Node:
    """Check that a tree is a condition for results of one type, and say the type of each node.

    Raises:

        ConditionError: a name is unknown, types do not match, or the dialect refuses something. The safe one also
            refuses what is no bool; Argo's computes it first.
    """
    typed = _Checker(text, result, dialect).visit(root)
    if type_at(typed).kind not in (Kind.BOOL, Kind.ANY) and refusal(dialect, Trait.NO_BOOL):
        raise ConditionError(f"expected bool, but got {type_at(typed)}", text, 0)
    return typed


def type_at(node: Node) -> Type:
    """Return the type of a checked node."""
    assert node.type is not None
    return node.type


@dataclass(frozen=True, slots=True)
class _Scope:
    """What # and its relatives are inside of one predicate."""

    element: Type
    pointers: Mapping[str, Type]


@dataclass(slots=True)
class _Checker:
    text: str
    result: Type
    dialect: Dialect
    scopes: list[_Scope] = field(default_factory=list)
    variables: dict[str, Node] = field(default_factory=dict)
    # Identity of a node -> type that all items of the literal list have which it stands for.
    literals: dict[int, Type] = field(default_factory=dict)

    def problem(self, message: str, node: Node) -> ConditionError:
        return ConditionError(message, self.text, node.at)

    def refuse(self, trait: Trait, node: Node) -> None:
        why = refusal(self.dialect, trait)
        if why is not None:
            raise self.problem(why, node)

    def visit(self, node: Node) -> Node:
        return _VISITORS[type(node)](self, node)

    def literal(self, node: syntax.Literal) -> Node:
        return syntax.Literal(node.value, node.at, type_of(node.value))

    def name(self, node: syntax.Name) -> Node:
        variable = self.variables.get(node.name)
        if variable is None:
            return syntax.Name(node.name, node.at, self.known(node.name, node))
        found = syntax.Name(node.name, node.at, variable.type)
        self.same_items(found, variable)
        return found

    def known(self, name: str, node: Node) -> Type:
        """Type of a name of the environment."""
        if name == "result":
            return self.result
        if name == ENVIRONMENT:
            self.refuse(Trait.ENVIRONMENT, node)
            return MAP
        function = functions.ARGO.get(name)
        if function is None and name not in functions.BUILTINS and name not in functions.UNSUPPORTED:
            raise self.problem(f"unknown name {name}", node)
        why = refusal(self.dialect, Trait.FUNCTION_VALUE)
        if why is not None:
            raise self.problem(f"{name}: {why}", node)
        return FUNCTION if function is None else function.type

    def pointer(self, node: syntax.Pointer) -> Node:
        if not self.scopes:
            raise self.problem("cannot use # outside of a predicate", node)
        scope = self.scopes[-1]
        if node.name and node.name not in scope.pointers:
            raise self.problem(f"unknown pointer #{node.name}", node)
        return syntax.Pointer(node.name, node.at, scope.pointers[node.name] if node.name else scope.element)

    def unary(self, node: syntax.Unary) -> Node:
        operand = self.visit(node.operand)
        found = typing_rules.unary(node.operator, type_at(operand))
        if found is None:
            raise self.problem(f"invalid operation: {node.operator} (mismatched type {operand.type})", node)
        return syntax.Unary(node.operator, operand, node.at, found)

    def binary(self, node: syntax.Binary) -> Node:
        left, right = self.visit(node.left), self.visit(node.right)
        one, other = type_at(left), type_at(right)
        if node.operator == "matches" and isinstance(right, syntax.Literal) and isinstance(right.value, str):
            self.pattern(right.value, node)
        if node.operator == "in":
            self.membership(node, one, right)
        found = typing_rules.BINARY[node.operator](one, other)
        if found is None:
            raise self.problem(f"invalid operation: {node.operator} (mismatched types {one} and {other})", node)
        return syntax.Binary(node.operator, left, right, node.at, found)

    def membership(self, node: syntax.Binary, left: Type, right: Node) -> None:
        within = type_at(right)
        if left.kind is Kind.NIL:
            return
        if within.key is not None and left.kind is not Kind.ANY and not assignable(left, within.key):
            raise self.problem(f"cannot use {left} as type {within.key} in map key", node)
        if within.kind in LISTS and within.element is not None:
            for element in (within.element, self.literals.get(id(right), ANY)):
                if not typing_rules.comparable(left, element):
                    raise self.problem(f"cannot use {left} as type {element} in array", node)

    def pattern(self, pattern: str, node: Node) -> None:
        try:
            patterns.compiled(pattern)
        except OperandError as fault:
            raise self.problem(str(fault), node) from None

    def conditional(self, node: syntax.Conditional) -> Node:
        condition = self.visit(node.condition)
        if type_at(condition).kind not in (Kind.BOOL, Kind.ANY):
            raise self.problem(f"non-bool expression (type {condition.type}) used as condition", node.condition)
        yes, no = self.visit(node.yes), self.visit(node.no)
        return syntax.Conditional(condition, yes, no, node.at, typing_rules.either(type_at(yes), type_at(no)))

    def member(self, node: syntax.Member) -> Node:
        base, index = self.visit(node.base), self.visit(node.index)
        if isinstance(node.base, syntax.Name) and node.base.name == ENVIRONMENT:
            found = self.of_environment(node)
        else:
            found = self.element(type_at(base), type_at(index), node)
        return syntax.Member(base, index, node.optional, node.at, found)

    def of_environment(self, node: syntax.Member) -> Type:
        if not isinstance(node.index, syntax.Literal) or not isinstance(node.index.value, str):
            return ANY
        name = node.index.value
        if node.optional and name != "result" and name not in functions.ARGO and name not in functions.BUILTINS:
            return ANY
        return self.known(name, node) if name != ENVIRONMENT else ANY

    def element(self, base: Type, index: Type, node: syntax.Member) -> Type:
        if base.kind is Kind.ANY:
            return ANY
        if base.key is not None and base.element is not None:
            if index.kind not in (Kind.NIL, Kind.ANY) and not assignable(index, base.key):
                raise self.problem(f"cannot use {index} to get an element from {base}", node.index)
            return base.element
        if base.kind in LISTS and base.element is not None:
            if index.kind not in INTEGERS and index.kind is not Kind.ANY:
                message = f"array elements can only be selected using an integer (got {index})"
                raise self.problem(message, node.index)
            return base.element
        if isinstance(node.index, syntax.Literal) and isinstance(node.index.value, str):
            raise self.problem(f"type {base} has no field {node.index.value}", node)
        raise self.problem(f"type {base}[{index}] is undefined", node)

    def chain(self, node: syntax.Chain) -> Node:
        inner = self.visit(node.inner)
        found = syntax.Chain(inner, node.at, inner.type)
        self.same_items(found, inner)
        return found

    def slice(self, node: syntax.Slice) -> Node:
        base = self.visit(node.base)
        if type_at(base).kind not in LISTS | {Kind.ANY, Kind.STRING}:
            raise self.problem(f"cannot slice {base.type}", node)
        start, stop = self.bound(node.start), self.bound(node.stop)
        return syntax.Slice(base, start, stop, node.at, base.type)

    def bound(self, node: Node | None) -> Node | None:
        if node is None:
            return None
        found = self.visit(node)
        if type_at(found).kind not in INTEGERS and type_at(found).kind is not Kind.ANY:
            raise self.problem(f"non-integer slice index {found.type}", node)
        return found

    def array(self, node: syntax.ArrayLiteral) -> Node:
        items = tuple([self.visit(item) for item in node.items])
        found = syntax.ArrayLiteral(items, node.at, ANY_ARRAY)
        kinds = {type_at(item).kind for item in items}
        if len(kinds) == 1 and Kind.NIL not in kinds:
            self.literals[id(found)] = type_at(items[-1])
        return found

    def same_items(self, node: Node, source: Node) -> None:
        if id(source) in self.literals:
            self.literals[id(node)] = self.literals[id(source)]

    def map(self, node: syntax.MapLiteral) -> Node:
        keys: list[Node] = []
        values: list[Node] = []
        for key, value in zip(node.keys, node.values, strict=True):
            keys.append(self.visit(key))
            values.append(self.visit(value))
        return syntax.MapLiteral(tuple(keys), tuple(values), node.at, MAP)

    def let(self, node: syntax.Let) -> Node:
        argos = node.name == "result" or node.name in functions.ARGO
        if (
            argos
            or node.name in functions.BUILTINS
            or node.name in functions.UNSUPPORTED
            or node.name in self.variables
        ):
            raise self.problem(f"cannot redeclare {node.name}", node)
        value = self.visit(node.value)
        self.variables[node.name] = value
        body = self.visit(node.body)
        del self.variables[node.name]
        found = syntax.Let(node.name, value, body, node.at, body.type)
        self.same_items(found, body)
        return found

    # Calls.

    def call(self, node: syntax.Call) -> Node:
        if isinstance(node.callee, syntax.Name) and node.callee.name not in self.variables:
            return self.named_call(node, node.callee)
        callee = self.visit(node.callee)
        found = type_at(callee)
        if found.kind is Kind.ANY:
            # Argo does not look at the arguments here, and so knows no types in them.
            self.refuse(Trait.VALUE_CALL, node)
            return syntax.Call(callee, node.arguments, node.at, ANY)
        function = functions.BY_TYPE.get(found.name)
        if function is None:
            raise self.problem(f"{found} is not callable", node)
        return self.applied(node, callee, function)

    def named_call(self, node: syntax.Call, callee: syntax.Name) -> Node:
        function = functions.ARGO.get(callee.name)
        if function is None:
            known = callee.name in ("result", ENVIRONMENT)
            what = f"{self.known(callee.name, callee)} is not callable" if known else f"unknown name {callee.name}"
            raise self.problem(what, callee)
        return self.applied(node, syntax.Name(callee.name, callee.at, function.type), function)

    def applied(self, node: syntax.Call, callee: Node, function: Function) -> Node:
        arguments = [self.visit(argument) for argument in node.arguments]
        types = tuple([type_at(argument) for argument in arguments])
        try:
            functions.accepts(function.name, function.parameters, types)
        except OperandError as fault:
            raise self.problem(str(fault), node) from None
        if function.parameters == (FLOAT,) and types[0].kind in INTEGERS:
            arguments = [_with_floats(arguments[0])]
        return syntax.Call(callee, tuple(arguments), node.at, function.returns)

    def builtin(self, node: syntax.Builtin) -> Node:
        if node.name in functions.UNSUPPORTED:
            raise self.problem(f"{node.name} is not supported: a condition must be judged the same at any time", node)
        known = functions.BUILTINS[node.name]
        if known is None:
            return self.predicate(node)
        arguments = tuple([self.visit(argument) for argument in node.arguments])
        try:
            found = self.returned(node, known, tuple([type_at(argument) for argument in arguments]))
        except OperandError as fault:
            raise self.problem(f"{node.name}: {fault}", node) from None
        return syntax.Builtin(node.name, arguments, node.at, found)

    def returned(self, node: syntax.Builtin, known: functions.Builtin, types: tuple[Type, ...]) -> Type:
        base = node.arguments[0] if node.arguments else None
        if node.name == "get" and isinstance(base, syntax.Name) and base.name == ENVIRONMENT and len(types) == 2:
            return self.of_environment(syntax.Member(base, node.arguments[1], optional=True, at=node.at))
        return known.returns(types)

    def predicate(self, node: syntax.Builtin) -> Node:
        collection = self.visit(node.arguments[0])
        within = type_at(collection)
        if within.kind not in LISTS and within.kind is not Kind.ANY:
            raise self.problem(f"builtin {node.name} takes only array (got {within})", node.arguments[0])
        self.scopes.append(_Scope(within.element or ANY, POINTERS.get(node.name, {})))
        closure = self.visit(node.arguments[1])
        self.scopes.pop()
        if node.name not in ANY_BODY and type_at(closure).kind not in (Kind.BOOL, Kind.ANY):
            raise self.problem(f"predicate should return boolean (got {closure.type})", node.arguments[1])
        rest = [self.visit(argument) for argument in node.arguments[2:]]
        found = PREDICATES[node.name](within, type_at(closure))
        return syntax.Builtin(node.name, (collection, closure, *rest), node.at, found)

    def closure(self, node: syntax.Closure) -> Node:
        """The type of a closure is that of its body."""
        body = self.visit(node.body)
        if type_at(body).kind is Kind.NIL:
            raise self.problem("closure cannot be nil", node.body)
        return syntax.Closure(body, node.at, body.type)


def _with_floats(node: Node) -> Node:
    """Where a float is wanted Argo turns integer literals into floats, also in sums and products of them."""
    match node:
        case syntax.Literal(value=int(value)) if not isinstance(value, bool):
            return syntax.Literal(float(value), node.at, FLOAT)
        case syntax.Unary():
            return syntax.Unary(node.operator, _with_floats(node.operand), node.at, node.type)
        case syntax.Binary(operator="+" | "-" | "*"):
            return syntax.Binary(node.operator, _with_floats(node.left), _with_floats(node.right), node.at, node.type)
        case _:
            return node


_VISITORS: Mapping[type, Callable[..., Node]] = {
    syntax.Literal: _Checker.literal,
    syntax.Name: _Checker.name,
    syntax.Pointer: _Checker.pointer,
    syntax.Unary: _Checker.unary,
    syntax.Binary: _Checker.binary,
    syntax.Conditional: _Checker.conditional,
    syntax.Member: _Checker.member,
    syntax.Chain: _Checker.chain,
    syntax.Slice: _Checker.slice,
    syntax.ArrayLiteral: _Checker.array,
    syntax.MapLiteral: _Checker.map,
    syntax.Call: _Checker.call,
    syntax.Closure: _Checker.closure,
    syntax.Builtin: _Checker.builtin,
    syntax.Let: _Checker.let,
}
