"""The evidence about one objective, tick by tick.

Law: a state has constant size and depends on nothing but the ticks, their rules and the weights' beginnings. Evidence
to abort runs on from the start of the release; evidence to promote starts anew at each weight.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from canary_operator.stats import likelihood, staking
from canary_operator.stats.mixture import Logs, begun, forgetful, grown, log_sum, onset_by, total
from canary_operator.stats.staking import Traffic
from canary_operator.stats.tallying import NOTHING, Count, Rules, Tick

UNHEALTHY_AT = math.log(10)
"""Evidence that stable is outside its objective, from which on nothing is collected for a promotion."""

REMEMBERED = math.log(20)
"""Evidence against stable is forgotten above this, so that an outage that is over is soon seen to be over."""

FEW = 15
"""Errors of the canary that always count in full: few errors need no second tick, a flood does."""

EARLY = 120.0
"""Seconds from the first comparison, in which a fault is the version's and hardly the beginning of an outage."""

FRESH_WORSE = begun(likelihood.WORSE)
FRESH_ABOVE = begun(likelihood.ABOVE)
FRESH_BELOW = (0.0,) * len(likelihood.BELOW)


@dataclass(frozen=True, slots=True)
class Opening:
    """Requests of both versions up to the first moment at which they could be compared; ``end`` is Unix seconds."""

    end: float
    canary: int
    stable: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The canary beside stable.

    Args:

        last: the end of the last tick in which they could be compared; the beginning before any. Unix seconds.

        logs: log evidence per alternative that the canary is worse.

        canary, stable: requests that wait for one of the other version to be compared with.

        excess: bad requests of the canary above what stable's ratio explains; without stable, above the budget.

        variance: of the excess, had both versions the same ratio.

        opening: what was compared first; None before it.

        stood: the log evidence before the last two ticks, the older one first.
    """

    last: float
    logs: Logs = FRESH_WORSE
    canary: Count = NOTHING
    stable: Count = NOTHING
    excess: float = 0.0
    variance: float = 0.0
    opening: Opening | None = None
    stood: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Promoting:
    """Evidence of one weight that the canary is good enough.

    Args:

        logs: for each alternative.

        canary: the requests in it.

        first: the end of its first tick, Unix seconds; None before it.

        last: the end of its last tick, Unix seconds; None before the first.
    """

    logs: Logs = FRESH_BELOW
    canary: Count = NOTHING
    first: float | None = None
    last: float | None = None

    @property
    def span(self) -> float:
        """Seconds from the first tick to the last."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first


AFRESH = Promoting()


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one objective.

    Args:

        began: when the release began, Unix seconds.

        last: the end of the last tick, Unix seconds; the beginning before any.

        above, stable_above: log evidence per alternative that the canary, or stable, is outside the objective.

        canary, stable: all requests since the beginning.

        traffic: what was known of it before the first comparison; None if nothing.
    """

    began: float
    last: float
    comparison: Comparison
    above: Logs = FRESH_ABOVE
    stable_above: Logs = FRESH_ABOVE
    promoting: Promoting = AFRESH
    canary: Count = NOTHING
    stable: Count = NOTHING
    traffic: Traffic | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log e-values of one objective.

    Args:

        worse: that the canary's bad ratio is more than the tolerable ratio times stable's.

        above: that the canary is outside the objective.

        environment: that stable is outside the objective, of late.

        promotion: that the canary is under the ratio that must be rejected, at this weight.

        settled: the evidence for the promotion spans the time that it must.
    """

    worse: float
    above: float
    environment: float
    promotion: float
    settled: bool


def begin(began: float) -> State:
    """The state at the start of a release, Unix seconds. The start need not be exact: it only spreads the onsets."""
    return State(began, began, Comparison(began))


def expecting(state: State, traffic: Traffic) -> State:
    """The state that knows the traffic; unchanged once versions were compared: a stake is made before the game."""
    return replace(state, traffic=traffic) if state.comparison.last == state.began else state


def renewed(state: State) -> State:
    """The state for a new weight: evidence to promote starts anew, all else runs on."""
    return replace(state, promoting=AFRESH)


def advance(state: State, tick: Tick, rules: Rules, *, promotes: bool) -> State:
    """The state after a tick; a tick without requests changes nothing.

    Args:

        promotes: the tick belongs to the present weight, warm-up and settling excluded.

    Raises:

        ValueError: if the tick ends before the one before it.
    """
    if tick.end < state.last:
        raise ValueError(f"ticks come in order of time: {tick.end} after {state.last}")
    if not (tick.canary_total or tick.stable_total):
        return state
    began, onset = state.began, onset_by(tick.end - state.began) - onset_by(state.last - state.began)
    outside = grown(state.stable_above, onset, _above(tick.stable_bad, tick.stable_total, rules))
    stable_above = forgetful(outside, likelihood.ABOVE_WEIGHTS, REMEMBERED)
    collects = promotes and not (rules.compares and _outside(stable_above, tick.end - began) >= UNHEALTHY_AT)
    return replace(
        state,
        last=tick.end,
        comparison=_compared(state, tick, rules) if rules.compares else _alone(state, tick, rules),
        above=grown(state.above, onset, _above(tick.canary_bad, tick.canary_total, rules)),
        stable_above=stable_above,
        promoting=_promoting(state.promoting, tick, rules) if collects else state.promoting,
        canary=Count(state.canary.bad + tick.canary_bad, state.canary.total + tick.canary_total),
        stable=Count(state.stable.bad + tick.stable_bad, state.stable.total + tick.stable_total),
    )


