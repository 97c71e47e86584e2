"""The statistical gate: each objective's requests of canary and stable, judged together.

It aborts a canary that is shown to be worse than stable and outside its objective, promotes one that is shown to be
good enough, and holds with what is missing in every other case.

Law: pure; looks lie on an absolute grid, so that a restart asks the same questions and finds the same numbers.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from canary_operator.attribution.choosing import rendered
from canary_operator.counting import asking
from canary_operator.engine import counted, history, phrases, ranking, recollection, sought, weighing
from canary_operator.engine.counted import Counted, Plan
from canary_operator.engine.look import Ground, Said
from canary_operator.engine.recollection import Recollection
from canary_operator.engine.sought import Sought
from canary_operator.engine.weighing import Scale
from canary_operator.model import durations
from canary_operator.model.gate import Evidence, Side
from canary_operator.model.indicator import Indicator, Latency
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.rollout import Rollout, StepKind
from canary_operator.model.samples import Absent, Question, Samples
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason
from canary_operator.stats import dispersion, judging, share
from canary_operator.stats.judging import Cause, Judgement, Objective, Report
from canary_operator.stats.objective import State
from canary_operator.stats.tallying import Count, Rules

# A rate that is measured over less says little about when something will be shown.
_RATE_SECONDS = 30.0
# The full weight where Argo's unit is percent.
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class Item:
    """One objective at one moment: how it is counted and judged, and its evidence so far."""

    name: str
    meaning: Indicator
    plan: Plan
    rules: Rules
    before: Evidence | None

    @property
    def known(self) -> Recollection:
        """What is remembered."""
        return self.plan.known

    @property
    def is_due(self) -> bool:
        """Whether this moment of the grid has not been asked for."""
        return self.known.asked_at is None or self.plan.at > self.known.asked_at


@dataclass(frozen=True, slots=True)
class Learnt:
    """One objective after the answers; ``lost`` where the provider did not give any."""

    item: Item
    known: Recollection
    lost: Absent | None = None
    counted: Counted | None = None

    @property
    def state(self) -> State:
        """What has been weighed: while the version warms up, what has been seen for a hard failure."""
        until = weighing.warm_until(self.known, self.item.plan.policy)
        return self.known.hard if until is None or self.known.evidence.last < until else self.known.evidence

    @property
    def told(self) -> str:
        """What has been weighed, in words."""
        ticks = [] if self.counted is None else [tick.canary for tick in self.counted.folded.ticks]
        late = Count(sum(each.bad for each in ticks), sum(each.total for each in ticks))
        return phrases.compared(self.state, self.item.rules, self.known.strata, late)

    @property
    def absent(self) -> Absent | None:
        """Why there is nothing new to judge by."""
        return self.lost or self.known.absent


@dataclass(frozen=True, slots=True)
class Look:
    """All objectives of a release at one moment.

    Args:

        unknown: why nobody can say what the others mean; ``kept`` is what was known of those.
    """

    ground: Ground
    items: tuple[Item, ...]
    unknown: tuple[Finding, ...]
    kept: tuple[Evidence, ...]

    def questions(self) -> tuple[Question, ...]:
        """Raw samples of both versions for every objective that is due."""
        due = (item.plan for item in self.items if item.is_due)
        asked = (question for plan in due for question in (*counted.questions(plan), *history.questions(plan)))
        return tuple(dict.fromkeys(asked))

    def judge(self, samples: Samples) -> Said:
        """Count, weigh, judge all together."""
        learnt = tuple(_learn(item, samples) for item in self.items)
        judgement = _judgement(learnt, self.ground)
        findings = (*self.unknown, *_findings(learnt, judgement, self.ground))
        lost = any(each.lost is not None for each in learnt)
        return Said(
            evidence=(*(_evidence(each, judgement, self.ground) for each in learnt), *self.kept),
            findings=findings,
            next_due=math.inf if lost else _grid(self.ground) + self.ground.snapshot.evaluation_interval,
            telemetry_lost=lost,
            measured=all(_is_hopeful(each, judgement) for each in learnt),
        )


def _is_hopeful(learnt: Learnt, judgement: Judgement | None) -> bool:
    """Whether there are requests at this weight and more like them would promote: else they speak against it."""
    if judgement is None or not learnt.known.evidence.promoting.canary.total:
        return False
    return judgement.reports[learnt.item.name].likely_to_promote is not None


def looks(ground: Ground) -> list[Look]:
    """One look at all objectives of the policies, none where there are none.

    Raises:

        ConfigurationError: if an objective cannot be read.
    """
    found = sought.objectives(ground.snapshot)
    items = tuple(_item(ground, each, each.meaning) for each in found if isinstance(each.meaning, Indicator))
    unknown = tuple(
        Finding(each.meaning.reason, f"{each.name}: {each.meaning.message}")
        for each in found
        if isinstance(each.meaning, Absent)
    )
    names = {each.name for each in found if isinstance(each.meaning, Absent)}
    kept = tuple(each for each in ground.snapshot.status.evidence if each.name in names)
    return [Look(ground, items, unknown, kept)] if items or unknown else []


def _grid(ground: Ground) -> float:
    """The last moment of the grid: the same for all Rollouts, so that their questions are one."""
    interval = ground.snapshot.evaluation_interval
    return math.floor(ground.now / interval) * interval


def _item(ground: Ground, objective: Sought, meaning: Indicator) -> Item:
    before = _before(ground, objective, meaning)
    known = (before and before.memory and recollection.load(before.memory)) or recollection.begin(ground.now)
    weight = _nominal_weight(ground.snapshot.rollout)
    if ground.at is not None:
        known = recollection.at_weight(known, weight, ground.at.user_start)
    ways = asking.ways(meaning.measure)
    trials = tuple(sought.trial_of(ground.snapshot, objective.policy, way.selectors[0]) for way in ways)
    plan = Plan(objective.policy, ways, trials, known, ground.snapshot, _grid(ground), weight)
    known = recollection.comparing(known, ground.now, compares=plan.compares)
    plan = replace(plan, known=known)
    phi = 1.0 if known.dispersion is None else known.dispersion.phi
    rules = weighing.rules_of(meaning, ground.policy, compares=plan.compares, phi=phi)
    return Item(objective.name, meaning, plan, rules, before)


def _before(ground: Ground, objective: Sought, meaning: Indicator) -> Evidence | None:
    digest = _digest(objective.policy, meaning)
    known = ground.snapshot.status.evidence
    return next((each for each in known if (each.name, each.digest) == (objective.name, digest)), None)


def _digest(policy: SLOPolicySpec, meaning: Indicator) -> str:
    """Of what is counted, whom is asked and what is compared; another definition starts anew."""
    risk = policy.risk
    compared = (f"{risk.tolerable_ratio}", f"{risk.reject_ratio}", *policy.stratify_by)
    return "/".join((policy.provider, meaning.source.digest[:16], *compared))


def _nominal_weight(rollout: Rollout) -> int | None:
    """The weight of the last setWeight step: pods come and go within one weight."""
    index = rollout.step_index
    weights = [step.weight for step in rollout.steps[: index or 0] if step.kind is StepKind.SET_WEIGHT]
    return weights[-1] if weights else None


def _learn(item: Item, samples: Samples) -> Learnt:
    if not item.is_due:
        return Learnt(item, item.known)
    match counted.count(item.plan, samples):
        case Absent(HoldReason.TELEMETRY_UNAVAILABLE) as absent:
            # The question stays due: an outage says nothing about the time it was asked for.
            return Learnt(item, item.known, lost=absent)
        case Absent() as absent:
            return Learnt(item, replace(item.known, asked_at=item.plan.at, absent=absent))
        case Counted() as found:
            return Learnt(item, _dispersed(item, _weighed(item, found), samples), counted=found)


def _dispersed(item: Item, known: Recollection, samples: Samples) -> Recollection:
    """With what was learnt of stable's pods; where they differ by more than chance, pods are ranked from now on."""
    learnt = history.learn(item.plan, samples)
    if learnt is None or known.dispersion is not None:
        return known
    begun = ranking.begin(item.plan.at, learnt.burst_seconds) if learnt.phi > 1 else None
    return replace(known, dispersion=learnt, ranking=begun)


