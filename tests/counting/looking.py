"""Looking at a world again and again, as the operator does."""

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from canary_operator.counting import asking, folding, persisting, watermark
from canary_operator.counting.tallies import Arm, Epoch, Folded, Reading, Rules, Selection, State, Tick
from canary_operator.model.indicator import Events, Latency, Matcher, MatchKind, Ratio, Selector
from tests.counting.world import START, World

RULES = Rules()
TOTAL = Selector("http_requests_total")


def bad(*matchers, events=Events.BAD):
    return Ratio(events, (Selector(TOTAL.metric, matchers),), (TOTAL,))


def slower(threshold):
    return Latency(Selector("http_request_duration_seconds"), Decimal(threshold))


def one_way(measure, answer, rules=RULES, up=None):
    """What an answer with everything in it counts, by the first way that finds something."""
    return asking.best([asking.read(way, [answer], rules, up) for way in asking.ways(measure)])


ERRORS = bad(Matcher("status", MatchKind.REGEX, "5.."))
SLOW = slower("0.5")
EPOCH = Epoch(START, canary_born=START - 60, stable_born=START - 100_000)


def read(world, since, until, indicator=ERRORS, *, shuffled=False, restarts_known=True, up=True, rules=RULES):
    kind = "requests" if indicator is ERRORS else "buckets"
    arms = {}
    for arm in Arm:
        answer = world.answer(arm, since, until, kind, shuffled=shuffled)
        seen = world.answer(arm, since, until, "up") if up else None
        arms[arm] = one_way(indicator, answer, rules, seen)
        assert isinstance(arms[arm], Selection), arms[arm]
    return Reading(arms, since, until, world.pods(until, restarts_known=restarts_known))


def look(state, world, until, epoch=EPOCH, before=None, **how):
    reading = read(world, watermark.since(before or state, epoch, until), until, **how)
    folded = folding.fold(state, reading, epoch, how.get("rules", RULES))
    assert isinstance(folded, Folded), folded
    return folded


def count(
    world: World, looks: Iterable[float], *, persisted: bool = False, repeated: bool = False, **how: Any
) -> tuple[State, list[Tick]]:
    """State and ticks after looks at those times."""
    state, ticks = how.pop("state", folding.begin(how.get("epoch", EPOCH))), []
    for until in looks:
        folded = look(state, world, until, **how)
        ticks += folded.ticks
        if repeated:
            # The same samples; no smaller answer, which could be without what the state was made of.
            again = look(folded.state, world, until, before=state, **how)
            assert again.ticks == ()
            assert again.state == folded.state
        state = folded.state
        if persisted:
            state = persisting.load(json.loads(json.dumps(persisting.dump(state))))
    return state, ticks


def every(seconds: float, world: World) -> list[float]:
    return [START + seconds * n for n in range(int((world.end - START) / seconds))] + [world.end]
