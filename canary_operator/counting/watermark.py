"""How far both arms are known, how often they are scraped, and how far back the next question must reach.

Law: told by the samples' own times, not by the clock of the operator: an outage of Prometheus stops the watermark.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from canary_operator.counting.tallies import Arm, Epoch, Rules, Scrape, Selection, State, milliseconds

# A process that is this far behind the others of its arm is taken for gone. What it did is counted if it comes back.
GONE_INTERVALS = 3
# How far before the epoch the first question reaches: bases must be found over a short gap.
LOOKBACK_SECONDS = 300.0
# How far before the watermark the next one reaches: far enough to measure the interval and for samples that come late.
LATE_INTERVALS = 6
# No question reaches further, however old the watermark is. Counters remember what nobody asked for.
LONGEST_SECONDS = 3600.0

_STEP_MS = 100


def interval_ms(selections: Iterable[Selection]) -> int | None:
    """The scrape interval: of each arm the median over its targets, then the longest; None until every arm tells."""
    arms = [_interval_of_arm(selection) for selection in selections]
    known = [each for each in arms if each is not None]
    return max(known) if known and len(known) == len(arms) else None


def shortest(known: int | None, measured: int | None) -> int | None:
    """The interval after a look. A gap makes it look longer than it is, and nothing makes it look shorter."""
    both = [each for each in (known, measured) if each is not None]
    return min(both, default=None)


def _interval_of_arm(selection: Selection) -> int | None:
    distances = [each for scrapes in selection.scrapes.values() for each in _distances(scrapes)]
    if not distances:
        return None
    # Rounded, because a median that trembles with the scrapes' jitter would decide borderline cases at random.
    return max(_STEP_MS, round(statistics.median_low(distances) / _STEP_MS) * _STEP_MS)


def _distances(scrapes: Iterable[Scrape]) -> list[int]:
    """The median distance between the scrapes of each replica."""
    by_replica: dict[str, list[int]] = defaultdict(list)
    for scrape in scrapes:
        by_replica[scrape.replica].append(scrape.at_ms)
    gaps = [[later - earlier for earlier, later in pairwise(sorted(times))] for times in by_replica.values()]
    return [statistics.median_low(each) for each in gaps if each]


def watermark_ms(arms: Mapping[Arm, Iterable[int]], interval: int | None, rules: Rules) -> int | None:
    """The end of the last tick up to which every arm is known; None while an arm has no scrape.

    Args:

        arms: of each arm the newest scrape of every target.

        interval: the scrape interval in milliseconds, None if unknown: then every target is waited for.
    """
    known = [_known_until(tuple(newest), interval) for newest in arms.values()]
    ends = [each for each in known if each is not None]
    if not ends or len(ends) < len(known):
        return None
    grid = milliseconds(rules.tick_seconds)
    return min(ends) // grid * grid


def _known_until(newest: tuple[int, ...], interval: int | None) -> int | None:
    if not newest:
        return None
    oldest_alive = -math.inf if interval is None else max(newest) - GONE_INTERVALS * interval
    return min(each for each in newest if each >= oldest_alive)


def since(state: State, epoch: Epoch, until: float) -> float:
    """From when on the next question should want samples, Unix seconds."""
    begin = milliseconds(epoch.start)
    first = begin / 1000 - LOOKBACK_SECONDS
    if state.watermark_ms is None or state.watermark_ms <= begin or state.interval_ms is None:
        return max(until - LONGEST_SECONDS, first)
    late = min(LOOKBACK_SECONDS, LATE_INTERVALS * state.interval_ms / 1000)
    return max(until - LONGEST_SECONDS, first, state.watermark_ms / 1000 - late)
