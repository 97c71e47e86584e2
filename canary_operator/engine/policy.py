"""Which policy rules a release, and what it makes of a finding.

Law: pure; the precedence of reasons stands in tables.py.
"""

from canary_operator.engine import tables
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import CanaryGateSpec, Override, SLOPolicySpec
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason, Reason, Verdict, verdict_of

# What several policies of one Rollout must agree on: it is about the release, not about an objective.
_WIDE = ("risk", "timing", "telemetry_loss", "fail_action", "compatibility", "freeze_windows", "images")


def effective_policy(snapshot: Snapshot) -> SLOPolicySpec:
    """The policy that all named SLOPolicies agree on, the defaults where none is named.

    Raises:

        ConfigurationError: if one does not exist, cannot be read, or differs from another.
    """
    found = {name: _policy(snapshot, name) for name in snapshot.opt_in.policies}
    if not found:
        return SLOPolicySpec()
    first, *others = found
    for name in others:
        for field in _WIDE:
            if getattr(found[name], field) != getattr(found[first], field):
                raise ConfigurationError(f"SLOPolicies {first} and {name} differ in {field}; they must be equal")
    return found[first]


def _policy(snapshot: Snapshot, name: str) -> SLOPolicySpec:
    policy = snapshot.policies.get(name)
    if policy is None:
        raise ConfigurationError(f"SLOPolicy {name} does not exist in namespace {snapshot.rollout.ref.namespace}")
    if isinstance(policy, str):
        raise ConfigurationError(policy)
    return policy


def override_of(snapshot: Snapshot, now: float) -> Override | None:
    """A person's override that has not expired."""
    spec = snapshot.gate_spec
    if not isinstance(spec, CanaryGateSpec) or spec.override is None:
        return None
    return spec.override if durations.parse_time(spec.override.expires_at) > now else None


def overridden(override: Override) -> Finding:
    """The finding that a person puts in place of the gate's."""
    reasons: dict[str, Reason] = {
        "Promote": PromoteReason.OVERRIDE,
        "Hold": HoldReason.OVERRIDE,
        "Abort": AbortReason.OVERRIDE,
    }
    return Finding(
        reasons[override.action],
        f"{override.requested_by} says {override.action} until {override.expires_at}: {override.reason}",
    )


def at_max_hold(finding: Finding, policy: SLOPolicySpec, has_measurements: bool) -> Finding:
    """What becomes of a hold when maxHold is over; the message keeps the reason before it."""
    if verdict_of(finding.reason) is not Verdict.HOLD:
        return finding
    length = durations.format_duration(policy.timing.max_hold)
    before = f"maxHold of {length} is over; before it {finding.reason.value}: {finding.message}"
    match policy.timing.on_max_hold:
        case "Abort":
            return Finding(AbortReason.MAX_HOLD, before)
        case "Promote" if finding.reason in tables.PROMOTABLE_AT_MAX_HOLD and has_measurements:
            return Finding(PromoteReason.MAX_HOLD, before)
        case _:
            return Finding(HoldReason.MAX_HOLD, before)


def escalated(finding: Finding, policy: SLOPolicySpec, lost_for: float) -> Finding:
    """What becomes of a hold for telemetry after ``lost_for`` seconds without any."""
    loss = policy.telemetry_loss
    if finding.reason is not HoldReason.TELEMETRY_UNAVAILABLE or lost_for < loss.escalate_after:
        return finding
    gone = f"no telemetry for {durations.format_duration(lost_for)}: {finding.message}"
    return Finding(AbortReason.TELEMETRY_LOST if loss.then == "Abort" else HoldReason.TELEMETRY_LOST, gone)


def softened(finding: Finding, policy: SLOPolicySpec) -> Finding:
    """With failAction Hold every abort becomes a hold of the same reason; an override is never softened."""
    if policy.fail_action != "Hold" or not isinstance(finding.reason, AbortReason):
        return finding
    if finding.reason is AbortReason.OVERRIDE:
        return finding
    return Finding(tables.HELD_INSTEAD[finding.reason], f"{finding.message} (failAction is Hold)")
