"""What the engine is given, and what it answers.

Law: frozen nouns. A decision carries the identity it was made on.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canary_operator.model.facts import NO_FACTS, Facts
from canary_operator.model.fleet import ALONE, Fleet
from canary_operator.model.gate import GateStatus
from canary_operator.model.policy import CanaryGateSpec, OptIn, SLOPolicySpec
from canary_operator.model.providers import ProviderAddresses
from canary_operator.model.rollout import Fence, Rollout, RolloutRef, TemplateRef
from canary_operator.model.verdict import Finding, Reason


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything known about one Rollout at one moment.

    ``policies`` and ``templates`` hold what was found under the names that the Rollout refers to: a missing
    key is an object that does not exist, a text is why it cannot be read. ``facts`` are asked for where evidence needs
    them. ``policy_generations`` are the generations of the policies that were found.
    ``fleet`` is what other gates have to do with it.
    """

    rollout: Rollout
    opt_in: OptIn
    policies: Mapping[str, SLOPolicySpec | str]
    templates: Mapping[TemplateRef, Mapping[str, Any]]
    gate_spec: CanaryGateSpec | str
    gate_generation: int | None
    status: GateStatus
    addresses: ProviderAddresses
    evaluation_interval: float
    facts: Facts = NO_FACTS
    policy_generations: Mapping[str, int] = field(default_factory=dict)
    fleet: Fleet = ALONE


class ActionKind(enum.Enum):
    """What the operator may do to a Rollout."""

    HOLD = "Hold"
    RELEASE = "Release"
    PROMOTE = "Promote"
    ABORT = "Abort"
    # A harmless change of status.message that makes Argo look again at an action it has not consumed.
    NUDGE = "Nudge"


@dataclass(frozen=True, slots=True)
class Action:
    """One guarded write. ``start_time`` is the pause's new start (Unix seconds) of a hold or release."""

    kind: ActionKind
    decision_id: str
    ref: RolloutRef
    fence: Fence
    start_time: float | None = None


class Outcome(enum.Enum):
    """What became of an action. Nothing but APPLIED changed anything, as far as anybody knows.

    UNKNOWN: the reply was lost, and the Rollout had moved on before anybody could tell.
    """

    APPLIED = "Applied"
    STALE = "Stale"
    GONE = "Gone"
    REFUSED = "Refused"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Applied:
    """An outcome and what the API server said, where it matters.

    ``code`` is the HTTP status of its answer; None where the write was not sent, or nobody heard the answer.
    """

    outcome: Outcome
    message: str = ""
    code: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, why, what to remember, and when to look again (Unix seconds).

    ``reason`` is None outside a gated release. ``concluded`` is set where an earlier action, whose reply was
    lost, turned out to be done or void.
    """

    reason: Reason | None
    message: str
    findings: tuple[Finding, ...]
    action: Action | None
    status: GateStatus
    next_look: float
    concluded: bool = False
