"""What has changed since when, and the course of every gate since its release began.

It hears of every look and keeps the numbers of it; what is shown besides is read from the store when somebody looks.

Law: memory only, bounded for each gate. Nobody who tells it anything waits for those who listen.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from canary_operator.model import durations
from canary_operator.model.gate import Evidence, GateStatus, RolloutStatus
from canary_operator.model.look import Look
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.series import Series, point_of

# An evidence of one release has one name and one source; more than this many are no gate's, whatever is written.
_MOST_SERIES = 40
# Who was away for longer than so many deletions reads everything anew.
_REMEMBERED_DELETES = 1_000

Release = tuple[str, str, int]


@dataclass(slots=True)
class Course:
    """The points of one release of a Rollout, by the key of their evidence."""

    release: Release
    series: dict[str, Series] = field(default_factory=dict)
    seeded: bool = False


def evidence_key(evidence: Evidence) -> str:
    """What tells the evidences of one gate apart."""
    return f"{evidence.source}/{evidence.name}"


class Board:
    """Hears of looks, numbers what it hears, and wakes up who waits for news."""

    def __init__(self) -> None:
        self.revision = 1
        self._changed: dict[RolloutRef, int] = {}
        self._gone: OrderedDict[RolloutRef, int] = OrderedDict()
        self._forgotten_before = 0
        self._courses: dict[RolloutRef, Course] = {}
        self._news = asyncio.Event()

    def looked(self, look: Look) -> None:
        """Keep the numbers of a look."""
        if look.status.phase == "Judging" and look.status.rollout is not None:
            course = self._course(look.ref, release_of(look.status.rollout))
            _extend(course.series, {evidence_key(each): each for each in look.status.evidence}, look.at)
        self.notice(look.ref)

    def forget(self, ref: RolloutRef) -> None:
        """Forget a Rollout, or a gate, that is gone; one that nobody has heard of stays unheard of."""
        self._courses.pop(ref, None)
        if self._changed.pop(ref, None) is None and ref not in self._gone:
            return
        # A Rollout goes first and its gate a moment later: both are news.
        self._gone[ref] = self._tick()
        self._gone.move_to_end(ref)
        if len(self._gone) > _REMEMBERED_DELETES:
            _, self._forgotten_before = self._gone.popitem(last=False)

    def notice(self, ref: RolloutRef) -> None:
        """Hear that something of a gate may look different now."""
        self._gone.pop(ref, None)
        self._changed[ref] = self._tick()

    def changed_at(self, ref: RolloutRef) -> int:
        """The revision of the last news about a gate, 0 where there were none."""
        return self._changed.get(ref, 0)

    def heard_since(self, revision: int) -> list[RolloutRef]:
        """The gates that there were news about after a revision, those that are gone included."""
        return [ref for known in (self._changed, self._gone) for ref, at in known.items() if at > revision]

    def has_news(self, ref: RolloutRef, revision: int) -> bool:
        """Whether there was news about a gate after a revision; that it is gone is news."""
        return max(self._changed.get(ref, 0), self._gone.get(ref, 0)) > revision

    def knows(self, revision: int) -> bool:
        """Whether everything that happened after a revision can still be told."""
        return self._forgotten_before <= revision <= self.revision

    async def news(self, revision: int) -> None:
        """Wait until there is something newer than a revision."""
        while self.revision <= revision:
            await self._news.wait()

    def course(self, ref: RolloutRef, status: GateStatus) -> Mapping[str, Series]:
        """The points of the release that a gate is about, oldest first; empty where none were heard of."""
        course = self._courses.get(ref)
        if course is None or status.rollout is None or course.release != release_of(status.rollout):
            return {}
        return course.series

    def is_seeded(self, ref: RolloutRef, release: Release) -> bool:
        """Whether the course of a release has what the records know of it."""
        course = self._courses.get(ref)
        return course is not None and course.release == release and course.seeded

    def seed(self, ref: RolloutRef, release: Release, records: Iterable[GateDecisionSpec]) -> None:
        """Put the numbers that were recorded before the operator started in front of those it has heard of."""
        course = self._course(ref, release)
        course.seeded = True
        found = [record for record in records if release_of(record.rollout) == release]
        keys = {evidence_key(evidence) for record in found for evidence in record.evidence}
        for key in sorted(keys)[:_MOST_SERIES]:
            course.series.setdefault(key, Series()).seed(
                point_of(evidence, durations.parse_time(record.at))
                for record in found
                for evidence in record.evidence
                if evidence_key(evidence) == key
            )
        self.notice(ref)

    def _course(self, ref: RolloutRef, release: Release) -> Course:
        course = self._courses.get(ref)
        if course is None or course.release != release:
            course = self._courses[ref] = Course(release)
        return course

    def _tick(self) -> int:
        self.revision += 1
        # Who waits holds the old event; who comes later gets the new one.
        self._news.set()
        self._news = asyncio.Event()
        return self.revision


def release_of(judged: RolloutStatus) -> Release:
    """What tells the releases of a Rollout apart; a retried one is the same."""
    return judged.uid, judged.pod_hash, judged.revision


def _extend(series: dict[str, Series], evidence: Mapping[str, Evidence], at: float) -> None:
    for key, each in evidence.items():
        if key in series or len(series) < _MOST_SERIES:
            series.setdefault(key, Series()).add(point_of(each, at))
