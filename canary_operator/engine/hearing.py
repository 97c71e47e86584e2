"""What is heard at a pause: every gate's finding, and what the policy and a person make of it.

Law: pure. A mistake of a person is a finding like any other; it keeps the evidence so far.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from canary_operator.engine import fleet, freezing, memory, native, policy, tables
from canary_operator.engine.delaying import Delay
from canary_operator.engine.gates import conditions, images, objectives, pods
from canary_operator.engine.look import Ground, Look, Said
from canary_operator.engine.memory import Judgement
from canary_operator.engine.situation import AtPause
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import Override, SLOPolicySpec
from canary_operator.model.samples import Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason

GATES: tuple[Callable[[Ground], Sequence[Look]], ...] = (
    conditions.looks,
    objectives.looks,
    pods.looks,
    images.looks,
)
"""All gates. Each says what judges on its ground, and raises ConfigurationError for a person's mistake."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the gates said at a pause, under which policy, when the next look is due, and if all have measured.

    ``delays`` are what the release delays for besides its evidence.
    """

    policy: SLOPolicySpec
    judgement: Judgement
    next_due: float
    measured: bool
    telemetry_lost: bool
    delays: tuple[Delay, ...] = ()


def hear(snapshot: Snapshot, at: AtPause | None, samples: Samples, now: float) -> Heard:
    """All findings at this pause. A mistake of a person is one of them and keeps the evidence so far."""
    rules = SLOPolicySpec()
    try:
        rules = policy.effective_policy(snapshot)
        if (override := decided_by_a_person(snapshot, now)) is not None:
            return _unheard(snapshot, rules, policy.overridden(override))
        found = looks(snapshot, at, now)
    except ConfigurationError as error:
        return _unheard(snapshot, rules, Finding(HoldReason.CONFIGURATION_ERROR, str(error)))
    heard = _heard(rules, found, [look.judge(samples) for look in found.looks])
    if at is not None:
        heard = replace(heard, delays=(*freezing.delays(rules.freeze_windows, now), *fleet.delays(snapshot, now)))
    # Between pauses no condition is measured, and a gate with a mistake measures nothing: what was known stays known.
    return heard if at is not None and not found.mistakes else _keeping(heard, snapshot)


def _unheard(snapshot: Snapshot, rules: SLOPolicySpec, finding: Finding) -> Heard:
    judgement = Judgement(finding, (finding,), snapshot.status.evidence)
    return Heard(rules, judgement, math.inf, measured=False, telemetry_lost=False)


def _keeping(heard: Heard, snapshot: Snapshot) -> Heard:
    new = heard.judgement.evidence or ()
    names = {item.name for item in new}
    kept = tuple(item for item in snapshot.status.evidence if item.name not in names)
    return replace(heard, judgement=replace(heard.judgement, evidence=(*kept, *new)))


def _heard(rules: SLOPolicySpec, found: "Looks", said: Sequence[Said]) -> Heard:
    findings = _each_once((*found.mistakes, *(finding for each in said for finding in each.findings)))
    evidence = tuple(item for each in said for item in each.evidence)
    cautions = tuple(caution for each in said for caution in each.cautions)
    return Heard(
        rules,
        Judgement(tables.strongest(findings), findings, evidence, cautions),
        next_due=min((each.next_due for each in said), default=math.inf),
        measured=bool(said) and not found.mistakes and all(each.measured for each in said),
        telemetry_lost=any(each.telemetry_lost for each in said),
    )


def _each_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Several metrics may say the same sentence: that they warm up."""
    return tuple(dict.fromkeys(findings))


@dataclass(frozen=True, slots=True)
class Looks:
    """Everything that judges, and the mistakes of gates that cannot: one broken gate never stops another."""

    looks: tuple[Look, ...]
    mistakes: tuple[Finding, ...] = ()


def looks(snapshot: Snapshot, at: AtPause | None, now: float) -> Looks:
    """Everything that judges, with what it has counted.

    Raises:

        ConfigurationError: if a person's mistake is in the way of all gates.
    """
    if (mistake := mistaken(snapshot)) is not None:
        raise ConfigurationError(mistake.message)
    known = memory.of_this_release(snapshot) if at is None else memory.begun_at(snapshot, at)
    ground = Ground(known, at, policy.effective_policy(snapshot), now)
    found: list[Look] = []
    mistakes: list[Finding] = []
    for gate in GATES:
        try:
            found += gate(ground)
        except ConfigurationError as error:
            mistakes.append(Finding(HoldReason.CONFIGURATION_ERROR, str(error)))
    return Looks(tuple(found), tuple(mistakes))


def ruled(snapshot: Snapshot, at: AtPause, heard: Heard, now: float) -> Finding:
    """The finding after the policy: lost telemetry, maxHold, failAction, and above all a person."""
    rules, finding = heard.policy, heard.judgement.finding
    pause = snapshot.status.pause
    if pause is not None and pause.telemetry_lost_since is not None:
        lost_for = now - durations.parse_time(pause.telemetry_lost_since)
        finding = policy.escalated(finding, rules, lost_for)
    if now >= at.user_start + rules.timing.max_hold:
        finding = policy.at_max_hold(finding, rules, heard.measured)
    return overridden(snapshot, _delayed(policy.softened(finding, rules), heard), now)


def _delayed(finding: Finding, heard: Heard) -> Finding:
    """The finding, or what the release delays for. An abort delays for nothing, unless it is one that is only told."""
    delays = [delay.finding for delay in heard.delays]
    if not isinstance(finding.reason, AbortReason):
        return tables.strongest([finding, *delays])
    if not delays or heard.policy.fail_action != "Notify":
        return finding
    # It would end the pause as without a gate: promote.
    held = tables.strongest(delays)
    return replace(held, message=f"{held.message}; besides {finding.reason.value}: {finding.message}")


def overridden(snapshot: Snapshot, finding: Finding, now: float) -> Finding:
    """The finding, or what a person has put in its place."""
    override = policy.override_of(snapshot, now)
    return finding if override is None else policy.overridden(override)


def decided_by_a_person(snapshot: Snapshot, now: float) -> Override | None:
    """An override that ends the pause at once: it needs no evidence, and delays for none that hangs."""
    override = policy.override_of(snapshot, now)
    ends = override is not None and override.action != "Hold" and memory.enforcing(snapshot)
    return override if ends else None


def mistaken(snapshot: Snapshot) -> Finding | None:
    """What is wrong with the annotations or with the gate's spec, None if nothing is."""
    mistake = snapshot.opt_in.mistake or (snapshot.gate_spec if isinstance(snapshot.gate_spec, str) else "")
    mistake = mistake or native.mistake(snapshot)
    return Finding(HoldReason.CONFIGURATION_ERROR, mistake) if mistake else None
