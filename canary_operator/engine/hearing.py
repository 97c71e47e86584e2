"""What is heard at a pause: every gate's finding, and what the policy and a person make of it.

Law: pure. A mistake of a person is a finding like any other; it keeps the evidence so far.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.engine import memory, policy, tables
from canary_operator.engine.gates import conditions
from canary_operator.engine.judged import judged_metrics
from canary_operator.engine.memory import Judgement
from canary_operator.engine.situation import AtPause
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import Evidence
from canary_operator.model.policy import Override, SLOPolicySpec
from canary_operator.model.samples import Samples
from canary_operator.model.verdict import Finding, HoldReason, PromoteReason


@dataclass(frozen=True, slots=True)
class Heard:
    """What the gates said at a pause, under which policy, when the next look is due, and if all have measured."""

    policy: SLOPolicySpec
    judgement: Judgement
    next_due: float
    measured: bool

    @property
    def telemetry_lost(self) -> bool:
        """Whether at least one question was not answered."""
        return any(finding.reason is HoldReason.TELEMETRY_UNAVAILABLE for finding in self.judgement.findings)


def hear(snapshot: Snapshot, at: AtPause, samples: Samples, now: float) -> Heard:
    """All findings at this pause. A mistake of a person is one of them and keeps the evidence so far."""
    rules = SLOPolicySpec()
    try:
        rules = policy.effective_policy(snapshot)
        if (override := decided_by_a_person(snapshot, now)) is not None:
            return _unheard(snapshot, rules, policy.overridden(override))
        due = looks(snapshot, at, now)
    except ConfigurationError as error:
        return _unheard(snapshot, rules, Finding(HoldReason.CONFIGURATION_ERROR, str(error)))
    return _listened(rules, due, at, samples, now)


def _unheard(snapshot: Snapshot, rules: SLOPolicySpec, finding: Finding) -> Heard:
    return Heard(rules, Judgement(finding, (finding,), snapshot.status.evidence), math.inf, measured=False)


def _listened(
    rules: SLOPolicySpec, looks: Sequence[conditions.Look], at: AtPause, samples: Samples, now: float
) -> Heard:
    judged = [conditions.judge(look, samples, now, rules.timing.min_measurements) for look in looks]
    evidence = tuple(item for item, _ in judged)
    warm_until = at.user_start + (rules.timing.warm_up or 0.0)
    due = [after.due for after in conditions.looks([look.metric for look in looks], evidence, warm_until, now)]
    heard = [(look, *said, after) for look, said, after in zip(looks, judged, due, strict=True)]
    findings = [_caught_up(finding, look, after, now) for look, _, finding, after in heard if look.metric.counts]
    if now < warm_until:
        findings = [Finding(HoldReason.WARM_UP, f"warming up for {durations.format_duration(warm_until - now)} more")]
    # What was not answered stays due and is asked again with the next look, not at once.
    answered = [after for *_, finding, after in heard if finding.reason is not HoldReason.TELEMETRY_UNAVAILABLE]
    next_due = min((after for after in answered if after is not None), default=math.inf)
    counted = [item for look, item, *_ in heard if look.metric.counts]
    judgement = Judgement(tables.strongest(findings), tuple(findings), evidence)
    return Heard(rules, judgement, next_due, measured=_has_measurements(counted))


def _caught_up(finding: Finding, look: conditions.Look, next_due: float | None, now: float) -> Finding:
    """What passed on looks of the past passes only once the looks that are due since have been taken too."""
    if not isinstance(finding.reason, PromoteReason) or next_due is None or next_due > now:
        return finding
    behind = durations.format_duration(now - next_due)
    return Finding(HoldReason.COLLECTING, f"{look.metric.spec.name}: the looks of the last {behind} are still due")


def looks(snapshot: Snapshot, at: AtPause, now: float) -> list[conditions.Look]:
    """Every metric that judges this pause, with what it has counted.

    Raises:

        ConfigurationError: if a person's mistake is in the way.
    """
    if (mistake := mistaken(snapshot)) is not None:
        raise ConfigurationError(mistake.message)
    start = at.user_start + (policy.effective_policy(snapshot).timing.warm_up or 0.0)
    known = memory.begun_at(snapshot, at).status.evidence
    return conditions.looks(judged_metrics(snapshot), known, start, now)


def ruled(snapshot: Snapshot, at: AtPause, heard: Heard, now: float) -> Finding:
    """The finding after the policy: lost telemetry, maxHold, failAction, and above all a person."""
    rules, finding = heard.policy, heard.judgement.finding
    pause = snapshot.status.pause
    if pause is not None and pause.telemetry_lost_since is not None:
        lost_for = now - durations.parse_time(pause.telemetry_lost_since)
        finding = policy.escalated(finding, rules, lost_for)
    if now >= at.user_start + rules.timing.max_hold:
        finding = policy.at_max_hold(finding, rules, heard.measured)
    return overridden(snapshot, policy.softened(finding, rules), now)


def _has_measurements(evidence: Sequence[Evidence]) -> bool:
    return bool(evidence) and all(
        item.measurements is not None and item.measurements.successful > 0 and _ends_well(item) for item in evidence
    )


def _ends_well(evidence: Evidence) -> bool:
    recent = evidence.measurements.recent if evidence.measurements else ()
    return bool(recent) and recent[-1].phase in {"Successful", "Inconclusive"}


def overridden(snapshot: Snapshot, finding: Finding, now: float) -> Finding:
    """The finding, or what a person has put in its place."""
    override = policy.override_of(snapshot, now)
    return finding if override is None else policy.overridden(override)


def decided_by_a_person(snapshot: Snapshot, now: float) -> Override | None:
    """An override that ends the pause at once: it needs no evidence, and waits for none that hangs."""
    override = policy.override_of(snapshot, now)
    ends = override is not None and override.action != "Hold" and memory.enforcing(snapshot)
    return override if ends else None


def mistaken(snapshot: Snapshot) -> Finding | None:
    """What is wrong with the annotations or with the gate's spec, None if nothing is."""
    mistake = snapshot.opt_in.mistake or (snapshot.gate_spec if isinstance(snapshot.gate_spec, str) else "")
    return Finding(HoldReason.CONFIGURATION_ERROR, mistake) if mistake else None
