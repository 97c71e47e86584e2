"""A tenant who writes what nobody should, or whose telemetry fails: the neighbours' gates go on at their pace.

In one run a neighbour's looks and the delay of its verdict are taken without the tenant's doings and with them, on the
same machine; what counts is the ratio.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import telemetryproxy
from tests.e2e.scenes import WITH_POLICY
from tests.e2e.stage import V2, Stage, error_rate, stage_in
from tests.e2e.telemetryproxy import TelemetryProxy
from tests.faults.scenarios import Sees, scenario

PACE_SECONDS = 12.0
# What a busy machine alone may make of one pace against another, and of one delay against another.
LEAST_PACE, MOST_DELAY, SLACK_SECONDS = 0.6, 2.0, 4.0
# In the tenant's queries, and in nobody else's.
MARK = "tenants_own"

Doing = Callable[["Tenant"], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True)
class Tenant:
    """The tenant's namespace, and what stands before Prometheus for all."""

    stage: Stage
    telemetry: TelemetryProxy

    def gated(self, *metrics: dict[str, Any], **annotations: str) -> None:
        """A release of theirs that is judged by these metrics."""
        spec = {"args": [{"name": "namespace"}, {"name": "canary-hash"}], "metrics": list(metrics)}
        self.stage.template(spec=spec)
        self.stage.rollout(annotations=annotations)
        self.stage.release()
        self.stage.at_pause()


@pytest.fixture
def tenant(stage: Stage, telemetry: TelemetryProxy, tmp_path: Path) -> Iterator[Tenant]:
    """Somebody else's namespace under the same operator."""
    folder = tmp_path / "tenant"
    folder.mkdir()
    with stage_in(stage.lab, stage.identity, folder) as theirs:
        yield Tenant(theirs, telemetry)


def _their(condition: str | None = None, query: str = f"{MARK}", **extra: Any) -> dict[str, Any]:
    metric = {**error_rate(**extra), "successCondition": condition or "len(result) == 0 || result[0] < 1"}
    metric["provider"] = {"prometheus": {"address": "http://prometheus.monitoring:9090", "query": query}}
    return metric


# What a tenant does


@contextlib.contextmanager
def _thousand_metrics(tenant: Tenant) -> Iterator[None]:
    tenant.gated(*(_their(name=f"metric-{number}", query=f"{MARK}_{number}") for number in range(1000)))
    yield


@contextlib.contextmanager
def _huge_annotations(tenant: Tenant) -> Iterator[None]:
    # The API server takes 256 KiB of annotations.
    arguments = json.dumps({f"argument-{number}": "x" * 1000 for number in range(240)})
    tenant.gated(_their(), **{"canary-operator.io/analysis-args": arguments})
    yield


@contextlib.contextmanager
def _hostile_conditions(tenant: Tenant) -> Iterator[None]:
    evil = '"' + "a" * 60 + '!" matches "^(a+)+$"'
    deep = "(" * 3000 + "true" + ")" * 3000
    laughs = "(" + " + ".join(["len(map(1..1000, {len(map(1..1000, {#}))}))"] * 20) + ") > 0"
    texts = {
        "regex": evil,
        "deep": deep,
        "laughs": laughs,
        "unicode": 'result[0] < 1 && "\u202e\U0001f4a9" != "é"',
    }
    tenant.gated(*(_their(text, name=name) for name, text in texts.items()))
    yield


@contextlib.contextmanager
def _hostile_policy(tenant: Tenant) -> Iterator[None]:
    # The API server takes 2,000 characters.
    deep = "(" * 900 + MARK + ")" * 900
    objectives = [
        {
            "name": f"each-{number}",
            "objective": "99",
            "indicator": {"ratio": {"bad": deep, "total": f'{MARK}{{a=~"(x+x+)+y"}}'}},
        }
        for number in range(16)
    ]
    tenant.stage.policy(objectives=objectives)
    ours = {"canary-operator.io/gate": "enforce", **WITH_POLICY}
    tenant.stage.rollout(gate=None, annotations=ours)
    tenant.stage.release()
    tenant.stage.at_pause()
    yield


