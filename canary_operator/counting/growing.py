"""What counters gained at one scrape: since the scrape before, or since their process began.

Law: a doubt gains nothing. Counters that are read together (a metric for all requests, another for the bad or the
good ones) gain together or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canary_operator.counting.tallies import Counter, Counts, Cursor, Point, Tally

_NOTHING = Tally()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a process comes from, in milliseconds.

    Args:

        born_ms: its birth, None if unknown.

        restarts: each between a moment before which it was the old process, and one after which it is the new one.

        asked_from_ms: everything since was asked for.

        first_ms: its first scrape.

        start_ms: the start of the epoch.
    """

    born_ms: int | None
    restarts: tuple[tuple[int, int], ...]
    asked_from_ms: int
    first_ms: int
    start_ms: int


@dataclass(frozen=True, slots=True)
class Step:
    """One counter at one scrape, and when it was taken last."""

    counter: Counter
    point: Point
    before: Cursor | None


@dataclass(frozen=True, slots=True)
class Gain:
    """What a scrape brought.

    Args:

        unbased: first values that could not be told from what is older than the epoch.

        anew: all counters of the pair began anew, also those that are not there yet.
    """

    tally: Tally
    unbased: int = 0
    anew: bool = False


def alone(step: Step, origin: Origin) -> Gain:
    """The gain of a counter whose points say which requests are bad."""
    point, before = step.point, step.before
    whole = Tally(point.bad, point.total)
    if before is None:
        return Gain(whole) if _born_in_sight(point, origin) else Gain(_NOTHING, unbased=1)
    fell = point.total < before.total or point.bad < before.bad or point.total - point.bad < before.total - before.bad
    if fell or _restarted(step, origin):
        return Gain(whole)
    return Gain(Tally(point.bad - before.bad, point.total - before.total))


def together(steps: Sequence[Step], origin: Origin, patience_ms: int | None, *, missing: bool) -> Gain | None:
    """The gain of all counters of a pair that one scrape of their process brought.

    Args:

        patience_ms: how long a pair is waited for that does not fit; None for ever.

        missing: whether the scrape before had a counter that this one has not.

    Returns: None if the scrape is to be passed over, because the next look or the next scrape may put it right.
    """
    restarted = any(_restarted(step, origin) for step in steps)
    anew, gains = _gains(steps, origin)
    tally = _sum(steps, gains)
    # A counter that is missing comes late, or was removed, or has not begun again since a restart that nobody knows of.
    fits = anew or restarted or not missing
    if fits and 0 <= tally.bad <= tally.total:
        unbased = sum(step.before is None and not _born_in_sight(step.point, origin) for step in steps)
        return Gain(tally, unbased, anew)
    last = max((step.before.at_ms for step in steps if step.before), default=origin.first_ms)
    waited = steps[0].point.at_ms - last
    return None if patience_ms is None or waited <= patience_ms else Gain(_NOTHING)


def _sum(steps: Sequence[Step], gains: Sequence[int]) -> Tally:
    of = dict.fromkeys(Counts, 0)
    for step, gain in zip(steps, gains, strict=True):
        of[step.counter.counts] += gain
    return Tally(of[Counts.BAD] + of[Counts.UNLESS_GOOD] - of[Counts.GOOD], of[Counts.ALL] + of[Counts.UNLESS_GOOD])


def _gains(steps: Sequence[Step], origin: Origin) -> tuple[bool, list[int]]:
    """Whether the process began anew unnoticed, and what each counter gained."""
    known = [(step.before.total, step.point.total) for step in steps if step.before and not _restarted(step, origin)]
    if not any(now < before for before, now in known):
        return False, [_gain(step, origin) for step in steps]
    if any(0 < before <= now for before, now in known):
        # Had their process begun anew, all would have fallen: one was removed and has come back.
        return False, [0 for _ in steps]
    return True, [step.point.total for step in steps]


def _gain(step: Step, origin: Origin) -> int:
    if step.before is None:
        return step.point.total if _born_in_sight(step.point, origin) else 0
    return step.point.total if _restarted(step, origin) else step.point.total - step.before.total


def _restarted(step: Step, origin: Origin) -> bool:
    before = step.before
    return before is not None and any(
        before.at_ms < earliest and step.point.at_ms >= latest for earliest, latest in origin.restarts
    )


def _born_in_sight(point: Point, origin: Origin) -> bool:
    """Whether all of a counter's first value counts."""
    if point.at_ms > origin.first_ms:
        # Its process was scraped before, without it.
        return True
    begun = [earliest for earliest, latest in origin.restarts if latest <= point.at_ms]
    births = [*begun, *([origin.born_ms] if origin.born_ms is not None else [])]
    # It is younger than the epoch; or nobody has scraped it since it began, and all is of this version.
    return bool(births) and (max(births) >= origin.start_ms or max(births) >= origin.asked_from_ms)
