"""Which scrapes of a target are taken when several replicas of one Prometheus scrape it.

Law: one replica is followed, another one only when it has been silent; never two at once, because their clocks
differ by more than a counter can bear: a value of the other clock may be lower, and would look like a restart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from canary_operator.counting.tallies import Scrape, Target

# A replica that misses one scrape is followed on; one that misses two in a row is not.
SILENT_INTERVALS = 2.5


def follow(known: Target | None, scrapes: Iterable[Scrape], interval_ms: int | None) -> tuple[Target, ...]:
    """The target after every scrape that is taken, in order; scrapes that it already knows are not taken again.

    Args:

        interval_ms: the scrape interval; as long as none is known, the first replica seen is followed.
    """
    taken: list[Target] = []
    target = known
    for scrape in _in_order(scrapes):
        after = _after(target, scrape, interval_ms)
        if after is not None:
            taken.append(after)
            target = after
    return tuple(taken)


def _in_order(scrapes: Iterable[Scrape]) -> Sequence[Scrape]:
    return sorted(scrapes, key=lambda scrape: (scrape.at_ms, scrape.replica))


def _after(target: Target | None, scrape: Scrape, interval_ms: int | None) -> Target | None:
    if target is None:
        return Target(scrape.at_ms, scrape.at_ms, scrape.replica, scrape.at_ms)
    if scrape.at_ms <= target.last_ms:
        return None
    if scrape.replica == target.replica:
        return replace(target, last_ms=scrape.at_ms)
    if interval_ms is None or scrape.at_ms - target.last_ms <= SILENT_INTERVALS * interval_ms:
        return None
    return replace(target, last_ms=scrape.at_ms, replica=scrape.replica, since_ms=scrape.at_ms)
