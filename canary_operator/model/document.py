"""What all parts of our own kinds have in common: camelCase outside, frozen, nothing unknown.

Law: pydantic at the border. A number that a person writes as text (``"0.05"``) is text in the CRD and a float here,
because YAML and JSON disagree on numbers; every bound is checked here, with the value in the message.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations

Model = TypeVar("Model", bound="Document")


class Document(BaseModel):
    """A part of one of our own kinds: camelCase outside, frozen, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


def read(model: type[Model], raw: Mapping[str, Any], place: str) -> Model:
    """A document from an API object.

    Raises:

        ConfigurationError: naming the place, the field, the value and what is allowed.
    """
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join([place, *map(str, mistake['loc'])])}: {mistake['msg'].removeprefix('Value error, ')} "
            f"(found {mistake.get('input')!r:.80})"
            for mistake in error.errors()
        )
        raise ConfigurationError(mistakes) from error


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return durations.parse_duration(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    Field(ge=0),
    PlainSerializer(durations.write_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN}),
]

NUMBER_PATTERN = r"^[0-9]{1,9}(\.[0-9]{1,12})?$"


def _number(value: object) -> object:
    # Numbers as text, as in Pyrra: 0.1 in YAML is not a tenth in every reader.
    if not isinstance(value, str):
        return value
    if not _is_number(value):
        raise ValueError('should be a number such as "0.05"')
    return float(value)


def _is_number(text: str) -> bool:
    whole, _, fraction = text.partition(".")
    return text.isascii() and whole.isdigit() and (fraction.isdigit() or "." not in text)


def write_number(value: float) -> str:
    """A number as the CRDs have it; whole numbers without a fraction."""
    return f"{value:.12f}".rstrip("0").rstrip(".")


def between(low: float, high: float) -> AfterValidator:
    """A bound of a ``Number``, both ends excluded."""

    def check(value: float) -> float:
        if not low < value < high:
            raise ValueError(f"allowed is a number between {write_number(low)} and {write_number(high)}")
        return value

    return AfterValidator(check)


Number = Annotated[
    float,
    BeforeValidator(_number),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(write_number, return_type=str),
    WithJsonSchema({"type": "string", "pattern": NUMBER_PATTERN}),
]
