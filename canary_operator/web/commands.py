"""What a person would type: the page itself changes nothing.

Law: pure. Names are quoted for a shell, whatever they are.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.model import durations
from canary_operator.model.rollout import RolloutRef

_OVERRIDE_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Command:
    """One line for a shell, and what it is for."""

    purpose: str
    line: str


def commands(ref: RolloutRef, now: float) -> tuple[Command, ...]:
    """The commands about one gate; an override ends an hour after ``now`` (Unix seconds)."""
    name, namespace = shlex.quote(ref.name), shlex.quote(ref.namespace)
    override = {
        "action": "Hold",
        "reason": "WHY",
        "requestedBy": "YOUR-NAME",
        "expiresAt": durations.format_time(now + _OVERRIDE_SECONDS),
    }
    return (
        Command("go on with the next step", f"kubectl argo rollouts promote {name} -n {namespace}"),
        Command("go back to the stable version", f"kubectl argo rollouts abort {name} -n {namespace}"),
        Command("overrule the gate for an hour: Hold, Promote or Abort", _patch(ref, {"override": override})),
        Command("take the override back", _patch(ref, {"override": None})),
        Command("see it in Argo's own words", f"kubectl argo rollouts get rollout {name} -n {namespace}"),
    )


def _patch(ref: RolloutRef, spec: Mapping[str, Any]) -> str:
    name, namespace = shlex.quote(ref.name), shlex.quote(ref.namespace)
    body = shlex.quote(json.dumps({"spec": spec}))
    return f"kubectl patch canarygate {name} -n {namespace} --type=merge -p {body}"