def _weighed(item: Item, found: Counted) -> Recollection:
    known = replace(
        item.known,
        counts=found.folded.state,
        chosen=found.option.chosen,
        asked_at=item.plan.at,
        absent=found.absent,
    )
    expected = _expected_share(item.plan.snapshot.rollout)
    # A scrape brings what came since the one before it.
    brought = max(item.plan.rules.tick_seconds, (found.folded.state.interval_ms or 0) / 1000)
    scale = Scale(item.plan.policy, item.rules, brought, expected if item.rules.compares else None)
    return weighing.weigh(known, found.folded.ticks, scale)


def _expected_share(rollout: Rollout) -> float | None:
    """The canary's share of requests by its weight; None where more than the weight sends it requests."""
    beside = (StepKind.SET_HEADER_ROUTE, StepKind.SET_MIRROR_ROUTE)
    if rollout.weight is None or any(step.kind in beside for step in rollout.steps[: rollout.step_index or 0]):
        return None
    return rollout.weight / rollout.routing.full_weight


def _is_warm(learnt: tuple[Learnt, ...], ground: Ground) -> bool:
    ends = [weighing.warm_until(each.known, ground.policy) for each in learnt]
    return all(end is not None and ground.now >= end for end in ends)


def _judgement(learnt: tuple[Learnt, ...], ground: Ground) -> Judgement | None:
    if not learnt:
        return None
    if _is_warm(learnt, ground):
        return judging.judge({each.item.name: _objective(each) for each in learnt})
    return judging.judge(
        {each.item.name: Objective(each.known.hard, weighing.hard(each.item.rules)) for each in learnt}
    )


