"""What the answers of one look add to the counts of one objective, or why nobody can tell.

Law: pure. Requests are counted by counting/, versions are told apart by attribution/; here both meet the Rollout.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from canary_operator.attribution.candidate import Candidate
from canary_operator.attribution.choosing import Trial, choose, rendered
from canary_operator.counting import asking, folding, presence, watermark
from canary_operator.counting.asking import Way
from canary_operator.counting.tallies import Arm, Epoch, Folded, Pod, Reading, Rules, Selection
from canary_operator.counting.watermark import GONE_INTERVALS
from canary_operator.engine.reach import Reach
from canary_operator.engine.recollection import Chosen, Recollection
from canary_operator.model.decision import Snapshot
from canary_operator.model.facts import Facts
from canary_operator.model.indicator import Selector
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import Absent, Answer, RawQuery, Samples
from canary_operator.model.verdict import HoldReason

UP = Selector("up")
POD = "pod"
_TARGET_LABELS = frozenset(("namespace", POD, "rollouts_pod_template_hash"))
# Windows are stretched to one of these, so that the questions of many Rollouts are one.
_WINDOWS = (60, 120, 300, 600, 1200, 2400, 3600)


@dataclass(frozen=True, slots=True)
class Plan:
    """How one objective is counted.

    Args:

        policy: whose provider and guards apply.

        ways: how the measure can be counted.

        trials: of each of them, the ways to tell the versions apart.

        at: the time that is asked for, Unix seconds.

        weight: of the last setWeight step, a part of the routing's full weight; None where there is none.
    """

    policy: SLOPolicySpec
    ways: tuple[Way, ...]
    trials: tuple[Trial, ...]
    known: Recollection
    snapshot: Snapshot
    at: float
    weight: int | None

    @property
    def rules(self) -> Rules:
        """The grid of the ticks: of the evaluations, or as coarse as the scrapes, so that a tick has all pods in it."""
        interval, scrapes = self.snapshot.evaluation_interval, (self.known.counts.interval_ms or 0) / 1000
        evaluations = max(1, round(scrapes / interval))
        return Rules(tick_seconds=evaluations * interval, stratify_by=self.policy.stratify_by)

    @property
    def window(self) -> int:
        """How far back is asked, seconds."""
        wanted = self.at - watermark.since(self.known.counts, Epoch(self.known.since), self.at)
        return next((window for window in _WINDOWS if window >= wanted), _WINDOWS[-1])

    @property
    def compares(self) -> bool:
        """Whether the stable version gets requests to compare with."""
        rollout = self.snapshot.rollout
        return rollout.routing.full_weight not in (self.weight, rollout.weight)


@dataclass(frozen=True, slots=True)
class Option:
    """One way to count together with one way to tell the versions apart."""

    index: int
    way: Way
    trial: Trial
    candidate: Candidate

    @property
    def chosen(self) -> Chosen:
        """As it is remembered."""
        return Chosen(self.candidate.name, self.index)


def options(plan: Plan) -> tuple[Option, ...]:
    """What is to be asked: the option that was chosen, all while none is."""
    found = [
        Option(index, way, tried, candidate)
        for index, (way, tried) in enumerate(zip(plan.ways, plan.trials, strict=True))
        for candidate in tried.candidates
    ]
    chosen = [each for each in found if each.chosen == plan.known.chosen]
    return tuple(chosen or found)


def questions(plan: Plan) -> tuple[RawQuery, ...]:
    """Raw samples of both versions, and of ``up`` where the pods themselves are scraped."""
    asked = (each for option in options(plan) for arm in Arm for each in _of_arm(plan, option, arm))
    return tuple(dict.fromkeys(asked))


def _of_arm(plan: Plan, option: Option, arm: Arm) -> tuple[RawQuery, ...]:
    identity = option.candidate.canary if arm is Arm.CANARY else option.candidate.stable
    asked = [(selector, identity) for selector in option.way.selectors]
    if option.candidate.pod_label == POD:
        # ``up`` has the labels of the pods and none of a proxy's own.
        asked.append((UP, tuple(each for each in identity if each.label in _TARGET_LABELS)))
    return tuple(RawQuery(plan.policy.provider, *each, plan.window, plan.at) for each in asked)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a look brought.

    Args:

        option: that was used.

        absent: the guard that stands in the way of judging, if any.

        left_out: a sentence about series that are no users' requests.
    """

    option: Option
    folded: Folded
    absent: Absent | None
    left_out: str


