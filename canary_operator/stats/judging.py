"""All objectives of a release together: abort, promote, wait for the environment, drifting, or not decided yet.

Law: the objectives share the chance of a false abort: their evidence is averaged with weights that sum to one, which
keeps it whatever they have to do with each other. A promotion needs every objective.
"""

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canary_operator.stats.dispersion import together
from canary_operator.stats.mixture import log_sum
from canary_operator.stats.objective import UNHEALTHY_AT, Evidence, State, evidence
from canary_operator.stats.planning import comparison, detectable, divergence, to_promote
from canary_operator.stats.tallying import Rules

RELEVANT_AT = math.log(10)
"""Evidence that the canary is outside its objective, without which being worse than stable aborts nothing."""

DRIFTING_AT = math.log(10)
"""Evidence that the canary is worse than stable from which on it is not promoted."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective of a release.

    Args:

        weight: its part of the chance of a false abort, more than 0; the objectives' weights are made to sum to one.

        ranks: what ``dispersion.evidence`` says of the pods' ranks; None where it was not asked. Whether it is asked
            is decided before the release, where ``dispersion.phi`` is more than 1.

        strata: states of parts of the traffic, such as routes, that are to be compared each with its own. Which there
            are is decided before the release; what belongs to none of them is a part too. ``state`` has all of it.
    """

    state: State
    rules: Rules
    weight: float = 1.0
    ranks: float | None = None
    strata: Mapping[str, State] = field(default_factory=dict)


ALMOST = 0.999
"""The most that is shown of evidence that does not abort."""


class Cause(enum.Enum):
    """Why a release is aborted."""

    CANARY_REGRESSION = "worse than stable and outside its objective"
    OBJECTIVE_BREACHED = "outside its objective, without a stable version to compare with"


@dataclass(frozen=True, slots=True)
class Abort:
    """The canary is shown to be bad; the objectives that show it, the strongest first."""

    cause: Cause
    objectives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Promote:
    """Every objective is shown to be under the ratio that must be rejected, and nothing speaks against the canary."""


@dataclass(frozen=True, slots=True)
class EnvironmentUnhealthy:
    """Stable is outside these objectives and the canary is not shown to be worse."""

    objectives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drifting:
    """The canary moves away from stable in these objectives; it is not shown to be outside of them."""

    objectives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Undecided:
    """These objectives do not show enough yet."""

    objectives: tuple[str, ...]


Verdict = Abort | Promote | EnvironmentUnhealthy | Drifting | Undecided


@dataclass(frozen=True, slots=True)
class Report:
    """What one objective shows and what it lacks.

    Args:

        towards_abort: how much of the log evidence that aborts there is, 0 to 1.

        towards_promote: the same for the promotion; the time that the evidence must span is part of it.

        clean_to_promote: requests without an error that the promotion still takes; 0 if it has them.

        likely_to_promote: requests that it still takes at the present ratio; None: never at this ratio.

        likely_to_abort: requests of the canary that an abort still takes at the present ratios; None: never.

        detectable: the smallest bad ratio of the canary that would have been seen by now; None: none would.

        excess: bad requests above stable's ratio so far; below 0 if the canary is better.

        least_excess: what of it is certain enough to act upon, at least 0.
    """

    evidence: Evidence
    towards_abort: float
    towards_promote: float
    clean_to_promote: int
    likely_to_promote: int | None
    likely_to_abort: int | None
    detectable: float | None
    excess: float
    least_excess: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and what each objective says, by name.

    Args:

        towards_abort: of all objectives together, 0 to 1; 1 if and only if the verdict is to abort.

        towards_promote: of the objective that lacks most, 0 to 1.
    """

    verdict: Verdict
    towards_abort: float
    towards_promote: float
    reports: Mapping[str, Report]


def judge(objectives: Mapping[str, Objective]) -> Judgement:
    """Judge a release.

    Raises:

        ValueError: without objectives: nothing must not look like evidence.
    """
    if not objectives:
        raise ValueError("a release is judged by at least one objective")
    shown = {name: shows(each) for name, each in objectives.items()}
    reports = {name: _report(each, shown[name]) for name, each in objectives.items()}
    verdict = _verdict(objectives, shown)
    against = 1.0 if isinstance(verdict, Abort) else min(max(_towards(objectives, shown), 0.0), ALMOST)
    return Judgement(verdict, against, min(each.towards_promote for each in reports.values()), reports)


def shows(objective: Objective) -> Evidence:
    """The evidence of one objective. Strata and ranks are averaged into the comparison, which keeps its error rate."""
    shown = evidence(objective.state, objective.rules)
    if objective.strata:
        parts = [evidence(each, objective.rules).worse for each in objective.strata.values()]
        shown = replace(shown, worse=log_sum(parts) - math.log(len(parts)))
    if objective.ranks is not None:
        shown = replace(shown, worse=together(shown.worse, objective.ranks))
    return shown


def _verdict(objectives: Mapping[str, Objective], shown: Mapping[str, Evidence]) -> Verdict:
    if (against := _against(objectives, shown)) and _sum(objectives, shown, against) >= 0:
        compares = objectives[against[0]].rules.compares
        return Abort(Cause.CANARY_REGRESSION if compares else Cause.OBJECTIVE_BREACHED, against)
    compared = [name for name, each in objectives.items() if each.rules.compares]
    if unhealthy := tuple(name for name in compared if shown[name].environment >= UNHEALTHY_AT):
        return EnvironmentUnhealthy(unhealthy)
    if drifting := tuple(name for name in compared if shown[name].worse >= DRIFTING_AT):
        return Drifting(drifting)
    if lacking := tuple(name for name, each in objectives.items() if not _promotes(each, shown[name])):
        return Undecided(lacking)
    return Promote()


def _promotes(objective: Objective, shown: Evidence) -> bool:
    return shown.settled and shown.promotion >= objective.rules.risk.promote_at


def _against(objectives: Mapping[str, Objective], shown: Mapping[str, Evidence]) -> tuple[str, ...]:
    """The objectives that can abort, the strongest first: those the canary is outside of."""
    outside = [name for name in objectives if shown[name].above >= RELEVANT_AT]
    return tuple(sorted(outside, key=lambda name: -_part(objectives[name], shown[name])))


def _part(objective: Objective, shown: Evidence) -> float:
    """The log evidence to abort, less what aborts, plus the objective's weight."""
    against = shown.worse if objective.rules.compares else shown.above
    return against - objective.rules.risk.abort_at + math.log(objective.weight)


