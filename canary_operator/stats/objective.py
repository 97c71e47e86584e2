"""The evidence about one objective, tick by tick.

Law: a state has constant size and depends on nothing but the ticks, their rules and the weights' beginnings. Evidence
to abort runs on from the start of the release; evidence to promote starts anew at each weight.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from canary_operator.stats import likelihood
from canary_operator.stats.mixture import Logs, begun, grown, log_sum, onset_by
from canary_operator.stats.mixture import total as whole_of
from canary_operator.stats.tallying import NOTHING, Count, Rules, Tick

UNHEALTHY_AT = math.log(10)
"""Evidence that stable is outside its objective, from which on nothing is collected for a promotion."""

REMEMBERED = math.log(20)
"""Evidence against stable is forgotten above this, so that an outage that is over is soon seen to be over."""

FEW = 15
"""Errors of the canary that always count in full: few errors need no second tick, a flood does."""

FRESH_WORSE = begun(likelihood.WORSE)
FRESH_ABOVE = begun(likelihood.ABOVE)


@dataclass(frozen=True, slots=True)
class Pending:
    """Requests that wait for a request of the other version to be compared with."""

    canary: Count = NOTHING
    stable: Count = NOTHING

    def joined(self, tick: Tick) -> "Pending":
        """With a tick's requests."""
        return Pending(
            Count(self.canary.bad + tick.canary_bad, self.canary.total + tick.canary_total),
            Count(self.stable.bad + tick.stable_bad, self.stable.total + tick.stable_total),
        )


