"""What all parts of our own kinds have in common: camelCase outside, frozen, nothing unknown.

Law: pydantic at the border. A number that a person writes as text (``"0.05"``) is text in the CRD and a float here,
because YAML and JSON disagree on numbers; every bound is checked here, with the value in the message. What a schema
cannot say is said again as a rule in CEL beside it, so that the API server refuses it at the door.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations

Model = TypeVar("Model", bound="Document")


class Document(BaseModel):
    """A part of one of our own kinds: camelCase outside, frozen, nothing unknown."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


RULES = "x-kubernetes-validations"


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """What the API server checks besides the schema: pairs of a rule in CEL and the sentence of its refusal.

    For ``json_schema_extra`` of a field or of a Document.
    """
    return {RULES: [{"rule": rule, "message": message} for rule, message in pairs]}


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
    WithJsonSchema(
        {
            "type": "string",
            "pattern": DURATION_PATTERN,
            # The pattern does not know where Go's 292 years end.
            **rules(("duration(self) >= duration('0s')", 'should be a duration such as "30s", "1m30s" or "1h"')),
        }
    ),
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


@dataclass(frozen=True, slots=True)
class Between:
    """A bound of a ``Number``, both ends excluded."""

    low: float
    high: float

    @property
    def _sentence(self) -> str:
        return f"allowed is a number between {write_number(self.low)} and {write_number(self.high)}"

    def _check(self, value: float) -> float:
        if not self.low < value < self.high:
            raise ValueError(self._sentence)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the value once it is a number."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let the API server check the same of the text."""
        rule = f"{float(self.low)} < double(self) && double(self) < {float(self.high)}"
        return handler(schema) | rules((rule, self._sentence))


Number = Annotated[
    float,
    BeforeValidator(_number),
    Field(ge=0, allow_inf_nan=False),
    PlainSerializer(write_number, return_type=str),
    WithJsonSchema({"type": "string", "pattern": NUMBER_PATTERN}),
]
