"""A whole run of metrics, as Argo's analysis controller advances it: measured, assessed, ended.

Law: a pure state machine. Whoever has a clock asks what is due, takes the measurements and hands them over with their
times; one ``advance`` is one round of Argo's controller, and after each round another follows until nothing changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canary_operator.conditions import metric as metrics
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import Situation, deviates
from canary_operator.conditions.measurement import Measurement, MeasurementPhase
from canary_operator.conditions.metric import Counters, MetricPhase
from canary_operator.conditions.metric_spec import Limits
from canary_operator.model import samples

RETAINED_MEASUREMENTS = 10
NOTHING_COUNTED = Counters()
# From best to worst. Where all have ended well nothing is worse than Successful.
_WORSE = (MetricPhase.SUCCESSFUL, MetricPhase.INCONCLUSIVE, MetricPhase.ERROR, MetricPhase.FAILED)


@dataclass(frozen=True, slots=True)
class Rule:
    """A metric of a run.

    Args:

        name: unique within the run.

        dry: whether it is only measured, and decides nothing.

        delayed: whether it has an initial delay, be it 0: Argo's first round measures no such metric.

        retained: how many measurements are kept.
    """

    name: str
    limits: Limits
    dry: bool = False
    delayed: bool = False
    retained: int = RETAINED_MEASUREMENTS


@dataclass(frozen=True, slots=True)
class Taken:
    """One attempt to measure: what came of it and when it ended, Unix seconds."""

    outcome: Measurement | samples.Absent
    at: float

    @property
    def phase(self) -> MeasurementPhase:
        """The phase that is counted; absent is an error."""
        return MeasurementPhase.ERROR if isinstance(self.outcome, samples.Absent) else self.outcome.phase

    @property
    def value(self) -> str:
        """The exact value, "" where there is none."""
        return "" if isinstance(self.outcome, samples.Absent) else self.outcome.value_text

    @property
    def error(self) -> str:
        """Why there is none, "" where there is one."""
        return self.outcome.message if self.phase is MeasurementPhase.ERROR else ""


@dataclass(frozen=True, slots=True)
class Result:
    """What a metric has come to. ``measurements`` are the last ones, the newest at the end."""

    counters: Counters = NOTHING_COUNTED
    phase: MetricPhase = MetricPhase.RUNNING
    message: str = ""
    measurements: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """How many metrics there are, and in which state those that are completed."""

    count: int = 0
    successful: int = 0
    failed: int = 0
    inconclusive: int = 0
    error: int = 0


@dataclass(frozen=True, slots=True)
class Run:
    """An analysis under way.

    Args:

        results: metric -> what it has come to; a metric that was never measured is not in it.

        phase: None before the first round.

        started_at: Unix seconds of the first round's end, None before.

        ending: whether somebody has asked for its end.
    """

    rules: tuple[Rule, ...]
    dialect: Dialect = Dialect.SAFE
    results: Mapping[str, Result] = field(default_factory=dict)
    phase: MetricPhase | None = None
    message: str = ""
    started_at: float | None = None
    completed_at: float | None = None
    summary: Summary = Summary()
    dry_summary: Summary = Summary()
    ending: bool = False

    @property
    def terminating(self) -> bool:
        """Whether nothing more is measured: somebody wants so, or a metric that counts is not well."""
        return self.ending or any(self.results[rule.name].phase in metrics.UNWELL for rule in self._counting())

    def _counting(self) -> list[Rule]:
        return [rule for rule in self.rules if not rule.dry and rule.name in self.results]


def due(run: Run, now: float) -> tuple[str, ...]:
    """The metrics that are to be measured now, Unix seconds."""
    times = due_times(run)
    return tuple(name for name, at in times.items() if at < now or (at == now and name not in run.results))


def due_times(run: Run) -> dict[str, float]:
    """Metric -> when it is to be measured next, Unix seconds; those that are not are left out.

    An initial delay counts from the first round.
    """
    if run.terminating or (run.phase is not None and run.phase.completed):
        return {}
    times = {rule.name: _due_at(run, rule) for rule in run.rules}
    return {name: at for name, at in times.items() if at is not None}


def _due_at(run: Run, rule: Rule) -> float | None:
    known = run.results.get(rule.name)
    if known is None:
        if not rule.delayed:
            return 0.0
        return None if run.started_at is None else run.started_at + rule.limits.initial_delay_seconds
    if known.phase.completed:
        return None
    return metrics.due_at(known.counters, rule.limits, 0.0, run.dialect)


def advance(run: Run, now: float, taken: Mapping[str, Taken]) -> Run:
    """One round: what was measured is counted, then every metric and the run are assessed.

    Args:

        now: when the round ends, Unix seconds.

        taken: metric -> the attempt of this round.
    """
    terminating = run.terminating
    results = dict(run.results)
    for name, attempt in taken.items():
        results[name] = _counted(results.get(name, Result()), attempt)
    measured = replace(run, results=results, started_at=now if run.started_at is None else run.started_at)
    assessed = _assessed(measured, terminating=terminating)
    return _retained(_ended(measured, assessed, now, terminating=terminating))


def _counted(result: Result, attempt: Taken) -> Result:
    counters = metrics.fold(result.counters, attempt.at, attempt.outcome)
    return replace(result, counters=counters, measurements=(*result.measurements, attempt))


def _assessed(run: Run, *, terminating: bool) -> dict[str, Result]:
    found = {}
    for rule in run.rules:
        known = run.results.get(rule.name)
        if known is not None:
            found[rule.name] = _judged(rule, known, run.dialect, terminating=terminating)
    return found


def _judged(rule: Rule, known: Result, dialect: Dialect, *, terminating: bool) -> Result:
    phase = known.phase if known.phase.completed else metrics.assess(known.counters, rule.limits, dialect)
    if terminating and not phase.completed:
        phase = MetricPhase.INCONCLUSIVE if deviates(Situation.CUT_SHORT, dialect) else MetricPhase.SUCCESSFUL
    judged = known
    if phase is not known.phase:
        judged = replace(known, phase=phase, message=known.measurements[-1].error if known.measurements else "")
    excess = metrics.excess(known.counters, rule.limits)
    if rule.dry and phase.completed and excess:
        return replace(judged, message=f"Metric assessed {phase.value} due to {excess}")
    return judged


def _ended(run: Run, results: Mapping[str, Result], now: float, *, terminating: bool) -> Run:
    after = replace(run, results=results, summary=_summary(run, results, dry=False))
    after = replace(after, dry_summary=_summary(run, results, dry=True))
    phase, message = _verdict(after, terminating=terminating)
    if phase is run.phase:
        return after
    return replace(after, phase=phase, message=message, completed_at=now if phase.completed else None)


def _verdict(run: Run, *, terminating: bool) -> tuple[MetricPhase, str]:
    """The worst of the completed metrics that count, and what Argo says of it."""
    worst, message = None, "Run Terminated" if run.ending else ""
    for rule in run.rules:
        result = run.results.get(rule.name)
        if result is None or not result.phase.completed:
            continue
        if rule.dry:
            worst = worst or _of_dry_runs_only(run)
        elif worst is None or _WORSE.index(result.phase) > _WORSE.index(worst):
            worst, message = result.phase, _blame(rule, result) or message
    if terminating:
        nothing = MetricPhase.INCONCLUSIVE if deviates(Situation.UNMEASURED, run.dialect) else MetricPhase.SUCCESSFUL
        return worst or nothing, message
    complete = all(rule.name in run.results and run.results[rule.name].phase.completed for rule in run.rules)
    return (worst, message) if complete and worst is not None else (MetricPhase.RUNNING, "")


def _of_dry_runs_only(run: Run) -> MetricPhase:
    """What a dry-run metric counts for where none that counts is complete."""
    only = all(rule.dry for rule in run.rules)
    held = only and deviates(Situation.ONLY_DRY_RUN, run.dialect)
    return MetricPhase.INCONCLUSIVE if held else MetricPhase.SUCCESSFUL


def _blame(rule: Rule, result: Result) -> str:
    excess = metrics.excess(result.counters, rule.limits)
    if not excess:
        return ""
    return blame(rule.name, result.phase, excess, result.message)


def blame(name: str, phase: MetricPhase, excess: str, error: str) -> str:
    """Argo's sentence for the metric that decides a run.

    Args:

        excess: which limit is exceeded, as ``metric.excess`` says it.

        error: of the last measurement, "" for none.
    """
    said = f'Metric "{name}" assessed {phase.value} due to {excess}'
    return f'{said}: "Error Message: {error}"' if error else said


def _summary(run: Run, results: Mapping[str, Result], *, dry: bool) -> Summary:
    """By the limits that are exceeded: whatever exceeds none counts as successful once it is complete."""
    rules = [rule for rule in run.rules if rule.dry is dry]
    counted: dict[str, int] = {}
    for rule in rules:
        result = results.get(rule.name)
        if result is not None and result.phase.completed:
            word = _exceeded(result.counters, rule.limits)
            counted[word] = counted.get(word, 0) + 1
    return Summary(count=len(rules), **counted)


def _exceeded(counters: Counters, limits: Limits) -> str:
    excess = metrics.excess(counters, limits)
    words = {"failed": "failed", "inconclusive": "inconclusive", "consecutiveErrors": "error", "": "successful"}
    return words[excess.partition(" ")[0]]


def _retained(run: Run) -> Run:
    results = dict(run.results)
    for rule in run.rules:
        if rule.name in results:
            kept = results[rule.name].measurements[-rule.retained :]
            results[rule.name] = replace(results[rule.name], measurements=kept)
    return replace(run, results=results)
