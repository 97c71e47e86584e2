"""What becomes of records at a place, and what goes wrong on the way.

Law: the same trouble is told once for as long as it lasts, and counted each time.
"""

import enum
from typing import Protocol

import structlog

from canary_operator.model.rollout import RolloutRef

log = structlog.get_logger()


class Outcome(enum.Enum):
    """What became of a record at a place."""

    DELIVERED = "delivered"
    # It was gone from the API server before it could be handed on.
    LOST = "lost"


class Trouble(enum.Enum):
    """What has failed, and is tried again."""

    # The place does not take a record.
    PLACE = "place"
    # The spool's file cannot be read or written.
    SPOOL = "spool"
    # Records cannot be read back from the API server.
    RECORDS = "records"


class Watcher(Protocol):
    """Who counts what happens at all places."""

    def archived(self, place: str, outcome: Outcome, records: int) -> None:
        """Records have come to their end."""

    def archive_failed(self, place: str, trouble: Trouble) -> None:
        """Something has failed, once."""


class Teller:
    """Tells what happens at one place, to whoever counts and in the log."""

    def __init__(self, place: str, watcher: Watcher) -> None:
        self._place = place
        self._watcher = watcher
        self._told: set[tuple[Trouble, str]] = set()

    def delivered(self) -> None:
        """A record was handed on."""
        self._watcher.archived(self._place, Outcome.DELIVERED, 1)

    def lost(self, ref: RolloutRef, upto: int, records: int) -> None:
        """Records of a Rollout cannot be handed on any more."""
        self._watcher.archived(self._place, Outcome.LOST, records)
        log.error("audit_records_lost", place=self._place, rollout=str(ref), records=records, upto=upto)

    def failed(self, trouble: Trouble, why: str) -> None:
        """Something has failed."""
        self._watcher.archive_failed(self._place, trouble)
        if (trouble, why) not in self._told:
            self._told.add((trouble, why))
            log.warning("audit_place_fails", place=self._place, trouble=trouble.value, message=why)

    def all_is_well(self) -> None:
        """Everything is handed on."""
        if self._told:
            log.info("audit_place_works_again", place=self._place)
            self._told.clear()
