"""One Kubernetes Event for each change of the verdict, and for each new caution.

Law: pure. An Event is built only from a status that has been written.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from canary_operator.engine import tables
from canary_operator.model import durations
from canary_operator.model.gate import Condition, GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Finding, parse_reason

COMPONENT = "canary-operator"
# The API server counts bytes.
_MAX_MESSAGE = 1024


def verdict_event(ref: RolloutRef, status: GateStatus, now: float, link: str) -> Mapping[str, Any]:
    """The Event on the Rollout that tells the verdict of ``status``, with the address of its page if there is one.

    Equal verdicts at one step of one release share a name, so that the Event is renewed and there is no flood.
    """
    assert status.rollout is not None
    assert status.verdict is not None
    finding = Finding(parse_reason(status.verdict, status.reason), status.message)
    return _event(ref, status.rollout.uid, _key(status), now) | {
        "type": "Warning" if tables.needs_a_person(finding) else "Normal",
        "reason": status.reason,
        "message": _message(f"{status.verdict}: {status.message}", f" {link}" if link else ""),
        "action": status.verdict,
    }


def _event(ref: RolloutRef, uid: str, key: str, now: float) -> dict[str, Any]:
    at = durations.format_time(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.name[:200].rstrip('-.')}.{key}", "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": uid,
        },
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def caution_event(ref: RolloutRef, status: GateStatus, caution: Condition, now: float, link: str) -> Mapping[str, Any]:
    """The Event on the Rollout that tells what a condition cautions against, with the address of its page if any.

    Equal ones share a name.
    """
    assert status.rollout is not None
    about = (status.rollout.uid, status.rollout.pod_hash, caution.type, caution.message)
    told = _event(ref, status.rollout.uid, hashlib.sha256(repr(about).encode()).hexdigest()[:16], now)
    return told | {
        "type": "Warning",
        "reason": caution.type,
        "message": _message(f"not {caution.type}: {caution.message}", f" {link}" if link else ""),
        "action": "Beware",
    }


def _key(status: GateStatus) -> str:
    judged = status.rollout
    start = status.pause.start_time if status.pause else ""
    key = (judged.uid if judged else "", judged.pod_hash if judged else "", status.rollout_step, start)
    return hashlib.sha256(repr((key, status.verdict, status.reason)).encode()).hexdigest()[:16]


def _message(told: str, link: str) -> str:
    """What is told, and the link whole: half an address leads nowhere."""
    room = _MAX_MESSAGE - len(link.encode())
    return told.encode()[: max(0, room)].decode(errors="ignore") + link if room > 0 else _message(told, "")
