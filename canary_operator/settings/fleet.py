"""How releases of different services keep each other waiting."""

from typing import Annotated

from pydantic import Field

from canary_operator.model.fleet import Brake, FleetRules
from canary_operator.settings.sections import Section, seconds_between


class FleetBrake(Section):
    """When several aborts hold all other releases."""

    aborts: int = Field(
        ge=1,
        le=100,
        description="Rollouts whose gate must have aborted a release, each counted once. No default: how many are a "
        "coincidence depends on how many services there are.",
    )
    within: Annotated[float, seconds_between("1m", "24h")] = Field(
        default=900.0,
        description="Duration in which they must have been aborted, and after which one counts no more. Default 15m: "
        "what breaks services together breaks them within minutes.",
    )


class Fleet(Section):
    """How releases of different services keep each other waiting. Only promotions wait, never an abort."""

    per_cluster: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Gated releases that may be in progress at once in all namespaces that this operator looks at. "
        "Default: as many as people begin.",
    )
    per_namespace: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="Gated releases that may be in progress at once in one namespace. Default: as many as people "
        "begin.",
    )
    brake: FleetBrake | None = Field(
        default=None, description="Default none: an abort of one service holds no other one."
    )

    @property
    def rules(self) -> FleetRules:
        """What deciding needs to know of it."""
        brake = None if self.brake is None else Brake(self.brake.aborts, self.brake.within)
        return FleetRules(self.per_cluster, self.per_namespace, brake)
