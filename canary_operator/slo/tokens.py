"""PromQL as tokens: where strings, names and numbers begin and end.

Law: the only place that reads PromQL's quotes and escapes. The text that leaves is plainer than the one
that came in: comments are gone and every string is in double quotes, because servers and parsers differ in raw
strings and in where a comment ends, and what differs can be used to smuggle. Nothing here judges grammar.
"""

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from canary_operator.errors import ConfigurationError
from canary_operator.model.promql import quote

# The parser needs time that grows with the square of the length; the longest query we have met has 3,000 characters.
MAX_CHARACTERS = 10_000
MAX_TOKENS = 1_000

_PATTERN = re.compile(
    r"""(?P<gap>[ \t\r\n]+|\#[^\r\n]*)
    |(?P<number>(?:[0-9]|\.[0-9])[0-9A-Za-z_.\uE000-\uF8FF]*)
    |(?P<name>[A-Za-z_:\uE000-\uF8FF][A-Za-z0-9_:\uE000-\uF8FF]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'|`[^`]*`)
    |(?P<sign>=~|!=|!~|==|<=|>=|[-+*/%^=<>@,(){}\[\]])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9A-Fa-f]{2})|([0-7]{3})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.?))")
_SINGLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}


class TokenKind(enum.Enum):
    """The kinds of tokens."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    SIGN = "sign"


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Args:

        text: as it will be written.

        column: where it was in the text that came in, from 1.

        gap: white space before it.

        value: of a string, without quotes and escapes.
    """

    kind: TokenKind
    text: str
    column: int
    gap: str = ""
    value: str = ""

    def is_sign(self, text: str) -> bool:
        """Whether it is this sign, and not a string that holds it."""
        return self.kind is TokenKind.SIGN and self.text == text

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these keywords, in any case as PromQL has it."""
        return self.kind is TokenKind.NAME and self.text.lower() in words


def tokenize(promql: str) -> tuple[Token, ...]:
    """The tokens of an expression.

    Raises:

        ConfigurationError: the text is too long, or something in it is no token; with the column.
    """
    if len(promql) > MAX_CHARACTERS:
        raise ConfigurationError(f"the PromQL has {len(promql)} characters; at most {MAX_CHARACTERS} are read")
    tokens: list[Token] = []
    position, gap = 0, ""
    while position < len(promql):
        found = _PATTERN.match(promql, position)
        if found is None:
            raise _unreadable(promql, position)
        if found.lastgroup == "gap":
            gap += " " if found[0].startswith("#") else found[0]
        else:
            tokens.append(_token(found, gap))
            gap = ""
        position = found.end()
    if len(tokens) > MAX_TOKENS:
        raise ConfigurationError(f"the PromQL has {len(tokens)} words and signs; at most {MAX_TOKENS} are read")
    return tuple(tokens)


def _token(found: re.Match[str], gap: str) -> Token:
    kind, column = TokenKind(found.lastgroup), found.start() + 1
    if kind is not TokenKind.STRING:
        return Token(kind, found[0], column, gap)
    value = _unquoted(found[0], column)
    return Token(kind, quote(value), column, gap, value)


def _unreadable(promql: str, position: int) -> ConfigurationError:
    character, column = promql[position], position + 1
    if character in "\"'`":
        return ConfigurationError(f"column {column}: the string does not end, or not in its line")
    return ConfigurationError(f"column {column}: {character!a} is not PromQL")


def _unquoted(text: str, column: int) -> str:
    quote_sign, inside = text[0], text[1:-1]
    if quote_sign == "`":
        return inside
    return _ESCAPE.sub(lambda found: _character(found, quote_sign, column), inside)


def _character(found: re.Match[str], quote_sign: str, column: int) -> str:
    single, *numbers, _ = found.groups()
    if single is not None and (single in _SINGLE or single == quote_sign):
        return _SINGLE.get(single, single)
    for digits, base, largest in zip(numbers, (16, 8, 16, 16), (0x7F, 0x7F, 0xFFFF, 0x10FFFF), strict=True):
        # \x and \NNN above 127 are bytes, which together may or may not be a character.
        if digits is not None and (code := int(digits, base)) <= largest and not 0xD800 <= code < 0xE000:
            return chr(code)
    raise ConfigurationError(f"column {column}: the string has an escape that cannot be read: {found[0]!a}")


def with_value(token: Token, value: str) -> Token:
    """The same string token with another value."""
    return replace(token, text=quote(value), value=value)


def written(tokens: Iterable[Token]) -> str:
    """The tokens as text."""
    return "".join(token.gap + token.text for token in tokens).strip()
