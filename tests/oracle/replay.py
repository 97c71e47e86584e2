"""A recorded case, once more through our own rules; every difference is a sentence.

Law: pure. Times are Argo's own, whole seconds since the start of the run; what was due is checked against them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from canary_operator.conditions import run as runs
from canary_operator.conditions import validation
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import Situation
from canary_operator.conditions.measurement import Measurement, MeasurementPhase, measure, situation
from canary_operator.conditions.metric import exceeds_errors
from canary_operator.conditions.run import Run, Taken
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.oracle import answers
from tests.oracle.answers import UNTOLD, Heard

# How late Argo may be on a busy machine, seconds.
SLACK = 4
ENDED = ("Successful", "Failed", "Error", "Inconclusive")


@dataclass(slots=True)
class Replay:
    """One case under way."""

    line: Mapping[str, Any]
    dialect: Dialect
    run: Run
    metrics: Mapping[str, Mapping[str, Any]]
    order: Mapping[str, int]
    asked: dict[str, int] = field(default_factory=dict)
    situations: set[Situation] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Found:
    """What came out: the end of our run, what it met on the way, and where it is not Argo's."""

    phase: str
    message: str
    situations: frozenset[Situation]
    wrong: tuple[str, ...]


def stale(line: Mapping[str, Any]) -> bool:
    """Whether Argo judged by a status older than its own last write: a race of its cache, and no rule of its own."""
    statuses = [_status(write) for write in line["writes"]]
    after_its_end = any(status.get("phase") in ENDED for status in statuses[:-1])
    lost = any(sum(_attempts(after).values()) < sum(_attempts(before).values()) for before, after in pairwise(statuses))
    results = {result["name"]: result["phase"] for result in statuses[-1].get("metricResults") or ()}
    half = statuses[-1].get("phase") in ENDED and any(phase not in ENDED for phase in results.values())
    return after_its_end or lost or half or _asked_twice(line, _attempts(statuses[-1]))


def _asked_twice(line: Mapping[str, Any], counted: Mapping[str, int]) -> bool:
    names = [metric["name"] for metric in line["spec"]["metrics"]]
    return any(len(line["asked"][str(at)]) > counted[name] for at, name in enumerate(names) if name in counted)


def replay(line: Mapping[str, Any], dialect: Dialect) -> Found:
    """Follow Argo's writes, one by one. In the safe dialect only the ends are compared, by the caller."""
    accepted = validation.accept(line["spec"])
    last = _status(line["writes"][-1])
    if isinstance(accepted, validation.Refused):
        found = Found("Error", accepted.message, frozenset({Situation.MISTAKE}), ())
        return _compared_ends(found, last)
    names = [metric["name"] for metric in accepted.metrics]
    state = Replay(
        line,
        dialect,
        Run(accepted.rules, dialect),
        dict(zip(names, accepted.metrics, strict=True)),
        {name: at for at, name in enumerate(names)},
    )
    before: Mapping[str, Any] = {}
    for write in line["writes"]:
        _round(state, before, write)
        before = _status(write)
    found = Found(state.run.phase.value if state.run.phase else "", state.run.message, frozenset(state.situations), ())
    if dialect is Dialect.SAFE:
        return found
    return Found(found.phase, found.message, found.situations, (*state.wrong, *_whole(state, last)))


def _compared_ends(found: Found, last: Mapping[str, Any]) -> Found:
    wrong = [] if last.get("phase") == found.phase else [f"phase {found.phase}, Argo {last.get('phase')}"]
    if last.get("message", "") != found.message:
        wrong.append(f"message {found.message!r}, Argo {last.get('message')!r}")
    return Found(found.phase, found.message, found.situations, tuple(wrong))


def _status(write: Mapping[str, Any]) -> Mapping[str, Any]:
    status: Mapping[str, Any] = write["status"]
    return status


