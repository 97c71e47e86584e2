"""Tokens -> tree: a Pratt parser of the condition language.

Law: the table of binding powers is the grammar. What it does not know is a ConditionError, never a
guess.
"""

import re
from dataclasses import dataclass

from canary_operator.conditions import syntax
from canary_operator.conditions.problems import ConditionError
from canary_operator.conditions.tokens import Kind, Token, tokenize

MAX_NESTING = 40
MAX_DEPTH = 100
MAX_INTEGER = 2**63 - 1

PREDICATES = frozenset(("all", "none", "any", "one", "filter", "map", "count"))
# Argo v1.9's own search functions leave wrong values behind when nothing is found.
REFUSED = frozenset(("find", "findIndex", "findLast", "findLastIndex", "groupBy", "reduce"))
UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
# A left operand that binds as tightly as the operator is taken first, except for powers.
BINARY = {
    "|": 0,
    "or": 10,
    "||": 10,
    "and": 15,
    "&&": 15,
    "==": 20,
    "!=": 20,
    "<": 20,
    ">": 20,
    ">=": 20,
    "<=": 20,
    "in": 20,
    "matches": 20,
    "contains": 20,
    "startsWith": 20,
    "endsWith": 20,
    "..": 25,
    "+": 30,
    "-": 30,
    "*": 60,
    "/": 60,
    "%": 60,
    "**": 100,
    "^": 100,
    "??": 500,
}
RIGHT_ASSOCIATIVE = frozenset(("**", "^"))
# ``a not in b``: these may stand behind a "not".
NEGATABLE = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))
NEGATABLE_POWER = 20
CONSTANTS = {"true": True, "false": False, "nil": None}


