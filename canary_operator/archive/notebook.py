"""What a place's spool remembers over a restart: how far each chain was handed on, and what waits.

Law: a help, never a condition. What it has lost is in the API server; what it says too little of is handed on twice.
"""

import sqlite3
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from canary_operator.archive.entry import Entry
from canary_operator.model.rollout import RolloutRef

# Another operator that has the file open is not waited for: this one goes on without.
_PATIENCE_SECONDS = 1.0
_TABLES = """
CREATE TABLE IF NOT EXISTS chains (uid TEXT PRIMARY KEY, namespace TEXT, name TEXT, done INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting (
  uid TEXT, sequence INTEGER, namespace TEXT, name TEXT, line TEXT, PRIMARY KEY (uid, sequence)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """Up to which place a chain is settled."""

    ref: RolloutRef
    uid: str
    done: int


class Notebook:
    """A file of one place. Every method may block, and raises OSError or sqlite3.Error where it cannot be used."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> tuple[list[Settled], list[Entry]]:
        """Everything that is remembered; entries in the order of their chains."""
        with closing(self._open()) as file:
            chains = file.execute("SELECT namespace, name, uid, done FROM chains").fetchall()
            waiting = file.execute("SELECT namespace, name, uid, sequence, line FROM waiting ORDER BY uid, sequence")
            return (
                [Settled(RolloutRef(namespace, name), *rest) for namespace, name, *rest in chains],
                [Entry(RolloutRef(namespace, name), *rest) for namespace, name, *rest in waiting],
            )

    def wait(self, entries: Sequence[Entry]) -> None:
        """Remember that entries wait."""
        rows = [(each.uid, each.sequence, each.ref.namespace, each.ref.name, each.line) for each in entries]
        with closing(self._open()) as file, file:
            file.executemany("INSERT OR REPLACE INTO waiting VALUES (?, ?, ?, ?, ?)", rows)

    def settle(self, settled: Settled) -> None:
        """Remember up to which place a chain is settled; what waited before that waits no longer."""
        ref, uid, done = settled.ref, settled.uid, settled.done
        with closing(self._open()) as file, file:
            file.execute("INSERT OR REPLACE INTO chains VALUES (?, ?, ?, ?)", (uid, ref.namespace, ref.name, done))
            file.execute("DELETE FROM waiting WHERE uid = ? AND sequence <= ?", (uid, done))

    def forget(self, uids: Collection[str]) -> None:
        """Forget chains."""
        with closing(self._open()) as file, file:
            file.executemany("DELETE FROM chains WHERE uid = ?", [(uid,) for uid in uids])

    def _open(self) -> sqlite3.Connection:
        # Opened for each use: a file that was deleted, or a disk that was full, is used again once that is over.
        self._file.parent.mkdir(parents=True, exist_ok=True)
        file = sqlite3.connect(self._file, timeout=_PATIENCE_SECONDS)
        file.executescript(_TABLES)
        return file
