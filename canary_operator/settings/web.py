"""What is served over HTTP.

Law: whatever tells more than probes and metrics is off until somebody turns it on.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from canary_operator.settings.sections import Address, Section


class VerdictDoor(Section):
    """/v1/verdict, which an AnalysisTemplate's `web` metric may ask for the gate's verdict."""

    token_file: Path | None = Field(
        default=None,
        description="File with the bearer token that whoever asks must send, read again for every request so that a "
        "rotated Secret is used at once. Default none: nothing is answered, because answers tell how a release does.",
    )


class Web(Section):
    """Where /livez, /readyz, /metrics, /v1/verdict and the page are served."""

    host: str = Field(
        default="0.0.0.0",  # noqa: S104 - a pod is reached by its own address, which is not known beforehand
        min_length=1,
        description="Address to listen on. Default 0.0.0.0: the kubelet's probes come from outside of the pod.",
    )
    port: int = Field(
        default=8080, ge=0, le=65535, description="TCP port, 0 for any free one. Default 8080: needs no privilege."
    )
    verdict: VerdictDoor = Field(default=VerdictDoor(), description="Default: /v1/verdict answers nobody.")
    page: bool = Field(
        default=False,
        description="Whether the read-only page is served. Default false: it shows the sentences and counts of every "
        "gate to whoever reaches the port, and nobody is asked who they are.",
    )
    url: Address | None = Field(
        default=None,
        description="http(s)://host[:port][/path] under which people reach the page: Events and AnalysisRuns link to "
        "it, and its host is answered. Default none: no links.",
    )

    @model_validator(mode="after")
    def _links_lead_somewhere(self) -> Self:
        if self.url is not None and not self.page:
            raise ValueError("url is the address of the page, which is off: page should be true")
        return self
