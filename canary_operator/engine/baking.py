"""After the last step the version is stable and Argo can abort no more; for a while the gate still looks.

Law: pure. Nothing is written to the Rollout any more: what is found is said, with the command that a person runs.
"""

import math
from dataclasses import replace

from canary_operator.engine import memory, policy
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Decision, Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.verdict import AbortReason, Finding, Verdict


def until(snapshot: Snapshot) -> float:
    """The end of the time for which an ended release is still judged, Unix seconds; minus infinity if it is not."""
    status = snapshot.status
    if status.phase != "Ended" or status.ended_at is None or not status.baseline or snapshot.rollout.aborted:
        return -math.inf
    try:
        bake = policy.effective_policy(snapshot).timing.bake
    except ConfigurationError:
        return -math.inf
    return durations.parse_time(status.ended_at) + bake if bake > 0 else -math.inf


def is_under_way(snapshot: Snapshot, now: float) -> bool:
    """Whether the promoted version is still judged."""
    rollout = snapshot.rollout
    same = snapshot.status.rollout is not None and snapshot.status.rollout.pod_hash == rollout.pod_hash
    return same and not rollout.aborted and rollout.pod_hash == rollout.stable_hash and now < until(snapshot)


def to_judge(snapshot: Snapshot, now: float) -> Snapshot:
    """The snapshot that the gates are to judge: as it is, or as a release where the promoted version still is one."""
    return as_release(snapshot) if is_under_way(snapshot, now) else snapshot


def as_release(snapshot: Snapshot) -> Snapshot:
    """The snapshot as the gates know it: the version before is stable, though it gets no requests any more."""
    full = snapshot.rollout.routing.full_weight
    rollout = replace(snapshot.rollout, stable_hash=snapshot.status.baseline, weight=full)
    judging = snapshot.status.model_copy(update={"phase": "Judging"})
    return replace(memory.remembering(snapshot, judging), rollout=rollout)


def told(status: GateStatus, finding: Finding, snapshot: Snapshot, now: float) -> GateStatus:
    """The status after a look; a breach stays until the next release."""
    if not isinstance(finding.reason, AbortReason) or status.verdict == Verdict.ABORT.value:
        return status
    message = f"bad after its promotion: {finding.message}; Argo can no longer abort it; to go back, run: "
    update = {
        "verdict": Verdict.ABORT.value,
        "reason": finding.reason.value,
        "message": message + undo(snapshot),
        "since": durations.format_micro_time(now),
    }
    return memory.in_history(status.model_copy(update=update), now)


def undo(snapshot: Snapshot) -> str:
    """The command that brings back the version before.

    Always with its revision: without one Argo goes back to the newest other version, which may have been aborted.
    """
    ref, number = snapshot.rollout.ref, snapshot.facts.stable_revision
    command = f"kubectl argo rollouts undo {ref.name} -n {ref.namespace} --to-revision="
    return f"{command}{number}" if number else f"{command}N, with the revision of {ref.name}-{snapshot.status.baseline}"


def looked(decision: Decision, status: GateStatus, next_due: float, end: float) -> Decision:
    """The decision with what a look has brought; the last look is at the end."""
    return replace(decision, status=status, next_look=min(decision.next_look, next_due, end))
