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
    """What was seen of a Lease: None where there is none, and since when it has been as it is."""

    record: LeaseRecord | None
    since: float


class Move(enum.Enum):
    """What to do about a Lease."""

    CREATE = "create"
    RENEW = "renew"
    TAKE = "take"
    WAIT = "wait"


def observed(before: Seen | None, record: LeaseRecord | None, now: float) -> Seen:
    """What is seen now; a record that has not changed keeps its time."""
    if before is not None and before.record == record:
        return before
    return Seen(record, now)


def next_move(seen: Seen, me: str, now: float) -> Move:
    """What ``me`` does about what is seen at ``now``."""
    record = seen.record
    if record is None:
        return Move.CREATE
    if record.holder == me:
        return Move.RENEW
    is_over = now - seen.since > record.duration
    return Move.TAKE if is_over or not record.holder else Move.WAIT
