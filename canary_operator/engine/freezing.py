"""Freeze windows: nothing is promoted while one is open.

Law: pure. The calendar is read by the window itself; here is what it means for a release.
"""

from collections.abc import Iterable, Iterator

from canary_operator.engine.delaying import Delay
from canary_operator.model import durations
from canary_operator.model.freeze import FreezeWindow
from canary_operator.model.verdict import Finding, HoldReason


def delays(windows: Iterable[FreezeWindow], now: float) -> tuple[Delay, ...]:
    """The open window that closes last, if any is open."""
    longest = max(_open(windows, now), key=lambda each: each[0], default=None)
    if longest is None:
        return ()
    until, window = longest
    said = f"frozen until {durations.format_time(until)}: {window.reason or window}"
    return (Delay(Finding(HoldReason.FROZEN, said), until),)


def _open(windows: Iterable[FreezeWindow], now: float) -> Iterator[tuple[float, FreezeWindow]]:
    for window in windows:
        until = window.open_until(now)
        if until is not None:
            yield until, window
