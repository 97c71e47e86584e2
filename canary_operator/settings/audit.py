"""The trail of decisions.

Law: where records go is the configuration's alone; no tenant chooses it.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from canary_operator.settings.notifications import Webhook
from canary_operator.settings.sections import Section


def _require_absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("should be an absolute path")
    return path


def _require_stream(target: str) -> Path | Literal["stderr"]:
    if target == "stderr":
        return "stderr"
    if not Path(target).is_absolute():
        raise ValueError("should be stderr or an absolute path")
    return Path(target)


Stream = Annotated[Literal["stderr"] | Path, BeforeValidator(_require_stream, json_schema_input_type=str)]
AbsolutePath = Annotated[Path, AfterValidator(_require_absolute)]


class Audit(Section):
    """How many GateDecisions of a Rollout stay in the cluster, and where they go besides the API server."""

    keep: int = Field(
        default=100,
        ge=10,
        le=100_000,
        description="GateDecisions of one Rollout that are kept at least. Default 100: some ten releases, about "
        "1 MB of etcd with an objective, so that 1000 Rollouts stay within its usual bound of 2 GB.",
    )
    stream: Stream | None = Field(
        default=None,
        description="Where each record is appended as one line of JSON: `stderr`, or the absolute path of a file in a "
        "folder that is there. Default none.",
    )
    webhook: Webhook | None = Field(
        default=None, description="Who gets each record as a CloudEvent. Default none: the API server has them."
    )
    spool: AbsolutePath | None = Field(
        default=None,
        description="Folder that remembers over restarts what was handed on and what waits. Default none: what waits "
        "when the operator is killed is not handed on by itself.",
    )
    waiting: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="Records that wait in memory and in the spool, for each place. Default 500: with the "
        "largest records 100 MB. Others are read back from the API server when it is their turn.",
    )
