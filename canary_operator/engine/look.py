"""What every gate offers: looks that ask their questions and judge the answers.

Law: nouns only. A gate knows its ground and no other gate.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from canary_operator.engine.situation import AtPause
from canary_operator.model.caution import Caution
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import Evidence
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import Question, Samples
from canary_operator.model.verdict import Finding


@dataclass(frozen=True, slots=True)
class Ground:
    """What a gate stands on.

    Args:

        snapshot: with the memory of this very release and pause.

        at: the pause that is judged; None between pauses, where a gate may only warn and abort.

        policy: what all named policies say together.

        now: Unix seconds.
    """

    snapshot: Snapshot
    at: AtPause | None
    policy: SLOPolicySpec
    now: float


@dataclass(frozen=True, slots=True)
class Said:
    """What a look brought.

    Args:

        evidence: what is known now, one entry for each metric or objective.

        findings: of those that count; a metric that is only run dry has none.

        next_due: when the next question is due, Unix seconds; infinity for never. What was not answered is asked
            again with the next look anyway.

        telemetry_lost: whether a question was not answered.

        cautions: what people should know though nothing is held for it.

        measured: whether enough is known that a person's ``onMaxHold: Promote`` may promote.
    """

    evidence: tuple[Evidence, ...]
    findings: tuple[Finding, ...]
    next_due: float = math.inf
    telemetry_lost: bool = False
    measured: bool = True
    cautions: tuple[Caution, ...] = ()


class Look(Protocol):
    """One gate at one moment. Both methods are pure: the same answers give the same words."""

    def questions(self) -> tuple[Question, ...]:
        """What is due to be asked."""

    def judge(self, samples: Samples) -> Said:
        """What the answers say; a missing answer is none."""
