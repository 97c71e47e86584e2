"""Whether the canary's share of the requests is the weight that the step asked for.

Law: a wrong share holds a release and says nothing about the version. Two hypotheses are tested, "at least" and "at
most" a share that still passes for the weight; evidence is forgotten above a level, so that a route that was mended
is soon seen to be right. Clients that keep their connections send requests in clumps: a tick adds little evidence.
"""

import math
from dataclasses import dataclass, replace

from canary_operator.stats import likelihood
from canary_operator.stats.mixture import Logs, begun, forgetful, grown, onset_by, total
from canary_operator.stats.tallying import NOTHING, Count

MISMATCH_AT = math.log(100)
"""Evidence from which on the share is not the weight; each of the two hypotheses has one chance in 100."""

SUSPECT_AT = math.log(10)
"""Evidence from which on nothing is promoted before more is known."""

REMEMBERED = math.log(200)
TICK_CAP = 1.0
"""The most that a tick adds, nats: a mismatch takes six ticks or more."""

FRESH = begun(likelihood.ABOVE)


@dataclass(frozen=True, slots=True)
class ShareState:
    """What is remembered of the share; ``seen`` counts the canary's requests (bad) among all (total)."""

    began: float
    last: float
    under: Logs = FRESH
    over: Logs = FRESH
    seen: Count = NOTHING


@dataclass(frozen=True, slots=True)
class Share:
    """The share so far.

    Args:

        observed: the canary's part of all requests since the beginning, 0 to 1; None without requests.

        mismatch: it is shown not to be the weight.

        suspect: it looks so; a few more ticks will tell.
    """

    observed: float | None
    mismatch: bool
    suspect: bool


def begin(began: float) -> ShareState:
    """The state when a weight is in force, Unix seconds. Each weight begins anew."""
    return ShareState(began, began)


def bounds(weight: float, tolerance: float) -> tuple[float, float]:
    """The least and the greatest share that pass for a weight.

    Args:

        weight: 0 to 1, exclusive.

        tolerance: part of the weight that still passes, 0 to 1, exclusive: at 0.5 a weight of 10 % is 5 % to 20 %.
            Weights above a half are measured by what is left for stable.
    """
    return tolerance * weight, min(weight / tolerance, 1 - tolerance * (1 - weight))


def advance(state: ShareState, end: float, counts: tuple[int, int], passes: tuple[float, float]) -> ShareState:
    """The state after a tick.

    Args:

        end: the end of the tick, Unix seconds.

        counts: requests of the canary and of stable.

        passes: what ``bounds`` answered for the weight in force.
    """
    canary, stable = counts
    low, high = passes
    onset = onset_by(end - state.began) - onset_by(state.last - state.began)
    under = likelihood.above(stable, canary + stable, 1 - low)
    over = likelihood.above(canary, canary + stable, high)
    seen = Count(state.seen.bad + canary, state.seen.total + canary + stable)
    return replace(
        state, last=end, seen=seen, under=_grown(state.under, onset, under), over=_grown(state.over, onset, over)
    )


def _grown(evidence: Logs, onset: float, ratios: Logs) -> Logs:
    after = grown(evidence, onset, [min(each, TICK_CAP) for each in ratios])
    return forgetful(after, likelihood.ABOVE_WEIGHTS, REMEMBERED)


def share(state: ShareState) -> Share:
    """What the state shows."""
    elapsed = state.last - state.began
    shown = max(total(each, likelihood.ABOVE_WEIGHTS, elapsed) for each in (state.under, state.over))
    return Share(state.seen.ratio, mismatch=shown >= MISMATCH_AT, suspect=shown >= SUSPECT_AT)