@contextlib.contextmanager
def _fast_annotations(tenant: Tenant) -> Iterator[None]:
    tenant.gated(_their())
    ended = threading.Event()

    def write(worker: int) -> None:
        number = 0
        while not ended.wait(0.04):
            number += 1
            with contextlib.suppress(AssertionError):
                tenant.stage.annotate("analysis-args", json.dumps({"none": f"{worker}-{number}"}))

    workers = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for each in workers:
        each.start()
    try:
        yield
    finally:
        ended.set()
        for each in workers:
            each.join()


def _answered(tenant: Tenant, behaviour: telemetryproxy.Behaviour) -> None:
    """Answer what the tenant asks like this, and everybody else as ever."""

    def answer(handler: Any, body: bytes) -> None:
        theirs = MARK.encode() in body or MARK in handler.path
        (behaviour if theirs else telemetryproxy.passing)(handler, body)

    tenant.telemetry.answers(answer)


@contextlib.contextmanager
def _failing_telemetry(tenant: Tenant) -> Iterator[None]:
    _answered(tenant, telemetryproxy.saying(503))
    tenant.gated(_their())
    yield


@contextlib.contextmanager
def _slow_query(tenant: Tenant) -> Iterator[None]:
    def slowly(handler: Any, body: bytes) -> None:
        handler.server.proxy.closing.wait(30)
        telemetryproxy.passing(handler, body)

    _answered(tenant, slowly)
    tenant.gated(_their())
    yield


DOINGS: dict[str, Doing] = {
    "a template with 1,000 metrics": _thousand_metrics,
    "annotations of 240 kB": _huge_annotations,
    "conditions with a hostile regex, 3,000 parentheses, 20 million laughs and unicode": _hostile_conditions,
    "a policy of 16 objectives with 900 parentheses and a hostile regex": _hostile_policy,
    "annotations that change 100 times a second": _fast_annotations,
    "queries that are answered with 503": _failing_telemetry,
    "a query that takes 30 s": _slow_query,
}


@scenario(
    component="Tenants",
    fault="{doing}",
    expected="the neighbour is looked at as often as without it, and its bad canary is aborted as soon",
)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("doing", DOINGS)
def test_neighbours_do_not_notice(stage: Stage, tenant: Tenant, doing: str, seen: Sees) -> None:
    stage.template(failure_limit=2)
    stage.policy(timing={"minMeasurements": 1000})
    names = ("before", "neighbour")
    for name in names:
        stage.rollout(name, annotations=WITH_POLICY)
    operator = stage.operator(
        prometheus=tenant.telemetry.url, timeout="10s", namespaces=[stage.namespace, tenant.stage.namespace]
    )
    for name in names:
        stage.release(name=name)
    for name in names:
        stage.until(lambda name=name: _measured(stage, name) >= 3, f"measurements of {name}", timeout=120)
    alone, delay_alone = _pace(stage), _delay(stage, "before")

    with DOINGS[doing](tenant):
        tenant.stage.until(tenant.stage.gate, "the tenant to be looked at", timeout=120)
        together, delay = _pace(stage), _delay(stage, "neighbour")

    assert operator.process.poll() is None
    assert together >= LEAST_PACE * alone, (together, alone)
    assert delay <= MOST_DELAY * delay_alone + SLACK_SECONDS, (delay, delay_alone)
    assert not tenant.stage.is_promoted(), "the tenant's release was promoted"
    seen(
        f"{together:.0f} looks a minute, {alone:.0f} without; aborted {delay:.1f} s after the first error, "
        f"{delay_alone:.1f} s without; the tenant: {' '.join(map(str, tenant.stage.verdict()))}"
    )


def _measured(stage: Stage, name: str) -> int:
    evidence = stage.gate(name).get("evidence") or [{}]
    return int((evidence[0].get("measurements") or {}).get("successful", 0))


def _pace(stage: Stage) -> float:
    """How often the neighbour is measured, times a minute."""
    before, began = _measured(stage, "neighbour"), time.monotonic()
    stage.throughout(lambda: True, PACE_SECONDS, "the pace")
    return (_measured(stage, "neighbour") - before) * 60 / (time.monotonic() - began)


def _delay(stage: Stage, name: str) -> float:
    """How long it takes from the first error of a canary to its abort, seconds."""
    stage.lab.world.set_behaviour(stage.namespace, name, V2, error_ratio=1.0)
    began = time.monotonic()
    stage.until(lambda: stage.status(name).get("abort"), f"the abort of {name}", timeout=120)
    return time.monotonic() - began
