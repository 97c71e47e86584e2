"""What a gate waits for, and until when.

Law: pure; time is an argument. The sentences tell what the engine would do by its own rules, and decide nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.engine.policy import effective_policy, override_of
from canary_operator.engine.situation import ArgoUndecided, AtPause, Underway, Unpausing, Unseen, situate
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import Evidence, GateStatus
from canary_operator.model.policy import CanaryGateSpec, SLOPolicySpec
from canary_operator.web.sight import Known


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that is waited for; ``until`` is Unix seconds, None where nobody knows."""

    what: str
    until: float | None = None


def waits(known: Known, now: float) -> tuple[Wait, ...]:
    """Everything that a gate waits for at ``now`` (Unix seconds), what a person said first; empty where it does not."""
    if known.snapshot is None:
        return ()
    return (*_people(known.snapshot, now), *_pending(known.status), *_release(known.snapshot, known.status, now))


def _people(snapshot: Snapshot, now: float) -> Iterator[Wait]:
    override = override_of(snapshot, now)
    if override is not None:
        said = f"{override.requested_by} says {override.action}: {override.reason}"
        yield Wait(said, durations.parse_time(override.expires_at))
    if isinstance(snapshot.gate_spec, CanaryGateSpec) and snapshot.gate_spec.suspend:
        yield Wait("a person, who has suspended this gate (spec.suspend)")
    if snapshot.rollout.paused:
        yield Wait("a person, who has paused the Rollout (spec.paused)")


def _pending(status: GateStatus) -> Iterator[Wait]:
    if status.pending is not None:
        yield Wait(f"the outcome of {status.pending.action}")


def _release(snapshot: Snapshot, status: GateStatus, now: float) -> Iterator[Wait]:
    match situate(snapshot, now):
        case AtPause() as at:
            yield from _pause(snapshot, at, now)
            yield from (wait for each in status.evidence for wait in _evidence(each, now))
        case Underway(message) | ArgoUndecided(message):
            yield Wait(message)
        case Unseen():
            yield Wait("Argo, which has not taken up the newest change yet")
        case Unpausing():
            yield Wait("Argo, which has been told to go on")
        case _:
            return


def _pause(snapshot: Snapshot, at: AtPause, now: float) -> Iterator[Wait]:
    if at.user_end is not None and at.user_end > now:
        yield Wait("the end of the pause itself", at.user_end)
    try:
        policy = effective_policy(snapshot)
    except ConfigurationError:
        # The verdict's own sentence says what is wrong with the policy.
        return
    yield _max_hold(policy, at, now)


def _max_hold(policy: SLOPolicySpec, at: AtPause, now: float) -> Wait:
    end = at.user_start + policy.timing.max_hold
    then = {"Hold": "a person decides", "Abort": "abort", "Promote": "promote if the evidence allows"}
    if end <= now:
        return Wait(f"maxHold is over: {then[policy.timing.on_max_hold]}")
    return Wait(f"maxHold at the latest, then: {then[policy.timing.on_max_hold]}", end)


def _evidence(evidence: Evidence, now: float) -> Iterator[Wait]:
    if not evidence.requests_needed:
        return
    eta = None if evidence.eta is None else durations.parse_time(evidence.eta)
    # An expectation that has passed is none.
    until = eta if eta is not None and eta > now else None
    yield Wait(f"{evidence.requests_needed:,} more requests of the canary for {evidence.name}", until)
