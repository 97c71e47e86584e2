"""Arguments inserted into a metric as Argo inserts them: into its JSON, with Go's quoting.

Law: to the letter, including what nobody wants. ``arguments`` does the same for the operator's own reading, text by
text and with a place for every mistake; what both render, they render alike.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from canary_operator.errors import ConfigurationError

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WRONG_ESCAPE = re.compile(r'(?:[^\\]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*\\(.)', re.DOTALL)
_UNIVERSAL = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_SIMPLE = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
_METRIC = (
    *("name", "interval", "initialDelay", "count", "successCondition", "failureCondition", "failureLimit"),
    *("inconclusiveLimit", "consecutiveErrorLimit", "provider", "consecutiveSuccessLimit"),
)
_PROMETHEUS = ("address", "query", "authentication", "timeout", "insecure", "headers", "rangeQuery")
_RANGE = ("start", "end", "step")


def render(metric: Mapping[str, Any], declared: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """A metric with its arguments.

    Args:

        metric: one entry of ``spec.metrics``.

        declared: ``spec.args`` of the AnalysisRun; one without a value is a mistake even where nothing uses it.

    Raises:

        ConfigurationError: in Argo's words, without a place.
    """
    rendered = resolve(go_json(metric), {str(each["name"]): each.get("value") for each in declared})
    try:
        found: Mapping[str, Any] = json.loads(rendered)
    except ValueError as error:
        raise ConfigurationError(_unreadable(rendered, error)) from error
    return found


def _unreadable(rendered: str, error: ValueError) -> str:
    wrong = _WRONG_ESCAPE.match(rendered)
    return f"invalid character '{wrong[1]}' in string escape code" if wrong else str(error)


def resolve(template: str, values: Mapping[str, str | None]) -> str:
    """Insert every value once, quoted as Go quotes it.

    Raises:

        ConfigurationError: in Argo's words; of several tags that have no value the last one is told.
    """
    for name, value in values.items():
        if value is None:
            raise ConfigurationError(f'argument "{name}" was not supplied')
    known = {f"args.{name}": go_quote(value) for name, value in values.items() if value is not None}
    _refuse_open_tag(template)
    unresolved = [tag for tag in _TAG.findall(template) if tag.strip() not in known]
    if unresolved:
        raise ConfigurationError(f"failed to resolve {{{{{unresolved[-1]}}}}}")
    return _TAG.sub(lambda match: known[match[1].strip()], template)


def _refuse_open_tag(template: str) -> None:
    rest = template
    while "{{" in rest:
        after = rest.partition("{{")[2]
        _, closed, rest = after.partition("}}")
        if not closed:
            raise ConfigurationError(
                f'Cannot find end tag="}}}}" in the template="{go_quote(template)}" starting from "{go_quote(after)}"'
            )


def go_quote(text: str) -> str:
    """The text as Go's ``strconv.Quote`` writes it, without the quotes around it."""
    return "".join(map(_quoted, text))


def _quoted(character: str) -> str:
    code = ord(character)
    if character in '\\"':
        return f"\\{character}"
    if character in _SIMPLE:
        return _SIMPLE[character]
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    if character.isprintable():
        return character
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def go_json(metric: Mapping[str, Any]) -> str:
    """The metric as Argo's own types are written in JSON: fields in their order, empty ones left out."""
    found = _ordered(metric, _METRIC)
    # A name is written even where it is empty, and so is the provider.
    found = {"name": "", **found}
    provider = dict(metric.get("provider") or {})
    if isinstance(provider.get("prometheus"), Mapping):
        provider = {"prometheus": _prometheus(provider["prometheus"]), **_without(provider, "prometheus")}
    found["provider"] = provider
    return _written({name: found[name] for name in _METRIC if name in found})


def _prometheus(raw: Mapping[str, Any]) -> dict[str, Any]:
    found = _ordered(raw, _PROMETHEUS)
    authentication = raw.get("authentication") or {}
    # Structs are never left out.
    found["authentication"] = {name: dict(authentication.get(name) or {}) for name in ("sigv4", "oauth2")}
    if isinstance(raw.get("rangeQuery"), Mapping):
        found["rangeQuery"] = _ordered(raw["rangeQuery"], _RANGE)
    if raw.get("timeout") == 0:
        found["timeout"] = 0
    return {name: found[name] for name in _PROMETHEUS if name in found}


def _ordered(raw: Mapping[str, Any], order: Sequence[str]) -> dict[str, Any]:
    """The fields that are not empty. A number is a pointer in Go, and is there even if it is 0."""
    return {name: raw[name] for name in order if raw.get(name) not in (None, "", [], False) or _is_zero(raw.get(name))}


def _is_zero(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _without(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key != name}


def _written(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return "".join(_UNIVERSAL.get(character, character) for character in text)
