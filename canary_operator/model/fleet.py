"""What gates know of each other: how many releases are in progress, who aborted lately, and what may be.

Law: nouns, and the parser of what a gate has remembered; what cannot be read is nobody's turn and no abort.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.rollout import RolloutRef


@dataclass(frozen=True, slots=True)
class Brake:
    """Aborts of so many different Rollouts within so many seconds hold all others."""

    aborts: int
    within: float


@dataclass(frozen=True, slots=True)
class FleetRules:
    """What the operator's configuration allows; None is no bound, or no brake."""

    per_cluster: int | None = None
    per_namespace: int | None = None
    brake: Brake | None = None

    @property
    def limits(self) -> bool:
        """Whether there is any bound on how many may be in progress."""
        return self.per_cluster is not None or self.per_namespace is not None


FREE = FleetRules()


@dataclass(frozen=True, slots=True)
class Aborted:
    """The last release of a Rollout that its gate aborted: when (Unix seconds) and why."""

    ref: RolloutRef
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """What a gate has said that concerns others.

    Args:

        since: since when its release has been in progress, Unix seconds; None where none is, or where it waits for a
            person.

        aborted: None where it has aborted none.
    """

    ref: RolloutRef
    since: float | None = None
    aborted: Aborted | None = None


@dataclass(frozen=True, slots=True)
class Fleet:
    """The others, as far as one gate looks at them.

    Args:

        running: whose turn it is, those that began first before the others; with a bound for the namespace only, of
            this namespace.

        aborted: the last aborts of different Rollouts, newest first, at least as many as the brake counts.
    """

    rules: FleetRules = FREE
    running: tuple[RolloutRef, ...] = ()
    aborted: tuple[Aborted, ...] = ()


ALONE = Fleet()


def parse_peer(ref: RolloutRef, status: Mapping[str, Any]) -> Peer:
    """What the status of a CanaryGate says."""
    try:
        return Peer(ref, _since(status), _aborted(ref, status.get("lastAbort")))
    except (ConfigurationError, TypeError, LookupError, AttributeError):
        return Peer(ref)


def _since(status: Mapping[str, Any]) -> float | None:
    # Only who may act is waited for: what is merely observed goes on by itself.
    written = status.get("inProgressSince")
    in_progress = status.get("phase") == "Judging" and status.get("mode") == "enforce" and written
    return durations.parse_time(str(written)) if in_progress else None


def _aborted(ref: RolloutRef, written: Mapping[str, Any] | None) -> Aborted | None:
    return Aborted(ref, durations.parse_time(written["at"]), str(written["reason"])) if written else None
