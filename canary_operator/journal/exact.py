"""Nouns as JSON and back, to the last bit: NaN, enums, tuples, mappings whose keys are nouns.

Law: pure. What is read equals what was written; whatever a noun has no field for is refused and not left out.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_args, get_origin

from cattrs import Converter
from cattrs.errors import BaseValidationError
from cattrs.strategies import configure_tagged_union

from canary_operator.errors import ConfigurationError
from canary_operator.model.document import Document
from canary_operator.model.rollout import Body
from canary_operator.model.samples import Absent, Question

Noun = TypeVar("Noun")


def ordered(document: Any) -> str:
    """A JSON document whose fields stay in their order; NaN and infinity are written as Python does."""
    return json.dumps(document, separators=(",", ":"))


def canonical(document: Any) -> str:
    """A JSON document whose fields are sorted, so that equal ones are written alike."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def digest(document: Any) -> str:
    """SHA-256 of a JSON document in its canonical form, in hexadecimal."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def write(noun: Any, kind: Any) -> Any:
    """The JSON document of a noun.

    Args:

        kind: the type that it will be read as.
    """
    return _CONVERTER.unstructure(noun, kind)


def read(document: Any, kind: type[Noun]) -> Noun:
    """The noun of a JSON document.

    Raises:

        ConfigurationError: it is none, or was written by a version whose nouns had other fields.
    """
    try:
        return _CONVERTER.structure(document, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"no {kind.__name__} of this version: {_first(error)}") from error


def _first(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join(str(error).split())[:200]


def _is_document(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Document)


def _is_document_or_text(kind: Any) -> bool:
    kinds = get_args(kind)
    return len(kinds) == 2 and str in kinds and any(map(_is_document, kinds))


def _has_nouns_as_keys(kind: Any) -> bool:
    return get_origin(kind) is Mapping and get_args(kind)[0] is not str


def _is_set(kind: Any) -> bool:
    return get_origin(kind) is frozenset


def _read_document(raw: Any, kind: Any) -> Any:
    return kind.model_validate(raw)


def _document_or_text(kind: Any) -> Callable[[Any, Any], Any]:
    (document,) = filter(_is_document, get_args(kind))
    return lambda raw, _: raw if isinstance(raw, str) else document.model_validate(raw)


def _is_body_or_absent(kind: Any) -> bool:
    return set(get_args(kind)) == {Body, Absent}


def _write_body_or_absent(found: Any) -> Any:
    # An object of the API is any mapping at all, so that only a name around it tells it from the reason of its absence.
    return {"absent": write(found, Absent)} if isinstance(found, Absent) else {"object": found}


def _read_body_or_absent(raw: Any, _: Any) -> Any:
    return read(raw["absent"], Absent) if "absent" in raw else raw["object"]


def _write_pairs(kind: Any) -> Callable[[Any], Any]:
    key, value = get_args(kind)
    return lambda mapping: [[write(each, key), write(mapping[each], value)] for each in mapping]


def _read_pairs(kind: Any) -> Callable[[Any, Any], Any]:
    key, value = get_args(kind)
    return lambda pairs, _: {_CONVERTER.structure(each, key): _CONVERTER.structure(its, value) for each, its in pairs}


def _converter() -> Converter:
    made = Converter(forbid_extra_keys=True)
    made.register_unstructure_hook_func(_is_document, lambda each: each.model_dump(mode="json", by_alias=True))
    made.register_structure_hook_func(_is_document, _read_document)
    made.register_unstructure_hook_factory(_is_document_or_text, lambda _: made.unstructure)
    made.register_structure_hook_factory(_is_document_or_text, _document_or_text)
    made.register_unstructure_hook_func(_is_body_or_absent, _write_body_or_absent)
    made.register_structure_hook_func(_is_body_or_absent, _read_body_or_absent)
    made.register_unstructure_hook_factory(_has_nouns_as_keys, _write_pairs)
    made.register_structure_hook_factory(_has_nouns_as_keys, _read_pairs)
    configure_tagged_union(Question, made)
    # The order of a set is no matter of its own, and differs from one run of Python to the next.
    made.register_unstructure_hook_func(_is_set, sorted)
    return made


_CONVERTER = _converter()
