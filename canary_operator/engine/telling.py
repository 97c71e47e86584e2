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
_WORTH_TELLING_SECONDS = 0.5


def sentence(snapshot: Snapshot, at: AtPause, rules: SLOPolicySpec, finding: Finding, now: float) -> str:
    """What happens at a pause, where, and why."""
    verdict = verdict_of(finding.reason)
    # An analysis that asks does what it is told, whether or not the gate may act itself.
    verbs = _verbs(rules, acts=memory.enforcing(snapshot) or at.asked_by is not None)
    told = f"{verbs[verdict]} {memory.place(snapshot.rollout)}: {finding.message}"
    if verdict is Verdict.PROMOTE and at.user_end is not None and at.user_end > now:
        told += f"; the pause ends at {durations.format_time(at.user_end)}"
    return told + _paused(snapshot, verdict)


def between(snapshot: Snapshot, rules: SLOPolicySpec, finding: Finding) -> str:
    """What happens between pauses, where something is so bad that no pause is waited for."""
    verdict = verdict_of(finding.reason)
    verb = "bad at" if verdict is Verdict.HOLD else _verbs(rules, acts=memory.enforcing(snapshot))[verdict]
    held = "; the next pause will be held" if verdict is Verdict.HOLD else ""
    return f"{verb} {memory.place(snapshot.rollout)}: {finding.message}{held}" + _paused(snapshot, verdict)


def _paused(snapshot: Snapshot, verdict: Verdict) -> str:
    if not snapshot.rollout.paused:
        return ""
    stays = ": the canary stays up until they clear it" if verdict is Verdict.ABORT else ""
    return f"; paused by a person (spec.paused){stays}"


def next_look(verdict: Verdict, seconds: float) -> str:
    """When a hold is looked at again; empty where nothing is waited for."""
    # What is rounded to no time at all is not worth a word.
    if verdict is not Verdict.HOLD or not _WORTH_TELLING_SECONDS <= seconds < float("inf"):
        return ""
    return f", next look in {durations.format_duration(seconds)}"


def _verbs(rules: SLOPolicySpec, *, acts: bool) -> dict[Verdict, str]:
    if not acts:
        return _OBSERVED
    return _NOTIFIED if rules.fail_action == "Notify" else _ENFORCED
