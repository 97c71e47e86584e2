"""Looking at a world again and again, as the operator does."""

import json
from collections.abc import Iterable
from typing import Any

from canary_operator.counting import folding, persisting, selecting, watermark
from canary_operator.counting.matching import Matcher, Operator
from canary_operator.counting.selecting import Latency, Ratio
from canary_operator.counting.tallies import Arm, Epoch, Folded, Reading, Rules, Selection, State, Tick
from tests.counting.world import START, World

RULES = Rules()
ERRORS = Ratio((Matcher("status", Operator.MATCHES, "5.."),))
SLOW = Latency(0.5)
EPOCH = Epoch(START, canary_born=START - 60, stable_born=START - 100_000)


def read(world, since, until, indicator=ERRORS, *, shuffled=False, restarts_known=True, up=True):
    kind = "requests" if indicator is ERRORS else "buckets"
    arms = {}
    for arm in Arm:
        answer = world.answer(arm, since, until, kind, shuffled=shuffled)
        arms[arm] = selecting.select(answer, indicator, RULES, world.answer(arm, since, until, "up") if up else None)
        assert isinstance(arms[arm], Selection), arms[arm]
    return Reading(arms, since, until, world.pods(until, restarts_known=restarts_known))


def look(state, world, until, epoch=EPOCH, before=None, **how):
    reading = read(world, watermark.since(before or state, epoch, until), until, **how)
    folded = folding.fold(state, reading, epoch, RULES)
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
