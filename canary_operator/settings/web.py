"""What is served over HTTP.

Law: whatever tells more than probes and metrics is off until somebody turns it on.
"""

from pathlib import Path

from pydantic import Field

from canary_operator.settings.sections import Section


class VerdictDoor(Section):
    """/v1/verdict, which an AnalysisTemplate's `web` metric may ask for the gate's verdict."""

    token_file: Path | None = Field(
        default=None,
        description="File with the bearer token that whoever asks must send, read again for every request so that a "
        "rotated Secret is used at once. Default none: nothing is answered, because answers tell how a release does.",
    )


class Web(Section):
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
