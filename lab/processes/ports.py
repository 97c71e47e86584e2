"""Free ports, reserved for as long as a lab lives.

Law: a lab owns a block of neighbouring ports by holding a file lock; the lock dies with its holder.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

# Below the range from which Linux takes ports for outgoing connections (32768 and up), so that a
# program that is stopped for a while finds its port free again.
_FIRST = 18000
_SIZE = 16
_BLOCKS = 800


@dataclass(frozen=True, slots=True)
class Block:
    """Ports that no other lab of this user takes while `lock` is open (in any process)."""

    ports: tuple[int, ...]
    lock: int


def reserve() -> Block:
    """Return a block of ports that are free now. Close `lock` to give it back."""
    for index in _indices():
        ports = tuple(range(_FIRST + index * _SIZE, _FIRST + (index + 1) * _SIZE))
        lock = _try_lock(index)
        if lock is None:
            continue
        if all(_is_free(port) for port in ports):
            return Block(ports, lock)
        os.close(lock)
    raise LabError(f"no {_SIZE} free neighbouring ports from {_FIRST} on")


def _indices() -> Iterator[int]:
    # At random: a client that remembers an API server by its address should not meet another one.
    yield from random.SystemRandom().sample(range(_BLOCKS), _BLOCKS)


def _try_lock(index: int) -> int | None:
    folder = Path(tempfile.gettempdir()) / f"canary-operator-lab-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder / f"{index}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
