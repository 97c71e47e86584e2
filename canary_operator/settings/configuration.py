"""The whole file, read once; the environment outranks it.

Law: every mistake is named, with its place, the value and what is allowed; a secret never is.
"""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from canary_operator.errors import ConfigurationError
from canary_operator.settings.audit import Audit
from canary_operator.settings.fleet import Fleet
from canary_operator.settings.lease import Lease
from canary_operator.settings.notifications import Notification
from canary_operator.settings.providers import Provider
from canary_operator.settings.sections import seconds_between
from canary_operator.settings.tracing import Tracing
from canary_operator.settings.web import Web

ENVIRONMENT_PREFIX = "CANARY_OPERATOR_"

_MAX_SHOWN = 80


class _Environment(EnvSettingsSource):
    """The environment with the file's camelCase keys, so that both merge field by field."""

    def __call__(self) -> dict[str, Any]:
        return _camel_keys(super().__call__())


class Settings(BaseSettings):
    """The whole configuration file."""

    # The prefix must be asked for aliases too ("all"): else a variable called WEB or PROVIDERS would be read.
    # Unknown CANARY_OPERATOR_ variables are ignored on purpose: Kubernetes sets some by itself for a Service
    # called canary-operator (CANARY_OPERATOR_PORT=tcp://…).
    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=False,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_prefix_target="all",
        env_nested_delimiter="__",
    )

    mode: Literal["enforce", "observe"] = Field(
        default="enforce",
        description="`observe`: whatever a Rollout asks for, nothing is written to it, and the right to do so is not "
        "needed. Default enforce: the annotation of each Rollout decides.",
    )
    evaluation_interval: Annotated[float, seconds_between("1s", "10m")] = Field(
        default=15.0,
        description="Duration between two looks at a gated release. Default 15s: the shortest usual scrape "
        "interval, so looking more often would see the same samples.",
    )
    providers: tuple[Provider, ...] = Field(
        default=(), description="Where metrics come from. Default none: every gate that needs one holds and says so."
    )
    fleet: Fleet = Field(default=Fleet(), description="How releases keep each other waiting. Default: they do not.")
    lease: Lease = Field(default=Lease(), description="Which replica may write.")
    tracing: Tracing = Field(default=Tracing(), description="Default: nothing is traced.")
    web: Web = Field(default=Web(), description="Where probes and metrics are served.")
    notifications: tuple[Notification, ...] = Field(
        default=(), description="Who is told of new verdicts. Default none: Events, metrics and logs tell them anyway."
    )

    audit: Audit = Field(default=Audit(), description="How long records of decisions stay, and where else they go.")

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        for section, named in (("providers", self.providers), ("notifications", self.notifications)):
            names = [each.name for each in named]
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise ValueError(f"{section}: names must be unique, given more than once: {', '.join(repeated)}")
        return self

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the configuration but for headers and those who are notified, whose addresses are secrets."""
        secret: dict[str, Any] = {
            "providers": {"__all__": {"headers"}},
            "notifications": True,
            "audit": {"webhook"},
        }
        written = self.model_dump_json(by_alias=True, exclude=secret)
        return hashlib.sha256(written.encode()).hexdigest()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file; nothing else is read."""
        return _Environment(settings_cls), init_settings


def load_settings(path: Path | None) -> Settings:
    """Read the configuration file, defaults without one; the environment wins over both.

    Raises:

        ConfigurationError: the file cannot be read, or it or the environment holds mistakes. The
            text names all of them, one a line: place, value and what is allowed.
    """
    written = {} if path is None else _read_mapping(path)
    place = "configuration" if path is None else str(path)
    try:
        return Settings(**written)
    except ValidationError as error:
        mistakes = [_mistake(place, dict(each)) for each in error.errors(include_url=False, include_context=False)]
        raise ConfigurationError("\n".join(mistakes)) from error
    except SettingsError as error:
        raise ConfigurationError(f"environment: {error}, it must be JSON") from error


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        written = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if written is None:
        return {}
    # BaseSettings takes names with an underscore in front as switches of its own.
    if not isinstance(written, dict) or any(not isinstance(key, str) or key.startswith("_") for key in written):
        raise ConfigurationError(f"{path}: should be a mapping with field names as keys")
    return written


def _mistake(place: str, error: dict[str, Any]) -> str:
    location = error["loc"]
    source = f"environment or {place}" if _set_in_environment(location) else place
    allowed = str(error["msg"]).removeprefix("Value error, ")
    return f"{source}: {_field_path(location)}: {allowed}{_shown(error)}"


def _set_in_environment(location: tuple[int | str, ...]) -> bool:
    return bool(location) and location[0] in _Environment(Settings)()


def _field_path(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".") or "settings"


def _shown(error: dict[str, Any]) -> str:
    # A mapping or a header, a url with credentials and what is written of a target can hold a secret; logs are read by
    # many.
    value = error["input"]
    secret = not {"headers", "slack", "webhook"}.isdisjoint(error["loc"]) or (isinstance(value, str) and "@" in value)
    if secret or isinstance(value, (dict, list, tuple, BaseModel)):
        return ""
    return f", got {ascii(value)[:_MAX_SHOWN]}"


def _camel_keys(values: dict[str, Any]) -> dict[str, Any]:
    return {to_camel(key): _camel_keys(value) if isinstance(value, dict) else value for key, value in values.items()}