def count(plan: Plan, samples: Samples) -> Counted | Absent:
    """Fold the answers.

    Returns: what was counted; or an Absent where nothing could be, and the counts stay what they are.
    """
    option = _choose(plan, samples)
    if isinstance(option, Absent):
        return option
    read = {arm: _read(plan, option, arm, samples) for arm in Arm}
    for each in read.values():
        if isinstance(each, Absent):
            return each
    selections = {arm: each for arm, each in read.items() if isinstance(each, Selection)}
    wrong = _stranger(plan, option, selections) or _unstratified(plan, selections)
    return wrong or _folded(plan, option, selections, _reach(plan, option, selections[Arm.CANARY], samples))


def _reach(plan: Plan, option: Option, canary: Selection, samples: Samples) -> Reach | None:
    """Whom of the canary Prometheus reaches; None where ``up`` tells nothing of such pods."""
    of_stable, of_canary = (_up(plan, option, arm, samples) for arm in (Arm.STABLE, Arm.CANARY))
    if of_stable is None or of_canary is None or not of_stable.series:
        return None
    intervals = GONE_INTERVALS * (plan.known.counts.interval_ms or 0) / 1000
    return Reach(canary, of_canary, plan.at - max(plan.policy.guards.max_telemetry_age, intervals))


def _up(plan: Plan, option: Option, arm: Arm, samples: Samples) -> Answer | None:
    for question in _of_arm(plan, option, arm)[len(option.way.selectors) :]:
        answer = samples.get(question)
        return answer if isinstance(answer, Answer) else None
    return None


def _choose(plan: Plan, samples: Samples) -> Option | Absent:
    """The first option by which there are series; a missing answer never makes a later one the chosen one.

    Of stable, because the canary may have none yet; at 100 % only of the canary, because stable may have none any more.
    """
    arm = Arm.STABLE if plan.compares else Arm.CANARY
    reasons: list[Absent] = []
    for option in options(plan):
        found = _read(plan, option, arm, samples)
        if isinstance(found, Absent):
            if found.reason is HoldReason.TELEMETRY_UNAVAILABLE:
                return found
            reasons.append(found)
        elif found.counters:
            return option
    # The last way to count knows most: it has asked for every bucket.
    return reasons[-1] if reasons else _nothing(plan.trials[0])


def _nothing(tried: Trial) -> Absent:
    none = choose(tried, dict.fromkeys(tried.candidates, 0))
    assert isinstance(none, Absent)
    return none


def _read(plan: Plan, option: Option, arm: Arm, samples: Samples) -> Selection | Absent:
    answers: list[Answer] = []
    for question in _of_arm(plan, option, arm):
        answer = samples.get(question, Absent(HoldReason.TELEMETRY_UNAVAILABLE, "not asked"))
        if isinstance(answer, Absent):
            return answer
        answers.append(answer)
    size = len(option.way.selectors)
    up = answers[size] if len(answers) > size else None
    return asking.read(option.way, answers[:size], plan.rules, up, known=_seen(plan, option, samples))


def _seen(plan: Plan, option: Option, samples: Samples) -> frozenset[Selector]:
    """The selectors that any version has series of."""
    seen: set[Selector] = set()
    for arm in Arm:
        asked = _of_arm(plan, option, arm)[: len(option.way.selectors)]
        answers = [samples.get(question) for question in asked]
        seen |= {
            question.selector
            for question, answer in zip(asked, answers, strict=True)
            if isinstance(answer, Answer) and (answer.series or answer.native)
        }
    return frozenset(seen)


def _stranger(plan: Plan, option: Option, selections: Mapping[Arm, Selection]) -> Absent | None:
    """Equal pod templates have equal hashes: a series may be of another Rollout's pod with the same label."""
    rollout = plan.snapshot.rollout
    if option.candidate.pod_label != POD:
        return None
    for arm, version in ((Arm.CANARY, rollout.pod_hash), (Arm.STABLE, rollout.stable_hash)):
        # Kubernetes cuts long names of pods; what is left of them still tells.
        beginning = f"{rollout.ref.name}-{version}-"[:57]
        for pod in sorted({counter.pod for counter in selections[arm].counters} - {""}):
            if not pod.startswith(beginning):
                return Absent(
                    HoldReason.AMBIGUOUS_SERIES,
                    f"expected series of pods {beginning}…, and saw one of pod {pod[:80]}: another workload has the "
                    "same labels",
                )
    return None


