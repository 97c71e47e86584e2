"""Everything known about one Rollout at one moment, put together for the engine.

Law: what cannot be read becomes a text in its place, never an exception that stops others. What the watch does not
tell, whether a release is a rollback that Argo never pauses and the facts that evidence needs, is asked for here.
"""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from canary_operator import engine
from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.gathering import PATIENCE_SECONDS, Gatherer
from canary_operator.cluster.replica_sets import ReplicaSets, rolls_back
from canary_operator.cluster.store import Store, template_refs
from canary_operator.errors import ClusterError, ClusterRefused, ConfigurationError
from canary_operator.model.decision import ActionKind, Snapshot
from canary_operator.model.facts import SLORefKey
from canary_operator.model.gate import GateStatus, parse_gate_status
from canary_operator.model.policy import CanaryGateSpec, OptIn, SLOPolicySpec, parse_gate_spec, template_of
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import Body, Rollout, RolloutRef, TemplateRef

log = structlog.get_logger()


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
    policies = _policies(store, opt_in, ref.namespace)
    return Snapshot(
        rollout=rollout,
        opt_in=opt_in,
        policies=policies,
        templates=_templates(store, rollout, opt_in, policies.values()),
        gate_spec=_gate_spec(gate),
        gate_generation=None if gate is None else gate["metadata"].get("generation"),
        status=gate_status(gate),
        addresses=addresses,
        evaluation_interval=evaluation_interval,
        policy_generations=_generations(store, policies, ref.namespace),
        fleet=store.fleet(ref),
    )


