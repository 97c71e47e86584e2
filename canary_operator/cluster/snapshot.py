"""Everything known about one Rollout at one moment, put together for the engine.

Law: what cannot be read becomes a text in its place, never an exception that stops others. The one question that
the watch does not answer, whether a release is a rollback that Argo never pauses, is asked here.
"""

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

import structlog

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.store import Store, template_refs
from canary_operator.errors import ClusterError, ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus, parse_gate_status
from canary_operator.model.policy import CanaryGateSpec, OptIn, SLOPolicySpec, parse_gate_spec
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import Body, Rollout, RolloutRef, TemplateRef

log = structlog.get_logger()

# Written by Argo on the ReplicaSets of experiments, which are no revisions.
_EXPERIMENT = "experiment.argoproj.io/name"


def snapshot(
    store: Store, ref: RolloutRef, addresses: ProviderAddresses, evaluation_interval: float
) -> Snapshot | None:
    """Gather what the store knows about a Rollout.

    None where it has none or cannot read it; then ``store.rollout`` says why.

    Args:

        store: what the watch has told.

        ref: the Rollout.

        addresses: the addresses that templates may name.

        evaluation_interval: seconds between two looks.
    """
    rollout = store.rollout(ref)
    if not isinstance(rollout, Rollout):
        return None
    opt_in, gate = store.opt_in(ref), store.gate(ref)
    return Snapshot(
        rollout=rollout,
        opt_in=opt_in,
        policies=_policies(store, opt_in, ref.namespace),
        templates=_templates(store, rollout, opt_in),
        gate_spec=_gate_spec(gate),
        gate_generation=None if gate is None else gate["metadata"].get("generation"),
        status=_gate_status(gate),
        addresses=addresses,
        evaluation_interval=evaluation_interval,
    )


class Reader:
    """Reads snapshots, and asks the API server where the watch does not tell enough."""

    def __init__(self, store: Store, api: Api, addresses: ProviderAddresses, evaluation_interval: float) -> None:
        self._store = store
        self._api = api
        self._addresses = addresses
        self._evaluation_interval = evaluation_interval
        self._rollbacks: dict[RolloutRef, tuple[_Release, bool]] = {}
        self._news: dict[RolloutRef, asyncio.Event] = {}

    async def read(self, ref: RolloutRef) -> Snapshot | None:
        """Take the snapshot of a Rollout, None where there is none or it cannot be read.

        Raises:

            ClusterError: if what must be asked for, the Rollout again or its ReplicaSets, cannot be read.
        """
        found = self._known(ref)
        if found is not None and found.status.pending is not None:
            found = await self._read_again(ref)
        if found is None:
            self._rollbacks.pop(ref, None)
            unreadable = self._store.rollout(ref)
            if isinstance(unreadable, str):
                log.warning("rollout_unreadable", rollout=str(ref), message=unreadable)
            return None
        try:
            rolls_back = await self._rolls_back(found.rollout)
        except ClusterError as error:
            # A gate that cannot tell gates: what was held for nothing is released once it can.
            log.warning("replica_sets_unreadable", rollout=str(ref), message=str(error))
            rolls_back = False
        if not rolls_back:
            return found
        return dataclasses.replace(found, rollout=dataclasses.replace(found.rollout, rolls_back=True))

    async def moved_on(self, judged: Snapshot) -> None:
        """Wait until this is no longer what must be judged: the release has moved on, or a person wants otherwise.

        One caller at a time for each Rollout; ``notice`` makes it look.
        """
        ref = judged.rollout.ref
        news = self._news[ref] = asyncio.Event()
        try:
            while _is_same_matter(judged, self._known(ref)):
                news.clear()
                await news.wait()
        finally:
            if self._news[ref] is news:
                del self._news[ref]

    def notice(self, ref: RolloutRef) -> None:
        """Say that something about a Rollout has changed in the store."""
        if ref in self._news:
            self._news[ref].set()

    def _known(self, ref: RolloutRef) -> Snapshot | None:
        return snapshot(self._store, ref, self._addresses, self._evaluation_interval)

    async def _read_again(self, ref: RolloutRef) -> Snapshot | None:
        # What became of an action whose reply was lost is told from the Rollout, and the watch may be late.
        body = await self._api.get_rollout(ref)
        if body is None:
            return None
        self._store.put(kinds.ROLLOUTS, body)
        return self._known(ref)

    async def _rolls_back(self, rollout: Rollout) -> bool:
        release = _release(rollout, self._store.rollout_body(rollout.ref) or {})
        if release is None:
            self._rollbacks.pop(rollout.ref, None)
            return False
        known = self._rollbacks.get(rollout.ref)
        if known is not None and known[0] == release:
            return known[1]
        replica_sets = await self._api.list_replica_sets(rollout.ref.namespace, release.labels)
        own = [body for body in replica_sets if _is_owned(body, release.uid)]
        answer = rolls_back(own, release.pod_hash, release.stable_hash, release.window)
        if answer is not None:
            self._rollbacks[rollout.ref] = (release, answer)
        return bool(answer)