@dataclass(frozen=True, slots=True)
class Promoting:
    """Evidence of one weight that the canary is good enough.

    Args:

        logs: for each alternative.

        canary: the requests in it.

        first: the end of its first tick, Unix seconds; None before it.

        last: the end of its last tick, Unix seconds; None before the first.
    """

    logs: Logs = (0.0,) * len(likelihood.BELOW)
    canary: Count = NOTHING
    first: float | None = None
    last: float | None = None

    @property
    def span(self) -> float:
        """Seconds from the first tick to the last."""
        return 0.0 if self.first is None or self.last is None else self.last - self.first


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered of one objective.

    Args:

        began: when the release began, Unix seconds.

        last: the end of the last tick, Unix seconds; the beginning before any.

        compared: the end of the last tick in which the versions could be compared; the beginning before any.

        worse, above, stable_above: log evidence per alternative, that the canary is worse than stable, that it is
            outside the objective, that stable is.

        excess: bad requests of the canary above what stable's ratio explains; without stable, above the budget.

        variance: of the excess, had both versions the same ratio.
    """

    began: float
    last: float
    compared: float
    worse: Logs = FRESH_WORSE
    above: Logs = FRESH_ABOVE
    stable_above: Logs = FRESH_ABOVE
    promoting: Promoting = Promoting()
    pending: Pending = Pending()
    canary: Count = NOTHING
    stable: Count = NOTHING
    excess: float = 0.0
    variance: float = 0.0


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
    return State(began, began, began)


def renewed(state: State) -> State:
    """The state for a new weight: evidence to promote starts anew, all else runs on."""
    return replace(state, promoting=Promoting())


def advance(state: State, tick: Tick, rules: Rules, *, promotes: bool) -> State:
    """The state after a tick.

    Args:

        promotes: the tick belongs to the present weight, warm-up and settling excluded.

    Raises:

        ValueError: if the tick ends before the one before it.
    """
    if tick.end < state.last:
        raise ValueError(f"ticks come in order of time: {tick.end} after {state.last}")
    after = _compared(_counted(state, tick, rules), tick, rules)
    return replace(after, promoting=_promoting(after, tick, rules)) if promotes else after


def _counted(state: State, tick: Tick, rules: Rules) -> State:
    """Both versions against the objective."""
    onset = onset_by(tick.end - state.began) - onset_by(state.last - state.began)

    def above(bad: int, total: int) -> Logs:
        return likelihood.above(bad, total, rules.allowed)

    own, stables = (tick.canary_bad, tick.canary_total), (tick.stable_bad, tick.stable_total)
    outside = grown(state.stable_above, onset, _limited(above, stables, rules))
    return replace(
        state,
        last=tick.end,
        above=grown(state.above, onset, _limited(above, own, rules)),
        stable_above=tuple([min(each, REMEMBERED) for each in outside]),
        canary=Count(state.canary.bad + tick.canary_bad, state.canary.total + tick.canary_total),
        stable=Count(state.stable.bad + tick.stable_bad, state.stable.total + tick.stable_total),
    )


def _compared(state: State, tick: Tick, rules: Rules) -> State:
    """The canary against stable, as soon as both have served; until then their requests wait for each other."""
    if not rules.compares:
        missing = tick.canary_bad - tick.canary_total * rules.allowed
        spread = tick.canary_total * rules.allowed * (1 - rules.allowed)
        return replace(state, excess=state.excess + missing, variance=state.variance + spread)
    block = state.pending.joined(tick)
    if not (block.canary.total and block.stable.total):
        return replace(state, pending=block)
    onset = onset_by(tick.end - state.began) - onset_by(state.compared - state.began)
    canary, stable = (block.canary.bad, block.canary.total), (block.stable.bad, block.stable.total)
    rho = rules.risk.tolerable_ratio
    ratios = _limited(lambda e, n: likelihood.worse((e, n), stable, rho), canary, rules)
    times = block.canary.total / block.stable.total
    return replace(
        state,
        compared=tick.end,
        pending=Pending(),
        worse=grown(state.worse, onset, ratios),
        excess=state.excess + block.canary.bad - times * block.stable.bad,
        variance=state.variance + times * (block.canary.bad + block.stable.bad),
    )


def _limited(ratios: Callable[[int, int], Logs], counts: tuple[int, int], rules: Rules) -> list[float]:
    """What a tick adds. Its errors beyond a few add no more than the cap.

    Scrapes of the two versions are not at the same moment, so that the edge of an outage shows in one tick of the
    canary first. What counts here is never more than the likelihood ratio, so the error rates hold.
    """
    bad, total = counts
    whole = _bounded(ratios(bad, total), rules.phi, math.inf)
    if bad <= FEW or max(whole) <= rules.cap:
        return whole
    few = _bounded(ratios(FEW, total), rules.phi, math.inf)
    return [min(each, max(rules.cap, least)) for each, least in zip(whole, few, strict=True)]


def _promoting(state: State, tick: Tick, rules: Rules) -> Promoting:
    """Evidence to promote; nothing is collected while stable itself is outside the objective."""
    before = state.promoting
    if not tick.canary_total or (rules.compares and _environment(state) >= UNHEALTHY_AT):
        return before
    ratios = _bounded(
        likelihood.below(tick.canary_bad, tick.canary_total, rules.rejected), rules.phi, rules.promote_cap
    )
    return Promoting(
        logs=tuple([each + ratio for each, ratio in zip(before.logs, ratios, strict=True)]),
        canary=Count(before.canary.bad + tick.canary_bad, before.canary.total + tick.canary_total),
        first=tick.end if before.first is None else before.first,
        last=tick.end,
    )


def _bounded(ratios: Logs, phi: float, cap: float) -> list[float]:
    return [min(each / phi, cap) for each in ratios]


def evidence(state: State, rules: Rules) -> Evidence:
    """What the state shows."""
    elapsed = state.last - state.began
    promotion = [each + weight for each, weight in zip(state.promoting.logs, likelihood.BELOW_WEIGHTS, strict=True)]
    return Evidence(
        worse=whole_of(state.worse, likelihood.WORSE_WEIGHTS, state.compared - state.began),
        above=whole_of(state.above, likelihood.ABOVE_WEIGHTS, elapsed),
        environment=_environment(state),
        promotion=log_sum(promotion),
        settled=state.promoting.span >= rules.settles,
    )


def _environment(state: State) -> float:
    return whole_of(state.stable_above, likelihood.ABOVE_WEIGHTS, state.last - state.began)
