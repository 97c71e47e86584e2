"""The records that the API server has.

Law: reads, and nothing else.
"""

from collections.abc import AsyncIterator, Collection

from canary_operator.archive.entry import Entry, stored_entry
from canary_operator.cluster.api import Api
from canary_operator.cluster.ledger import UID_LABEL
from canary_operator.model.rollout import RolloutRef


class Stored:
    """What to hand on from the API server.

    Args:

        namespaces: where to look; empty for the whole cluster.
    """

    def __init__(self, api: Api, namespaces: Collection[str]) -> None:
        self._api = api
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)

    async def of(self, ref: RolloutRef, uid: str) -> list[Entry]:
        """The records of one Rollout.

        Raises:

            ClusterError: if they cannot be listed.
        """
        return [stored_entry(body) for body in await self._api.list_decisions(ref.namespace, {UID_LABEL: uid})]

    async def all(self) -> AsyncIterator[Entry]:
        """Go through the records of all Rollouts.

        Raises:

            ClusterError: if they cannot be listed.
        """
        for namespace in self._namespaces:
            async for body in self._api.decisions(namespace):
                yield stored_entry(body)
