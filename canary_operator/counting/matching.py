r"""Label matchers of a PromQL selector, decided here so that bad and total come from one query.

Law: a pattern means what it means to Prometheus (anchored, ``.`` matches all) or is refused. Python looks for
patterns by backtracking, so only such are taken as cannot be made slow: a user writes them, all Rollouts wait.
"""

import functools
import re
from typing import assert_never

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind

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


def holds(matcher: Matcher, value: str) -> bool:
    """Whether a label value (empty for a label that is absent) is meant.

    Raises:

        ConfigurationError: if the pattern is not supported, or the value is too long to be looked at safely.
    """
    match matcher.kind:
        case MatchKind.EQUAL:
            return value == matcher.value
        case MatchKind.NOT_EQUAL:
            return value != matcher.value
        case MatchKind.REGEX:
            return _matches(matcher, value)
        case MatchKind.NOT_REGEX:
            return not _matches(matcher, value)
        case never:
            assert_never(never)


def written(matcher: Matcher) -> str:
    """The matcher for a message, such as ``status=~"5.."``."""
    return f'{matcher.label}{matcher.kind.value}"{matcher.value}"'


def _matches(matcher: Matcher, value: str) -> bool:
    if len(value) > _MAX_VALUE:
        raise ConfigurationError(f"{written(matcher)}: a label value has more than {_MAX_VALUE} characters")
    try:
        return re.fullmatch(_checked(matcher.value), value, re.ASCII | re.DOTALL) is not None
    except re.error as error:
        raise ConfigurationError(f"{written(matcher)}: {error}") from None


# The same few patterns are looked at for every series of an answer.
@functools.lru_cache(maxsize=1024)
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
