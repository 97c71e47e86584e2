"""Seeded conditions and results: most are well formed, some are nearly so.

Law: the same seed gives the same cases, on every machine.
"""

import json
import random
from dataclasses import dataclass
from typing import Any

NUMBERS = ("0", "1", "2", "3", "-1", "0.5", "1.0", "2.0", "1e3", "0x1F", "1_000", ".5", "9223372036854775807", "1e308")
TEXTS = ('"a"', '"ab"', "'b'", '""', '"1"', '"1.5"', r'"\u00e9\n"', '"a,b"', '"A b "', '"[1, 2]"', '"{\\"a\\": 1}"')
PATTERNS = (
    '"a"',
    '"^a.*b$"',
    '"[0-9]+"',
    '"(a|b){1,2}"',
    r'"\\d\\s*\\w"',
    '"(?i)AB"',
    '"a**"',
    '"[[:alpha:]]+$"',
    '"("',
)
NAMES = ("result", "result", "result", "result[0]", "result[0]", "result[1]", "result[-1]", "len(result)", "missing")
COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
ARITHMETIC = ("+", "-", "*", "/", "%", "**", "^")
TEXTUAL = ("contains", "startsWith", "endsWith", "matches", "not contains", "+", "==", "<")
UNARY = ("abs", "ceil", "floor", "round", "int", "float", "string", "asInt", "asFloat", "isNaN", "isInf", "type")
OF_LISTS = ("len", "sum", "mean", "median", "first", "last", "sort", "string", "toJSON", "max", "join", "type", "keys")
OF_TEXTS = ("trim", "upper", "lower", "len", "int", "float", "asFloat", "fromJSON", "toBase64", "fromBase64", "toJSON")
OF_TWO_TEXTS = ("split", "splitAfter", "trimPrefix", "trimSuffix", "indexOf", "lastIndexOf", "hasPrefix", "hasSuffix")
TESTS = ("all", "any", "none", "one")
SEARCHES = ("find", "findIndex", "findLast", "findLastIndex")
JSON = (None, True, False, 0.0, 1.0, 2.5, "a", "1.1", "", [], [1.0, 2.0], ["a", "b"], {}, {"a": 1.0}, [1.0, "a", None])
JSON_MORE = ({"a": {"b": [1.0, 2.0]}, "c": None}, [{"a": 2.0, "b": "x"}, {"a": 1.0, "b": "y"}], [[1.0], [2.0, 3.0]])
FLOATS = (0.0, 1.0, 2.0, 3.0, 0.5, -1.0, 1e3, 1e21, 1e-7, float("nan"), float("inf"), float("-inf"), -0.0)


@dataclass(frozen=True, slots=True)
class Case:
    """A condition and what it judges: ``scalar`` and ``vector`` hold numbers, ``json`` any document."""

    kind: str
    result: Any
    condition: str

    def line(self) -> str:
        """One line of JSON; numbers are texts, since JSON knows no NaN."""
        result = self.result
        if self.kind != "json":
            result = repr(result) if self.kind == "scalar" else [repr(one) for one in result]
        return json.dumps({"kind": self.kind, "result": result, "condition": self.condition})


def read(line: str) -> Case:
    """Read a line back."""
    found = json.loads(line)
    result = found["result"]
    if found["kind"] != "json":
        result = float(result) if found["kind"] == "scalar" else [float(one) for one in result]
    return Case(found["kind"], result, found["condition"])


def case(seed: int, number: int) -> Case:
    """Make the case of this number."""
    writer = _Writer(random.Random(f"{seed}/{number}"))
    kind = writer.pick(("vector", "vector", "vector", "scalar", "json"))
    if kind == "scalar":
        result: Any = writer.pick(FLOATS)
    elif kind == "vector":
        result = [writer.pick(FLOATS) for _ in range(writer.random.randrange(4))]
    else:
        result = writer.pick(JSON + JSON_MORE)
    condition = writer.boolean(writer.random.randrange(1, 5))
    return Case(kind, result, writer.spoiled(condition) if writer.random.random() < 0.08 else condition)


