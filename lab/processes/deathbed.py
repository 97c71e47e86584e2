"""Asking the kernel to kill a child when its parent dies.

Law: the only place that speaks to prctl. Linux only; elsewhere a child relies on the supervisor alone.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: after it, in the child, no library may be opened safely.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None]:
    """Return a `preexec_fn` after which the child is killed when the calling *thread* ends.

    The caller must keep that thread alive as long as the child is to live.
    """
    parent = os.getpid()

    def arrange() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # The parent may have died between fork and prctl; then nobody would ever send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return arrange
