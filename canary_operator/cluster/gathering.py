"""The facts for one look, asked for at the same time and within a bounded one.

Law: nothing raises. What the API server does not tell in time is Absent: a pause is held without it.
"""

import asyncio
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import TypeVar

import structlog

from canary_operator.cluster.api import Api
from canary_operator.cluster.definitions import Definitions
from canary_operator.cluster.pods import Pods
from canary_operator.cluster.replica_sets import ReplicaSets, births, number_of
from canary_operator.errors import ClusterError, ClusterRefused
from canary_operator.model.facts import Facts, SLORefKey
from canary_operator.model.rollout import Body, Rollout, RolloutRef
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

log = structlog.get_logger()

# A pause that has just begun waits for the look in progress. An answer that comes later serves the next look.
PATIENCE_SECONDS = 5.0

Value = TypeVar("Value")


class Gatherer:
    """Asks for facts. ``patience`` is how many seconds one look waits for them."""

    def __init__(self, api: Api, replica_sets: ReplicaSets, patience: float = PATIENCE_SECONDS) -> None:
        self._pods = Pods(api)
        self._definitions = Definitions(api)
        self._replica_sets = replica_sets
        self._patience = patience

    async def facts(self, rollout: Rollout, labels: Mapping[str, str], references: Collection[SLORefKey]) -> Facts:
        """Gather what is known about both versions, and the objects that are referred to.

        Args:

            labels: the Rollout's selector.

            references: objects that define an SLO.
        """
        ref = rollout.ref
        pods, revisions, definitions = await asyncio.gather(
            self._in_time(ref, "the pods", self._pods.of(rollout)),
            self._in_time(ref, "the ReplicaSets", self._replica_sets.of(rollout, labels)),
            self._found(ref, sorted(references)),
        )
        known = {} if isinstance(revisions, Absent) else revisions
        return Facts(
            pods=pods,
            births=births(known, rollout),
            stable_revision=number_of(known, rollout.stable_hash),
            definitions=definitions,
        )

    async def _found(self, ref: RolloutRef, keys: Sequence[SLORefKey]) -> dict[SLORefKey, Body | Absent]:
        answers = (self._in_time(ref, str(key), self._definitions.find(ref.namespace, key)) for key in keys)
        return dict(zip(keys, await asyncio.gather(*answers), strict=True))

    async def _in_time(self, ref: RolloutRef, what: str, answer: Awaitable[Value]) -> Value | Absent:
        try:
            return await asyncio.wait_for(answer, self._patience)
        except ClusterRefused as error:
            absent = Absent(HoldReason.CONFIGURATION_ERROR, f"{what} cannot be read: {error}")
        except ClusterError as error:
            absent = Absent(HoldReason.NO_DATA, f"{what} cannot be read now: {error}")
        except TimeoutError:
            absent = Absent(HoldReason.NO_DATA, f"{what} cannot be read within {self._patience:g} s")
        log.warning("facts_unreadable", rollout=str(ref), message=absent.message)
        return absent