def _attempts(status: Mapping[str, Any]) -> dict[str, int]:
    return {each["name"]: each.get("count", 0) + each.get("error", 0) for each in status.get("metricResults") or ()}


def _round(state: Replay, before: Mapping[str, Any], write: Mapping[str, Any]) -> None:
    status = _status(write)
    old, new = _attempts(before), _attempts(status)
    fresh = [name for name, number in new.items() if number > old.get(name, 0)]
    if write["terminated"] and not fresh:
        state.run = runs.replace(state.run, ending=True)
    elif write["terminated"] and not state.run.ending:
        # The round may have begun before the wish to end arrived: measured is measured.
        state.run = runs.replace(state.run, ending=False)
    results = {each["name"]: each for each in status.get("metricResults") or ()}
    _check_due(state, fresh, results)
    taken = {name: _taken(state, name, results[name]) for name in fresh}
    before_round, state.run = state.run, runs.advance(state.run, status.get("startedAt", 0), taken)
    if state.dialect is Dialect.ARGO:
        state.wrong += _phases(state, status)
    else:
        state.situations |= _of_the_run(before_round, state.run)


def _of_the_run(before: Run, after: Run) -> set[Situation]:
    """The rows of the table that are no matter of one answer, where a round met them."""
    limits = {rule.name: rule.limits for rule in after.rules}
    known = after.results.items()
    met = {
        Situation.CUT_SHORT: before.terminating and any(not each.phase.completed for each in before.results.values()),
        Situation.UNMEASURED: after.ending and not after.results,
        Situation.ONLY_DRY_RUN: all(rule.dry for rule in after.rules),
        Situation.ENDLESS_SUCCESS: any(
            limits[name].endless and 0 < limits[name].consecutive_success_limit <= each.counters.consecutive_success
            for name, each in known
        ),
        Situation.ERRORS: any(exceeds_errors(each.counters, limits[name]) for name, each in known),
    }
    return {situation for situation, applies in met.items() if applies}


def _check_due(state: Replay, fresh: list[str], results: Mapping[str, Any]) -> None:
    """What Argo measured is what is due at that second, and nothing was left that had been due for long."""
    if state.dialect is Dialect.SAFE or not fresh:
        return
    began = {name: results[name]["measurements"][-1]["startedAt"] for name in fresh}
    times = runs.due_times(state.run)
    for name in fresh:
        if name not in times or (name in state.run.results and not times[name] < began[name] + 1):
            state.wrong.append(f"{name} measured at {began[name]}, due {times.get(name)}")
        elif began[name] > times[name] + SLACK and name in state.run.results:
            state.wrong.append(f"{name} measured at {began[name]}, due already {times[name]}")
    for name, at in times.items():
        if name not in fresh and at < min(began.values()):
            state.wrong.append(f"{name} not measured at {min(began.values())}, due {at}")


def _taken(state: Replay, name: str, result: Mapping[str, Any]) -> Taken:
    measured = result["measurements"][-1]
    metric = state.metrics[name]
    conditions = (metric.get("successCondition") or "", metric.get("failureCondition") or "")
    heard = _heard(state, name, metric, measured)
    if heard.warnings:
        state.situations.add(Situation.INCOMPLETE)
    if state.dialect is Dialect.SAFE and (met := situation(heard.answer, *conditions)) is not None:
        state.situations.add(met)
    outcome = measure(heard.answer, *conditions, state.dialect)
    if isinstance(outcome, Measurement) and outcome.phase is MeasurementPhase.ERROR:
        told = isinstance(heard.answer, Absent) and heard.answer.message != UNTOLD
        outcome = outcome if told else Measurement(outcome.phase, "", measured.get("message", ""))
    return Taken(outcome, float(measured["finishedAt"]))


