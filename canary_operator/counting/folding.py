"""State and counters become a new state, and the ticks that both arms have passed.

Law: idempotent, and independent of how often one looks. Every request is counted at most once; what a doubt is
about is not counted. The watermark moves, or nothing does.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from canary_operator.counting import replicas, watermark
from canary_operator.counting.tallies import (
    Arm,
    Counted,
    Counter,
    Cursor,
    Epoch,
    Folded,
    Pod,
    Point,
    Reading,
    Rules,
    Scrape,
    State,
    Tally,
    Target,
    Tick,
    milliseconds,
)
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

# Kubernetes cuts its times to seconds: what happened "at 12:00:05" happened before 12:00:06.
_KUBERNETES_RESOLUTION_MS = 1000


@dataclass(frozen=True, slots=True)
class _Span:
    """What this look counts: points after ``after_ms`` (the old watermark) land in ticks up to ``watermark_ms``.

    Points up to ``start_ms`` are bases. Without a new watermark nothing but bases is taken.
    """

    start_ms: int
    after_ms: int
    watermark_ms: int | None
    grid_ms: int

    @property
    def until_ms(self) -> int:
        """The time up to which scrapes are taken."""
        return self.start_ms if self.watermark_ms is None else self.watermark_ms

    def tick_end(self, at_ms: int) -> int:
        """The end of the tick for a point; one that comes late counts in the first tick that is still open."""
        return max(-(-at_ms // self.grid_ms) * self.grid_ms, self.after_ms + self.grid_ms)


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a process comes from: its birth and its restarts in milliseconds, and whether all since was asked for."""

    born_ms: int | None
    restarts: tuple[tuple[int, int], ...]
    asked_from_ms: int
    first_ms: int


def begin(epoch: Epoch, earlier: State | None = None) -> State:
    """The state of a new epoch; what an earlier epoch of the same release knows is kept as bases."""
    start = milliseconds(epoch.start)
    if earlier is None:
        return State(start)
    cursors = {key: each for key, each in earlier.cursors.items() if each.at_ms <= start}
    targets = {key: each for key, each in earlier.targets.items() if each.last_ms <= start}
    whole = len(cursors) == len(earlier.cursors) and len(targets) == len(earlier.targets)
    return State(
        start_ms=start,
        asked_ms=earlier.asked_ms if whole else None,
        interval_ms=earlier.interval_ms,
        cursors=cursors,
        # A target without its counters would make them look born.
        targets=targets if whole else {},
    )


def fold(state: State, reading: Reading, epoch: Epoch, rules: Rules) -> Folded | Absent:
    """Count what a look brought.

    Args:

        state: of this epoch (``begin``).

        reading: both arms from ``watermark.since`` on, or only the canary where nothing is compared.

    Returns: the next state and the closed ticks; or an Absent: ROUTING_MISMATCH if the arms share a counter,
    CONFIGURATION_ERROR if there are more counters than can be remembered. The state then stays what it was.
    """
    refused = _refused(state, reading, rules)
    if refused is not None:
        return refused
    interval = watermark.shortest(state.interval_ms, watermark.interval_ms(reading.arms.values()))
    followed = _follow(state, reading, interval)
    reached = watermark.watermark_ms(_newest(reading, followed), interval, rules)
    span = _span(state, reached, rules)
    state = replace(
        state,
        interval_ms=interval,
        asked_ms=_asked(state, reading),
        watermark_ms=state.watermark_ms if span.watermark_ms is None else span.watermark_ms,
    )
    return _count(state, reading, epoch, _Taking(followed, span, rules))


@dataclass(frozen=True, slots=True)
class _Taking:
    """Which scrapes are taken, and what span is counted."""

    followed: Mapping[str, tuple[Target, ...]]
    span: _Span
    rules: Rules


def _refused(state: State, reading: Reading, rules: Rules) -> Absent | None:
    keys = [{counter.key for counter in selection.counters} for selection in reading.arms.values()]
    together: set[str] = set().union(*keys)
    if len(together) < sum(len(each) for each in keys):
        return Absent(HoldReason.ROUTING_MISMATCH, "canary and stable are counted by the same series")
    number = len(together | state.cursors.keys())
    if number > rules.max_series:
        return Absent(
            HoldReason.CONFIGURATION_ERROR,
            f"{number} series are more than {rules.max_series} that can be counted: narrow the selectors",
        )
    return None


def _follow(state: State, reading: Reading, interval: int | None) -> Mapping[str, tuple[Target, ...]]:
    """Of each target the states it goes through, one for each scrape that is taken, the known one first."""
    # A router's process belongs to both arms: its scrapes tell the one that it had no requests yet.
    scrapes: dict[str, set[Scrape]] = defaultdict(set)
    for selection in reading.arms.values():
        for target, seen in selection.scrapes.items():
            scrapes[target].update(seen)
    return {
        target: (*_known(state, target), *replicas.follow(state.targets.get(target), seen, interval))
        for target, seen in scrapes.items()
    }


def _known(state: State, target: str) -> tuple[Target, ...]:
    return (state.targets[target],) if target in state.targets else ()


def _newest(reading: Reading, followed: Mapping[str, tuple[Target, ...]]) -> Mapping[Arm, list[int]]:
    return {arm: [followed[target][-1].last_ms for target in each.scrapes] for arm, each in reading.arms.items()}


def _span(state: State, reached: int | None, rules: Rules) -> _Span:
    start, grid = state.start_ms, milliseconds(rules.tick_seconds)
    # The tick in which the epoch begins is the first that is open.
    after = state.watermark_ms if state.watermark_ms is not None else start // grid * grid
    return _Span(start, after, reached if reached is not None and reached > after else None, grid)


def _asked(state: State, reading: Reading) -> tuple[int, int]:
    since, until = milliseconds(reading.since), milliseconds(reading.until)
    if state.asked_ms is None:
        return since, until
    begin_ms, end_ms = state.asked_ms
    if since > end_ms:
        return since, until
    if until < begin_ms:
        return begin_ms, end_ms
    return min(since, begin_ms), max(until, end_ms)


def _count(state: State, reading: Reading, epoch: Epoch, taking: _Taking) -> Folded:
    span = taking.span
    cursors = dict(state.cursors)
    grown: dict[Arm, dict[int, Tally]] = {arm: defaultdict(Tally) for arm in Arm}
    unbased = state.unbased
    for arm, selection in reading.arms.items():
        for counter in selection.counters:
            origin = _origin(state, reading.pods.get(counter.pod), epoch.born(arm), taking, counter)
            for point in _new_points(counter, cursors.get(counter.key), taking):
                before = cursors.get(counter.key)
                cursors[counter.key] = Cursor(point.at_ms, point.total, point.bad)
                if point.at_ms <= span.start_ms:
                    continue
                growth = _growth(before, point, origin) if before else _birth(point, origin, span.start_ms)
                unbased += growth is None
                grown[arm][span.tick_end(point.at_ms)] += growth or Tally()
    ends = sorted({end for ticks in grown.values() for end, tally in ticks.items() if tally.total})
    ticks = tuple(Tick(end / 1000, grown[Arm.CANARY][end], grown[Arm.STABLE][end]) for end in ends)
    after = replace(
        state,
        cursors=cursors,
        targets=_targets(state, taking),
        canary=_counted(state.canary, grown[Arm.CANARY]),
        stable=_counted(state.stable, grown[Arm.STABLE]),
        unbased=unbased,
    )
    return Folded(after, ticks)


def _counted(before: Counted, grown: Mapping[int, Tally]) -> Counted:
    ends = [end for end, tally in grown.items() if tally.total]
    return Counted(sum(grown.values(), before.tally), max(ends)) if ends else before


def _targets(state: State, taking: _Taking) -> Mapping[str, Target]:
    targets = dict(state.targets)
    for name, steps in taking.followed.items():
        for step in steps:
            if step.last_ms <= taking.span.until_ms:
                targets[name] = step
    return targets


def _new_points(counter: Counter, cursor: Cursor | None, taking: _Taking) -> Iterator[Point]:
    """The points that are due, by time, one for each scrape that is taken."""
    steps = taking.followed[counter.target]
    times = {(step.last_ms, step.replica) for step in steps}
    # What comes late is taken from the replica that is followed, if it was already followed then.
    late, last = steps[0], cursor.at_ms if cursor else None
    for point in counter.points:
        due = point.at_ms <= taking.span.until_ms and (last is None or point.at_ms > last)
        known = point.replica == late.replica and late.since_ms <= point.at_ms <= late.last_ms
        if due and (known or (point.at_ms, point.replica) in times):
            last = point.at_ms
            yield point


def _origin(state: State, pod: Pod | None, born: float | None, taking: _Taking, counter: Counter) -> _Origin:
    births = [milliseconds(each) for each in (born, pod.started if pod else None) if each is not None]
    skew = milliseconds(taking.rules.clock_skew_seconds)
    # A restart lies between a moment before which the process was the old one, and one after which it is the new.
    restarts = [milliseconds(each) for each in (pod.restarts if pod else ())]
    assert state.asked_ms is not None
    return _Origin(
        born_ms=max(births, default=None),
        restarts=tuple((each - skew, each + _KUBERNETES_RESOLUTION_MS + skew) for each in restarts),
        asked_from_ms=state.asked_ms[0],
        first_ms=taking.followed[counter.target][0].first_ms,
    )


def _growth(before: Cursor, point: Point, origin: _Origin) -> Tally:
    """What a counter gained; after a restart all of its value is new."""
    fell = point.total < before.total or point.bad < before.bad or point.total - point.bad < before.total - before.bad
    restarted = any(before.at_ms < earliest and point.at_ms >= latest for earliest, latest in origin.restarts)
    if fell or restarted:
        return Tally(point.bad, point.total)
    return Tally(point.bad - before.bad, point.total - before.total)


def _birth(point: Point, origin: _Origin, start_ms: int) -> Tally | None:
    """What the first value of a counter says: all of it, or nothing that could be told from what is older."""
    whole = Tally(point.bad, point.total)
    if point.at_ms > origin.first_ms:
        # Its process was scraped before, without it.
        return whole
    begun = [earliest for earliest, latest in origin.restarts if latest <= point.at_ms]
    births = [*begun, *([origin.born_ms] if origin.born_ms is not None else [])]
    if births and (max(births) >= start_ms or max(births) >= origin.asked_from_ms):
        # It is younger than the epoch; or nobody has scraped it since it began, and all is of this version.
        return whole
    return None
