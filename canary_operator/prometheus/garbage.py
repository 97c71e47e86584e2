"""Not looking for garbage while a long answer is read, and seldom between two.

Law: an answer is ten thousands of new objects and not one cycle among them. To look for some every few hundred objects,
as Python does, takes as long as reading the answer.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# More than two answers for a hundred Rollouts: those are gone before anybody looks through them. Some 5 MB at most
# wait longer than they did.
SELDOM = 50_000

_lock = threading.Lock()
_inside: list[bool] = []


@contextmanager
def kept() -> Iterator[None]:
    """Collect no cycles inside; for what takes milliseconds and waits for nobody.

    Several threads may be inside: collecting goes on when the last of them is out, if it was on before the first.
    """
    with _lock:
        _inside.append(gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            was_on = _inside.pop()
            # What the others found is off; what the first found stands at the bottom.
            if not _inside and was_on:
                gc.enable()


def seldom() -> None:
    """Look for cycles once ten thousands of objects have come, and never among those that are there now.

    For a process that stays, once everything is loaded.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(SELDOM, *gc.get_threshold()[1:])
