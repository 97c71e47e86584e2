"""The recorded decisions of a gate, asked of the API server when somebody wants to read them.

Law: asked for once by many readers at a time, kept for some seconds and of few gates: readers never become a load.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import pydantic

from canary_operator.cluster.api import Api
from canary_operator.cluster.ledger import UID_LABEL
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import Body, RolloutRef
from canary_operator.web.sight import Known

KEPT_SECONDS = 10.0
_MOST_GATES = 32


@dataclass(frozen=True, slots=True)
class Decisions:
    """The records of one Rollout, newest first; ``unreadable`` counts those that another version has written."""

    records: tuple[GateDecisionSpec, ...]
    unreadable: int


NO_DECISIONS = Decisions((), 0)


class Trail:
    """Asks for the records of gates. ``clock`` says seconds of any origin."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._asked: OrderedDict[str, tuple[float, asyncio.Task[Decisions]]] = OrderedDict()

    async def decisions(self, known: Known) -> Decisions:
        """All records of the Rollout that a gate is about; none where it has not judged one yet.

        Raises:

            ClusterError: if they cannot be listed.
        """
        if known.status.rollout is None:
            return NO_DECISIONS
        uid = known.status.rollout.uid
        at, task = self._asked.get(uid, (float("-inf"), None))
        if task is None or self._clock() - at > KEPT_SECONDS:
            task = asyncio.create_task(self._list(known.ref, uid))
            self._asked[uid] = self._clock(), task
            self._asked.move_to_end(uid)
            if len(self._asked) > _MOST_GATES:
                self._asked.popitem(last=False)
        # Others wait for the same answer: one who goes away does not take it from them.
        return await asyncio.shield(task)

    async def _list(self, ref: RolloutRef, uid: str) -> Decisions:
        bodies = await self._api.list_decisions(ref.namespace, {UID_LABEL: uid})
        read = [_read(body) for body in bodies]
        records = sorted((each for each in read if each is not None), key=lambda each: -each.sequence)
        return Decisions(tuple(records), read.count(None))


def _read(body: Body) -> GateDecisionSpec | None:
    try:
        return GateDecisionSpec.model_validate(body.get("spec"))
    except pydantic.ValidationError:
        return None