def parse(text: str) -> syntax.Node:
    """Parse one condition.

    Raises:

        ConditionError: the text is not a condition, or is too long, nested too deep or not supported.
    """
    parser = _Parser(text, tokenize(text))
    root = parser.expression(0)
    if parser.current.kind is not Kind.END:
        raise parser.unexpected()
    for depth, node in syntax.walk(root):
        if depth > MAX_DEPTH:
            raise ConditionError(f"more than {MAX_DEPTH} operations deep", text, node.at)
    return root


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: tuple[Token, ...]
    index: int = 0
    nesting: int = 0
    predicates: int = 0

    @property
    def current(self) -> Token:
        return self.tokens[self.index]

    def problem(self, message: str, token: Token | None = None) -> ConditionError:
        return ConditionError(message, self.text, (token or self.current).at)

    def unexpected(self) -> ConditionError:
        if self.current.kind is Kind.END:
            return self.problem("unexpected end")
        return self.problem(f"unexpected {self.current.kind.value} {self.current.value!r}")

    def take(self) -> Token:
        token = self.current
        if token.kind is not Kind.END:
            self.index += 1
        return token

    def sees(self, *symbols: str) -> bool:
        return self.current.kind is Kind.SYMBOL and self.current.value in symbols

    def accept(self, symbol: str) -> bool:
        if not self.sees(symbol):
            return False
        self.index += 1
        return True

    def expect(self, symbol: str) -> None:
        if not self.accept(symbol):
            raise self.unexpected()

    # Expressions, from the loosest to the tightest.

    def expression(self, power: int) -> syntax.Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.problem(f"nested more than {MAX_NESTING} deep")
        node = self.binaries(self.operand(), power)
        if power == 0:
            node = self.conditionals(node)
        self.nesting -= 1
        return node

    def conditionals(self, node: syntax.Node) -> syntax.Node:
        while self.sees("?"):
            at = self.take().at
            if self.accept(":"):
                yes = node
            else:
                yes = self.expression(0)
                self.expect(":")
            node = syntax.Conditional(node, yes, self.expression(0), at)
        return node

    def binaries(self, left: syntax.Node, power: int) -> syntax.Node:
        previous = ""
        while self.current.kind is Kind.SYMBOL:
            if self.sees("not"):
                left, previous = self.negated(left, power), "not"
                continue
            token = self.current
            if BINARY.get(token.value, -1) < power:
                break
            self.take()
            if token.value == "|":
                left = self.piped(left)
            elif previous == "??" != token.value:
                raise self.problem(f"?? and {token.value} need parentheses between them", token)
            else:
                left = self.binary(token, left)
            previous = token.value
        return left

    def binary(self, token: Token, left: syntax.Node) -> syntax.Node:
        power = BINARY[token.value]
        right = self.expression(power if token.value in RIGHT_ASSOCIATIVE else power + 1)
        return syntax.Binary(token.value, left, right, token.at)

    def negated(self, left: syntax.Node, power: int) -> syntax.Node:
        # Argo's parser swallows a "not" that follows a tighter operator and goes on without it:
        # "1 + 1 not in result" means "1 + 1 in result" there. Neither reading is safe.
        token = self.take()
        if not self.sees(*NEGATABLE):
            raise self.unexpected()
        if power > NEGATABLE_POWER:
            raise self.problem("put the left side of 'not' into parentheses", token)
        return syntax.Unary("not", self.binary(self.take(), left), token.at)

    def operand(self) -> syntax.Node:
        token = self.current
        if token.kind is Kind.SYMBOL and token.value in UNARY:
            self.take()
            inner = self.expression(UNARY[token.value])
            return self.postfixes(syntax.Unary(token.value, inner, token.at))
        if self.accept("("):
            inner = self.expression(0)
            self.expect(")")
            return self.postfixes(inner)
        return self.primary()

    def primary(self) -> syntax.Node:
        token = self.current
        match token.kind:
            case Kind.NUMBER:
                return self.number(self.take())
            case Kind.STRING:
                return syntax.Literal(self.take().value, token.at)
            case Kind.NAME:
                self.take()
                if token.value in CONSTANTS:
                    return syntax.Literal(CONSTANTS[token.value], token.at)
                return self.postfixes(self.name(token))
            case _:
                return self.postfixes(self.bracketed())

    def bracketed(self) -> syntax.Node:
        at = self.current.at
        if self.accept("#"):
            return self.pointer(at)
        if self.accept("["):
            return syntax.ArrayLiteral(self.listed("]"), at)
        if self.sees("{", "let", "."):
            raise self.problem(f"{self.current.value!r} is not supported here")
        raise self.unexpected()

    def pointer(self, at: int) -> syntax.Node:
        if not self.predicates:
            raise ConditionError("cannot use # outside of a predicate", self.text, at)
        if self.current.kind is Kind.NAME:
            raise self.problem(f"#{self.current.value} is not supported")
        return syntax.Pointer(at)

    def number(self, token: Token) -> syntax.Node:
        try:
            value = _number(token.value)
        except ValueError:
            raise self.problem(f"invalid number {token.value}", token) from None
        return syntax.Literal(value, token.at)

    # What follows a name.

    def name(self, token: Token) -> syntax.Node:
        if not self.sees("("):
            return syntax.Name(token.value, token.at)
        self.take()
        if token.value in REFUSED:
            raise self.problem(f"{token.value} is not supported", token)
        if token.value not in PREDICATES:
            return syntax.Call(token.value, self.listed(")"), token.at)
        collection = self.expression(0)
        self.expect(",")
        return self.predicate(token, collection)

    def predicate(self, token: Token, collection: syntax.Node) -> syntax.Node:
        braces = self.accept("{")
        self.predicates += 1
        body = self.expression(0)
        self.predicates -= 1
        if braces:
            self.expect("}")
        self.expect(")")
        return syntax.Predicate(token.value, collection, body, token.at)

    def piped(self, left: syntax.Node) -> syntax.Node:
        token = self.take()
        if token.kind is not Kind.NAME or token.value in REFUSED:
            raise self.problem("a supported function must follow |", token)
        self.expect("(")
        if token.value in PREDICATES:
            return self.predicate(token, left)
        return syntax.Call(token.value, (left, *self.listed(")")), token.at)

    def listed(self, closing: str) -> tuple[syntax.Node, ...]:
        items: list[syntax.Node] = []
        while not self.sees(closing):
            if items:
                self.expect(",")
                # A comma before the end is allowed in arrays only.
                if closing == "]" and self.sees(closing):
                    break
            items.append(self.expression(0))
        self.expect(closing)
        return tuple(items)

    def postfixes(self, node: syntax.Node) -> syntax.Node:
        while self.sees("[", ".", "?."):
            token = self.take()
            if token.value == "[":
                node = self.subscript(node, token.at)
            elif token.value == "." and self.current.kind is Kind.NAME:
                field = self.take()
                node = syntax.Field(node, field.value, field.at)
            else:
                raise self.problem(f"{token.value!r} is not supported here", token)
        return node

    def subscript(self, base: syntax.Node, at: int) -> syntax.Node:
        start = None if self.sees(":") else self.expression(0)
        if start is not None and not self.sees(":"):
            self.expect("]")
            return syntax.Index(base, start, at)
        self.expect(":")
        stop = None if self.sees("]") else self.expression(0)
        self.expect("]")
        return syntax.Slice(base, start, stop, at)


def _number(digits: str) -> int | float:
    if "x" in digits:
        value: int | float = int(digits, 16)
    elif re.search(r"[.eE]", digits):
        value = float(digits)
    else:
        value = int(digits, 10)
    # An infinite literal is one that Go refuses as out of range; integers there have 64 bits.
    if value == float("inf") or (isinstance(value, int) and value > MAX_INTEGER):
        raise ValueError(digits)
    return value