def _objective(learnt: Learnt) -> Objective:
    known = learnt.known
    ranks = None if known.ranking is None else dispersion.evidence(known.ranking.state)
    return Objective(known.evidence, learnt.item.rules, ranks=ranks, strata=known.strata)


def _findings(learnt: tuple[Learnt, ...], judgement: Judgement | None, ground: Ground) -> Iterator[Finding]:
    for each in learnt:
        if each.absent is not None:
            yield Finding(each.absent.reason, f"{each.item.name}: {each.absent.message}")
        elif (wrong := _misrouted(each)) is not None:
            yield wrong
        if (spent := _spent(each, judgement, ground)) is not None:
            yield spent
    if judgement is not None and (found := _verdict(learnt, judgement, ground)) is not None:
        yield found


def _misrouted(learnt: Learnt) -> Finding | None:
    shares, rollout = share.share(learnt.known.shares), learnt.item.plan.snapshot.rollout
    if not shares.suspect or shares.observed is None:
        return None
    return Finding(
        HoldReason.ROUTING_MISMATCH if shares.mismatch else HoldReason.COLLECTING,
        f"{learnt.item.name}: the canary gets {phrases.percent(shares.observed)} of "
        f"{learnt.known.shares.seen.total:,} requests, and its weight is {rollout.weight} of "
        f"{rollout.routing.full_weight}" + ("" if shares.mismatch else "; a few more scrapes will tell"),
    )


def _spent(learnt: Learnt, judgement: Judgement | None, ground: Ground) -> Finding | None:
    bound = ground.policy.risk.max_excess_bad
    if bound is None or judgement is None:
        return None
    excess = judgement.reports[learnt.item.name].least_excess
    if excess < bound:
        return None
    return Finding(
        AbortReason.EXPOSURE_SPENT,
        f"{learnt.item.name}: this release has cost at least {math.floor(excess):,} bad requests above stable's ratio, "
        f"and {bound:,} are allowed ({learnt.told})",
    )


_CAUSES = {
    Cause.CANARY_REGRESSION: AbortReason.CANARY_REGRESSION,
    Cause.OBJECTIVE_BREACHED: AbortReason.OBJECTIVE_BREACHED,
}


def _verdict(learnt: tuple[Learnt, ...], judgement: Judgement, ground: Ground) -> Finding | None:
    by_name = {each.item.name: each for each in learnt}
    match judgement.verdict:
        case judging.Abort(cause, names):
            return Finding(_CAUSES[cause], _told(by_name, names))
        case _ if not _is_warm(learnt, ground):
            return Finding(HoldReason.WARM_UP, _warming(learnt, ground))
        case judging.EnvironmentUnhealthy(names):
            return Finding(
                HoldReason.ENVIRONMENT_UNHEALTHY, f"stable itself is outside its objective: {_told(by_name, names)}"
            )
        case judging.Drifting(names):
            return Finding(HoldReason.DRIFTING, f"the canary looks worse than stable: {_told(by_name, names)}")
        case judging.Promote():
            return Finding(PromoteReason.EVIDENCE_SUFFICIENT, _told(by_name, tuple(by_name)))
        case judging.Undecided(names):
            # Why there is nothing to judge by has been said already.
            lacking = [by_name[name] for name in names if by_name[name].absent is None]
            return _undecided(lacking, judgement, ground) if lacking else None


def _told(learnt: Mapping[str, Learnt], names: tuple[str, ...]) -> str:
    return "; ".join(f"{name}: {learnt[name].told}" for name in names)


def _warming(learnt: tuple[Learnt, ...], ground: Ground) -> str:
    ends = [weighing.warm_until(each.known, ground.policy) for each in learnt]
    until = max((end for end in ends if end is not None), default=None)
    if until is None:
        return "the version is not at its first pause yet"
    return f"warming up for {durations.format_duration(until - ground.now)} more"


