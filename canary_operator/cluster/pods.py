"""The pods of a Rollout's versions, listed once for all Rollouts of a namespace.

Law: pods are not watched: 4,000 of them change all the time, and a look every some seconds is all that is needed.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from canary_operator.cluster.api import Api
from canary_operator.cluster.sharing import Shared
from canary_operator.model.pods import PodFacts, VersionPods, parse_pod
from canary_operator.model.rollout import Rollout

# Less than an interval of looks: each look of a Rollout sees other pods than the one before, and a hundred Rollouts
# that look at about the same time share one listing.
MAX_AGE_SECONDS = 10.0
# Of the client's threads, that holds and aborts need as well.
_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class _Listed:
    """The pods of one namespace by their ReplicaSet, and when they were asked for."""

    at: float
    by_replica_set: Mapping[str, tuple[PodFacts, ...]]


class Pods:
    """What is known about pods. ``clock`` says Unix seconds."""

    def __init__(self, api: Api, clock: Callable[[], float] = time.time, max_age: float = MAX_AGE_SECONDS) -> None:
        self._api = api
        self._clock = clock
        self._listed = Shared(self._list, max_age, clock, _AT_ONCE)

    async def of(self, rollout: Rollout) -> VersionPods:
        """Find the pods of both versions of a Rollout.

        Raises:

            ClusterError: if pods cannot be listed.
        """
        listed = await self._listed.get(rollout.ref.namespace)
        new = rollout.pod_hash if rollout.pod_hash != rollout.stable_hash else ""
        return VersionPods(
            canary=_of_version(listed, rollout, new),
            stable=_of_version(listed, rollout, rollout.stable_hash),
            at=listed.at,
        )

    async def _list(self, namespace: str) -> _Listed:
        found: dict[str, list[PodFacts]] = {}
        at = self._clock()
        async for body in self._api.pods(namespace):
            pod = parse_pod(body)
            found.setdefault(pod.replica_set, []).append(pod)
        return _Listed(at, {owner: tuple(sorted(pods, key=lambda pod: pod.name)) for owner, pods in found.items()})


def _of_version(listed: _Listed, rollout: Rollout, pod_hash: str) -> tuple[PodFacts, ...]:
    # Argo's name of a version's ReplicaSet; the hash alone may be another Rollout's too.
    return listed.by_replica_set.get(f"{rollout.ref.name}-{pod_hash}", ()) if pod_hash else ()
