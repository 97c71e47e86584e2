"""Tokens -> tree: a Pratt parser of the condition language.

Law: the table of binding powers is the grammar, and the order of the branches is Argo's parser's. What it does not
know is a ConditionError, never a guess.
"""

import re
from dataclasses import dataclass

from canary_operator.conditions import functions, syntax
from canary_operator.conditions.dialects import Dialect, Trait, refusal
from canary_operator.conditions.problems import ConditionError
from canary_operator.conditions.tokens import Kind, Token, tokenize
from canary_operator.conditions.values import LARGEST_INTEGER

MAX_NESTING = 40
MAX_DEPTH = 100

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
# ``a not in b``: these may stand behind a "not" without any doubt.
NEGATABLE = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))
NEGATABLE_POWER = 20
CONSTANTS = {"true": True, "false": False, "nil": None}
# Words that may be the name of a member.
WORDS = re.compile(r"[A-Za-z]+")
# Predicate -> trait, where it has one.
TRAITS = {
    "find": Trait.SEARCH,
    "findIndex": Trait.SEARCH,
    "findLast": Trait.BACKWARDS,
    "findLastIndex": Trait.BACKWARDS,
    "keys": Trait.ORDER,
    "values": Trait.ORDER,
    "toPairs": Trait.ORDER,
}


def parse(text: str, dialect: Dialect = Dialect.SAFE) -> syntax.Node:
    """Parse one condition.

    Raises:

        ConditionError: the text is not a condition, is too long or nested too deep, or the dialect refuses it.
    """
    parser = _Parser(text, tokenize(text), dialect)
    root = parser.expression(0)
    if parser.current.kind is not Kind.END:
        raise parser.unexpected()
    # Every level of the tree has a word of its own.
    if len(parser.tokens) > MAX_DEPTH:
        _check_depth(text, root)
    return root


def _check_depth(text: str, root: syntax.Node) -> None:
    for depth, node in syntax.walk(root):
        if depth > MAX_DEPTH:
            raise ConditionError(f"more than {MAX_DEPTH} operations deep", text, node.at)