def _undecided(lacking: list[Learnt], judgement: Judgement, ground: Ground) -> Finding:
    """Collecting; or LowTraffic where it would not be shown before maxHold is over."""
    said, slow = [], []
    for each in lacking:
        report = judgement.reports[each.item.name]
        eta = _eta(each, report, ground)
        late = None if eta is None else _later_than_held(each, eta, ground)
        when = "" if eta is None else f", expected in {durations.format_duration(eta)}{late or ''}"
        alone = phrases.versions(each.state, replace(each.item.rules, compares=False))
        sentence = f"{each.item.name}: {alone}; {phrases.lacking(report, each.state, each.item.rules, when)}"
        if late is not None:
            slow.append(sentence)
        said.append(sentence)
    return Finding(HoldReason.LOW_TRAFFIC, "; ".join(slow)) if slow else Finding(HoldReason.COLLECTING, "; ".join(said))


def _eta(learnt: Learnt, report: Report, ground: Ground) -> float | None:
    """Seconds until the requests that are still needed have come."""
    rate = _rate(learnt, ground)
    if rate is None or report.likely_to_promote is None:
        return None
    return report.likely_to_promote / rate


def _rate(learnt: Learnt, ground: Ground) -> float | None:
    """Requests of the canary a second at this weight; before there are any, its part of what stable gets."""
    known, counted_so_far = learnt.known, learnt.known.evidence.promoting.canary.total
    if known.weight is None:
        return None
    elapsed = ground.now - known.weight.since - ground.policy.timing.settle
    if counted_so_far:
        return counted_so_far / elapsed if elapsed >= _RATE_SECONDS else None
    seconds, part = ground.now - known.since, _expected_share(ground.snapshot.rollout)
    if part is None or not 0 < part < 1 or seconds < _RATE_SECONDS:
        return None
    return known.counts.stable.tally.total / seconds * part / (1 - part) or None


def _later_than_held(learnt: Learnt, eta: float, ground: Ground) -> str | None:
    """What to say where it takes longer than the pause is held; None where it does not."""
    if ground.at is None:
        return None
    left = ground.at.user_start + ground.policy.timing.max_hold - ground.now
    if eta <= left:
        return None
    late = f", later than maxHold of {durations.format_duration(ground.policy.timing.max_hold)}"
    weight, full = learnt.item.plan.weight, learnt.item.plan.snapshot.rollout.routing.full_weight
    if weight is None or left <= 0:
        return late
    needed = math.ceil(weight * eta / left)
    part = f"{needed} %" if full == _PERCENT else f"{needed} of {full}"
    return f"{late}, at a weight of {part} before it" if needed <= full else f"{late} at any weight"


def _evidence(learnt: Learnt, judgement: Judgement | None, ground: Ground) -> Evidence:
    item, counts = learnt.item, learnt.known.counts
    report = None if judgement is None else judgement.reports[item.name]
    eta = None if report is None else _eta(learnt, report, ground)
    return Evidence(
        name=item.name,
        kind="Latency" if isinstance(item.meaning.measure, Latency) else "Ratio",
        source=str(item.meaning.source.reference),
        digest=_digest(item.plan.policy, item.meaning),
        since=durations.format_micro_time(learnt.known.since),
        canary=Side(bad=counts.canary.tally.bad, total=counts.canary.tally.total),
        stable=Side(bad=counts.stable.tally.bad, total=counts.stable.tally.total),
        towards_abort=0.0 if report is None else report.towards_abort,
        towards_promote=0.0 if report is None or not _is_warm((learnt,), ground) else report.towards_promote,
        requests_needed=None if report is None else report.likely_to_promote,
        eta=None if eta is None else durations.format_time(ground.now + eta),
        message=learnt.absent.message if learnt.absent else learnt.told,
        attribution=learnt.known.chosen.candidate if learnt.known.chosen else "",
        queries=_queries(learnt),
        left_out=learnt.counted.left_out
        if learnt.counted
        else learnt.item.before.left_out
        if learnt.item.before
        else "",
        memory=recollection.dump(learnt.known),
    )


def _queries(learnt: Learnt) -> tuple[str, ...]:
    """The selectors of canary and stable as they were asked for; what was known before, while nothing new was."""
    if learnt.counted is None:
        return learnt.item.before.queries if learnt.item.before is not None else ()
    option = learnt.counted.option
    sides = (option.candidate.canary, option.candidate.stable)
    return tuple(rendered(selector, side) for selector in option.way.selectors for side in sides)