def _unstratified(plan: Plan, selections: Mapping[Arm, Selection]) -> Absent | None:
    """A label that nothing has would compare all with all, and nobody would notice."""
    counters = [counter for selection in selections.values() for counter in selection.counters]
    for name in plan.policy.stratify_by:
        if counters and all(f'{name}=""' in counter.stratum for counter in counters):
            return Absent(HoldReason.CONFIGURATION_ERROR, f'stratifyBy: no series has the label "{name}"')
    return None


def _folded(plan: Plan, option: Option, selections: Mapping[Arm, Selection], reach: Reach | None) -> Counted | Absent:
    canary = selections[Arm.CANARY]
    arms = dict(selections) if plan.compares else {Arm.CANARY: canary}
    reading = Reading(arms, since=plan.at - plan.window, until=plan.at, pods=_pods(plan.snapshot.facts))
    folded = folding.fold(plan.known.counts, reading, _epoch(plan, option), plan.rules)
    if isinstance(folded, Absent):
        return folded
    absent = _missing(plan, option, selections, running=_canary_runs(plan) if reach is None or reach.any else False)
    absent = absent or _stale(plan, selections, folded)
    if absent is None and reach is not None:
        absent = reach.gap(plan.snapshot.facts.pods)
    if absent is None and not _is_young(plan):
        absent = presence.quiet(folded.state, _usual(plan, folded))
    return Counted(option, folded, absent, canary.left_out.sentence())


def _missing(plan: Plan, option: Option, selections: Mapping[Arm, Selection], *, running: bool | None) -> Absent | None:
    canary, metric = selections[Arm.CANARY], rendered(option.way.selectors[0], option.candidate.canary)
    absent = presence.absent(
        canary,
        selections[Arm.STABLE] if plan.compares else None,
        canary_running=running,
        metric=metric,
    )
    if absent is None or canary.counters:
        return absent
    if _is_young(plan):
        return Absent(HoldReason.COLLECTING, "the canary has no series yet")
    if plan.snapshot.rollout.weight == 0 and selections[Arm.STABLE].counters:
        return Absent(absent.reason, f"the canary's weight is 0, and it has no series of {metric}")
    return absent


def _is_young(plan: Plan) -> bool:
    """Whether the version has just begun: it may not have been scraped, or not have been asked for anything."""
    return plan.at - plan.known.since < plan.policy.guards.max_telemetry_age


def _stale(plan: Plan, selections: Mapping[Arm, Selection], folded: Folded) -> Absent | None:
    for arm in (Arm.CANARY, Arm.STABLE) if plan.compares else (Arm.CANARY,):
        old = presence.stale(selections[arm], plan.at, folded.state.interval_ms, plan.policy.guards.max_telemetry_age)
        if old is not None:
            return Absent(old.reason, f"{arm.value}: {old.message}")
    return None


def _usual(plan: Plan, folded: Folded) -> float:
    """Requests a second that the canary should get: as so far, or its weight's part of stable's where that is less."""
    state, weight = folded.state, plan.snapshot.rollout.weight
    seconds = max(((state.watermark_ms or state.start_ms) - state.start_ms) / 1000, plan.rules.tick_seconds)
    so_far, beside = (each.tally.total / seconds for each in (state.canary, state.stable))
    if weight is None or not plan.compares:
        return so_far
    share = weight / plan.snapshot.rollout.routing.full_weight * plan.policy.guards.min_share_of_weight
    part = beside * share / (1 - share)
    # The weight may have been more until now.
    return min(so_far, part) if so_far else part


def _epoch(plan: Plan, option: Option) -> Epoch:
    births = plan.snapshot.facts.births
    if option.candidate.outlives:
        return Epoch(plan.known.since)
    return Epoch(plan.known.since, canary_born=births.canary, stable_born=births.stable)


def _pods(facts: Facts) -> Mapping[str, Pod]:
    if isinstance(facts.pods, Absent):
        return {}
    every = (*facts.pods.canary, *facts.pods.stable)
    return {pod.name: Pod(pod.started, pod.restarts) for pod in every if pod.started is not None}


def _canary_runs(plan: Plan) -> bool | None:
    """Whether the canary gets weight and serves; None if nobody knows."""
    pods = plan.snapshot.facts.pods
    if isinstance(pods, Absent):
        return None
    return _serves(pods) and plan.snapshot.rollout.weight != 0


def _serves(pods: VersionPods) -> bool:
    def ready(pod: PodFacts) -> bool:
        return pod.ready_since is not None

    return any(map(ready, pods.canary))
