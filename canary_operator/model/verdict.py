"""Verdicts and their reasons: the words users match on.

Law: the enums are exhaustive and stable. A new reason needs a row in the documentation's table.
"""

import enum
from dataclasses import dataclass


class Verdict(enum.Enum):
    """What the gate thinks should happen next."""

    PROMOTE = "Promote"
    HOLD = "Hold"
    ABORT = "Abort"


class PromoteReason(enum.Enum):
    """Why the next step is allowed."""

    EVIDENCE_SUFFICIENT = "EvidenceSufficient"
    CONDITIONS_MET = "ConditionsMet"
    OVERRIDE = "Override"
    MAX_HOLD = "MaxHold"


class HoldReason(enum.Enum):
    """Why the release waits."""

    COLLECTING = "Collecting"
    LOW_TRAFFIC = "LowTraffic"
    NO_TRAFFIC = "NoTraffic"
    WARM_UP = "WarmUp"
    NO_DATA = "NoData"
    TELEMETRY_UNAVAILABLE = "TelemetryUnavailable"
    ENVIRONMENT_UNHEALTHY = "EnvironmentUnhealthy"
    ROUTING_MISMATCH = "RoutingMismatch"
    AMBIGUOUS_SERIES = "AmbiguousSeries"
    CONFIGURATION_ERROR = "ConfigurationError"
    DRIFTING = "Drifting"
    INCONCLUSIVE = "Inconclusive"
    IMAGE_CHANGED = "ImageChanged"
    FROZEN = "Frozen"
    FLEET_LIMIT = "FleetLimit"
    FLEET_BRAKE = "FleetBrake"
    OVERRIDE = "Override"
    MAX_HOLD = "MaxHold"
    # With failAction Hold every abort reason is a hold of the same name.
    CANARY_REGRESSION = "CanaryRegression"
    OBJECTIVE_BREACHED = "ObjectiveBreached"
    CONDITIONS_FAILED = "ConditionsFailed"
    EXPOSURE_SPENT = "ExposureSpent"
    CANARY_UNHEALTHY = "CanaryUnhealthy"
    TELEMETRY_LOST = "TelemetryLost"


class AbortReason(enum.Enum):
    """Why the release goes back to stable."""

    CANARY_REGRESSION = "CanaryRegression"
    OBJECTIVE_BREACHED = "ObjectiveBreached"
    CONDITIONS_FAILED = "ConditionsFailed"
    EXPOSURE_SPENT = "ExposureSpent"
    CANARY_UNHEALTHY = "CanaryUnhealthy"
    TELEMETRY_LOST = "TelemetryLost"
    MAX_HOLD = "MaxHold"
    OVERRIDE = "Override"


Reason = PromoteReason | HoldReason | AbortReason


@dataclass(frozen=True, slots=True)
class Finding:
    """What one gate says: a reason (its type is the verdict) and one sentence with numbers."""

    reason: Reason
    message: str


def verdict_of(reason: Reason) -> Verdict:
    """The verdict that a reason belongs to."""
    match reason:
        case PromoteReason():
            return Verdict.PROMOTE
        case HoldReason():
            return Verdict.HOLD
        case AbortReason():
            return Verdict.ABORT


def parse_reason(verdict: str, reason: str) -> Reason:
    """The reason that is written as these two words.

    Raises:

        ValueError: if there is no such verdict, or it has no such reason.
    """
    kinds: dict[Verdict, type[Reason]] = {
        Verdict.PROMOTE: PromoteReason,
        Verdict.HOLD: HoldReason,
        Verdict.ABORT: AbortReason,
    }
    return kinds[Verdict(verdict)](reason)
