"""The operator's configuration: how it runs, never what is safe for a service (that is policy).

Law: read once, at a door, into one frozen tree. Every field names its unit, its default and why.
"""

import enum
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from canary_operator.errors import ConfigurationError
from canary_operator.model.durations import parse_duration
from canary_operator.model.providers import normalise_address

ENVIRONMENT_PREFIX = "CANARY_OPERATOR_"

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
_MAX_SHOWN = 80


def _seconds_between(low: str, high: str) -> BeforeValidator:
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

    return BeforeValidator(parse)


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


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class BasicAuth(_Section):
    """Basic authentication at a provider."""

    username: str = Field(min_length=1, description="Sent as it is. No default: it belongs to the provider.")
    password_file: Path = Field(
        description="File with the password, read again for every request so that a rotated Secret is used at "
        "once. No default: a password in this file would end in a ConfigMap."
    )


class Tls(_Section):
    """TLS towards a provider with an https url."""

    ca_file: Path | None = Field(
        default=None, description="PEM bundle that signs the provider. Default: the bundle that ships with requests."
    )
    cert_file: Path | None = Field(
        default=None, description="PEM client certificate, for mutual TLS. Default: none, few providers ask for one."
    )
    key_file: Path | None = Field(default=None, description="PEM key of certFile. Default: none, as for certFile.")
    insecure_skip_verify: bool = Field(
        default=False,
        description="Accept any certificate. Default false: whoever can forge the answers decides what is promoted.",
    )

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) is not (self.key_file is None):
            raise ValueError("certFile and keyFile are given together or not at all")
        return self


class Flavour(enum.Enum):
    """Which server speaks the Prometheus API."""

    PROMETHEUS = "prometheus"
    THANOS = "thanos"
    VICTORIAMETRICS = "victoriametrics"


class Tenancy(enum.Enum):
    """Whose series one request may ask for."""

    SHARED = "shared"
    NAMESPACE = "namespace"


class Provider(_Section):
    """A server with the Prometheus HTTP API: how to reach it, and how much it may cost."""

    name: str = Field(
        pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        description="What policies call it, a DNS label. `default` answers templates that give no address. No default.",
    )
    url: Address = Field(description="http(s)://host[:port][/path], the part before /api/v1. No default.")
    addresses: tuple[Address, ...] = Field(
        default=(),
        description="What templates may write as `address` to mean this provider, besides its url. Default none: "
        "templates are written by tenants, who must not choose what the operator connects to. When two providers "
        "list one address the first is meant.",
    )
    headers: Headers = Field(
        default={}, repr=False, description="Sent with every request, e.g. X-Scope-OrgID for a tenant. Default none."
    )
    basic_auth: BasicAuth | None = Field(default=None, description="Default none: most providers are in-cluster.")
    bearer_token_file: Path | None = Field(
        default=None,
        description="File with a bearer token, read again for every request because projected tokens rotate. "
        "Default none, as for basicAuth.",
    )
    tls: Tls = Field(default=Tls(), description="Default: verify against public authorities, no client certificate.")
    flavour: Flavour = Field(
        default=Flavour.PROMETHEUS,
        description="`thanos` asks for no partial responses (partial_response=false) and no downsampled ones "
        "(max_source_resolution=0s), `victoriametrics` for no partial ones (deny_partial_response=1). Default "
        "prometheus: nothing is added, which every server understands.",
    )
    tenancy: Tenancy = Field(
        default=Tenancy.SHARED,
        description="`namespace`: no request asks for two namespaces, and every selector of a template must name its "
        "own, for a provider that several tenants share. Default shared: one request for many Rollouts.",
    )
    timeout: Annotated[float, _seconds_between("10ms", "5m")] = Field(
        default=10.0,
        description="Duration from asking to the last byte, waiting for a turn included. Default 10s: less than the "
        "default evaluationInterval, so that a slow provider costs an answer and not the next evaluation.",
    )
    max_concurrency: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Requests at a time. Default 4: a fifth of Prometheus' own limit of 20 concurrent queries, "
        "because people and alerts need theirs.",
    )
    max_response_bytes: int = Field(
        default=32 * 1024 * 1024,
        ge=1024,
        le=1024 * 1024 * 1024,
        description="Bytes of one answer after decompression. Default 32 MiB: raw samples of about 10,000 series.",
    )

    @model_validator(mode="after")
    def _one_authentication(self) -> Self:
        in_headers = any(name.lower() == "authorization" for name in self.headers)
        if sum((in_headers, self.basic_auth is not None, self.bearer_token_file is not None)) > 1:
            raise ValueError("only one of basicAuth, bearerTokenFile and an Authorization header can be sent")
        return self


class Lease(_Section):
    """Which replica may write. Accepted and checked, but without effect yet: run one replica only."""

    enabled: bool = Field(default=True, description="Without effect yet. Default true: two writers are never wanted.")
    namespace: str | None = Field(
        default=None, min_length=1, description="Without effect yet. Default: the operator's own namespace."
    )
    name: str = Field(
        default="canary-operator", min_length=1, description="Without effect yet. Default: the program's name."
    )
    duration: Annotated[float, _seconds_between("2s", "1h")] = Field(
        default=15.0,
        description="Duration, without effect yet. Default 15s: what Kubernetes' own controllers use.",
    )


class VerdictDoor(_Section):
    """/v1/verdict, which an AnalysisTemplate's `web` metric may ask for the gate's verdict."""

    token_file: Path | None = Field(
        default=None,
        description="File with the bearer token that whoever asks must send, read again for every request so that a "
        "rotated Secret is used at once. Default none: nothing is answered, because answers tell how a release does.",
    )


class Web(_Section):
    """Where /livez, /readyz, /metrics and /v1/verdict are served."""

    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - a pod is reached by its own address, which is not known beforehand
        min_length=1,
        description="Address to listen on. Default 0.0.0.0: the kubelet's probes come from outside of the pod.",
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="TCP port, 0 for any free one. Default 8080: needs no privilege."
    )
    verdict: VerdictDoor = Field(default=VerdictDoor(), description="Default: /v1/verdict answers nobody.")


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

    evaluation_interval: Annotated[float, _seconds_between("1s", "10m")] = Field(
        default=15.0,
        description="Duration between two looks at a gated release. Default 15s: the shortest usual scrape "
        "interval, so looking more often would see the same samples.",
    )
    providers: tuple[Provider, ...] = Field(
        default=(), description="Where metrics come from. Default none: every gate that needs one holds and says so."
    )
    lease: Lease = Field(default=Lease(), description="Without effect yet: run one replica only.")
    web: Web = Field(default=Web(), description="Where probes and metrics are served.")

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [provider.name for provider in self.providers]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"providers: names must be unique, given more than once: {', '.join(repeated)}")
        return self

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
    # A mapping or a header, and a url with credentials, can hold a secret; logs are read by many.
    value = error["input"]
    secret = "headers" in error["loc"] or (isinstance(value, str) and "@" in value)
    if secret or isinstance(value, (dict, list, tuple, BaseModel)):
        return ""
    return f", got {ascii(value)[:_MAX_SHOWN]}"


def _camel_keys(values: dict[str, Any]) -> dict[str, Any]:
    return {to_camel(key): _camel_keys(value) if isinstance(value, dict) else value for key, value in values.items()}
