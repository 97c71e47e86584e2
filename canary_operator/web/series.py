"""How near a gate was to an abort and to a promotion, over time, in bounded memory.

Law: numbers only. What is old is thinned, never cut off: the course begins where the release began.
"""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from canary_operator.model.gate import Evidence, Side

MOST_POINTS = 400
_NONE = -1
_NO_SIDE = (_NONE, _NONE)


@dataclass(frozen=True, slots=True)
class Point:
    """What one evidence said at one time (Unix seconds); ``towards`` are 0 to 1, a side is None where none counts."""

    at: float
    towards_abort: float
    towards_promote: float
    canary: Side | None = None
    stable: Side | None = None


def point_of(evidence: Evidence, at: float) -> Point:
    """The point that an evidence is at ``at`` (Unix seconds)."""
    return Point(at, evidence.towards_abort, evidence.towards_promote, evidence.canary, evidence.stable)


class Series:
    """Points in the order of time, at most ``MOST_POINTS`` of them, 48 bytes each.

    A full series forgets every other point and from then on keeps points half as often. The newest one is always there.
    """

    def __init__(self) -> None:
        self._at = array("d")
        self._towards = (array("f"), array("f"))
        self._counts = tuple(array("q") for _ in range(4))
        self._spacing = 0.0

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[Point]:
        rows = zip(self._at, *self._towards, *self._counts, strict=True)
        for at, abort, promote, canary_bad, canary, stable_bad, stable in rows:
            yield Point(at, abort, promote, _side(canary_bad, canary), _side(stable_bad, stable))

    def add(self, point: Point) -> None:
        """Take the newest point; one that is no newer than the last is dropped."""
        if self._at and point.at <= self._at[-1]:
            return
        if len(self._at) > 1 and point.at - self._at[-2] < self._spacing:
            self._drop_last()
        self._append(point)
        if len(self._at) > MOST_POINTS:
            self._thin()

    def seed(self, points: Iterable[Point]) -> None:
        """Put what is known of the time before the first point in front of it."""
        own = list(self)
        first = own[0].at if own else float("inf")
        earlier = sorted((point for point in points if point.at < first), key=lambda point: point.at)
        self._clear()
        for point in (*earlier, *own):
            self.add(point)

    def _columns(self) -> tuple["array[float] | array[int]", ...]:
        return (self._at, *self._towards, *self._counts)

    def _append(self, point: Point) -> None:
        self._at.append(point.at)
        self._towards[0].append(point.towards_abort)
        self._towards[1].append(point.towards_promote)
        for column, count in zip(self._counts, (*_counts(point.canary), *_counts(point.stable)), strict=True):
            column.append(count)

    def _drop_last(self) -> None:
        for column in self._columns():
            column.pop()

    def _clear(self) -> None:
        for column in self._columns():
            del column[:]
        self._spacing = 0.0

    def _thin(self) -> None:
        for column in self._columns():
            # From the end, so that the newest point and the first stay.
            del column[1:-1:2]
        self._spacing = (self._at[-1] - self._at[0]) / (len(self._at) - 1)


def _counts(side: Side | None) -> tuple[int, int]:
    return _NO_SIDE if side is None else (side.bad, side.total)


def _side(bad: int, total: int) -> Side | None:
    return None if total == _NONE else Side(bad=bad, total=total)