def _sum(objectives: Mapping[str, Objective], shown: Mapping[str, Evidence], names: tuple[str, ...]) -> float:
    """The average evidence to abort, less what aborts; objectives that are not named count nothing."""
    whole = math.log(sum(each.weight for each in objectives.values()))
    return log_sum([_part(objectives[name], shown[name]) for name in names]) - whole


def _towards(objectives: Mapping[str, Objective], shown: Mapping[str, Evidence]) -> float:
    return max(_towards_abort(each, shown[name]) for name, each in objectives.items())


def _towards_abort(objective: Objective, shown: Evidence) -> float:
    against = shown.worse if objective.rules.compares else shown.above
    return min(against / objective.rules.risk.abort_at, shown.above / RELEVANT_AT)


def _report(objective: Objective, shown: Evidence) -> Report:
    state, rules = objective.state, objective.rules
    span = state.promoting.span / rules.settles if rules.settles else 1.0
    ratio = state.promoting.canary.ratio or 0.0
    stable = state.stable if rules.compares else None
    parts = [each.comparison for each in objective.strata.values()] or [state.comparison]
    excess, variance = sum(each.excess for each in parts), sum(each.variance for each in parts)
    return Report(
        evidence=shown,
        towards_abort=min(max(_towards_abort(objective, shown), 0.0), 1.0),
        towards_promote=min(max(shown.promotion / rules.risk.promote_at, 0.0), span, 1.0),
        clean_to_promote=to_promote(state.promoting.logs, rules) or 0,
        likely_to_promote=to_promote(state.promoting.logs, rules, ratio),
        likely_to_abort=_likely_to_abort(objective, shown),
        detectable=detectable(state.canary.total, rules, stable),
        excess=excess,
        least_excess=max(excess - _margin(variance * rules.phi), 0.0),
    )


def _likely_to_abort(objective: Objective, shown: Evidence) -> int | None:
    state, rules = objective.state, objective.rules
    ratio = state.canary.ratio
    if ratio is None or ratio <= rules.allowed:
        return None
    outside = divergence(ratio, rules.allowed)
    lacks = max(RELEVANT_AT - shown.above, 0.0) / outside
    against, gain = shown.above, outside
    if rules.compares:
        share = min(max(state.canary.total / (state.canary.total + max(state.stable.total, 1)), 0.001), 0.999)
        against, gain = shown.worse, comparison(ratio, state.stable, share, rules.risk.tolerable_ratio)
    if gain <= 0:
        return None
    return math.ceil(rules.phi * max(lacks, max(rules.risk.abort_at - against, 0.0) / gain))


def _margin(variance: float) -> float:
    """How far chance alone takes a sum of this variance at any time, but in one of 100 cases (Robbins' mixture)."""
    scale = variance + 10.0
    return math.sqrt(scale * (2 * math.log(100) + math.log(scale / 10.0)))
