"""Where records go besides the API server.

Law: told after a record is written. A sink returns at once; what it has kept for good it says when it is asked.
"""

from typing import Protocol

from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef


class Sink(Protocol):
    """Somebody who keeps records: told in the loop that judges, so it must return at once."""

    def keep(self, ref: RolloutRef, record: GateDecisionSpec) -> None:
        """Hear of a record that was written. It may come again: after a crash, and before it would be deleted."""

    def is_kept(self, uid: str, sequence: int) -> bool:
        """Whether a record is safe: this place in the chain of the Rollout with this uid. False where nobody knows."""
