"""Looking at a world again and again, as the operator does."""

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import partial
from typing import Any

from canary_operator.counting import asking, folding, persisting, watermark
from canary_operator.counting.tallies import Arm, Epoch, Folded, Reading, Rules, Selection, State, Tick
from canary_operator.model.indicator import Events, Latency, Matcher, MatchKind, Ratio, Selector
from canary_operator.model.samples import Absent
from tests.counting import world
from tests.counting.world import World

RULES = Rules()
TOTAL = Selector(world.REQUESTS)


def bad(*matchers, events=Events.BAD):
    return Ratio(events, (Selector(TOTAL.metric, matchers),), (TOTAL,))


def slower(threshold):
    return Latency(Selector(world.BUCKETS.removesuffix("_bucket")), Decimal(threshold))


def best(readings):
    """The first that found anything; without any, the last reason; without one, the first way has at least scrapes."""
    found = [each for each in readings if isinstance(each, Selection) and each.counters]
    reasons = [each for each in readings if isinstance(each, Absent)]
    return (found or reasons[::-1] or readings)[0]


def one_way(measure, answer, rules=RULES, up=None):
    """What an answer with everything in it counts, by the first way that finds something."""
    return best([asking.read(way, [answer], rules, up) for way in asking.ways(measure)])


ERRORS = bad(Matcher("status", MatchKind.REGEX, "5.."))
SLOW = slower("0.5")
APART = Ratio(Events.BAD, (Selector(world.ERRORS),), (TOTAL,))
GOOD_APART = Ratio(Events.GOOD, (Selector(world.GOOD),), (TOTAL,))
UP = Selector(world.UP)
EPOCH = Epoch(world.START, canary_born=world.START - 60, stable_born=world.START - 100_000)


def read(place, since, until, measure=ERRORS, *, shuffled=False, restarts_known=True, up=True, rules=RULES):
    arms = {}
    for arm in Arm:
        ask = partial(place.answer, arm, since=since, until=until, shuffled=shuffled)
        seen = ask(UP) if up else None
        ways = asking.ways(measure)
        arms[arm] = best([asking.read(way, [ask(each) for each in way.selectors], rules, seen) for way in ways])
        assert isinstance(arms[arm], Selection), arms[arm]
    return Reading(arms, since, until, place.pods(until, restarts_known=restarts_known))


def look(state, place, until, epoch=EPOCH, before=None, **how):
    reading = read(place, watermark.since(before or state, epoch, until), until, **how)
    folded = folding.fold(state, reading, epoch, how.get("rules", RULES))
    assert isinstance(folded, Folded), folded
    return folded


def count(
    place: World, looks: Iterable[float], *, persisted: bool = False, repeated: bool = False, **how: Any
) -> tuple[State, list[Tick]]:
    """State and ticks after looks at those times."""
    state, ticks = how.pop("state", folding.begin(how.get("epoch", EPOCH))), []
    for until in looks:
        folded = look(state, place, until, **how)
        ticks += folded.ticks
        if repeated:
            # The same samples; no smaller answer, which could be without what the state was made of.
            again = look(folded.state, place, until, before=state, **how)
            assert again.ticks == ()
            assert again.state == folded.state
        state = folded.state
        if persisted:
            state = persisting.load(json.loads(json.dumps(persisting.dump(state))))
    return state, ticks


def every(seconds: float, place: World) -> list[float]:
    return [world.START + seconds * n for n in range(int((place.end - world.START) / seconds))] + [place.end]