def _is_same_matter(judged: Snapshot, known: Snapshot | None) -> bool:
    if known is None:
        return False
    same_release = (judged.rollout.fence, judged.rollout.aborted) == (known.rollout.fence, known.rollout.aborted)
    return same_release and (judged.opt_in, judged.gate_spec) == (known.opt_in, known.gate_spec)


@dataclasses.dataclass(frozen=True, slots=True)
class _Release:
    """What the answer depends on; the ReplicaSets between two given ones never become more."""

    uid: str
    pod_hash: str
    stable_hash: str
    window: int
    labels: Mapping[str, str]


def rolls_back(replica_sets: list[Body], pod_hash: str, stable_hash: str, window: int) -> bool | None:
    """Whether Argo takes the new version for a rollback inside the window; None while a ReplicaSet is missing.

    Argo's rule: the new ReplicaSet is older than the stable one, and fewer than ``window`` lie strictly between.
    """
    created = {_hash(body): _created(body) for body in replica_sets if not _is_experiment(body)}
    if pod_hash not in created or stable_hash not in created:
        return None
    new, stable = created[pod_hash], created[stable_hash]
    between = sum(new < moment < stable for moment in created.values())
    return new < stable and between < window


def _release(rollout: Rollout, body: Body) -> _Release | None:
    spec = body.get("spec") or {}
    window = (spec.get("rollbackWindow") or {}).get("revisions") or 0
    in_progress = rollout.pod_hash and rollout.stable_hash and rollout.pod_hash != rollout.stable_hash
    if window <= 0 or not in_progress:
        return None
    # With a workloadRef the selector is the workload's; the owner tells the ReplicaSets apart anyway.
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    return _Release(rollout.fence.uid, rollout.pod_hash, rollout.stable_hash, window, labels)


def _is_owned(body: Body, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in body["metadata"].get("ownerReferences") or ())


def _is_experiment(body: Body) -> bool:
    return bool((body["metadata"].get("annotations") or {}).get(_EXPERIMENT))


def _hash(body: Body) -> str:
    return (body["metadata"].get("labels") or {}).get("rollouts-pod-template-hash") or ""


def _created(body: Body) -> float:
    return durations.parse_time(body["metadata"]["creationTimestamp"])


def _policies(store: Store, opt_in: OptIn, namespace: str) -> dict[str, SLOPolicySpec | str]:
    found = {name: store.policy(name, namespace) for name in opt_in.policies}
    return {name: policy for name, policy in found.items() if policy is not None}


def _templates(store: Store, rollout: Rollout, opt_in: OptIn) -> dict[TemplateRef, Mapping[str, Any]]:
    # Templates may name further templates; a circle ends where it meets itself.
    found: dict[TemplateRef, Mapping[str, Any]] = {}
    waiting = sorted(template_refs(rollout, opt_in), key=str)
    while waiting:
        ref = waiting.pop()
        body = None if ref in found else store.template(ref, rollout.ref.namespace)
        if body is not None:
            found[ref] = body
            waiting += store.nested(ref, rollout.ref.namespace)
    return found


def _gate_spec(gate: Body | None) -> CanaryGateSpec | str:
    if gate is None:
        return CanaryGateSpec()
    try:
        return parse_gate_spec(gate)
    except ConfigurationError as error:
        return str(error)


def _gate_status(gate: Body | None) -> GateStatus:
    try:
        return parse_gate_status(gate or {})
    except ConfigurationError:
        # Written by a newer operator, or by hand. Evidence begins anew, which can only hold longer.
        return GateStatus()