@dataclass(slots=True)
class _Parser:
    text: str
    tokens: tuple[Token, ...]
    dialect: Dialect
    index: int = 0
    nesting: int = 0
    closures: int = 0

    @property
    def current(self) -> Token:
        return self.tokens[self.index]

    def problem(self, message: str, token: Token | None = None) -> ConditionError:
        return ConditionError(message, self.text, (token or self.current).at)

    def unexpected(self) -> ConditionError:
        if self.current.kind is Kind.END:
            return self.problem("unexpected end")
        return self.problem(f"unexpected {self.current.kind.value} {self.current.value!r}")

    def refuse(self, trait: Trait, token: Token) -> None:
        why = refusal(self.dialect, trait)
        if why is not None:
            raise self.problem(f"{token.value}: {why}", token)

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

    def expect_name(self) -> Token:
        if self.current.kind is not Kind.NAME:
            raise self.unexpected()
        return self.take()

    # Expressions, from the loosest to the tightest.

    def expression(self, power: int) -> syntax.Node:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.problem(f"nested more than {MAX_NESTING} deep")
        if power == 0 and self.accept("let"):
            node = self.declaration()
        else:
            node = self.binaries(self.operand(), power)
            if power == 0:
                node = self.conditionals(node)
        self.nesting -= 1
        return node

    def declaration(self) -> syntax.Node:
        name = self.expect_name()
        self.expect("=")
        value = self.expression(0)
        self.expect(";")
        return syntax.Let(name.value, value, self.expression(0), name.at)

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
            negated = self.negation(power) if self.sees("not") else None
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
                left = syntax.Unary("not", left, token.at) if negated else left
            previous = token.value
        return left

    def binary(self, token: Token, left: syntax.Node) -> syntax.Node:
        power = BINARY[token.value]
        right = self.expression(power if token.value in RIGHT_ASSOCIATIVE else power + 1)
        return syntax.Binary(token.value, left, right, token.at)

    def negation(self, power: int) -> Token:
        # Argo's parser takes the "not" before it looks whether the operator behind it binds tightly enough, and
        # forgets it where it does not: "1 + 1 not in result" means "1 + 1 in result" there.
        token = self.take()
        if self.dialect is Dialect.SAFE and not self.sees(*NEGATABLE):
            raise self.unexpected()
        if power > NEGATABLE_POWER:
            self.refuse(Trait.SWALLOWED_NOT, token)
        return token

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
        return self.postfixes(self.pointer()) if self.sees("#", ".") else self.primary()

    def pointer(self) -> syntax.Node:
        at = self.current.at
        if not self.closures:
            raise self.problem("cannot use # outside of a predicate")
        # In front of a member the pointer may be left out: .field.
        name = ""
        if self.accept("#") and self.current.kind is Kind.NAME:
            name = self.take().value
        return syntax.Pointer(name, at)

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
        if self.accept("["):
            return syntax.ArrayLiteral(self.listed("]"), at)
        if self.accept("{"):
            return self.map(at)
        raise self.unexpected()

    def map(self, at: int) -> syntax.Node:
        keys: list[syntax.Node] = []
        values: list[syntax.Node] = []
        while not self.accept("}"):
            if keys:
                self.expect(",")
                if self.accept("}"):
                    break
            keys.append(self.key())
            self.expect(":")
            values.append(self.expression(0))
        return syntax.MapLiteral(tuple(keys), tuple(values), at)

    def key(self) -> syntax.Node:
        token = self.current
        if token.kind in (Kind.NUMBER, Kind.STRING, Kind.NAME):
            return syntax.Literal(self.take().value, token.at)
        if self.sees("("):
            return self.expression(0)
        raise self.problem("a key of a map must be a text, a number, a name or stand in parentheses")

    def number(self, token: Token) -> syntax.Node:
        try:
            value = _number(token.value.replace("_", ""))
        except ValueError:
            raise self.problem(f"invalid number {token.value}", token) from None
        return syntax.Literal(value, token.at)

    # What follows a name.

    def name(self, token: Token) -> syntax.Node:
        if not self.accept("("):
            return syntax.Name(token.value, token.at)
        if token.value not in functions.PREDICATES:
            return self.call(token, self.listed(")"))
        collection = self.expression(0)
        self.expect(",")
        return self.predicate(token, collection)

    def call(self, token: Token, arguments: tuple[syntax.Node, ...]) -> syntax.Node:
        if token.value in TRAITS:
            self.refuse(TRAITS[token.value], token)
        if token.value in functions.BUILTINS or token.value in functions.UNSUPPORTED:
            return syntax.Builtin(token.value, arguments, token.at)
        return syntax.Call(syntax.Name(token.value, token.at), arguments, token.at)

    def predicate(self, token: Token, collection: syntax.Node) -> syntax.Node:
        arguments = [collection, self.closure()]
        if token.value == "reduce" and self.accept(","):
            arguments.append(self.expression(0))
        self.expect(")")
        return self.call(token, tuple(arguments))

    def closure(self) -> syntax.Node:
        at = self.current.at
        braces = self.accept("{")
        self.closures += 1
        body = self.expression(0)
        self.closures -= 1
        if braces:
            self.expect("}")
        return syntax.Closure(body, at)

    def piped(self, left: syntax.Node) -> syntax.Node:
        token = self.expect_name()
        self.expect("(")
        if token.value in functions.PREDICATES:
            return self.predicate(token, left)
        return self.call(token, (left, *self.listed(")")))

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
            node = self.subscript(node, token.at) if token.value == "[" else self.member(node, token)
        return node

    def member(self, node: syntax.Node, token: Token) -> syntax.Node:
        name = self.current
        if not (name.kind is Kind.NAME or (name.kind is Kind.SYMBOL and WORDS.fullmatch(name.value))):
            raise self.problem("expected the name of a member")
        self.take()
        chained, optional = isinstance(node, syntax.Chain), token.value == "?."
        base = node.inner if isinstance(node, syntax.Chain) else node
        found: syntax.Node = syntax.Member(base, syntax.Literal(name.value, name.at), optional, name.at)
        if self.sees("("):
            self.refuse(Trait.VALUE_CALL, name)
            self.take()
            found = syntax.Call(found, self.listed(")"), name.at)
        return syntax.Chain(found, name.at) if chained or optional else found

    def subscript(self, base: syntax.Node, at: int) -> syntax.Node:
        start = None if self.sees(":") else self.expression(0)
        if start is not None and not self.sees(":"):
            self.expect("]")
            return syntax.Member(base, start, optional=False, at=at)
        self.expect(":")
        stop = None if self.sees("]") else self.expression(0)
        self.expect("]")
        return syntax.Slice(base, start, stop, at)


def _number(digits: str) -> int | float:
    # Argo reads 0o17, 0b11 and 0X1F as words of the language, and then knows no number for them.
    if "x" in digits:
        value: int | float = int(digits, 16)
    elif re.search(r"[.eE]", digits):
        value = float(digits)
    else:
        value = int(digits, 10)
    # An infinite literal is one that Go refuses as out of range; integers there have 64 bits.
    if value == float("inf") or (isinstance(value, int) and value > LARGEST_INTEGER):
        raise ValueError(digits)
    return value
