"""Which replica may write."""

from typing import Annotated

from pydantic import Field

from canary_operator.settings.sections import Section, seconds_between


class Lease(Section):
    """Which replica may write. Accepted and checked, but without effect yet: run one replica only."""

    enabled: bool = Field(default=True, description="Without effect yet. Default true: two writers are never wanted.")
    namespace: str | None = Field(
        default=None, min_length=1, description="Without effect yet. Default: the operator's own namespace."
    )
    name: str = Field(
        default="canary-operator", min_length=1, description="Without effect yet. Default: the program's name."
    )
    duration: Annotated[float, seconds_between("2s", "1h")] = Field(
        default=15.0,
        description="Duration, without effect yet. Default 15s: what Kubernetes' own controllers use.",
    )
