"""What Argo is answered when an analysis of its own asks for the gate's verdict.

Pass and fail are said about the very release that was asked about, and a pass about the very step; whatever does not
fit is waited for, because the analysis that asks acts on the answer without looking at the Rollout again.

Law: pure. It judges nothing: the words are those of the last look, while that look counts.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.engine import memory, policy
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import Evidence, GateStatus, RolloutStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import AbortReason, Verdict

# Looks that may fail or come late before the last word no longer counts.
STALE_AFTER_LOOKS = 4


class Word(enum.Enum):
    """What the analysis does: it succeeds, it measures again, it fails."""

    PASS = "pass"  # noqa: S105 - the word, no password
    WAIT = "wait"
    FAIL = "fail"


class Cause(enum.Enum):
    """Why the answer is not the verdict of a gate; always ``wait``."""

    NOT_JUDGED = "NotJudged"
    STALE = "Stale"
    MISMATCH = "Mismatch"
    NO_STEP = "NoStep"
    ENDED = "Ended"
    NOTIFY = "Notify"


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked about: a Rollout, its two versions, and the step.

    ``step`` is Argo's index, ``pre`` or ``post`` for the analysis before or after a blue/green promotion, and empty for
    an analysis that runs beside the steps.
    """

    ref: RolloutRef
    uid: str
    latest: str
    stable: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the gate said last: its status, when it looked (Unix seconds), and for how many seconds that counts.

    ``only_tells`` is true where the policy's failAction is Notify: an abort is said, and nobody acts on it.
    """

    status: GateStatus
    at: float
    counts_for: float
    only_tells: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One word, and why. ``status`` is the gate's where the answer is its verdict."""

    word: Word
    reason: str
    message: str
    status: GateStatus | None = None


def told(snapshot: Snapshot, status: GateStatus, now: float) -> Told:
    """What a look at ``now`` has said."""
    try:
        notifies = policy.effective_policy(snapshot).fail_action == "Notify"
    except ConfigurationError:
        # The gate holds and says why.
        notifies = False
    return Told(status, now, STALE_AFTER_LOOKS * snapshot.evaluation_interval, notifies)


def answer(query: Query, last: Told | None, now: float) -> Answer:
    """The answer at ``now`` (Unix seconds).

    Args:

        last: what the gate of that Rollout said last, None where nothing has been said since the operator started.
    """
    if last is None or last.status.rollout is None:
        unknown = f"Rollout {query.ref} is not gated, or was not looked at since the operator started"
        return _wait(Cause.NOT_JUDGED, unknown)
    match last.status.phase:
        case "Idle":
            return Answer(Word.WAIT, last.status.reason, last.status.message, last.status)
        case "Ended":
            # A retried release has the same hashes, and its predecessor's last word is not about it.
            return _wait(Cause.ENDED, f"the release has ended: {last.status.message}")
        case "Judging" if now - last.at > last.counts_for:
            age = durations.format_duration(now - last.at)
            return _wait(Cause.STALE, f"the last look at Rollout {query.ref} was {age} ago: {last.status.message}")
        case "Judging":
            differing = _differing(query, last.status, last.status.rollout)
            return _mismatch(differing) if differing else _verdict(query, last)


def document(said: Answer) -> Mapping[str, Any]:
    """The answer as JSON: always the same keys, null where there is nothing to say."""
    status = said.status
    return {
        "verdict": said.word.value,
        "gate": None if status is None else status.verdict,
        "reason": said.reason,
        "message": said.message,
        "step": None if status is None else status.rollout_step or _step(status),
        "evidence": [] if status is None else [_summary(evidence) for evidence in status.evidence],
    }


def _wait(cause: Cause, message: str) -> Answer:
    return Answer(Word.WAIT, cause.value, message)


def _mismatch(differing: Sequence[str]) -> Answer:
    return _wait(Cause.MISMATCH, f"this is not what is judged: {'; '.join(differing)}")


def _differing(query: Query, status: GateStatus, judged: RolloutStatus) -> list[str]:
    pairs = [
        ("uid", query.uid, judged.uid),
        ("hash", query.latest, judged.pod_hash),
        ("stable", query.stable, judged.stable_hash),
    ]
    if query.step:
        pairs.append(("step", query.step, _step(status)))
    return [
        f"{name} {asked or 'none'} was asked about, {known or 'none'} is judged"
        for name, asked, known in pairs
        if asked != known
    ]


def _step(status: GateStatus) -> str:
    step = status.step
    if step is None or step.index is not None:
        return "" if step is None else str(step.index)
    return {memory.PRE_PROMOTION: "pre", memory.POST_PROMOTION: "post"}.get(step.kind, "")


def _verdict(query: Query, last: Told) -> Answer:
    status = last.status
    match status.verdict:
        case Verdict.ABORT.value if last.only_tells and status.reason != AbortReason.OVERRIDE.value:
            return Answer(Word.WAIT, Cause.NOTIFY.value, f"{status.message} (failAction is Notify)", status)
        case Verdict.ABORT.value:
            return Answer(Word.FAIL, status.reason, status.message, status)
        case Verdict.PROMOTE.value:
            return _promotion(query, status)
        case _:
            return Answer(Word.WAIT, status.reason, status.message, status)


def _promotion(query: Query, status: GateStatus) -> Answer:
    """A promotion is about one step: without one, or after it, nothing passes."""
    pause = status.pause
    if not query.step:
        told = f"only an analysis that names its step can pass: {status.message}"
        return Answer(Word.WAIT, Cause.NO_STEP.value, told, status)
    if pause is None or pause.left_by is not None or pause.verdict != Verdict.PROMOTE.value:
        told = f"step {query.step} is not judged now: {status.message}"
        return Answer(Word.WAIT, Cause.MISMATCH.value, told, status)
    return Answer(Word.PASS, status.reason, status.message, status)


def _summary(evidence: Evidence) -> Mapping[str, Any]:
    sides = {"canary": evidence.canary, "stable": evidence.stable}
    counts = {name: side.model_dump() for name, side in sides.items() if side is not None}
    value = {} if evidence.value is None else {"value": evidence.value}
    return {"name": evidence.name, "message": evidence.message, **value, **counts}
