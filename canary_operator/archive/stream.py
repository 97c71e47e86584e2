"""Records as lines of a file.

Law: a record is one line, written and flushed before it counts as handed on. Where a write was cut, the
next record begins on a line of its own.
"""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from canary_operator.archive.entry import Entry
from canary_operator.posting.once import Later, Reply, Taken

_STDERR = 2
# Records have the queries of tenants in them.
_MODE = 0o640


class Stream:
    """A file that whoever rotates it may move away or cut, or the standard error of the process."""

    def __init__(self, target: Path | Literal["stderr"]) -> None:
        self._target = target
        self._descriptor: int | None = None
        self._cut = False
        # A disk that hangs keeps this thread, and nobody else.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit-stream")

    async def hand_on(self, entry: Entry) -> Reply:
        """Append the record."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, f"{entry.line}\n".encode())

    async def close(self) -> None:
        """Let the file go."""
        self._thread.shutdown(wait=False)

    def _write(self, line: bytes) -> Reply:
        try:
            descriptor = self._open()
            self._append(descriptor, b"\n" + line if self._cut else line)
        except OSError as error:
            self._let_go()
            return Later(f"{self._target}: {error.strerror}")
        return Taken()

    def _append(self, descriptor: int, line: bytes) -> None:
        left = memoryview(line)
        while left:
            written = os.write(descriptor, left)
            left = left[written:]
            self._cut = bool(left)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fsync(descriptor)

    def _open(self) -> int:
        if self._target == "stderr":
            return _STDERR
        if self._descriptor is not None and _was_moved(self._target, self._descriptor):
            self._let_go()
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._target, flags, _MODE)
            self._cut = _ends_within_a_line(self._descriptor)
        return self._descriptor

    def _let_go(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _was_moved(path: Path, descriptor: int) -> bool:
    """Whether the file of this name is another one now, or none."""
    held = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        return True
    return (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino)


def _ends_within_a_line(descriptor: int) -> bool:
    """Whether a crash, or a disk that was full, has left half a line."""
    file = os.fstat(descriptor)
    if not stat.S_ISREG(file.st_mode) or file.st_size == 0:
        return False
    return os.pread(descriptor, 1, file.st_size - 1) != b"\n"
