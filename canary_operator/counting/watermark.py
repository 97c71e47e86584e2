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
# No question reaches further, however old the watermark is. Counters remember what nobody asked for.
LONGEST_SECONDS = 3600.0

_STEP_MS = 100


def interval_ms(selections: Iterable[Selection]) -> int | None:
    """The scrape interval: of each arm the median over its targets, then the longest; None while nothing tells."""
    arms = [known for selection in selections if (known := _interval_of_arm(selection)) is not None]
    return max(arms, default=None)


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
    reached = max(begin, state.watermark_ms if state.watermark_ms is not None else begin) / 1000
    return max(until - LONGEST_SECONDS, reached - LOOKBACK_SECONDS)
