"""Not looking for garbage while a long answer is read.

Law: an answer is ten thousands of new objects and not one cycle among them. To look for some every few hundred objects,
as Python does, takes as long as reading the answer.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Collect no cycles inside; for what takes milliseconds and waits for nobody.

    Several threads may be inside. Whoever found collecting on turns it on again, so that it is on once all are out.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