class _Writer:
    def __init__(self, source: random.Random) -> None:
        self.random = source
        self.closures: list[str] = []

    def pick(self, choices: Any) -> Any:
        return self.random.choice(choices)

    def either(self, depth: int, *names: str) -> str:
        return getattr(self, self.pick(names))(depth - 1)

    def spoiled(self, text: str) -> str:
        place = self.random.randrange(len(text) + 1)
        match self.random.randrange(4):
            case 0:
                return text[:place] + text[place + 1 :]
            case 1:
                return (
                    text[:place]
                    + self.pick(("not ", "(", ")", "#", ".", "?.", "[0]", "1", '"', " in ", "??"))
                    + text[place:]
                )
            case 2:
                return f"{text} {self.pick(('not', 'not in [1]', 'or', '? true : false', '| len()', '[0]'))}"
            case _:
                return text.replace(" ", "", 1)

    def any(self, depth: int) -> str:
        return self.either(depth, "number", "number", "text", "list", "map", "boolean", "anything", "special")

    def special(self, depth: int) -> str:
        return self.pick(
            ("nil", "true", "isNaN", "result?.a", "result?.a.b", "result.a", "default(result, 1)", "isNil(result)")
        )

    def boolean(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(("true", "false", "result", "result[0] > 1", "isNil(result)"))
        return self.either(
            depth,
            "comparison",
            "comparison",
            "comparison",
            "logic",
            "logic",
            "membership",
            "textual",
            "predicate",
            "conditional",
            "negation",
            "equality",
            "declared",
            "special",
            "coalesced",
            "isnan",
        )

    def isnan(self, depth: int) -> str:
        return f"{self.pick(('isNaN', 'isInf'))}({self.number(depth)})"

    def comparison(self, depth: int) -> str:
        return f"{self.number(depth)} {self.pick(COMPARISONS)} {self.number(depth)}"

    def equality(self, depth: int) -> str:
        return f"{self.any(depth)} {self.pick(('==', '!='))} {self.any(depth)}"

    def logic(self, depth: int) -> str:
        return f"{self.boolean(depth)} {self.pick(('and', 'or', '&&', '||'))} {self.boolean(depth)}"

    def negation(self, depth: int) -> str:
        return self.pick(("not ({})", "!({})", "not {}")).format(self.boolean(depth))

    def coalesced(self, depth: int) -> str:
        return f"({self.any(depth)} ?? {self.any(depth)}) {self.pick(COMPARISONS)} {self.any(depth)}"

    def conditional(self, depth: int) -> str:
        return f"({self.boolean(depth)} ? {self.any(depth)} : {self.any(depth)}) == {self.any(depth)}"

    def declared(self, depth: int) -> str:
        return f"(let x = {self.any(depth)}; x {self.pick(('==', '!=', '<', 'in'))} {self.any(depth)})"

    def membership(self, depth: int) -> str:
        return f"{self.any(depth)} {self.pick(('in', 'not in'))} {self.list(depth)}"

    def textual(self, depth: int) -> str:
        operator = self.pick(TEXTUAL)
        other = self.pick(PATTERNS) if operator == "matches" else self.text(depth)
        return f"{self.text(depth)} {operator} {other}"

    def predicate(self, depth: int) -> str:
        name = self.pick(TESTS)
        if self.random.random() < 0.2:
            return f"{self.list(depth)} | {name}({self.closure(depth)})"
        return f"{name}({self.list(depth)}, {self.closure(depth)})"

    def closure(self, depth: int, body: str = "boolean") -> str:
        self.closures.append("#")
        written = (
            getattr(self, body)(depth - 1)
            if self.random.random() < 0.4
            else self.pick(
                (
                    "# > 1",
                    "# == 2",
                    "# in [1, 2]",
                    "true",
                    "# < 1 or # > 2",
                    "not (# == 1)",
                    ".a > 1",
                    "# != nil",
                    "#.a == 1",
                )
            )
        )
        self.closures.pop()
        return written

    def number(self, depth: int) -> str:
        if depth <= 0:
            return self.pick((*NUMBERS, *NAMES, *self.closures * 6))
        return self.either(
            depth,
            "sum",
            "sum",
            "called",
            "counted",
            "of_list",
            "item",
            "leaf",
            "leaf",
            "leaf",
            "leaf",
            "reduced",
            "searched",
            "extreme",
            "parenthesis",
        )

    def leaf(self, depth: int) -> str:
        return self.number(0)

    def parenthesis(self, depth: int) -> str:
        return f"({self.number(depth)})"

    def sum(self, depth: int) -> str:
        return f"{self.number(depth)} {self.pick(ARITHMETIC)} {self.number(depth)}"

    def called(self, depth: int) -> str:
        return f"{self.pick(UNARY)}({self.any(depth)})"

    def extreme(self, depth: int) -> str:
        return f"{self.pick(('max', 'min'))}({self.number(depth)}, {self.number(depth)})"

    def counted(self, depth: int) -> str:
        return f"count({self.list(depth)}, {self.closure(depth)})"

    def of_list(self, depth: int) -> str:
        return f"{self.pick(OF_LISTS)}({self.list(depth)})"

    def item(self, depth: int) -> str:
        return f"{self.list(depth)}[{self.pick(('0', '-1', '1', '5', self.number(depth)))}]"

    def searched(self, depth: int) -> str:
        return f"{self.pick(SEARCHES)}({self.list(depth)}, {self.closure(depth)})"

    def reduced(self, depth: int) -> str:
        first = self.pick(("", "", f", {self.number(depth)}"))
        body = self.pick(("#acc + #", "#acc", "#index + #acc", "max(#, #acc)", "1"))
        return f"reduce({self.list(depth)}, {body}{first})"

    def text(self, depth: int) -> str:
        if depth <= 0:
            return self.pick((*TEXTS, "string(result)", "type(result)", "result", *self.closures))
        return self.either(
            depth, "of_text", "joined", "leaf_text", "leaf_text", "replaced", "of_two", "as_text", "cut_text"
        )

    def leaf_text(self, depth: int) -> str:
        return self.text(0)

    def cut_text(self, depth: int) -> str:
        return f"({self.text(depth)})[{self.pick(('1:', ':1', '-1:', ':-1', ':', '1:2', '0'))}]"

    def as_text(self, depth: int) -> str:
        return f"{self.pick(('string', 'toJSON', 'type'))}({self.any(depth)})"

    def of_text(self, depth: int) -> str:
        return f"{self.pick(OF_TEXTS)}({self.text(depth)})"

    def of_two(self, depth: int) -> str:
        return f"{self.pick(OF_TWO_TEXTS)}({self.text(depth)}, {self.text(depth)})"

    def joined(self, depth: int) -> str:
        glue = self.pick(("", ', "-"'))
        return f"join(split({self.text(depth)}, {self.text(depth)}){glue})"

    def replaced(self, depth: int) -> str:
        return f"{self.pick(('replace({0}, {1}, {2})', 'repeat({0}, 3)', 'replace({0}, {1}, {2}, 1)'))}".format(
            self.text(depth), self.text(depth), self.text(depth)
        )

    def list(self, depth: int) -> str:
        if depth <= 0:
            return self.pick(
                ("result", "result", "[]", "[1, 2]", "[1, 2.0, 3]", '["a", "b"]', "1..3", "3..1", *self.closures)
            )
        return self.either(
            depth,
            "literal",
            "filtered",
            "mapped",
            "sliced",
            "ranged",
            "leaf_list",
            "leaf_list",
            "sorted",
            "taken",
            "pairs",
        )

    def leaf_list(self, depth: int) -> str:
        return self.list(0)

    def literal(self, depth: int) -> str:
        return "[" + ", ".join(self.any(depth) for _ in range(self.random.randrange(4))) + "]"

    def filtered(self, depth: int) -> str:
        return f"filter({self.list(depth)}, {self.closure(depth)})"

    def mapped(self, depth: int) -> str:
        bodies = ("# + 1", "#", "#index", "string(#)", "[#]", "# > 1", self.closure(depth, "any"))
        return f"map({self.list(depth)}, {self.pick(bodies)})"

    def sliced(self, depth: int) -> str:
        return f"{self.list(depth)}[{self.pick(('1:', ':1', '-1:', ':-1', ':', '1:2', '2:1'))}]"

    def ranged(self, depth: int) -> str:
        return f"{self.pick(('1', '0', self.number(depth)))}..{self.pick(('3', '0', self.number(depth)))}"

    def sorted(self, depth: int) -> str:
        return self.pick(("sort({})", 'sort({}, "desc")', 'sortBy({}, "a")', 'sort({}, "up")')).format(self.list(depth))

    def taken(self, depth: int) -> str:
        return f"take({self.list(depth)}, {self.pick(('1', '9', '-1', self.number(depth)))})"

    def pairs(self, depth: int) -> str:
        return self.pick(("sort(keys({}))", "sort(values({}))", "[{}]", "toPairs({})")).format(self.map(depth))

    def map(self, depth: int) -> str:
        inner = self.any(max(0, depth - 1))
        return self.pick(
            (
                "{{}}",
                "{{a: {0}}}",
                '{{"b": {0}, c: 1}}',
                "{{(string({0})): 1}}",
                "groupBy({1}, # > 1)",
                'fromPairs([["a", {0}]])',
            )
        ).format(inner, self.list(depth))

    def anything(self, depth: int) -> str:
        return self.pick(
            (
                "get({0}, {1})",
                "{0}?.a",
                "({0}).a",
                "first({2})",
                "last({2})",
                "({0})[{1}]",
                "fromJSON({3})",
                "isNil({0})",
                "default({0}, {1})",
            )
        ).format(self.map(depth), self.any(depth), self.list(depth), self.text(depth))
