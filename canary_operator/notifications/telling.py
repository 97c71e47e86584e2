"""From a look to the news that it brings.

Law: a verdict with its reason is told once for each release and step, however often it comes and goes, and over a
restart of the operator.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from canary_operator.engine import tables
from canary_operator.engine.memory import PRE_PROMOTION
from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.gate import GateStatus, HistoryEntry, RolloutStatus
from canary_operator.model.look import Look
from canary_operator.model.news import News
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Verdict

_NEED_A_PERSON = frozenset(reason.value for reason in tables.NEEDS_A_PERSON)
# Step, verdict and reason.
_Change = tuple[str, str, str]


@dataclass(slots=True)
class _Release:
    """What was told of one release, and whether it is over."""

    identity: tuple[str, int, str]
    told: set[_Change] = field(default_factory=set)
    ended: bool = False


class Told:
    """What was told of the releases of all Rollouts."""

    def __init__(self) -> None:
        self._releases: dict[RolloutRef, _Release] = {}

    def is_new(self, look: Look) -> bool:
        """Whether a look brings a verdict that was not told before; it counts as told from then on."""
        judged = look.status.rollout
        if judged is None:
            return False
        release = self._release(look, _identity(judged))
        release.ended = look.status.phase == "Ended"
        change = (_step(look.status), look.status.verdict or "", look.status.reason)
        if not look.verdict_changed or change in release.told:
            return False
        release.told.add(change)
        return True

    def forget(self, ref: RolloutRef) -> None:
        """Forget a Rollout that is gone."""
        self._releases.pop(ref, None)

    def _release(self, look: Look, identity: tuple[str, int, str]) -> _Release:
        known = self._releases.get(look.ref)
        if known is None:
            # The operator has just started: what it told before is in the gate's history.
            known = _Release(identity, _told_before(look, identity))
        elif known.identity != identity or (known.ended and look.status.phase == "Judging"):
            # Another version, or the same that a person has tried again.
            known = _Release(identity)
        self._releases[look.ref] = known
        return known


def _told_before(look: Look, identity: tuple[str, int, str]) -> set[_Change]:
    before = look.snapshot.status
    if before.phase != "Judging" or before.rollout is None or _identity(before.rollout) != identity:
        return set()
    # What the gate was about to tell when the operator stopped stands in the history too, and is told now.
    since, told = _seconds(look.status.since), set[_Change]()
    for entry in before.history:
        if entry.verdict == Verdict.ABORT.value:
            # A release that goes on after an abort is one that a person has tried again.
            told.clear()
        elif _seconds(before.generation_since) <= _seconds(entry.at) < since:
            told.add(_change(entry))
    return told


def _change(entry: HistoryEntry) -> _Change:
    return (entry.step or PRE_PROMOTION, entry.verdict, entry.reason)


def _seconds(at: str | None) -> float:
    """Whole seconds, as in the history; 0 for a time that is absent, or written by hand so that nobody can read it."""
    try:
        return 0.0 if at is None else durations.parse_time(at) // 1
    except ConfigurationError:
        return 0.0


def _identity(judged: RolloutStatus) -> tuple[str, int, str]:
    return (judged.uid, judged.revision, judged.pod_hash)


def _step(status: GateStatus) -> str:
    """The step that the verdict is about: after the end, the last pause's."""
    step, pause = status.step, status.pause
    if status.phase == "Ended" and step is not None and pause is not None and pause.step_index is not None:
        return f"{pause.step_index}/{step.count}"
    return status.rollout_step or (step.kind if step is not None else "")


def news_of(look: Look, link: Callable[[RolloutRef], str]) -> News:
    """What is told of a look that has a verdict.

    Args:

        link: the address of the gate's page, empty where there is none.
    """
    status = look.status
    return News(
        id=_id(status),
        at=look.at,
        ref=look.ref,
        needs_a_person=status.verdict == Verdict.HOLD.value and status.reason in _NEED_A_PERSON,
        words=_words(look, link(look.ref)),
    )


def _id(status: GateStatus) -> str:
    # The sentence is left out: its numbers may have grown when a change is told again after a crash.
    judged = None if status.rollout is None else _identity(status.rollout)
    change = (judged, _step(status), status.verdict, status.reason, status.since)
    return hashlib.sha256(repr(change).encode()).hexdigest()[:32]


def _words(look: Look, link: str) -> dict[str, str]:
    status = look.status
    judged, weight = status.rollout, status.step.weight if status.step else None
    return {
        "namespace": look.ref.namespace,
        "rollout": look.ref.name,
        "revision": str(judged.revision) if judged else "",
        "hash": judged.pod_hash if judged else "",
        "stableHash": judged.stable_hash if judged else "",
        "step": status.rollout_step,
        "weight": "" if weight is None else str(weight),
        "mode": status.mode,
        "verdict": status.verdict or "",
        "reason": status.reason,
        "message": status.message,
        "link": link,
    }