def _heard(state: Replay, name: str, metric: Mapping[str, Any], measured: Mapping[str, Any]) -> Heard:
    said = measured.get("message", "")
    mistake = validation.provider_mistake(metric) or (said if said.startswith("failed to parse rangeQuery.") else "")
    if mistake:
        return Heard(Absent(HoldReason.CONFIGURATION_ERROR, mistake))
    at = state.order[name]
    prometheus = metric["provider"]["prometheus"]
    kind = "query_range" if "rangeQuery" in prometheus else "query"
    url = f"{prometheus['address'].rstrip('/')}/api/v1/{kind}"
    timeout = prometheus.get("timeout", 30)
    if timeout == 0:
        return Heard(Absent(HoldReason.TELEMETRY_UNAVAILABLE, f'Post "{url}": context deadline exceeded'))
    if urlsplit(prometheus["address"]).port == 1:
        refused = f'Post "{url}": dial tcp 127.0.0.1:1: connect: connection refused'
        return Heard(Absent(HoldReason.TELEMETRY_UNAVAILABLE, refused))
    number = state.asked.get(name, 0)
    state.asked[name] = number + 1
    scripts = state.line["scripts"][at]
    return answers.heard(scripts[min(number, len(scripts) - 1)], url, timeout)


def _phases(state: Replay, status: Mapping[str, Any]) -> Iterator[str]:
    """Everything of one write but the measurements."""
    yield from _unlike("phase", state.run.phase.value if state.run.phase else "", status.get("phase"))
    yield from _unlike("message", state.run.message, status.get("message", ""))
    yield from _unlike("runSummary", _counts(state.run.summary), status.get("runSummary") or {})
    yield from _unlike("dryRunSummary", _counts(state.run.dry_summary), status.get("dryRunSummary") or {})
    theirs = {each["name"]: each for each in status.get("metricResults") or ()}
    yield from _unlike("metrics", sorted(state.run.results), sorted(theirs))
    for name in theirs.keys() & state.run.results.keys():
        ours = state.run.results[name]
        counted = ours.counters
        shown = {
            "phase": ours.phase.value,
            "message": ours.message,
            "count": counted.measured,
            "successful": counted.successful,
            "failed": counted.failed,
            "inconclusive": counted.inconclusive,
            "error": counted.error,
            "consecutiveError": counted.consecutive_error,
            "consecutiveSuccess": counted.consecutive_success,
        }
        for key, value in shown.items():
            yield from _unlike(f"{name}.{key}", value, theirs[name].get(key, type(value)()))


def _counts(summary: runs.Summary) -> dict[str, int]:
    names = ("count", "successful", "failed", "inconclusive", "error")
    return {name: getattr(summary, name) for name in names if getattr(summary, name)}


def _whole(state: Replay, last: Mapping[str, Any]) -> Iterator[str]:
    """The measurements that are kept, whether each question was the rendered one, and whether it is over."""
    for each in last.get("metricResults") or ():
        name = each["name"]
        ours = [(one.phase.value, one.value, one.error) for one in state.run.results[name].measurements]
        theirs = [
            (one["phase"], one.get("value", ""), one.get("message", "")) for one in each.get("measurements") or ()
        ]
        yield from _unlike(f"{name}.measurements", ours, theirs)
        yield from _unlike(
            f"{name}.dryRun", any(r.dry for r in state.run.rules if r.name == name), each.get("dryRun", False)
        )
        query = state.metrics[name]["provider"]["prometheus"].get("query", "")
        for asked in state.line["asked"][str(state.order[name])]:
            yield from _unlike(f"{name}.query", query, asked["query"])
    settled = runs.advance(state.run, math.inf, {})
    if settled != state.run:
        yield f"Argo stopped, and another round would change {state.run.phase} to {settled.phase}"
    if runs.due_times(state.run):
        yield f"Argo stopped, and more is due: {runs.due_times(state.run)}"


def _unlike(what: str, ours: object, theirs: object) -> Iterator[str]:
    if ours != theirs:
        yield f"{what}: {ours!r}, Argo {theirs!r}"
