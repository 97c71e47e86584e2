"""Where metrics come from.

Law: secrets are files that are read again, never values of the configuration.
"""

import enum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from canary_operator.settings.sections import Address, Headers, Section, seconds_between


class BasicAuth(Section):
    """Basic authentication at a provider."""

    username: str = Field(min_length=1, description="Sent as it is. No default: it belongs to the provider.")
    password_file: Path = Field(
        description="File with the password, read again for every request so that a rotated Secret is used at "
        "once. No default: a password in this file would end in a ConfigMap."
    )


class Tls(Section):
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


class Provider(Section):
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
    timeout: Annotated[float, seconds_between("10ms", "5m")] = Field(
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
