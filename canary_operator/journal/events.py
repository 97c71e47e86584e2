"""One Kubernetes Event for each change of the verdict.

Law: pure. An Event is built only from a status that has been written.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from canary_operator.engine import tables
from canary_operator.model import durations
from canary_operator.model.gate import GateStatus
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
    at = durations.format_time(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.name[:200].rstrip('-.')}.{_key(status)}", "namespace": ref.namespace},
        "involvedObject": {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Rollout",
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": status.rollout.uid,
        },
        "type": "Warning" if tables.needs_a_person(finding) else "Normal",
        "reason": status.reason,
        "message": _message(f"{status.verdict}: {status.message}", f" {link}" if link else ""),
        "source": {"component": COMPONENT},
        "reportingComponent": COMPONENT,
        "reportingInstance": COMPONENT,
        "action": status.verdict,
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
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
