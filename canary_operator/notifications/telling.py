"""From a look to the news that it brings.

Law: a verdict with its reason is told once for each release and step, however often it comes and goes, and over a
restart of the operator. A hold that is gone before anybody could look is not told.
"""

import hashlib
import math
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
    """What is known of one release: when each change was first seen (Unix seconds), and which were told."""

    identity: tuple[str, int, str]
    seen: dict[_Change, float] = field(default_factory=dict)
    told: set[_Change] = field(default_factory=set)
    ended: bool = False


class Told:
    """What one target was told of the releases of all Rollouts.

    Args:

        hold_after: how long after a hold has come for the first time at a step it is told, if it is there then
            (seconds). Promotions and aborts are told at once.
    """

    def __init__(self, hold_after: float) -> None:
        self._hold_after = hold_after
        self._releases: dict[RolloutRef, _Release] = {}

    def is_new(self, look: Look) -> bool:
        """Whether a look is to be told; it counts as told from then on."""
        judged = look.status.rollout
        if judged is None or look.status.verdict is None:
            return False
        release = self._release(look, _identity(judged))
        release.ended = look.status.phase == "Ended"
        change = (_step(look.status), look.status.verdict, look.status.reason)
        first = release.seen.setdefault(change, look.at)
        if change in release.told or not self._is_due(look, first):
            return False
        release.told.add(change)
        return True

    def forget(self, ref: RolloutRef) -> None:
        """Forget a Rollout that is gone."""
        self._releases.pop(ref, None)

    def _is_due(self, look: Look, first: float) -> bool:
        if look.status.verdict != Verdict.HOLD.value:
            return look.verdict_changed
        return look.status.phase == "Judging" and look.at - first >= self._hold_after

    def _release(self, look: Look, identity: tuple[str, int, str]) -> _Release:
        known = self._releases.get(look.ref)
        if known is None:
            # The operator has just started: what it told before is in the gate's history.
            known = _recalled(look, _Release(identity), self._hold_after)
        elif known.identity != identity or (known.ended and look.status.phase == "Judging"):
            # Another version, or the same that a person has tried again.
            known = _Release(identity)
        self._releases[look.ref] = known
        return known


def _recalled(look: Look, release: _Release, hold_after: float) -> _Release:
    """The release with what another process saw and told of it."""
    entries = _entries_before(look, release.identity)
    ends = [*(_seconds(entry.at) for entry in entries[1:]), look.at]
    for entry, end in zip(entries, ends, strict=False):
        change = _change(entry)
        first = release.seen.setdefault(change, _seconds(entry.at))
        # Where a hold stood for less than twice the time nobody knows whether it was told: it is told.
        if entry.verdict != Verdict.HOLD.value or end - first >= 2 * hold_after:
            release.told.add(change)
    return release


def _entries_before(look: Look, identity: tuple[str, int, str]) -> list[HistoryEntry]:
    """The entries of the history that another process has made of this release."""
    before = look.snapshot.status
    if before.phase != "Judging" or before.rollout is None or _identity(before.rollout) != identity:
        return []
    begun = _seconds(before.generation_since)
    # What the gate was about to tell when the operator stopped stands in the history too, and is told now.
    ended = _seconds(look.status.since) if look.verdict_changed else math.inf
    entries = [entry for entry in before.history if begun <= _seconds(entry.at) < ended]
    aborts = [index for index, entry in enumerate(entries) if entry.verdict == Verdict.ABORT.value]
    # A release that goes on after an abort is one that a person has tried again.
    return entries[aborts[-1] + 1 :] if aborts else entries


def _change(entry: HistoryEntry) -> _Change:
    return (entry.step or PRE_PROMOTION, entry.verdict, entry.reason)


def _seconds(at: str | None) -> float:
    """Whole seconds, as in the history; 0 for no time."""
    return _moment(at, 0.0) // 1


def _moment(at: str | None, otherwise: float) -> float:
    """A time; ``otherwise`` for one that is absent, or written by hand so that nobody can read it."""
    try:
        return otherwise if at is None else durations.parse_time(at)
    except ConfigurationError:
        return otherwise


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
        at=_moment(status.since, look.at),
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
