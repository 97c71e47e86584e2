"""What new ticks add to the evidence about one objective.

Law: pure. Evidence to abort counts from the end of the warm-up on, evidence to promote from when the weight was in
force and had settled. While a version warms up only a hard failure is evidence: caches and connection pools fill.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from canary_operator.counting import parting
from canary_operator.counting.tallies import Tick
from canary_operator.engine import ranking
from canary_operator.engine.recollection import HARD_FAILURE, Recollection
from canary_operator.model.indicator import Indicator
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.stats import objective, share
from canary_operator.stats.staking import Traffic
from canary_operator.stats.tallying import Risk, Rules
from canary_operator.stats.tallying import Tick as Weighed

# Without a policy's word. Caches and connection pools fill in about a minute.
WARM_UP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Scale:
    """What ticks of one objective are weighed with.

    Args:

        tick_seconds: how far back the requests of a tick may have come: its length, or a scrape interval.

        share: the canary's expected share of requests, 0 to 1; None where nobody knows.
    """

    policy: SLOPolicySpec
    rules: Rules
    tick_seconds: float
    share: float | None


def rules_of(indicator: Indicator, policy: SLOPolicySpec, *, compares: bool, phi: float) -> Rules:
    """The objective's rules."""
    risk = policy.risk
    return Rules(
        allowed=float(indicator.allowed),
        risk=Risk(risk.false_abort, risk.false_promotion, risk.tolerable_ratio, risk.reject_ratio),
        compares=compares,
        phi=phi,
    )


def hard(rules: Rules) -> Rules:
    """The rules while the version warms up."""
    return replace(rules, allowed=max(rules.allowed, HARD_FAILURE))


def warm_until(known: Recollection, policy: SLOPolicySpec) -> float | None:
    """When the version is warm, Unix seconds; None before its first pause."""
    length = WARM_UP_SECONDS if policy.timing.warm_up is None else policy.timing.warm_up
    return None if known.warm_from is None else known.warm_from + length


def weigh(known: Recollection, ticks: Iterable[Tick], scale: Scale) -> Recollection:
    """What is known after these ticks."""
    for tick in ticks:
        known = _weighed(known, tick, scale)
    return known


def _weighed(known: Recollection, tick: Tick, scale: Scale) -> Recollection:
    begun = tick.end - scale.tick_seconds
    one = _one(tick)
    until = warm_until(known, scale.policy)
    if until is None or begun < until:
        return replace(known, hard=objective.advance(known.hard, one, hard(scale.rules), promotes=False))
    if known.alone_since is not None and begun < known.alone_since:
        # Stable still got requests, and nobody looked: there is nothing to compare with any more.
        return known
    if known.evidence.last == known.evidence.began:
        known = replace(known, evidence=objective.begin(begun))
    settled = known.weight is not None and begun >= known.weight.since + scale.policy.timing.settle
    return replace(
        known,
        evidence=objective.advance(_expecting(known, scale), one, scale.rules, promotes=settled),
        strata=_stratified(known, tick, scale),
        ranking=None if known.ranking is None else ranking.ranked(known.ranking, tick),
        shares=_shared(known, one, scale) if settled else known.shares,
    )


def _expecting(known: Recollection, scale: Scale) -> objective.State:
    """Evidence that knows the traffic, where it can be known: where the stake lies best depends on it."""
    past, part = known.dispersion, scale.share
    if past is None or not past.requests or part is None or not 0 < part < 1:
        return known.evidence
    return objective.expecting(known.evidence, Traffic(past.requests / past.phi, part, past.ratio))


def _stratified(known: Recollection, tick: Tick, scale: Scale) -> Mapping[str, objective.State]:
    """The parts of the traffic, each compared with its own."""
    if not scale.policy.stratify_by:
        return {}
    strata = dict(known.strata or _parts(known, tick))
    for name, part in parting.by_stratum(tick, tuple(strata)).items():
        strata[name] = objective.advance(strata[name], _one(part), scale.rules, promotes=False)
    return strata


def _parts(known: Recollection, tick: Tick) -> Mapping[str, objective.State]:
    """The parts of the hour before the release; where nothing is known of it, those of the first tick.

    None is added later: the stake is divided among them before anything is won.
    """
    names = (known.dispersion and known.dispersion.strata) or parting.named((tick,))
    return dict.fromkeys((*names, parting.OTHER), objective.begin(known.evidence.began))


def _one(tick: Tick) -> Weighed:
    return Weighed(tick.end, tick.canary.bad, tick.canary.total, tick.stable.bad, tick.stable.total)


def _shared(known: Recollection, tick: Weighed, scale: Scale) -> share.ShareState:
    if scale.share is None or not 0 < scale.share < 1:
        return known.shares
    passes = share.bounds(scale.share, scale.policy.guards.min_share_of_weight)
    return share.advance(known.shares, tick.end, (tick.canary_total, tick.stable_total), passes)
