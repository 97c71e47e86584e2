r"""Label matchers of a PromQL selector, decided here so that bad and total come from one query.

Law: a pattern means what it means to Prometheus (anchored, ``.`` matches all) or is refused. Python looks for
patterns by backtracking, so only such are taken as cannot be made slow: a user writes them, all Rollouts wait.
"""

import enum
import re
from dataclasses import dataclass

from canary_operator.errors import ConfigurationError

_MAX_PATTERN = 256
_MAX_VALUE = 1024
_MAX_REPETITIONS = 4
_MAX_UNBOUNDED = 2
_MAX_GROUPS = 3
_MAX_ALTERNATIVES = 64

_TOKEN = re.compile(
    r"""(?P<atom>[A-Za-z0-9_\s\-/:;,=@!%&~"'<>\#]|\.|\\[.^$*+?()\[\]{}|\\\-/]|\\[dw]
      |\[\^?(?:[A-Za-z0-9_./:]-[A-Za-z0-9]|[A-Za-z0-9_./:])+\])
      (?:(?P<repeat>[*+?])|(?P<times>\{[0-9]{1,2}\}))?(?![*+?{])
      |(?P<open>\((?:\?:)?)|(?P<close>\))(?![*+?{])|(?P<bar>\|)""",
    re.VERBOSE,
)


class Operator(enum.Enum):
    """The four comparisons of PromQL."""

    EQUAL = "="
    NOT_EQUAL = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label, such as ``status=~"5.."``."""

    name: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f'{self.name}{self.operator.value}"{self.value}"'


def holds(matcher: Matcher, value: str) -> bool:
    """Whether a label value (empty for a label that is absent) is meant.

    Raises:

        ConfigurationError: if the pattern is not supported, or the value is too long to be looked at safely.
    """
    match matcher.operator:
        case Operator.EQUAL:
            return value == matcher.value
        case Operator.NOT_EQUAL:
            return value != matcher.value
        case Operator.MATCHES:
            return _matches(matcher, value)
        case Operator.MATCHES_NOT:
            return not _matches(matcher, value)


def _matches(matcher: Matcher, value: str) -> bool:
    if len(value) > _MAX_VALUE:
        raise ConfigurationError(f"{matcher}: a label value has more than {_MAX_VALUE} characters")
    try:
        return re.fullmatch(_checked(matcher.value), value, re.ASCII | re.DOTALL) is not None
    except re.error as error:
        raise ConfigurationError(f"{matcher}: {error}") from None


def _checked(pattern: str) -> str:
    """The pattern, after a look at everything in it that could be slow or mean something else in Go."""
    tokens = _tokens(pattern)
    depth, inner = 0, 0
    for token in tokens:
        depth += (token["open"] is not None) - (token["close"] is not None)
        inner += token["bar"] is not None and depth > 0
    repeats = [token["repeat"] for token in tokens if token["repeat"]]
    groups = sum(token["open"] is not None for token in tokens)
    within = (
        len(repeats) <= _MAX_REPETITIONS
        and sum(repeat != "?" for repeat in repeats) <= _MAX_UNBOUNDED
        and groups <= _MAX_GROUPS
        and inner <= _MAX_ALTERNATIVES
    )
    if not within:
        raise ConfigurationError(f'regular expression "{pattern}" has too many repetitions, groups or alternatives')
    return pattern


def _tokens(pattern: str) -> list[re.Match[str]]:
    if len(pattern) > _MAX_PATTERN:
        raise ConfigurationError(f"a regular expression has more than {_MAX_PATTERN} characters")
    tokens: list[re.Match[str]] = []
    at = 0
    while at < len(pattern):
        token = _TOKEN.match(pattern, at)
        if token is None:
            raise ConfigurationError(f'regular expression "{pattern}" is not supported from character {at + 1} on')
        tokens.append(token)
        at = token.end()
    return tokens
