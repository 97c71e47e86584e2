r"""Text of a regular expression -> tree, in the syntax of RE2, which is Go's.

Law: what Go refuses is an OperandError here. So is what Go knows and this does not: scripts such as ``\p{Greek}``.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from canary_operator.conditions.problems import OperandError

MAX_LENGTH = 1000
MAX_NESTING = 40
# Go's own bound for {n}.
MAX_REPEAT = 1000

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class One:
    """One character that passes a test."""

    test: Test


@dataclass(frozen=True, slots=True)
class Edge:
    """A place between two characters: ``^ $ A z b B``, or ``< >`` for the ends of a line."""

    kind: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several parts."""

    parts: tuple["Part", ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part several times; ``most`` None for without end."""

    part: "Part"
    least: int
    most: int | None


Part = One | Edge | Sequence | Choice | Repeat

_REPEAT = re.compile(r"\*|\+|\?|\{(?P<least>[0-9]+)(?P<more>,(?P<most>[0-9]*))?\}", re.ASCII)
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>[A-Za-z0-9_]+)>|(?P<on>[imsU]*)(?P<off>-[imsU]+)?(?P<end>[:)]))", re.ASCII)
_ESCAPE = re.compile(
    r"\\(?:x\{(?P<long>[0-9a-fA-F]+)\}|x(?P<short>[0-9a-fA-F]{2})|(?P<octal>0[0-7]{0,2}|[1-7][0-7]{1,2})"
    r"|(?P<letter>[aftnrv])|(?P<mark>[^\w]|_))",
    re.ASCII,
)
_UNICODE = re.compile(r"\\(?P<sign>[pP])(?:\{(?P<not>\^?)(?P<long>[A-Za-z]+)\}|(?P<short>[A-Za-z]))")
_LETTERS = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
_WORD = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_PERL: Mapping[str, frozenset[str]] = {"d": frozenset("0123456789"), "s": frozenset("\t\n\f\r "), "w": _WORD}
_ASCII = frozenset(map(chr, range(128)))
_NAMED: Mapping[str, frozenset[str]] = {
    "alnum": _WORD - {"_"},
    "alpha": frozenset(one for one in _WORD if one.isalpha()),
    "ascii": _ASCII,
    "blank": frozenset("\t "),
    "cntrl": frozenset(map(chr, [*range(32), 127])),
    "digit": _PERL["d"],
    "graph": frozenset(map(chr, range(33, 127))),
    "lower": frozenset("abcdefghijklmnopqrstuvwxyz"),
    "print": frozenset(map(chr, range(32, 127))),
    "punct": frozenset(one for one in map(chr, range(33, 127)) if not one.isalnum()),
    "space": frozenset("\t\n\v\f\r "),
    "upper": frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "word": _WORD,
    "xdigit": frozenset("0123456789ABCDEFabcdef"),
}
_CATEGORIES = frozenset(
    (
        *("C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl", "No"),
        *("P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs"),
    )
)


def parse(pattern: str) -> Part:
    """Parse a regular expression.

    Raises:

        OperandError: it is none, too long or nested too deep, or uses what is not supported.
    """
    if len(pattern) > MAX_LENGTH:
        raise OperandError(f"a regular expression with more than {MAX_LENGTH} characters")
    parser = _Parser(pattern)
    part = parser.choice()
    if parser.at < len(pattern):
        raise parser.problem("unexpected )")
    return part


def among(characters: frozenset[str], one: str) -> bool:
    """Whether a character is one of these."""
    return one in characters


def _of_category(category: str, one: str) -> bool:
    return unicodedata.category(one).startswith(category)


def _between(low: str, high: str, one: str) -> bool:
    return low <= one <= high


def _negated(test: Test, one: str) -> bool:
    return not test(one)


def _any_of(tests: tuple[Test, ...], one: str) -> bool:
    return any(test(one) for test in tests)


def _folded(test: Test, one: str) -> bool:
    return any(test(other) for other in cases(one))


def cases(one: str) -> Iterator[str]:
    """Yield a character in both cases, as far as each is one character."""
    found = {one, one.lower(), one.upper(), one.upper().lower(), one.lower().upper()}
    # Two letters whose lower case is an ASCII letter, and which no ASCII letter leads to.
    found |= {{"k": "\u212a", "s": "\u017f"}.get(one.lower(), one)}
    yield from (other for other in found if len(other) == 1)


@dataclass(slots=True)
class _Parser:
    pattern: str
    at: int = 0
    nesting: int = 0
    flags: frozenset[str] = frozenset()
    names: set[str] = field(default_factory=set)

    def problem(self, message: str) -> OperandError:
        return OperandError(f"regular expression {self.pattern!r}: {message} at character {self.at + 1}")

    def sees(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def accept(self, text: str) -> bool:
        if not self.sees(text):
            return False
        self.at += len(text)
        return True

    def take(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        match = expression.match(self.pattern, self.at)
        if match is not None:
            self.at = match.end()
        return match

    def choice(self) -> Part:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.problem(f"nested more than {MAX_NESTING} deep")
        outside = self.flags
        parts = [self.sequence()]
        while self.accept("|"):
            parts.append(self.sequence())
        self.flags = outside
        self.nesting -= 1
        return Choice(tuple(parts)) if len(parts) > 1 else parts[0]

    def sequence(self) -> Part:
        parts: list[Part] = []
        repeated = False
        while self.at < len(self.pattern) and not self.sees("|") and not self.sees(")"):
            if self.accept("\\Q"):
                parts.extend(self.quoted())
                repeated = False
                continue
            match = self.take(_REPEAT)
            if match is None:
                parts.extend(self.atom())
                repeated = False
                continue
            if repeated or not parts:
                raise self.problem("nothing to repeat" if not parts else "invalid nested repetition")
            parts[-1] = self.repeat(parts[-1], match)
            repeated = True
        return Sequence(tuple(parts))

    def quoted(self) -> Iterator[Part]:
        end = self.pattern.find("\\E", self.at)
        inside = self.pattern[self.at : end if end >= 0 else len(self.pattern)]
        self.at += len(inside) + (2 if end >= 0 else 0)
        for one in inside:
            yield self.one(partial(among, frozenset(one)))

    def repeat(self, part: Part, match: re.Match[str]) -> Part:
        # Whether it takes as much or as little as it can makes no difference to whether there is a match.
        self.accept("?")
        if match["least"] is None:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[match.group()]
            return Repeat(part, least, most)
        least = int(match["least"])
        most = (int(match["most"]) if match["most"] else None) if match["more"] else least
        if least > MAX_REPEAT or (most is not None and not least <= most <= MAX_REPEAT):
            raise self.problem("invalid repeat count")
        return Repeat(part, least, most)

    def atom(self) -> tuple[Part, ...]:
        """One part; nothing for a change of flags."""
        one = self.pattern[self.at]
        if one == "(":
            return self.group()
        if one == "[":
            return (One(self.characters()),)
        if one == "\\":
            return (self.escaped(),)
        self.at += 1
        match one:
            case ".":
                every = partial(_negated, partial(among, frozenset() if "s" in self.flags else frozenset("\n")))
                return (One(every),)
            case "^":
                return (Edge("<" if "m" in self.flags else "^"),)
            case "$":
                return (Edge(">" if "m" in self.flags else "$"),)
            case _:
                return (self.one(partial(among, frozenset(one))),)

    def one(self, test: Test) -> One:
        return One(self.in_case(test))

    def in_case(self, test: Test, *, negated: bool = False) -> Test:
        """A test that looks at the case or not, as the flags say; it is folded before it is negated."""
        found: Test = partial(_folded, test) if "i" in self.flags else test
        return partial(_negated, found) if negated else found

    def group(self) -> tuple[Part, ...]:
        if not self.sees("(?"):
            self.at += 1
            return (self.closed(),)
        match = self.take(_GROUP)
        if match is None:
            raise self.problem("invalid group")
        if match["name"]:
            if match["name"] in self.names:
                raise self.problem("duplicate group name")
            self.names.add(match["name"])
            return (self.closed(),)
        outside = self.flags
        self.flags = (self.flags | set(match["on"])) - set(match["off"] or "")
        if match["end"] == ")":
            return ()
        part = self.closed()
        self.flags = outside
        return (part,)

    def closed(self) -> Part:
        part = self.choice()
        if not self.accept(")"):
            raise self.problem("missing )")
        return part

    # Escapes and classes.

    def escaped(self) -> Part:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following and following in "AzbB":
            self.at += 2
            return Edge({"A": "^", "z": "$"}.get(following, following))
        group = self.perl() or self.unicode()
        return One(group) if group else self.one(partial(among, frozenset(self.character())))

    def perl(self) -> Test | None:
        following = self.pattern[self.at + 1 : self.at + 2]
        if not self.sees("\\") or following.lower() not in _PERL or not following:
            return None
        self.at += 2
        return self.in_case(partial(among, _PERL[following.lower()]), negated=following.isupper())

    def unicode(self) -> Test | None:
        if not (self.sees("\\p") or self.sees("\\P")):
            return None
        match = self.take(_UNICODE)
        name = match and (match["long"] or match["short"])
        if match is None or (name != "Any" and name not in _CATEGORIES):
            raise self.problem("an unknown class of characters")
        test = partial(_of_category, "" if name == "Any" else name or "")
        return self.in_case(test, negated=(match["sign"] == "P") != bool(match["not"]))

    def character(self) -> str:
        """One character, escaped or not."""
        if self.at >= len(self.pattern):
            raise self.problem("missing ]")
        if not self.sees("\\"):
            self.at += 1
            return self.pattern[self.at - 1]
        match = self.take(_ESCAPE)
        if match is None:
            raise self.problem("invalid escape sequence")
        if match["letter"] or match["mark"]:
            return _LETTERS.get(match["letter"], match["mark"] or "")
        digits = match["long"] or match["short"]
        number = int(digits, 16) if digits else int(match["octal"], 8)
        if number > 0x10FFFF:
            raise self.problem("invalid escape sequence")
        return chr(number)

    def characters(self) -> Test:
        self.at += 1
        negated = self.accept("^")
        tests: list[Test] = []
        while not tests or not self.accept("]"):
            tests.append(self.named() or self.perl() or self.unicode() or self.range())
        test: Test = partial(_any_of, tuple(tests))
        return partial(_negated, test) if negated else test

    def named(self) -> Test | None:
        end = self.pattern.find(":]", self.at + 2)
        if not self.sees("[:") or end < 0:
            return None
        name = self.pattern[self.at + 2 : end]
        if name.removeprefix("^") not in _NAMED:
            raise self.problem("invalid character class range")
        self.at = end + 2
        return self.in_case(partial(among, _NAMED[name.removeprefix("^")]), negated=name.startswith("^"))

    def range(self) -> Test:
        low = self.character()
        if not self.sees("-") or self.sees("-]") or self.at + 1 >= len(self.pattern):
            return self.in_case(partial(among, frozenset(low)))
        self.at += 1
        high = self.character()
        if high < low:
            raise self.problem("invalid character class range")
        return self.in_case(partial(_between, low, high))
