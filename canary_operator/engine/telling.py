"""What a finding sounds like: one sentence as a colleague would say it.

Law: words only; the verdict has been decided.
"""

from canary_operator.engine import memory
from canary_operator.engine.situation import AtPause
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.verdict import Finding, Verdict, verdict_of

_ENFORCED = {Verdict.PROMOTE: "passed", Verdict.HOLD: "held at", Verdict.ABORT: "aborted at"}
_OBSERVED = {Verdict.PROMOTE: "passed", Verdict.HOLD: "would hold at", Verdict.ABORT: "would abort at"}
_NOTIFIED = {**_ENFORCED, Verdict.ABORT: "failing at"}


def sentence(snapshot: Snapshot, at: AtPause, rules: SLOPolicySpec, finding: Finding, now: float) -> str:
    """What happens, where, and why."""
    verdict = verdict_of(finding.reason)
    told = f"{_verbs(snapshot, at, rules)[verdict]} {memory.place(snapshot.rollout)}: {finding.message}"
    if verdict is Verdict.PROMOTE and at.user_end is not None and at.user_end > now:
        told += f"; the pause ends at {durations.format_time(at.user_end)}"
    if snapshot.rollout.paused:
        told += "; paused by a person (spec.paused)"
        if verdict is Verdict.ABORT:
            told += ": the canary stays up until they clear it"
    return told


def next_look(verdict: Verdict, seconds: float) -> str:
    """When a hold is looked at again; empty where nothing is waited for."""
    if verdict is not Verdict.HOLD or not 0 < seconds < float("inf"):
        return ""
    return f", next look in {durations.format_duration(seconds)}"


def _verbs(snapshot: Snapshot, at: AtPause, rules: SLOPolicySpec) -> dict[Verdict, str]:
    # An analysis that asks does what it is told, whether or not the gate may act itself.
    if not memory.enforcing(snapshot) and at.asked_by is None:
        return _OBSERVED
    return _NOTIFIED if rules.fail_action == "Notify" else _ENFORCED
