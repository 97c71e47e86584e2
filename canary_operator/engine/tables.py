"""All precedence, in one place. The documentation prints these tables.

To add a hold reason: give it a row in ``HOLD_ORDER``; the first row wins among several holds.

Law: tables and the functions that read them; nothing else decides what outranks what.
"""

from collections.abc import Sequence

from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason, Verdict, verdict_of

# Which of several abort reasons is told: what is about the canary itself before what a policy says.
ABORT_ORDER: tuple[AbortReason, ...] = (
    AbortReason.OVERRIDE,
    AbortReason.CANARY_REGRESSION,
    AbortReason.OBJECTIVE_BREACHED,
    AbortReason.CONDITIONS_FAILED,
    AbortReason.CANARY_UNHEALTHY,
    AbortReason.EXPOSURE_SPENT,
    AbortReason.TELEMETRY_LOST,
    AbortReason.MAX_HOLD,
)

# Which of several hold reasons is told: what a person must mend first, what time alone mends last.
HOLD_ORDER: tuple[HoldReason, ...] = (
    HoldReason.OVERRIDE,
    HoldReason.CANARY_REGRESSION,
    HoldReason.OBJECTIVE_BREACHED,
    HoldReason.CONDITIONS_FAILED,
    HoldReason.CANARY_UNHEALTHY,
    HoldReason.EXPOSURE_SPENT,
    HoldReason.TELEMETRY_LOST,
    HoldReason.CONFIGURATION_ERROR,
    HoldReason.IMAGE_CHANGED,
    HoldReason.TELEMETRY_UNAVAILABLE,
    HoldReason.ROUTING_MISMATCH,
    HoldReason.AMBIGUOUS_SERIES,
    HoldReason.NO_DATA,
    HoldReason.NO_TRAFFIC,
    HoldReason.ENVIRONMENT_UNHEALTHY,
    HoldReason.INCONCLUSIVE,
    HoldReason.DRIFTING,
    HoldReason.MAX_HOLD,
    HoldReason.FROZEN,
    HoldReason.FLEET_BRAKE,
    HoldReason.FLEET_LIMIT,
    HoldReason.LOW_TRAFFIC,
    HoldReason.WARM_UP,
    HoldReason.COLLECTING,
)

PROMOTE_ORDER: tuple[PromoteReason, ...] = (
    PromoteReason.OVERRIDE,
    PromoteReason.EVIDENCE_SUFFICIENT,
    PromoteReason.CONDITIONS_MET,
    PromoteReason.MAX_HOLD,
)

# Strongest first. Promote therefore needs every finding to say so.
VERDICT_ORDER: tuple[Verdict, ...] = (Verdict.ABORT, Verdict.HOLD, Verdict.PROMOTE)

# From these holds, and no other, `onMaxHold: Promote` may promote: the evidence was there and told too little.
PROMOTABLE_AT_MAX_HOLD: frozenset[HoldReason] = frozenset(
    {HoldReason.COLLECTING, HoldReason.LOW_TRAFFIC, HoldReason.INCONCLUSIVE}
)

# With failAction Hold an abort reason becomes the hold of the same name.
HELD_INSTEAD: dict[AbortReason, HoldReason] = {reason: HoldReason(reason.value) for reason in AbortReason}

# Holds that a person should look at; the others pass by themselves.
NEEDS_A_PERSON: frozenset[HoldReason] = frozenset(HOLD_ORDER) - {
    *(HoldReason.COLLECTING, HoldReason.WARM_UP, HoldReason.OVERRIDE, HoldReason.LOW_TRAFFIC),
    *(HoldReason.FROZEN, HoldReason.FLEET_LIMIT),
}

# Holds that only a person ends: such a release is not in progress, and keeps no other one waiting.
PARKED: frozenset[HoldReason] = frozenset(HELD_INSTEAD.values()) | {
    *(HoldReason.OVERRIDE, HoldReason.CONFIGURATION_ERROR, HoldReason.IMAGE_CHANGED),
    *(HoldReason.INCONCLUSIVE, HoldReason.MAX_HOLD),
}

_RANK = {
    reason: (position, index)
    for position, order in enumerate((ABORT_ORDER, HOLD_ORDER, PROMOTE_ORDER))
    for index, reason in enumerate(order)
}


def strongest(findings: Sequence[Finding]) -> Finding:
    """The finding that decides; findings of the same reason have their sentences joined.

    No finding at all holds: nothing was judged.
    """
    if not findings:
        return Finding(HoldReason.CONFIGURATION_ERROR, "nothing judges this release: name an AnalysisTemplate")
    reason = min((finding.reason for finding in findings), key=lambda each: _RANK[each])
    sentences = [finding.message for finding in findings if finding.reason is reason]
    return Finding(reason, "; ".join(sentences))


def needs_a_person(finding: Finding) -> bool:
    """Whether somebody should look: an abort, or a hold that does not pass by itself."""
    if verdict_of(finding.reason) is Verdict.ABORT:
        return True
    return finding.reason in NEEDS_A_PERSON
