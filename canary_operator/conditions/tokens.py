"""Text of a condition -> tokens.

Law: knows characters, not meaning. What is not listed here is a ConditionError.
"""

import enum
import re
from dataclasses import dataclass

from canary_operator.conditions.problems import ConditionError

# Conditions that people write have less than 200 characters; the bound keeps hostile ones cheap.
MAX_CHARACTERS = 4096
LAST_CHARACTER = 0x10FFFF
FIRST_SURROGATE, LAST_SURROGATE = 0xD800, 0xDFFF


class Kind(enum.Enum):
    """What sort of word a token is."""

    NUMBER = "number"
    STRING = "string"
    NAME = "name"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One word, with the index of its first character. A string is already unescaped."""

    kind: Kind
    value: str
    at: int


# These words are operators, so they can never be names.
WORDS = frozenset(("not", "in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let"))

# Blanks are those of Unicode's White_Space property, which is what Go calls a space.
_PATTERN = re.compile(
    r"""
    (?P<blank>[\t\n\v\f\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+
             |//[^\n]*|/\*[\s\S]*?\*/)
  | (?P<number>(?:0[xX][0-9a-fA-F_]*(?:\.(?!\.)[0-9a-fA-F_]*)?
                 |0[oO][0-7_]*(?:\.(?!\.)[0-7_]*)?(?:[eE][+-]?[0-7_]*)?
                 |0[bB][01_]*(?:\.(?!\.)[01_]*)?(?:[eE][+-]?[01_]*)?
                 |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9_]*)?))
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<pointer>\#\#?[\w$]*)
  | (?P<name>(?:[^\W\d]|\$)[\w$]*)
  | (?P<symbol>\|\|?|\?[.?]?|[&!=*<>][&=*]?|\.\.?|[()\[\]{},:;%+\-^]|/(?!\*))
    """,
    re.VERBOSE,
)

_AFTER_NUMBER = re.compile(r"\w|\$")
_ESCAPE = re.compile(
    r"""\\(?:(?P<letter>[abfnrtv\\'"])|x(?P<hex2>[0-9a-fA-F]{2})|u(?P<hex4>[0-9a-fA-F]{4})
    |U(?P<hex8>[0-9a-fA-F]{8})|(?P<octal>[0-3][0-7]{2})|(?P<bad>[\s\S]))""",
    re.VERBOSE,
)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def tokenize(text: str) -> tuple[Token, ...]:
    """Split a condition into tokens; the last one is always END.

    Raises:

        ConditionError: the text is too long, or holds something that is no token.
    """
    if len(text) > MAX_CHARACTERS:
        raise ConditionError(f"longer than {MAX_CHARACTERS} characters", text, MAX_CHARACTERS)
    _check_encodable(text)
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _PATTERN.match(text, at)
        if match is None:
            raise _unrecognized(text, at)
        if match.lastgroup != "blank":
            tokens.extend(_tokens(match, text))
        at = match.end()
    return (*tokens, Token(Kind.END, "", at))


def _check_encodable(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConditionError("half of a surrogate pair is no character", text, error.start) from None


def _unrecognized(text: str, at: int) -> ConditionError:
    if text[at] in "\"'":
        return ConditionError("string is not closed", text, at)
    if text.startswith("/*", at):
        return ConditionError("comment is not closed", text, at)
    return ConditionError(f"unrecognized character {text[at]!r}", text, at)


def _tokens(match: re.Match[str], text: str) -> tuple[Token, ...]:
    at, value = match.start(), match.group()
    match match.lastgroup:
        case "number":
            if _AFTER_NUMBER.match(text, match.end()):
                raise ConditionError("bad number", text, at)
            return (Token(Kind.NUMBER, value, at),)
        case "string":
            return (Token(Kind.STRING, _unescape(value, text, at), at),)
        case "pointer":
            return _pointer(value, text, at)
        case "name":
            return (Token(Kind.SYMBOL if value in WORDS else Kind.NAME, _name(value, text, at), at),)
        case _:
            return (Token(Kind.SYMBOL, value, at),)


def _pointer(value: str, text: str, at: int) -> tuple[Token, ...]:
    """``#acc`` is a symbol and a name, even where the name is a word such as ``in``."""
    name = value.lstrip("#")
    symbol = Token(Kind.SYMBOL, value.removesuffix(name), at)
    start = at + len(symbol.value)
    return (symbol, Token(Kind.NAME, _name(name, text, start), start)) if name else (symbol,)


def _name(value: str, text: str, at: int) -> str:
    # Python takes more for letters and digits than Go does: numerals such as a superscript two.
    for place, one in enumerate(value):
        if not (one in "_$" or one.isalpha() or one.isdecimal()):
            raise ConditionError(f"unrecognized character {one!r}", text, at + place)
    return value


def _unescape(quoted: str, text: str, at: int) -> str:
    quote, inside = quoted[0], quoted[1:-1]

    def character(match: re.Match[str]) -> str:
        letter = match["letter"]
        if match["bad"] or (letter in ("'", '"') and letter != quote):
            raise ConditionError(f"invalid escape {match.group()}", text, at)
        if letter:
            return _LETTERS.get(letter, letter)
        digits = match["hex2"] or match["hex4"] or match["hex8"]
        return _code_point(int(digits, 16) if digits else int(match["octal"], 8), text, at)

    return _ESCAPE.sub(character, inside.replace("\r\n", "\n").replace("\r", "\n"))


def _code_point(number: int, text: str, at: int) -> str:
    if number > LAST_CHARACTER:
        raise ConditionError("invalid escape: not a character", text, at)
    # Half of a surrogate pair is no character; Go puts this one in its place.
    return "\ufffd" if FIRST_SURROGATE <= number <= LAST_SURROGATE else chr(number)
