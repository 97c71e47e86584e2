"""What stable's hour before the release says: how much its pods differ, how much traffic there is. Learnt once.

Law: pure. A release of which nothing can be learnt is judged as if requests failed independently.
"""

from canary_operator.counting import asking, folding, parting
from canary_operator.counting.tallies import Arm, Epoch, Folded, Reading, Rules, Selection, Tick
from canary_operator.engine.counted import Option, Plan, options
from canary_operator.engine.recollection import Dispersion
from canary_operator.model.samples import Absent, Answer, RawQuery, Samples
from canary_operator.model.verdict import HoldReason
from canary_operator.stats import dispersion
from canary_operator.stats.tallying import Count

SECONDS = 3600
# Errors that come in bursts of seconds are seen in blocks of this length and of its multiples.
_BLOCK_SECONDS = 15.0
# Pods of a large fleet beyond this many say nothing new.
_MOST_PODS = 50


NONE = Dispersion(phi=1.0)


def questions(plan: Plan) -> tuple[RawQuery, ...]:
    """Stable's samples of the hour before the release; once, as soon as it is known how to count."""
    if plan.known.dispersion is not None or plan.known.chosen is None or not plan.compares:
        return ()
    # Not the time of the other questions: what is asked at one time is asked over the longest window.
    at = float(int(plan.known.since))
    option = options(plan)[0]
    return tuple(
        RawQuery(plan.policy.provider, selector, option.candidate.stable, SECONDS, at)
        for selector in option.way.selectors
    )


def learn(plan: Plan, samples: Samples) -> Dispersion | None:
    """What the answers say; None while there is none."""
    asked = questions(plan)
    if not asked:
        return plan.known.dispersion
    answers: list[Answer] = []
    for question in asked:
        match samples.get(question, Absent(HoldReason.TELEMETRY_UNAVAILABLE, "not asked")):
            case Absent(HoldReason.TELEMETRY_UNAVAILABLE):
                return None
            case Absent():
                return NONE
            case answer:
                answers.append(answer)
    rules = Rules(tick_seconds=_BLOCK_SECONDS, stratify_by=plan.policy.stratify_by)
    return _learnt(options(plan)[0], answers, asked[0].at, rules)


def _learnt(option: Option, answers: list[Answer], at: float, rules: Rules) -> Dispersion:
    selection = asking.read(option.way, answers, rules)
    if isinstance(selection, Absent):
        return NONE
    ticks = _ticks(selection, at, rules)
    blocks, whole = _blocks(ticks), _whole(ticks)
    return Dispersion(
        phi=dispersion.phi(blocks),
        burst_seconds=dispersion.rank_blocks(blocks) * _BLOCK_SECONDS,
        requests=whole.total / (ticks[-1].end - ticks[0].end + _BLOCK_SECONDS) if ticks else 0.0,
        ratio=whole.ratio or 0.0,
        strata=parting.named(ticks) if rules.stratify_by else (),
    )


def _whole(ticks: tuple[Tick, ...]) -> Count:
    return Count(sum(each.stable.bad for each in ticks), sum(each.stable.total for each in ticks))


def _ticks(selection: Selection, at: float, rules: Rules) -> tuple[Tick, ...]:
    epoch = Epoch(at - SECONDS)
    folded = folding.fold(folding.begin(epoch), Reading({Arm.STABLE: selection}, at - SECONDS, at), epoch, rules)
    return folded.ticks if isinstance(folded, Folded) else ()


def _blocks(ticks: tuple[Tick, ...]) -> list[list[Count]]:
    """Of each block the counts of every pod that served in the hour, in one order."""
    tallies = [parting.by_pod(tick, Arm.STABLE) for tick in ticks]
    pods = sorted({pod for each in tallies for pod in each})[:_MOST_PODS]
    return [[Count(each[pod].bad, each[pod].total) if pod in each else Count() for pod in pods] for each in tallies]
