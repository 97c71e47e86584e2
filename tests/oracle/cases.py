"""Cases by seed: metrics, arguments and scripted answers as people write them, and as they should not.

Law: a seed and a number give the same case for ever; what changes that gets a new generation of recordings.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from tests.conditions import generating
from tests.oracle import answers

ADDRESS = "http://prometheus:9090"
REFUSING = "http://127.0.0.1:1"

CONDITIONS = {
    "vector": (
        *("result[0] < 0.5", "result[0] <= 0.05", "len(result) > 0", "len(result) == 0 || result[0] < 0.5"),
        *("all(result, # < 0.5)", "any(result, # > 0.1)", "isNaN(result[0]) || result[0] < 0.5", "isNil(result)"),
        *("0.1 in result", "result[1] < 0.5", "len(result) == 2", "len(result) >= 1 and result[0] <= 0.2"),
        *("default(result, 0)[0] < 0.5", "not (result[0] > 0.1)", "count(result, # > 0.1) < 2"),
        "result[0] < {{args.limit}}",
    ),
    "scalar": (
        *("result < 0.5", "result >= 0.95", "!isNaN(result)", "isInf(result)", "asInt(result) == 0", "result == 10"),
        *("asFloat(result) < 0.5", "result >= 0.9 || isNaN(result)", "result != 10", "result > 0.05 and result < 0.6"),
        "result < {{ args.limit }}",
    ),
    "matrix": (
        *("all(result, # < 0.5)", "result[1] < 0.5", "len(result) == 4", "result[0] < 0.5", "len(result) > 0"),
        *("any(result, {# > 0.1})", "none(result, # > 0.2)", "filter(result, # > 0.1)[0] < 0.5"),
    ),
}
MISTAKES = ("result ==", "oops > 1", "1", "result[3] < 1", "result < 1", "result[0] < 1", "true", "false", "result")
RANGES = (
    ('now() - duration("5m")', "now()", "1m"),
    ('date("2023-08-14T00:00:00Z")', 'date("2023-08-14T01:00:00Z")', "30s"),
    ('now() - duration("{{args.window}}")', "now()", "1m"),
    ('duration("1h")', "now()", "1m"),
    ("now()", "oops", "1m"),
    ("now()", "now()", "x"),
    ("", "now()", "1m"),
)
# From this seed on most conditions are any that the language allows, or nearly.
BROAD_FROM = 5000
# What Argo takes for no count.
ENDLESS = (None, 0, "many", "50%", "x")
ARGUMENTS = (
    {"name": "limit", "value": "0.5"},
    {"name": "window", "value": "10m"},
    {"name": "a-b", "value": 'x"y\n\t{{args.limit}}'},
    {"name": "n", "value": "2"},
)


@dataclass(frozen=True, slots=True)
class Case:
    """One AnalysisRun and the answers that its metrics get; the last answer of a list is given again."""

    seed: int
    number: int
    spec: dict[str, Any]
    scripts: list[list[dict[str, Any]]]
    terminate_after: float | None = None

    @property
    def name(self) -> str:
        """Its name in the cluster."""
        return f"case-{self.seed}-{self.number}"


@dataclass(slots=True)
class _Draft:
    metrics: list[dict[str, Any]] = field(default_factory=list)
    scripts: list[list[dict[str, Any]]] = field(default_factory=list)


def case(seed: int, number: int) -> Case:
    """The case of a seed and a number."""
    chance = random.Random(f"{seed}/{number}")
    draft = _Draft()
    for index in range(chance.choices((1, 2, 3), (55, 30, 15))[0]):
        metric, kind = _metric(chance, index, broad=seed >= BROAD_FROM)
        draft.metrics.append(metric)
        oddness = chance.choice((0.0, 0.05, 0.2, 0.5))
        draft.scripts.append([answers.scripted(chance, kind, oddness=oddness) for _ in range(12)])
        _give_time(metric, draft.scripts[-1])
    spec: dict[str, Any] = {
        "metrics": draft.metrics,
        "args": _arguments(chance),
        **_around(chance, draft.metrics),
    }
    return Case(seed, number, spec, draft.scripts, _end(chance, draft.metrics))


def _give_time(metric: dict[str, Any], scripts: list[dict[str, Any]]) -> None:
    prometheus = metric["provider"].get("prometheus")
    if prometheus is not None and any("hang" in answer for answer in scripts):
        prometheus.setdefault("timeout", 1)


def _end(chance: random.Random, metrics: list[dict[str, Any]]) -> float | None:
    endless = any(metric.get("interval") and metric.get("count") in ENDLESS for metric in metrics)
    if endless or chance.random() < 0.06:
        return round(chance.uniform(0.2, 9.0), 1)
    return None


def _metric(chance: random.Random, index: int, *, broad: bool) -> tuple[dict[str, Any], str]:
    kind = chance.choices(("vector", "scalar", "matrix"), (60, 25, 15))[0]
    metric: dict[str, Any] = {"name": f"m{index}", "provider": {"prometheus": _prometheus(chance, index, kind)}}
    metric |= _conditions(chance, kind, broad=broad) | _measured(chance) | _limits(chance)
    if chance.random() < 0.85:
        _mend(metric)
    if chance.random() < 0.06:
        _spoil(chance, metric)
    return metric, kind


def _mend(metric: dict[str, Any]) -> None:
    """Give the metric as many measurements as its limits need; most people do."""
    needed = max(0, int(metric.get("failureLimit", 0))) + int(metric.get("consecutiveSuccessLimit", 0))
    needed = max(needed, int(metric.get("inconclusiveLimit", 0)))
    if (needed > 1 and "count" in metric) or (needed > 1 and "interval" not in metric):
        metric["count"] = max(needed, metric["count"]) if isinstance(metric.get("count"), int) else needed
        metric.setdefault("interval", "2s")
    if int(metric.get("failureLimit", 0)) == -1 and int(metric.get("consecutiveSuccessLimit", 0)) == 0:
        metric["consecutiveSuccessLimit"] = 1


def _prometheus(chance: random.Random, index: int, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = {"address": f"{ADDRESS}/{index}", "query": f'up{{pod="{index}"}}'}
    if chance.random() < 0.15:
        found["query"] = chance.choice(('x{a="{{args.a-b}}"}', "x[{{ args.window }}]", "x < {{args.limit}} && 1 > 2"))
    if kind == "matrix":
        start, end, step = RANGES[0] if chance.random() < 0.6 else chance.choice(RANGES)
        found["rangeQuery"] = {"start": start, "end": end, "step": step}
    if chance.random() < 0.04:
        found["timeout"] = chance.choice((0, -1, 5))
    if chance.random() < 0.03:
        found["address"] = chance.choice((REFUSING, "prometheus:9090", "", "/only/a/path"))
    return found


def _conditions(chance: random.Random, kind: str, *, broad: bool) -> dict[str, str]:
    def one() -> str:
        if broad and chance.random() < 0.7:
            return generating.case(chance.randrange(10**9), 0).condition
        return chance.choice(MISTAKES if chance.random() < 0.08 else CONDITIONS[kind])

    which = chance.choices(("success", "failure", "both", "none"), (50, 18, 27, 5))[0]
    found = {}
    if which in ("success", "both"):
        found["successCondition"] = one()
    if which in ("failure", "both"):
        found["failureCondition"] = one()
    return found


def _measured(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    match chance.choices(("once", "counted", "endless"), (40, 48, 12))[0]:
        case "once" if chance.random() < 0.3:
            found["count"] = chance.choice((1, "1", 0))
        case "counted":
            # Under 2 s, a busy machine lets Argo race with its own cache, and the case is lost.
            intervals = ("1s", "1000ms", "1.5s", "2s", "3s", "2500ms", "500ms", "0s")
            found["interval"] = chance.choices(intervals, (15, 5, 8, 36, 18, 14, 2, 2))[0]
            found["count"] = chance.choices((2, 3, 4, 5, "3", 12, "{{args.n}}"), (30, 30, 10, 10, 5, 4, 8))[0]
        case "endless":
            found["interval"] = chance.choice(("1s", "2s", "3s"))
            found |= chance.choice(({}, {"count": 0}, {"count": "many"}))
    if chance.random() < 0.12:
        found["initialDelay"] = chance.choices(("1s", "2s", "2500ms", "500ms", "0s"), (20, 40, 30, 5, 5))[0]
    return found


def _limits(chance: random.Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if chance.random() < 0.35:
        found["failureLimit"] = chance.choice((0, 1, 1, 2, "1", -1))
    if chance.random() < 0.2 or found.get("failureLimit") == -1:
        found["consecutiveSuccessLimit"] = chance.choice((1, 2, 2, "1", 0))
    if chance.random() < 0.25:
        found["inconclusiveLimit"] = chance.choice((0, 1, 2, "1"))
    if chance.random() < 0.6:
        found["consecutiveErrorLimit"] = chance.choices((0, 1, 2, "0"), (50, 30, 10, 10))[0]
    return found


# What Argo's validation, or its templating, finds: one field of the metric, or of its query, and wrong values of it.
MISTAKEN_FIELDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("interval", ("1", "oops", "1x", "")),
    ("initialDelay", ("1", "oops")),
    ("name", ("m0", "{{args.a-b}}")),
    ("failureLimit", (-2, 99)),
    ("inconclusiveLimit", (-1, 99)),
    ("consecutiveErrorLimit", (-1,)),
    ("consecutiveSuccessLimit", (-1, 99)),
    ("count", (-1, "50%", "x")),
    ("successCondition", ("result[0] < {{args.<limit>}}",)),
    ("query", ("x{{args.missing}} + {{other}}", "x{{args.limit", "{{\targs.limit}}")),
)


def _spoil(chance: random.Random, metric: dict[str, Any]) -> None:
    """Make a mistake."""
    prometheus = metric["provider"]["prometheus"]
    match chance.randrange(12):
        case 0:
            metric["provider"] = chance.choice(({}, {"prometheus": prometheus, "web": {"url": "x", "jsonPath": "{$}"}}))
        case 1:
            metric["count"], metric["interval"] = chance.choice((2, 3)), ""
        case _:
            field_name, values = chance.choice(MISTAKEN_FIELDS)
            target = prometheus if field_name == "query" else metric
            target[field_name] = chance.choice(values)


def _arguments(chance: random.Random) -> list[dict[str, Any]]:
    if chance.random() < 0.06:
        return [argument for argument in ARGUMENTS if chance.random() < 0.7]
    found: list[dict[str, Any]] = [dict(argument) for argument in ARGUMENTS]
    if chance.random() < 0.015:
        found.append({"name": "unused"})
    if chance.random() < 0.01:
        found.append({"name": "field", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})
    if chance.random() < 0.03:
        found[0]["value"] = chance.choice(
            ("\x07", "\x7f", "half", "", "1 || true", "\\", "\u00e9\u2028\U0001f600\U000e0001")
        )
    return found


def _around(chance: random.Random, metrics: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names = [metric["name"] for metric in metrics]
    if chance.random() < 0.2:
        found["dryRun"] = [{"metricName": chance.choice((*names, *names, "m.", ".*", "^m0$", "1"))}]
        if chance.random() < 0.2:
            found["dryRun"].append({"metricName": chance.choice(("*", "(", "nobody", "m[01]", ""))})
    if chance.random() < 0.1:
        rule = {"metricName": chance.choice((*names, ".*", "m", "nobody")), "limit": chance.choice((1, 2, 20, 0, -1))}
        found["measurementRetention"] = [rule]
    if chance.random() < 0.012:
        found["terminate"] = True
    if chance.random() < 0.008:
        metrics.clear()
    return found
