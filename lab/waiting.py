"""Waiting for something to become true.

Law: the only place in the lab that sleeps in a loop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab.errors import LabError

T = TypeVar("T")


def until(
    probe: Callable[[], T | None],
    what: str,
    *,
    timeout: float = 30.0,
    every: float = 0.05,
) -> T:
    """Call `probe` until it returns something true, and return that.

    Raises LabError naming `what` when `timeout` seconds pass first.
    """
    deadline = time.monotonic() + timeout
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise LabError(f"waited {timeout:g} s in vain: {what}")
        time.sleep(every)
    return found
