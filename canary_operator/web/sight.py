"""What is known about a gate at this moment: read from the store, for whoever looks.

Law: reads, judges nothing. A Rollout that cannot be read still has its gate, and a sentence that says why.
"""

from collections.abc import Collection
from dataclasses import dataclass

from canary_operator.cluster.snapshot import snapshot
from canary_operator.cluster.store import Store
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus, parse_gate_status
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import RolloutRef

# A mistake can quote whatever somebody has written.
_LONGEST_LACK = 500


@dataclass(frozen=True, slots=True)
class Known:
    """One gate. ``snapshot`` is None where the Rollout is gone or cannot be read; then ``lack`` says why."""

    ref: RolloutRef
    status: GateStatus
    snapshot: Snapshot | None
    lack: str = ""


class Sight:
    """Looks gates up in the store.

    Args:

        store: what the watch has told.

        addresses: the addresses that templates may name.

        evaluation_interval: seconds between two looks at a release.
    """

    def __init__(self, store: Store, addresses: ProviderAddresses, evaluation_interval: float) -> None:
        self._store = store
        self._addresses = addresses
        self._evaluation_interval = evaluation_interval

    def gates(self) -> Collection[RolloutRef]:
        """The Rollouts that have a gate."""
        return list(self._store.gates())

    def known(self, ref: RolloutRef) -> Known | None:
        """Look up one gate, None where there is none."""
        body = self._store.gate(ref)
        if body is None:
            return None
        try:
            status = parse_gate_status(body)
        except ConfigurationError as error:
            return Known(ref, GateStatus(), None, _bounded(str(error)))
        found = snapshot(self._store, ref, self._addresses, self._evaluation_interval)
        if found is not None:
            return Known(ref, status, found)
        lack = self._store.rollout(ref)
        return Known(ref, status, None, _bounded(lack) if isinstance(lack, str) else "the Rollout is gone")


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST_LACK else f"{text[:_LONGEST_LACK]}…"