class Reader:
    """Reads snapshots, and asks the API server where the watch does not tell enough. ``clock`` says Unix seconds."""

    def __init__(
        self,
        store: Store,
        api: Api,
        addresses: ProviderAddresses,
        evaluation_interval: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._api = api
        self._addresses = addresses
        self._evaluation_interval = evaluation_interval
        self._replica_sets = ReplicaSets(api)
        self._gatherer = Gatherer(api, self._replica_sets)
        self._clock = clock
        self._news: dict[RolloutRef, asyncio.Event] = {}

    async def read(self, ref: RolloutRef) -> Snapshot | None:
        """Take the snapshot of a Rollout, None where there is none or it cannot be read.

        Raises:

            ClusterError: if the Rollout must be asked for again and cannot be read.
        """
        found = self.known(ref)
        if found is not None and found.status.pending is not None:
            found = await self._read_again(found)
        if found is None:
            self._replica_sets.forget(ref)
            unreadable = self._store.rollout(ref)
            if isinstance(unreadable, str):
                log.warning("rollout_unreadable", rollout=str(ref), message=unreadable)
            return None
        if _is_in_progress(found.rollout):
            return await self._with_facts(await self._with_rollback(found))
        if engine.bakes(found, self._clock()):
            return await self._with_facts(found)
        self._replica_sets.forget(ref)
        return found

    def known(self, ref: RolloutRef) -> Snapshot | None:
        """What the watch has told of a Rollout, None where there is none or it cannot be read."""
        return snapshot(self._store, ref, self._addresses, self._evaluation_interval)

    async def moved_on(self, judged: Snapshot) -> None:
        """Wait until this is no longer what must be judged: the release has moved on, or a person wants otherwise.

        One caller at a time for each Rollout; ``notice`` makes it look.
        """
        ref = judged.rollout.ref
        news = self._news[ref] = asyncio.Event()
        try:
            while _is_same_matter(judged, self.known(ref)):
                news.clear()
                await news.wait()
        finally:
            if self._news[ref] is news:
                del self._news[ref]

    def notice(self, ref: RolloutRef) -> None:
        """Say that something about a Rollout has changed in the store."""
        if ref in self._news:
            self._news[ref].set()

    async def _read_again(self, known: Snapshot) -> Snapshot | None:
        # What became of an action whose reply was lost is told from the Rollout, and the watch may be late.
        ref = known.rollout.ref
        try:
            body = await self._api.get_rollout(ref)
        except ClusterError as error:
            if not _is_told_by_the_watch(known, error):
                raise
            log.warning("rollout_not_read_again", rollout=str(ref), message=str(error))
            return known
        if body is None:
            return None
        self._store.put(kinds.ROLLOUTS, body)
        return self.known(ref)

    async def _with_rollback(self, found: Snapshot) -> Snapshot:
        rollout, body = found.rollout, self._store.rollout_body(found.rollout.ref) or {}
        window = ((body.get("spec") or {}).get("rollbackWindow") or {}).get("revisions") or 0
        if window <= 0:
            return found
        try:
            revisions = await asyncio.wait_for(self._replica_sets.of(rollout, _labels(body)), PATIENCE_SECONDS)
        except (ClusterError, TimeoutError) as error:
            # A gate that cannot tell gates: what was held for nothing is released once it can.
            reason = {"error": type(error).__name__, "message": str(error)}
            log.warning("replica_sets_unreadable", rollout=str(rollout.ref), **reason)
            return found
        back = rolls_back(revisions, rollout.pod_hash, rollout.stable_hash, window)
        return dataclasses.replace(found, rollout=dataclasses.replace(rollout, rolls_back=back))

    async def _with_facts(self, found: Snapshot) -> Snapshot:
        now = self._clock()
        # A hold that must be written first waits for nothing.
        if not engine.listens(found, now):
            return found
        labels = _labels(self._store.rollout_body(found.rollout.ref) or {})
        facts = await self._gatherer.facts(engine.to_judge(found, now).rollout, labels, references(found))
        return dataclasses.replace(found, facts=facts)


def references(found: Snapshot) -> frozenset[SLORefKey]:
    """The objects in which the policies say that their objectives are defined."""
    policies = (policy for policy in found.policies.values() if isinstance(policy, SLOPolicySpec))
    named = (ref for policy in policies for ref in policy.references if template_of(ref) is None)
    return frozenset(SLORefKey(ref.api_version, ref.kind, ref.name) for ref in named)


def _is_told_by_the_watch(known: Snapshot, error: ClusterError) -> bool:
    """Whether what the watch tells is enough to go on: a hold cannot be done twice, and a right may never come back."""
    pending = known.status.pending
    is_hold = pending is not None and pending.action == ActionKind.HOLD.value
    return is_hold or isinstance(error, ClusterRefused)


def _is_same_matter(judged: Snapshot, known: Snapshot | None) -> bool:
    if known is None:
        return False
    same_release = (judged.rollout.fence, judged.rollout.aborted) == (known.rollout.fence, known.rollout.aborted)
    return same_release and (judged.opt_in, judged.gate_spec) == (known.opt_in, known.gate_spec)


def _is_in_progress(rollout: Rollout) -> bool:
    return bool(rollout.pod_hash and rollout.stable_hash) and rollout.pod_hash != rollout.stable_hash


def _labels(body: Body) -> Mapping[str, str]:
    return ((body.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}


def _policies(store: Store, opt_in: OptIn, namespace: str) -> dict[str, SLOPolicySpec | str]:
    found = {name: store.policy(name, namespace) for name in opt_in.policies}
    return {name: policy for name, policy in found.items() if policy is not None}


def _generations(store: Store, policies: Iterable[str], namespace: str) -> dict[str, int]:
    found = {name: store.policy_generation(name, namespace) for name in policies}
    return {name: generation for name, generation in found.items() if generation is not None}


def _templates(
    store: Store, rollout: Rollout, opt_in: OptIn, policies: Iterable[SLOPolicySpec | str]
) -> dict[TemplateRef, Mapping[str, Any]]:
    # Templates may name further templates; a circle ends where it meets itself.
    found: dict[TemplateRef, Mapping[str, Any]] = {}
    waiting = sorted(template_refs(rollout, opt_in), key=str)
    waiting += [ref for policy in policies if isinstance(policy, SLOPolicySpec) for ref in policy.templates]
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


def gate_status(gate: Body | None) -> GateStatus:
    """What a gate has said, the empty status where it has said nothing that can be read."""
    try:
        return parse_gate_status(gate or {})
    except ConfigurationError:
        # Written by a newer operator, or by hand. Evidence begins anew, which can only hold longer.
        return GateStatus()
