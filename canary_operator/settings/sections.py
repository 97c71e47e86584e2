"""What the sections of the configuration share: camelCase keys, durations, addresses, headers.

Law: a value is refused with what is allowed; no value is guessed.
"""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict
from pydantic.alias_generators import to_camel

from canary_operator.errors import ConfigurationError
from canary_operator.model.durations import parse_duration
from canary_operator.model.providers import normalise_address

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


def seconds_between(low: str, high: str) -> BeforeValidator:
    """Read a Go duration such as `15s` as seconds, and refuse what is not between two durations."""

    def parse(value: object) -> float:
        # A bare number is refused: 15 could be seconds or minutes, and a wrong guess is not noticed.
        if not isinstance(value, str):
            raise ValueError('should be a duration in quotes, such as "15s"')  # noqa: TRY004 - what pydantic collects
        try:
            seconds = parse_duration(value)
        except ConfigurationError as error:
            raise ValueError(str(error)) from error
        if not parse_duration(low) <= seconds <= parse_duration(high):
            raise ValueError(f"should be between {low} and {high}")
        return seconds

    return BeforeValidator(parse, json_schema_input_type=str)


def _require_address(value: str) -> str:
    if normalise_address(value) is None:
        raise ValueError("should be http(s)://host[:port][/path] without credentials, query or fragment")
    return value


def _require_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"header {name!a}: the name must be a token and the value printable ASCII")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("the same header is given twice")
    return headers


Address = Annotated[str, AfterValidator(_require_address)]
Headers = Annotated[Mapping[str, str], AfterValidator(_require_headers)]


class Section(BaseModel):
    """A frozen part of the configuration; a key that it does not know is a mistake."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )
