"""State and counters become a new state, and the ticks that both arms have passed.

Law: idempotent, and independent of how often one looks. Every request is counted at most once; what a doubt is
about is not counted. The watermark moves, or nothing does.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from canary_operator.counting import growing, replicas, watermark
from canary_operator.counting.growing import Gain, Origin, Step
from canary_operator.counting.tallies import (
    Arm,
    Cell,
    Counted,
    Counter,
    Counts,
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

# A counter that was silent for so long is forgotten where there are more than can be remembered: its process is gone.
_FORGOTTEN_AFTER_MS = 900_000
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
        """The end of the tick for a point; one that comes late counts in the first tick that is still open.

        The grid may have been another one at the last look, and the watermark no moment of this one. No tick ends
        after the watermark all the same: the next look may have a finer grid again, and ticks never go back.
        """
        first_open = self.after_ms // self.grid_ms * self.grid_ms + self.grid_ms
        return max(-(-at_ms // self.grid_ms) * self.grid_ms, first_open)


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
    state = _roomy(state, reading, rules)
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
    patience = None if interval is None else watermark.GONE_INTERVALS * interval
    return _count(state, reading, epoch, _Taking(followed, span, rules, patience))


@dataclass(frozen=True, slots=True)
class _Taking:
    """Which scrapes are taken, what span is counted, and how long counters that do not fit are waited for."""

    followed: Mapping[str, tuple[Target, ...]]
    span: _Span
    rules: Rules
    patience_ms: int | None


def _roomy(state: State, reading: Reading, rules: Rules) -> State:
    """The state with room for what is alive: pods come and go while a release runs for hours."""
    live = {counter.key for selection in reading.arms.values() for counter in selection.counters}
    if len(live | state.cursors.keys()) <= rules.max_series:
        return state
    since, seen = milliseconds(reading.until) - _FORGOTTEN_AFTER_MS, _seen(reading)
    return replace(
        state,
        cursors={key: each for key, each in state.cursors.items() if key in live or each.at_ms >= since},
        targets={key: each for key, each in state.targets.items() if key in seen or each.last_ms >= since},
    )


def _seen(reading: Reading) -> set[str]:
    return {target for selection in reading.arms.values() for target in selection.scrapes}


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
    cursors = dict(state.cursors)
    gains: list[tuple[int, Cell]] = []
    unbased = state.unbased
    for arm, selection in reading.arms.items():
        for group in _groups(selection.counters):
            pod, stratum = group[0].pod, group[0].stratum
            origin = _origin(state, reading.pods.get(pod), epoch.born(arm), taking, group[0])
            for at_ms, gain in _gains(group, cursors, origin, taking):
                gains.append((taking.span.tick_end(at_ms), Cell(arm, pod, stratum, gain.tally)))
                unbased += gain.unbased
    ticks = _ticks(gains)
    after = replace(
        state,
        cursors=cursors,
        targets=_targets(state, taking),
        canary=_counted(state.canary, [(tick.end, tick.canary) for tick in ticks]),
        stable=_counted(state.stable, [(tick.end, tick.stable) for tick in ticks]),
        unbased=unbased,
    )
    return Folded(after, ticks)


def _groups(counters: Iterable[Counter]) -> Iterable[tuple[Counter, ...]]:
    """Counters that gain together: those of one process whose bad requests have a metric of their own."""
    groups: dict[str, list[Counter]] = defaultdict(list)
    for counter in counters:
        groups[counter.key if counter.counts is Counts.SORTED else counter.target].append(counter)
    return [tuple(each) for each in groups.values()]


def _gains(
    group: Sequence[Counter], cursors: dict[str, Cursor], origin: Origin, taking: _Taking
) -> Iterator[tuple[int, Gain]]:
    """What each scrape after the start brought, by time; the cursors are moved to what was taken."""
    scrapes: dict[int, list[tuple[Counter, Point]]] = defaultdict(list)
    for counter in group:
        for point in _new_points(counter, cursors.get(counter.key), taking):
            scrapes[point.at_ms].append((counter, point))
    for at_ms, points in sorted(scrapes.items()):
        steps = [Step(counter, point, cursors.get(counter.key)) for counter, point in points]
        gain = _gain(group, steps, cursors, origin, taking) if at_ms > origin.start_ms else Gain(Tally())
        if gain is None:
            continue
        if gain.anew:
            # What is not there yet begins at zero, too.
            old = [key for key in (each.key for each in group) if key in cursors and cursors[key].at_ms < at_ms]
            cursors.update(dict.fromkeys(old, Cursor(at_ms, 0, 0)))
        cursors.update({counter.key: Cursor(at_ms, point.total, point.bad) for counter, point in points})
        if at_ms > origin.start_ms:
            yield at_ms, gain


def _gain(
    group: Sequence[Counter], steps: Sequence[Step], cursors: Mapping[str, Cursor], origin: Origin, taking: _Taking
) -> Gain | None:
    if steps[0].counter.counts is Counts.SORTED:
        return growing.alone(steps[0], origin)
    missing = _is_one_missing(group, steps, cursors)
    return growing.together(steps, origin, taking.patience_ms, missing=missing)


def _is_one_missing(group: Iterable[Counter], steps: Iterable[Step], cursors: Mapping[str, Cursor]) -> bool:
    """Whether the scrape that was taken before this one had a counter that this one has not."""
    known = {counter.key: cursors[counter.key] for counter in group if counter.key in cursors}
    last = max((cursor.at_ms for cursor in known.values()), default=None)
    before = {key for key, cursor in known.items() if cursor.at_ms == last and cursor.total}
    return not before <= {step.counter.key for step in steps}


def _ticks(gains: Iterable[tuple[int, Cell]]) -> tuple[Tick, ...]:
    sums: dict[int, dict[tuple[Arm, str, str], Tally]] = defaultdict(lambda: defaultdict(Tally))
    for end, cell in gains:
        if cell.tally.total:
            sums[end][cell.arm, cell.pod, cell.stratum] += cell.tally
    return tuple(_tick(end, parts) for end, parts in sorted(sums.items()))


def _tick(end: int, parts: Mapping[tuple[Arm, str, str], Tally]) -> Tick:
    ordered = sorted(parts.items(), key=lambda item: (item[0][0].value, *item[0][1:]))
    cells = tuple(Cell(*place, tally) for place, tally in ordered)
    both = {arm: sum((cell.tally for cell in cells if cell.arm is arm), Tally()) for arm in Arm}
    return Tick(end / 1000, both[Arm.CANARY], both[Arm.STABLE], cells)


def _counted(before: Counted, grown: Iterable[tuple[float, Tally]]) -> Counted:
    some = [(end, tally) for end, tally in grown if tally.total]
    if not some:
        return before
    return Counted(sum((tally for _, tally in some), before.tally), milliseconds(max(end for end, _ in some)))


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


def _origin(state: State, pod: Pod | None, born: float | None, taking: _Taking, counter: Counter) -> Origin:
    births = [milliseconds(each) for each in (born, pod.started if pod else None) if each is not None]
    skew = milliseconds(taking.rules.clock_skew_seconds)
    # A restart lies between a moment before which the process was the old one, and one after which it is the new.
    restarts = [milliseconds(each) for each in (pod.restarts if pod else ())]
    assert state.asked_ms is not None
    return Origin(
        born_ms=max(births, default=None),
        restarts=tuple((each - skew, each + _KUBERNETES_RESOLUTION_MS + skew) for each in restarts),
        asked_from_ms=state.asked_ms[0],
        first_ms=taking.followed[counter.target][0].first_ms,
        start_ms=state.start_ms,
    )