def _above(bad: int, total: int, rules: Rules) -> Sequence[float]:
    return _limited(lambda errors: likelihood.above(errors, total, rules.allowed), bad, rules)


def _limited(ratios: Callable[[int], Logs], bad: int, rules: Rules) -> Sequence[float]:
    """What a tick adds. Its errors beyond a few add no more than the cap.

    Scrapes of the two versions are not at the same moment, so that the edge of an outage shows in one tick of the
    canary first. What counts here is never more than the likelihood ratio, so the error rates hold.
    """
    phi, cap = rules.phi, rules.cap
    whole = [each / phi for each in ratios(bad)]
    if bad <= FEW or max(whole) <= cap:
        return whole
    few = [each / phi for each in ratios(FEW)]
    return [min(each, max(cap, least)) for each, least in zip(whole, few, strict=True)]


def _compared(state: State, tick: Tick, rules: Rules) -> Comparison:
    """The canary against stable, as soon as both have served; until then their requests wait for each other."""
    before, began = state.comparison, state.began
    canary = Count(before.canary.bad + tick.canary_bad, before.canary.total + tick.canary_total)
    stable = Count(before.stable.bad + tick.stable_bad, before.stable.total + tick.stable_total)
    if not (canary.total and stable.total):
        return replace(before, canary=canary, stable=stable)
    onset, times = onset_by(tick.end - began) - onset_by(before.last - began), canary.total / stable.total
    pair, rho = (stable.bad, stable.total), rules.risk.tolerable_ratio
    ratios = _limited(lambda errors: likelihood.worse((errors, canary.total), pair, rho), canary.bad, rules)
    return Comparison(
        last=tick.end,
        logs=grown(before.logs, onset, ratios),
        excess=before.excess + canary.bad - times * stable.bad,
        variance=before.variance + times * (canary.bad + stable.bad),
        opening=_opening(before.opening, Opening(tick.end, canary.total, stable.total)),
        stood=(before.stood[1], _worse(state, rules)) if tick.end > before.last else before.stood,
    )


def _opening(before: Opening | None, now: Opening) -> Opening:
    """The first comparison, with all its parts: a tick may come in several."""
    if before is None:
        return now
    if before.end < now.end:
        return before
    return Opening(now.end, before.canary + now.canary, before.stable + now.stable)


def _alone(state: State, tick: Tick, rules: Rules) -> Comparison:
    """Without stable only the excess is counted, above the budget."""
    before, allowed = state.comparison, tick.canary_total * rules.allowed
    return replace(
        before,
        excess=before.excess + tick.canary_bad - allowed,
        variance=before.variance + allowed * (1 - rules.allowed),
    )


def _promoting(before: Promoting, tick: Tick, rules: Rules) -> Promoting:
    """Evidence to promote, with a cap of its own: one huge tick proves nothing."""
    if not tick.canary_total:
        return before
    phi, cap = rules.phi, rules.promote_cap
    ratios = likelihood.below(tick.canary_bad, tick.canary_total, rules.rejected)
    return Promoting(
        logs=tuple([each + min(ratio / phi, cap) for each, ratio in zip(before.logs, ratios, strict=True)]),
        canary=Count(before.canary.bad + tick.canary_bad, before.canary.total + tick.canary_total),
        first=tick.end if before.first is None else before.first,
        last=tick.end,
    )


def evidence(state: State, rules: Rules) -> Evidence:
    """What the state shows."""
    elapsed = state.last - state.began
    promotion = [each + weight for each, weight in zip(state.promoting.logs, likelihood.BELOW_WEIGHTS, strict=True)]
    return Evidence(
        worse=_agreed(state, rules),
        above=total(state.above, likelihood.ABOVE_WEIGHTS, elapsed),
        environment=_outside(state.stable_above, elapsed),
        promotion=log_sum(promotion),
        settled=state.promoting.span >= rules.settles,
    )


def _worse(state: State, rules: Rules) -> float:
    return total(state.comparison.logs, _staked(state, rules), state.comparison.last - state.began)


def _agreed(state: State, rules: Rules) -> float:
    """The evidence as far as more than two ticks say so; a fault that is there from the first needs no others.

    At the edge of an outage the canary may be scraped later than stable: one tick shows errors of the canary alone,
    the next one more of them than of stable, and only the third one that both suffer. What two ticks add beyond the
    bound is not lost, it counts when the next has not taken it back. It is never more than the evidence, so the error
    rate holds.
    """
    shown, first = _worse(state, rules), state.comparison.opening
    if first is None or state.comparison.last - first.end < EARLY:
        return shown
    return min(shown, max(min(state.comparison.stood), 0.0) + rules.agreement)


def _staked(state: State, rules: Rules) -> Logs:
    return staking.weights(state.traffic or _seen(state, rules), rules.risk.tolerable_ratio)


def _seen(state: State, rules: Rules) -> Traffic | None:
    """Where nothing was known beforehand: the requests of the first comparison, whatever became of them."""
    first = state.comparison.opening
    if first is None or first.end <= state.began:
        return None
    requests = first.canary + first.stable
    return Traffic(requests / (first.end - state.began), first.canary / requests, rules.allowed)


def _outside(stable_above: Logs, elapsed: float) -> float:
    return total(stable_above, likelihood.ABOVE_WEIGHTS, elapsed)
