"""How long records are kept.

Law: what is deleted is deleted oldest first, and only after whoever else keeps records has it.
"""

from pydantic import Field

from canary_operator.settings.sections import Section


class Audit(Section):
    """How many GateDecisions of a Rollout stay in the cluster."""

    keep: int = Field(
        default=100,
        ge=10,
        le=100_000,
        description="GateDecisions of one Rollout that are kept at least. Default 100.",
    )
