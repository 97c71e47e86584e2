"""The tree of a condition.

Law: frozen nouns and how to walk them; no values are computed. Positions are indices into the text. The type of a
node is that of the type checker, None before it and for what the optimizer makes without one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from canary_operator.conditions.values import Type, Value


@dataclass(frozen=True, slots=True)
class Literal:
    """``0.95``, ``"text"``, ``true`` or ``nil``."""

    value: bool | int | float | str | None
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A list or map that the optimizer has computed."""

    value: Value
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the environment, such as ``result``, or a variable."""

    name: str
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Pointer:
    """``#``: the element that a predicate looks at; ``#index`` and ``#acc`` have a name."""

    name: str
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """``not x``, ``!x``, ``-x`` or ``+x``."""

    operator: str
    operand: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands around an operator; the position is the operator's."""

    operator: str
    left: "Node"
    right: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Conditional:
    """``condition ? yes : no``."""

    condition: "Node"
    yes: "Node"
    no: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Member:
    """``base[index]`` or ``base.name``; optional for ``base?.name``."""

    base: "Node"
    index: "Node"
    optional: bool
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Chain:
    """Where a chain of members with ``?.`` ends: nil inside of it is nil for all of it."""

    inner: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """``base[start:stop]``."""

    base: "Node"
    start: "Node | None"
    stop: "Node | None"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    """``[a, b]``."""

    items: tuple["Node", ...]
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class MapLiteral:
    """``{a: 1, "b": 2, (c): 3}``."""

    keys: tuple["Node", ...]
    values: tuple["Node", ...]
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one of Argo's own functions, or of a value."""

    callee: "Node"
    arguments: tuple["Node", ...]
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Closure:
    """What a predicate does with each element."""

    body: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Builtin:
    """A call of one of the language's functions.

    Args:

        then: what the optimizer does with each element that is found, None for nothing.

        throws: nothing found is an error, not nil.
    """

    name: str
    arguments: tuple["Node", ...]
    at: int
    type: Type | None = field(default=None, compare=False)
    then: "Node | None" = None
    throws: bool = False


@dataclass(frozen=True, slots=True)
class Let:
    """``let name = value; body``."""

    name: str
    value: "Node"
    body: "Node"
    at: int
    type: Type | None = field(default=None, compare=False)


Node = (
    Literal
    | Constant
    | Name
    | Pointer
    | Unary
    | Binary
    | Conditional
    | Member
    | Chain
    | Slice
    | ArrayLiteral
    | MapLiteral
    | Call
    | Closure
    | Builtin
    | Let
)
Rule = Callable[[Node], Node]

# Kind of node -> names of the fields that hold nodes, in the order in which Argo visits them.
PARTS: Mapping[type, tuple[str, ...]] = {
    Literal: (),
    Constant: (),
    Name: (),
    Pointer: (),
    Unary: ("operand",),
    Binary: ("left", "right"),
    Conditional: ("condition", "yes", "no"),
    Member: ("base", "index"),
    Chain: ("inner",),
    Slice: ("base", "start", "stop"),
    ArrayLiteral: ("items",),
    MapLiteral: ("keys", "values"),
    Call: ("callee", "arguments"),
    Closure: ("body",),
    Builtin: ("arguments",),
    Let: ("value", "body"),
}


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below one."""
    found: list[Node] = []
    for name in PARTS[type(node)]:
        part = getattr(node, name)
        if isinstance(part, tuple):
            found.extend(part)
        elif part is not None:
            found.append(part)
    return tuple(found)


def walk(root: Node) -> Iterator[tuple[int, Node]]:
    """Yield every node with its depth (the root has 1), without recursion: no tree is too deep."""
    waiting: list[tuple[int, Node]] = [(1, root)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        waiting.extend((depth + 1, child) for child in children(node))


def changed(node: Node, **fields: object) -> Node:
    """Return the same node with other fields."""
    kept = {name: getattr(node, name) for name in node.__dataclass_fields__}
    return type(node)(**(kept | fields))


def rewritten(node: Node, rule: Rule) -> Node:
    """Apply a rule to every node, the children first; what does not change stays the same object."""
    fields: dict[str, object] = {}
    for name in PARTS[type(node)]:
        part = getattr(node, name)
        if isinstance(part, tuple):
            new = tuple([rewritten(child, rule) for child in part])
            if any(one is not other for one, other in zip(new, part, strict=True)):
                fields[name] = new
        elif part is not None and (found := rewritten(part, rule)) is not part:
            fields[name] = found
    return rule(changed(node, **fields) if fields else node)
