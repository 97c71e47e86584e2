"""Which replica may write: what to do about a Lease, from what was seen of it.

Times of other machines are never compared with one's own: a Lease is over once it has not changed for as long as its
holder asked for, by the clock of whoever looks.

Law: pure. Times are seconds of one clock that never goes back.
"""

import enum
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A Lease as the API server has it.

    ``holder`` is empty after a clean stop; ``renewed`` and ``acquired`` are the holder's words, never read as times;
    ``duration`` is in seconds; ``version`` is the resourceVersion that a write must name.
    """

    holder: str
    renewed: str
    acquired: str
    duration: float
    transitions: int
    version: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a Lease, and since when it has been as it is.

    ``record`` is None where there is none. ``vanished`` is one that was there before: who holds it may not know yet.
    """

    record: LeaseRecord | None
    since: float
    vanished: LeaseRecord | None = None

    @property
    def held_for(self) -> float:
        """For how many seconds, from ``since``, somebody may believe to hold it."""
        known = self.record or self.vanished
        return known.duration if known is not None and known.holder else 0.0


class Move(enum.Enum):
    """What to do about a Lease."""

    CREATE = "create"
    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


def observed(before: Seen | None, record: LeaseRecord | None, now: float) -> Seen:
    """What is seen now; a record that has not changed keeps its time."""
    if before is None:
        return Seen(record, now)
    if before.record == record:
        return before
    return Seen(record, now, before.record if record is None else None)


def next_move(seen: Seen, me: str, now: float) -> Move:
    """What ``me`` does about what is seen at ``now``."""
    if seen.record is not None and seen.record.holder == me:
        return Move.RENEW
    if seen.held_for > 0 and now - seen.since <= seen.held_for:
        return Move.WAIT
    return Move.CREATE if seen.record is None else Move.TAKE
