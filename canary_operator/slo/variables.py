"""Filling template variables into PromQL so that a value can never become more than a value.

Law: a variable stands for a part of one token. A value inside a string is quoted; a value outside of strings may
only be a part of a name, a number or a duration. The filled text must have the tokens of the template, one by one.
"""

import re
from collections.abc import Iterable, Mapping

from canary_operator.errors import ConfigurationError
from canary_operator.slo import tokens
from canary_operator.slo.tokens import Token, TokenKind

_VARIABLE = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_PLAIN = re.compile(r"[A-Za-z0-9_:.]+")
_PRIVATE = [chr(code) for code in range(0xE000, 0xF900)]


def names(template: str) -> tuple[str, ...]:
    """The variables of a template, each once, such as ``args.service`` or ``.window``."""
    return tuple(dict.fromkeys(_VARIABLE.findall(template)))


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its variables filled in.

    Args:

        template: PromQL with variables in double braces.

        values: variable -> value. A value in a regular expression stays one: quoting is PromQL's, not RE2's.

    Raises:

        ConfigurationError: a variable has no value, or one that would not stay a part of its token.
    """
    marks = _marks(template, values)
    marked = _VARIABLE.sub(lambda found: marks[found[1]], template)
    words = tokens.tokenize(marked)
    by_mark = {mark: (name, values[name]) for name, mark in marks.items()}
    text = tokens.written(_filled(word, by_mark) for word in words)
    if _shape(tokens.tokenize(text)) != _shape(words):
        raise ConfigurationError(f"the values of {', '.join(marks)} would change the PromQL they are filled into")
    return text


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Another language's text with its variables replaced as they are; the reader of the result must be strict."""
    return _VARIABLE.sub(lambda found: values[found[1]], text)


def _marks(template: str, values: Mapping[str, str]) -> dict[str, str]:
    """A character of the private use area for each variable: it can stand in strings and names alike."""
    free = (character for character in _PRIVATE if character not in template)
    marks: dict[str, str] = {}
    for name in names(template):
        if name not in values:
            raise ConfigurationError(f"the variable {name[:80]!a} of the PromQL has no value")
        mark = next(free, None)
        if mark is None:
            raise ConfigurationError("the PromQL has too many variables")
        marks[name] = mark
    return marks


def _filled(word: Token, by_mark: Mapping[str, tuple[str, str]]) -> Token:
    held = [mark for mark in by_mark if mark in (word.value or word.text)]
    if not held:
        return word
    if word.kind is TokenKind.STRING:
        return tokens.with_value(word, _replaced(word.value, by_mark))
    for name, value in (by_mark[mark] for mark in held):
        if not _PLAIN.fullmatch(value):
            raise ConfigurationError(
                f"column {word.column}: {name} is {value[:80]!a}; outside of quotes only letters, digits, _ : . "
                "may be filled in"
            )
    return Token(word.kind, _replaced(word.text, by_mark), word.column, word.gap)


def _replaced(text: str, by_mark: Mapping[str, tuple[str, str]]) -> str:
    return "".join(by_mark[character][1] if character in by_mark else character for character in text)


def _shape(words: Iterable[Token]) -> list[str]:
    """What must not change: the signs, and the words and strings between them.

    Names and numbers that touch are one word: in ``[5m:1m]`` the colon belongs to a name, as tokens go.
    """
    shape: list[str] = []
    for word in words:
        kind = {TokenKind.SIGN: word.text, TokenKind.STRING: "string"}.get(word.kind, "word")
        if kind != "word" or word.gap or shape[-1:] != ["word"]:
            shape.append(kind)
    return shape
