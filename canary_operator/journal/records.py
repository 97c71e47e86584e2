"""The chain of GateDecisions: one for each change of the verdict, one for each action taken.

Law: pure. The hash of a record covers everything in it and the hash of the one before.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import canary_operator
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec, RecordedAction, Used
from canary_operator.model.rollout import RolloutRef


def decision_record(
    snapshot: Snapshot, status: GateStatus, now: float, action: RecordedAction | None
) -> GateDecisionSpec:
    """The next record of this gate's chain."""
    assert status.rollout is not None
    unsigned = GateDecisionSpec(
        rollout_name=snapshot.rollout.ref.name,
        rollout=status.rollout,
        step=status.step,
        at=durations.format_time(now),
        mode=status.mode,
        verdict=status.verdict,
        reason=status.reason,
        message=status.message,
        action=action,
        evidence=tuple(each.model_copy(update={"memory": None}) for each in status.evidence),
        policies=tuple(_policies(snapshot)),
        templates=tuple(_templates(status)),
        operator_version=canary_operator.__version__,
        sequence=status.sequence + 1,
        previous_hash=status.record_hash,
        hash="",
    )
    return unsigned.model_copy(update={"hash": record_hash(unsigned)})


def record_hash(record: GateDecisionSpec) -> str:
    """SHA-256 of the record's canonical JSON without its own hash."""
    return _digest(record.model_dump(by_alias=True, exclude_none=True, exclude={"hash"}, mode="json"))


def record_name(ref: RolloutRef, record: GateDecisionSpec) -> str:
    """One name for one place in the chain, so that nothing is recorded twice."""
    return f"{ref.name[:220].rstrip('-.')}-{record.rollout.uid[:8]}-{record.sequence:06d}"


def _digest(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _policies(snapshot: Snapshot) -> list[Used]:
    return [
        Used(name=name, digest=_digest(policy.model_dump(mode="json"))[:16])
        for name, policy in snapshot.policies.items()
        if not isinstance(policy, str)
    ]


def _templates(status: GateStatus) -> list[Used]:
    return [Used(name=item.source, digest=item.digest) for item in status.evidence]
