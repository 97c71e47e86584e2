"""Preset custom: the user's own matchers, with what is known about the version filled in.

Law: what is filled in is a value, never a pattern; the namespace is added where the user's matchers do not name it.
"""

import re
from collections.abc import Iterator

from canary_operator.attribution.candidate import Candidate, Preset, Unfit, equal, ordered
from canary_operator.attribution.subject import Subject, Version
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind
from canary_operator.model.promql import escape_regex

_NAME = "custom"
# A pattern's own braces hold digits.
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]+)\}")
_NAMES = ("namespace", "rollout", "hash", "service")


def _ways(subject: Subject) -> Iterator[Candidate | Unfit]:
    if subject.custom is None:
        yield Unfit(_NAME, "the policy gives no matchers")
        return
    try:
        canary = _filled(subject.custom.canary, subject, subject.canary)
        stable = _filled(subject.custom.stable, subject, subject.stable)
    except ConfigurationError as error:
        yield Unfit(_NAME, str(error))
        return
    yield Candidate(_NAME, canary, stable, outlives=True)


def _filled(matchers: tuple[Matcher, ...], subject: Subject, version: Version) -> tuple[Matcher, ...]:
    known = dict(zip(_NAMES, (subject.namespace, subject.rollout, version.hash, version.service), strict=True))
    filled = [Matcher(each.label, each.kind, _value(each, known)) for each in matchers]
    if any("{namespace}" in each.value and _binds(each) for each in matchers):
        return ordered(filled)
    return ordered([*filled, equal("namespace", subject.namespace)])


def _binds(matcher: Matcher) -> bool:
    return matcher.kind in (MatchKind.EQUAL, MatchKind.REGEX)


def _value(matcher: Matcher, known: dict[str, str]) -> str:
    def fill(found: re.Match[str]) -> str:
        value = known.get(found[1])
        if value is None:
            raise ConfigurationError(f"{found[0]} is none of {', '.join(f'{{{name}}}' for name in _NAMES)}")
        if not value:
            raise ConfigurationError(f"{found[0]} is not known of this Rollout")
        return value if matcher.kind in (MatchKind.EQUAL, MatchKind.NOT_EQUAL) else escape_regex(value)

    return _PLACEHOLDER.sub(fill, matcher.value)


PRESET = Preset(_NAME, _ways, advice="compare the matchers of the policy with the live series' labels")
