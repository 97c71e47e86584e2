"""The tree of a condition.

Law: frozen nouns and how to walk them; no types, no values. Positions are indices into the text.
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """``0.95``, ``"text"``, ``true`` or ``nil``."""

    value: bool | int | float | str | None
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the environment, such as ``result``."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Pointer:
    """``#``: the element that a predicate looks at."""

    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """``not x``, ``!x``, ``-x`` or ``+x``."""

    operator: str
    operand: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands around an operator; the position is the operator's."""

    operator: str
    left: "Node"
    right: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """``condition ? yes : no``."""

    condition: "Node"
    yes: "Node"
    no: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Index:
    """``base[index]``; a negative index counts from the end."""

    base: "Node"
    index: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Field:
    """``base.name``."""

    base: "Node"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Slice:
    """``base[start:stop]``; either bound may be missing."""

    base: "Node"
    start: "Node | None"
    stop: "Node | None"
    at: int


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    """``[1, 2]``."""

    items: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """``function(arguments)``."""

    function: str
    arguments: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Predicate:
    """``all(collection, body)`` and its family; in the body ``#`` is one element."""

    function: str
    collection: "Node"
    body: "Node"
    at: int


Node = Literal | Name | Pointer | Unary | Binary | Conditional | Index | Field | Slice | ArrayLiteral | Call | Predicate


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below one."""
    match node:
        case Literal() | Name() | Pointer():
            return ()
        case Unary():
            return (node.operand,)
        case Binary():
            return (node.left, node.right)
        case Conditional():
            return (node.condition, node.yes, node.no)
        case Index():
            return (node.base, node.index)
        case Field():
            return (node.base,)
        case Slice():
            return tuple(part for part in (node.base, node.start, node.stop) if part is not None)
        case ArrayLiteral():
            return node.items
        case Call():
            return node.arguments
        case Predicate():
            return (node.collection, node.body)


def walk(root: Node) -> Iterator[tuple[int, Node]]:
    """Yield every node with its depth (the root has 1), without recursion: no tree is too deep."""
    waiting: list[tuple[int, Node]] = [(1, root)]
    while waiting:
        depth, node = waiting.pop()
        yield depth, node
        waiting.extend((depth + 1, child) for child in children(node))


def is_literal_arithmetic(root: Node) -> bool:
    """Whether a tree holds nothing but literals and operators."""
    return all(isinstance(node, (Literal, Unary, Binary)) for _, node in walk(root))


def mentions_result(root: Node) -> bool:
    """Whether ``result`` stands anywhere in the tree; ``default`` hands it out without its name."""
    return any(
        (isinstance(node, Name) and node.name == "result") or (isinstance(node, Call) and node.function == "default")
        for _, node in walk(root)
    )
