"""What one look at a Rollout has come to, and who hears of it.

Law: told after everything is written down. Whoever hears of it changes nothing and keeps nobody waiting.
"""

from dataclasses import dataclass
from typing import Protocol

from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a Rollout that has a gate: what was known, what the gate says now, and when (Unix seconds).

    ``verdict_changed`` is true once for each new verdict, a restart of the operator in between included.
    """

    snapshot: Snapshot
    status: GateStatus
    at: float
    verdict_changed: bool

    @property
    def ref(self) -> RolloutRef:
        """The Rollout that was looked at."""
        return self.snapshot.rollout.ref


class Listener(Protocol):
    """Somebody who is told of every look: at once, in the loop that judges, so it must return at once."""

    def looked(self, look: Look) -> None:
        """Hear of a look."""

    def forget(self, ref: RolloutRef) -> None:
        """Hear that a Rollout is gone."""
