"""The socket between a lab and its supervisor.

Law: addresses and sockets only; both sides import this, and neither the other.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "supervisor.sock"


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """Yield an address of the socket that fits the 108 bytes which Linux has for it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        by_handle = Path(f"/proc/self/fd/{handle}")
        yield str((by_handle if by_handle.is_dir() else folder) / _NAME)
    finally:
        os.close(handle)


@contextmanager
def bound(folder: Path) -> Iterator[socket.socket]:
    """Listen in `folder`, for this user only; a socket that a dead supervisor left is replaced."""
    (folder / _NAME).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        with _short(folder) as address:
            door.bind(address)
        (folder / _NAME).chmod(0o600)
        door.listen(16)
        yield door
    (folder / _NAME).unlink(missing_ok=True)


def connected(folder: Path, timeout: float) -> socket.socket:
    """Return a connection to the supervisor of `folder`. Raises OSError when there is none."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        with _short(folder) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
