"""What waits for a place: the spool, what is remembered of it on disk, and what the API server still has.

Law: the disk never decides whether a record is handed on; it only keeps a restart from doing it twice.
"""

import asyncio
import functools
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from canary_operator.archive.entry import Entry
from canary_operator.archive.notebook import Notebook, Settled
from canary_operator.archive.spool import Gap, Spool
from canary_operator.archive.stored import Stored
from canary_operator.archive.troubles import Teller, Trouble
from canary_operator.errors import ClusterError
from canary_operator.model.rollout import RolloutRef
from canary_operator.posting.once import Later, Reply, Taken

_T = TypeVar("_T")


class Backlog:
    """All chains at one place.

    Args:

        notebook: None where nothing is remembered; then a chain begins with what is heard of it first.

        room: how many records wait in memory at most.
    """

    def __init__(self, stored: Stored, notebook: Notebook | None, room: int, teller: Teller) -> None:
        self._stored = stored
        self._notebook = notebook
        self._teller = teller
        self._spool = Spool(room, from_the_beginning=notebook is not None)
        self._unwritten: list[Entry] = []
        # A disk that hangs keeps this thread, and nobody who judges.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-spool")

    def offer(self, entry: Entry) -> None:
        """Hear of a record."""
        if self._spool.offer(entry) and self._notebook is not None:
            self._unwritten.append(entry)

    def notice(self, ref: RolloutRef, uid: str, sequence: int) -> None:
        """Hear that a chain has a record at a place."""
        self._spool.notice(ref, uid, sequence)

    def is_settled(self, uid: str, sequence: int) -> bool:
        """Whether a record need not be kept anywhere else."""
        return self._spool.is_settled(uid, sequence)

    def behind(self) -> int:
        """How many records wait."""
        return self._spool.behind()

    def put_off(self, entry: Entry) -> None:
        """Let the other chains have their turn."""
        self._spool.put_off(entry.uid)

    async def begin(self) -> Reply:
        """Recall what was handed on before, and find out what the API server has besides."""
        if self._notebook is None:
            return Taken()
        await self._recall(self._notebook)
        known: set[str] = set()
        try:
            async for entry in self._stored.all():
                self._spool.notice(entry.ref, entry.uid, entry.sequence)
                known.add(entry.uid)
        except ClusterError as error:
            return self._unlisted(error)
        await self._in_thread(functools.partial(self._notebook.forget, self._spool.forget_settled(known)))
        return Taken()

    async def next(self) -> Entry | Gap | None:
        """What is to be handed on, or asked for, next."""
        if self._notebook is not None and self._unwritten:
            entries, self._unwritten = self._unwritten, []
            await self._in_thread(functools.partial(self._notebook.wait, entries))
        return self._spool.next()

    async def settle(self, entry: Entry) -> None:
        """An entry was handed on."""
        self._spool.settle(entry)
        await self._mark(entry.ref, entry.uid)

    async def fill(self, gap: Gap) -> Reply:
        """Ask the API server for what is missing of a chain."""
        try:
            stored = await self._stored.of(gap.ref, gap.uid)
        except ClusterError as error:
            self._spool.put_off(gap.uid)
            return self._unlisted(error)
        filled = self._spool.fill(gap, stored)
        self._unwritten += filled.taken if self._notebook is not None else ()
        if filled.lost:
            self._teller.lost(gap.ref, self._spool.done(gap.uid), filled.lost)
        await self._mark(gap.ref, gap.uid)
        return Taken()

    def close(self) -> None:
        """Let the thread go."""
        self._thread.shutdown(wait=False)

    async def _recall(self, notebook: Notebook) -> None:
        remembered = await self._in_thread(notebook.read)
        if remembered is None:
            return
        settled, waiting = remembered
        for each in settled:
            self._spool.recall(each.ref, each.uid, each.done)
        for entry in waiting:
            if not self._spool.knows(entry.uid):
                self._spool.recall(entry.ref, entry.uid, entry.sequence - 1)
            self._spool.offer(entry)

    async def _mark(self, ref: RolloutRef, uid: str) -> None:
        if self._notebook is not None:
            await self._in_thread(functools.partial(self._notebook.settle, Settled(ref, uid, self._spool.done(uid))))

    async def _in_thread(self, work: Callable[[], _T]) -> _T | None:
        """What came of work on the notebook, None where it cannot be used."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (OSError, sqlite3.Error) as error:
            self._teller.failed(Trouble.SPOOL, str(error))
            return None

    def _unlisted(self, error: ClusterError) -> Reply:
        self._teller.failed(Trouble.RECORDS, str(error))
        return Later(str(error))
