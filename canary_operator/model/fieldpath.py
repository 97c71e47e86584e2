"""Reading one field of an object by the paths that Argo allows in ``valueFrom.fieldRef``.

Law: a missing field is None, never a guess.
"""

import re
from collections.abc import Mapping
from typing import Any

_PART = re.compile(r"\.?([A-Za-z0-9_/-]+)|\['([^']+)'\]|\[\"([^\"]+)\"\]|\[(\d+)\]")


def extract_field(body: Mapping[str, Any], path: str) -> str | None:
    """The field as text, None where it is missing, empty or no scalar.

    Args:

        path: such as ``metadata.labels['app']``, ``status.currentStepIndex`` or ``spec.replicas``.
    """
    value: Any = body
    for key in _keys(path):
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return _text(value)


def _keys(path: str) -> list[str]:
    keys, position = [], 0
    while position < len(path):
        match = _PART.match(path, position)
        if match is None:
            return [path]
        keys.append(next(group for group in match.groups() if group is not None))
        position = match.end()
    return keys


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
