"""The arguments of an AnalysisTemplate: where their values come from, and how they get into a metric.

Law: a value is inserted as text, once, and is never read as a template again. Values may come from people
who cannot change the template. They cannot leave the field they are inserted into, but inside a query they
become PromQL: nothing is quoted for PromQL, as Argo quotes nothing, so a template must put an argument
between quotes and an operator must not ask with more rights than the tenant has.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from canary_operator import errors

WELL_KNOWN = ("namespace", "rollout", "canary-hash", "stable-hash", "canary-service", "stable-service")
MAX_DEPTH = 32

_TAG = re.compile(r"\{\{(.*?)(\}\}|\Z)", re.DOTALL)
_PREFIX = "args."


def resolve_arguments(
    declared: Sequence[Mapping[str, Any]],
    annotation_values: Mapping[str, str],
    rollout_values: Mapping[str, str],
    well_known: Mapping[str, str],
) -> Mapping[str, str]:
    """Find the value of every argument that a template declares.

    The order is: annotation, the Rollout's own analysis arguments, the template's default, well-known
    names. Values that the template does not declare are dropped.

    Args:

        declared: the template's ``spec.args``.

        annotation_values: argument -> value, from the annotations of the Rollout.

        rollout_values: argument -> value, from the Rollout's analysis, already resolved.

        well_known: argument -> value of what the operator knows itself, see WELL_KNOWN.

    Raises:

        ConfigurationError: an argument has no value, or one that cannot be used.
    """
    resolved: dict[str, str] = {}
    for position, raw in enumerate(declared):
        name = _name(raw, f"spec.args[{position}]")
        value = _value(raw, name, (annotation_values, rollout_values), well_known)
        if resolved.setdefault(name, value) != value:
            raise errors.ConfigurationError(f"argument {name!r} is declared twice, with two values")
    return resolved


def undeclared(values: Mapping[str, str], templates: Iterable[Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    """Name the given values that none of the templates declares, in alphabetical order.

    Args:

        values: argument -> value, for example from annotations.

        templates: the ``spec.args`` of each template.
    """
    known = {raw.get("name") for declared in templates for raw in declared}
    return tuple(sorted(name for name in values if name not in known))


def _name(raw: Mapping[str, Any], path: str) -> str:
    name = raw.get("name") if isinstance(raw, Mapping) else None
    if not isinstance(name, str) or not name:
        raise errors.ConfigurationError(f"{path}.name: {name!r}, allowed is a text that is not empty")
    return name


def _value(
    raw: Mapping[str, Any],
    name: str,
    given: Sequence[Mapping[str, str]],
    well_known: Mapping[str, str],
) -> str:
    for values in given:
        if name in values:
            return values[name]
    default = raw.get("value")
    if default is not None:
        return _default(default, name)
    source = raw.get("valueFrom")
    if isinstance(source, Mapping) and "secretKeyRef" in source:
        raise errors.ConfigurationError(
            f"argument {name!r} comes from a Secret, and the operator does not read Secrets"
        )
    if name in well_known:
        return well_known[name]
    raise errors.ConfigurationError(
        f"argument {name!r} was not supplied: give it in an annotation of the Rollout, in the arguments of "
        f"its analysis, as default value in the template, or use one of {', '.join(WELL_KNOWN)}"
    )


def _default(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise errors.ConfigurationError(f"argument {name!r}: {value!r}, allowed is a text in quotes")
    return value


def render_metric(raw_metric: Mapping[str, Any], values: Mapping[str, str], path: str) -> Mapping[str, Any]:
    """Insert arguments into all texts of a metric.

    Args:

        raw_metric: one entry of ``spec.metrics``.

        values: argument -> value.

        path: where the metric is, for messages.

    Returns:

        A new mapping of the same shape.

    Raises:

        ConfigurationError: a text names an argument without a value, or a value cannot be written in JSON.
    """
    return {name: _rendered(value, values, f"{path}.{name}", 1) for name, value in raw_metric.items()}


def _rendered(raw: object, values: Mapping[str, str], path: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise errors.ConfigurationError(f"{path}: nested more than {MAX_DEPTH} deep")
    match raw:
        case str():
            return render_text(raw, values, path)
        case Mapping():
            return {name: _rendered(value, values, f"{path}.{name}", depth + 1) for name, value in raw.items()}
        case list() | tuple():
            return [_rendered(value, values, f"{path}[{n}]", depth + 1) for n, value in enumerate(raw)]
        case _:
            return raw


def render_text(text: str, values: Mapping[str, str], path: str) -> str:
    """Insert arguments into one text: every ``{{args.name}}``, with spaces inside the braces or without.

    Raises:

        ConfigurationError: a tag is not closed, or names no argument that has a value.
    """

    def inserted(match: re.Match[str]) -> str:
        tag = match[1].strip(" ")
        name = tag.removeprefix(_PREFIX)
        if not match[2]:
            raise errors.ConfigurationError(f"{path}: failed to resolve {{{{{match[1]}: the closing }}}} is missing")
        if not tag.startswith(_PREFIX) or name not in values:
            raise errors.ConfigurationError(f"{path}: failed to resolve {{{{{match[1]}}}}}")
        return _writable(values[name], name, path)

    return _TAG.sub(inserted, text)


def _writable(value: str, name: str, path: str) -> str:
    """Refuse what Argo cannot insert: characters that Go's quoting writes in a way that JSON cannot read."""
    for character in value:
        if _is_unwritable(character):
            raise errors.ConfigurationError(f"{path}: argument {name!r} holds the character {character!r}")
    return value


def _is_unwritable(character: str) -> bool:
    if character in "\b\f\n\r\t":
        return False
    code = ord(character)
    # Go writes these as \a, \x1f or \U000e0001; from \u0080 to \uffff its escapes are those of JSON.
    hidden = code > 0xFFFF and not character.isprintable()
    return code < 0x20 or code == 0x7F or 0xD800 <= code <= 0xDFFF or hidden
