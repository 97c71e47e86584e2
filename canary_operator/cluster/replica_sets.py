"""The revisions of a Rollout: when each was born, Argo's number of it, and what Argo never pauses, a rollback.

Law: ReplicaSets are listed once for each release; what is missing in an answer is asked for again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from canary_operator.cluster.api import Api
from canary_operator.model import durations
from canary_operator.model.facts import Births
from canary_operator.model.pods import POD_HASH_LABEL
from canary_operator.model.rollout import Body, Rollout, RolloutRef

# Written by Argo on the ReplicaSets of experiments, which are no revisions.
_EXPERIMENT = "experiment.argoproj.io/name"
_REVISION = "rollout.argoproj.io/revision"


@dataclass(frozen=True, slots=True)
class Revision:
    """When its ReplicaSet was created, Unix seconds, and Argo's number of it; None where Argo has not said one."""

    born: float
    number: int | None


Revisions = Mapping[str, Revision]
"""By pod template hash."""


@dataclass(frozen=True, slots=True)
class _Release:
    """What an answer is good for; the ReplicaSets between two given ones never become more."""

    uid: str
    pod_hash: str
    stable_hash: str


class ReplicaSets:
    """What is known about the ReplicaSets of Rollouts."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[RolloutRef, tuple[_Release, Revisions]] = {}

    async def of(self, rollout: Rollout, labels: Mapping[str, str]) -> Revisions:
        """The revisions of a Rollout.

        Args:

            labels: the Rollout's selector. With a workloadRef that is the workload's, and empty here; the owner
                tells the ReplicaSets apart anyway.

        Raises:

            ClusterError: if they cannot be listed.
        """
        release = _Release(rollout.fence.uid, rollout.pod_hash, rollout.stable_hash)
        known = self._known.get(rollout.ref)
        if known is not None and known[0] == release:
            return known[1]
        found = revisions(await self._api.list_replica_sets(rollout.ref.namespace, labels), release.uid)
        if {release.pod_hash, release.stable_hash} <= found.keys():
            self._known[rollout.ref] = (release, found)
        return found

    def forget(self, ref: RolloutRef) -> None:
        """Forget a Rollout that has no release in progress."""
        self._known.pop(ref, None)


def revisions(replica_sets: Iterable[Body], uid: str) -> Revisions:
    """Tell the revisions of the Rollout with this uid among ReplicaSets."""
    own = (body["metadata"] for body in replica_sets if _is_owned(body, uid) and not _is_experiment(body))
    return {(meta.get("labels") or {}).get(POD_HASH_LABEL) or "": _revision(meta) for meta in own}


def _revision(meta: Body) -> Revision:
    number = (meta.get("annotations") or {}).get(_REVISION) or ""
    return Revision(durations.parse_time(meta["creationTimestamp"]), int(number) if number.isdecimal() else None)


def rolls_back(known: Revisions, pod_hash: str, stable_hash: str, window: int) -> bool:
    """Whether Argo takes the new version for a rollback inside the window; false while a ReplicaSet is missing.

    Argo's rule: the new ReplicaSet is older than the stable one, and fewer than ``window`` lie strictly between.
    """
    if pod_hash not in known or stable_hash not in known:
        return False
    new, stable = known[pod_hash].born, known[stable_hash].born
    between = sum(new < revision.born < stable for revision in known.values())
    return new < stable and between < window


def births(known: Revisions, rollout: Rollout) -> Births:
    """When both versions of a Rollout were born."""
    new, stable = known.get(rollout.pod_hash), known.get(rollout.stable_hash)
    return Births(new.born if new else None, stable.born if stable else None)


def number_of(known: Revisions, pod_hash: str) -> int | None:
    """Argo's number of a version; None where nobody knows."""
    found = known.get(pod_hash)
    return found.number if found else None


def _is_owned(body: Body, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in body["metadata"].get("ownerReferences") or ())


def _is_experiment(body: Body) -> bool:
    return bool((body["metadata"].get("annotations") or {}).get(_EXPERIMENT))
