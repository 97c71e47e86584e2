"""Matchers and selectors as PromQL that parses back to the same matchers and selectors.

Law: the only place that writes PromQL's quotes and escapes. Only escapes that every server reads alike are used.
"""

import re
from collections.abc import Iterable, Sequence

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, Selector

_LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
# Characters that a Prometheus refuses or that no line of a log should hold; U+FFFD stands for a broken encoding there.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]")
_RE2_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


def write_selector(selector: Selector) -> str:
    """The selector as PromQL that parses back to the same selector."""
    plain = _METRIC.fullmatch(selector.metric)
    inside = written_matchers(selector.matchers)
    if plain or not selector.metric:
        return f"{selector.metric}{{{inside}}}" if inside else selector.metric
    return "{" + ",".join(filter(None, (quote(selector.metric), inside))) + "}"


def written_matchers(matchers: Iterable[Matcher]) -> str:
    """Matchers as PromQL, without the braces; label names that are not plain are quoted as Prometheus 3 wants."""
    return ",".join(
        f"{each.label if _LABEL.fullmatch(each.label) else quote(each.label)}{each.kind.value}{quote(each.value)}"
        for each in matchers
    )


def quote(value: str) -> str:
    """A PromQL string with this value.

    Raises:

        ConfigurationError: the value has half of a surrogate pair, which no encoding can carry.
    """
    if any(0xD800 <= ord(character) < 0xE000 for character in value):
        raise ConfigurationError(f"{ascii(value)[:80]} is not Unicode text")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return '"' + _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", escaped) + '"'


def escape_regex(text: str) -> str:
    """A regular expression of RE2, as Prometheus reads it, that matches exactly this text."""
    return _RE2_SPECIAL.sub(lambda found: "\\" + found[0], text)


def any_of(texts: Sequence[str]) -> str:
    """A regular expression that matches exactly these texts; none at all is a mistake of the caller."""
    assert texts
    return "|".join(map(escape_regex, texts))
