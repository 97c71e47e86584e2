"""Performing one release and watching it to its end.

Law: the loop and nothing else; every look is shown and remembered, and the loop has an end.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from demo.outage import Outage
from demo.outcome import Outcome, outcome_of
from demo.releases import Release
from demo.sight import Sight, Turn
from demo.stage import Stage
from demo.timeline import Timeline
from lab import LabError

# A pause lasts several seconds even at the highest speed; no weight is missed.
_LOOK_SECONDS = 0.4
# Argo calls a Rollout healthy a moment before it takes the canary's weight back.
_LOOKS_FOR_REST = 25


def perform(stage: Stage, release: Release, timeline: Timeline) -> Outcome:
    """Release, watch until the end, and return what was seen. Raises LabError when it does not end in time."""
    image = release.image(stage.repository)
    outage = Outage(stage, timeline) if release.outage else None
    earlier = _history(stage)
    stage.release(image, release.error_ratio)
    sights: list[Sight] = []
    for sight in _looks(stage, image, earlier):
        timeline.show(sight)
        sights.append(sight)
        if outage is not None:
            outage.follow(sight)
        if sight.over and _is_at_rest(sights):
            break
    timeline.note(_ending(stage, sights[-1]))
    return outcome_of(release.title, image, sights, outage.blindness if outage else None)


def _is_at_rest(sights: Sequence[Sight]) -> bool:
    """Whether no weight is left for a canary, or there has been time enough for that."""
    return not sights[-1].weight or all(sight.over for sight in sights[-_LOOKS_FOR_REST:])


def _history(stage: Stage) -> tuple[Turn, ...]:
    """What the gate remembers of earlier releases."""
    sight = stage.look()
    return () if sight is None else sight.history


def _ending(stage: Stage, sight: Sight) -> str:
    served = stage.served(sight.version)
    requests = f"{served.bad} of its {served.total} requests failed"
    return f"back to stable; {requests}" if sight.aborted else f"promoted, it serves everybody; {requests} so far"


def _looks(stage: Stage, image: str, earlier: Collection[Turn]) -> Iterator[Sight]:
    """Yield what is to be seen of the release of `image`, again and again."""
    deadline = time.monotonic() + stage.pace.patience_seconds
    while time.monotonic() < deadline:
        sight = stage.look()
        if sight is not None and sight.image == image:
            yield replace(sight, history=tuple(turn for turn in sight.history if turn not in earlier))
        time.sleep(_LOOK_SECONDS)
    raise LabError(f"the release has not ended within {stage.pace.patience_seconds:.0f} s")
