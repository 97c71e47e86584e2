r"""Regular expressions for ``matches``, as far as Python and Go agree on them.

Law: linear in practice and the same in both languages: characters, ``.``, ``\d \w \s``, simple classes,
``^``, ``$``, and at most two of ``* + ?``. Groups, alternatives and the rest are not supported, because
Python would look for them by backtracking, which a hostile pattern makes endless.
"""

import re

from canary_operator.conditions.problems import OperandError

MAX_REPETITIONS = 2
MAX_SUBJECT = 256

_PART = re.compile(
    r"""(?P<atom>[A-Za-z0-9_\s\-/:;,=@!%&~"'<>\#]|\.|\\[.^$*+?()\[\]{}|\\\-/]|\\[dDwWsS]
      |\[\^?(?:[A-Za-z0-9_./:]-[A-Za-z0-9]|[A-Za-z0-9_./:])+\])(?P<repeat>[*+?](?![*+?]))?
      |(?P<edge>[\^$])""",
    re.VERBOSE,
)


def translate(pattern: str) -> re.Pattern[str]:
    """Compile a pattern.

    Raises:

        OperandError: the pattern uses more than the supported part.
    """
    parts: list[str] = []
    at = repetitions = 0
    while at < len(pattern):
        match = _PART.match(pattern, at)
        if match is None:
            raise OperandError(f"regular expression {pattern!r} is not supported from character {at + 1} on")
        repetitions += match["repeat"] is not None
        # Go's $ is the very end; Python's is also the place before a last line break.
        parts.append(r"\Z" if match["edge"] == "$" else match.group())
        at = match.end()
    if repetitions > MAX_REPETITIONS:
        raise OperandError(f"regular expression {pattern!r} repeats more than {MAX_REPETITIONS} times")
    return _compiled("".join(parts), pattern)


def _compiled(translated: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(translated, re.ASCII)
    except re.error as error:
        raise OperandError(f"regular expression {pattern!r}: {error}") from None


def found(pattern: str, subject: str) -> bool:
    """Whether the pattern matches somewhere in the subject.

    Raises:

        OperandError: the pattern is not supported, or the subject is too long to be searched safely.
    """
    if len(subject) > MAX_SUBJECT:
        raise OperandError(f"matches works on at most {MAX_SUBJECT} characters")
    return translate(pattern).search(subject) is not None
