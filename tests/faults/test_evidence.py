"""What is wrong in Prometheus or before it costs time and nothing else: a good canary and a bad one end as they must.

In each test both wait at a pause, healthy and with too little evidence; then the fault begins, and must hold them with
its reason; when it ends one of them begins to fail. Whatever was counted was served.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import telemetryproxy
from tests.e2e.scenes import traffic
from tests.e2e.stage import V2, Stage
from tests.e2e.telemetryproxy import TelemetryProxy, telemetry_proxy
from tests.e2e.test_objectives import AVAILABILITY
from tests.faults import monitoring
from tests.faults.monitoring import Monitor, Relay
from tests.faults.scenarios import Sees, scenario

PROMETHEUS = "Prometheus"
GOOD, BAD = "good", "bad"
BOTH = (GOOD, BAD)
# So few that neither family knows enough before the fault begins.
FEW, MANY = 4.0, 100.0
FAMILIES = ("conditions", "objectives")
HELD_SECONDS = 6.0


@dataclass
class Sight:
    """A stage whose operator sees the world through a relay, a Prometheus of its own and a proxy."""

    stage: Stage
    relay: Relay
    monitor: Monitor
    proxy: TelemetryProxy
    began: float = field(default_factory=time.time)

    def cut_off(self, is_cut: bool) -> None:
        """Let no canary be scraped, or let them be."""
        for name in BOTH:
            self.stage.lab.world.cut_off(self.stage.namespace, name, V2, cut=is_cut)

    def truth(self, name: str) -> int:
        """How many requests the canary has served."""
        totals = self.stage.lab.world.totals(self.stage.namespace, name)
        return totals[self.stage.status(name)["currentPodHash"]].total


@dataclass(frozen=True)
class Fault:
    """What begins, with which reason it must hold, and what ends it."""

    begin: Callable[[Sight], object]
    reason: str
    end: Callable[[Sight], object]


def _answering(behaviour: telemetryproxy.Behaviour) -> Fault:
    return Fault(
        lambda sight: sight.proxy.answers(behaviour),
        "TelemetryUnavailable",
        lambda sight: sight.proxy.answers(telemetryproxy.passing),
    )


def _telling(telling: monitoring.Telling) -> Fault:
    return Fault(
        lambda sight: setattr(sight.relay, "tell", telling),
        "NoData",
        lambda sight: setattr(sight.relay, "tell", monitoring.newest),
    )


def _catch_up(sight: Sight) -> None:
    sight.relay.tell = monitoring.caught_up_backwards(since=sight.began)


def _start_empty(sight: Sight) -> None:
    sight.monitor.forget()
    sight.monitor.start()


FAULTS = {
    "it refuses": Fault(
        lambda sight: sight.proxy.refuse(),
        "TelemetryUnavailable",
        lambda sight: sight.proxy.answers(telemetryproxy.passing),
    ),
    "it hangs": _answering(telemetryproxy.hanging),
    "it drips": _answering(telemetryproxy.dripping),
    "it answers 503": _answering(telemetryproxy.saying(503)),
    "it answers with warnings": _answering(telemetryproxy.warning),
    "it is killed and restarts empty": Fault(lambda sight: sight.monitor.kill(), "TelemetryUnavailable", _start_empty),
    "its clock is 2 minutes ahead": _telling(monitoring.by_another_clock(120)),
    "its clock is 2 minutes behind": _telling(monitoring.by_another_clock(-120)),
    "it lags a minute behind": _telling(monitoring.late(60)),
    "nothing arrives, and later all of it, the last first": Fault(
        lambda sight: setattr(sight.relay, "tell", monitoring.nothing), "NoData", _catch_up
    ),
    "the canaries' series are stale": Fault(
        lambda sight: sight.cut_off(True), "NoData", lambda sight: sight.cut_off(False)
    ),
}


@pytest.fixture
def sight(stage: Stage, tmp_path: Path) -> Iterator[Sight]:
    """A stage whose view of the world can be spoilt at every place."""
    program = stage.lab.programs["prometheus"]
    with (
        monitoring.relayed(_world(stage)) as relay,
        monitoring.monitored(program, tmp_path / "monitor", relay.target) as monitor,
        telemetry_proxy(monitor.url) as proxy,
    ):
        yield Sight(stage, relay, monitor, proxy)


def _world(stage: Stage) -> str:
    return f"http://127.0.0.1:{stage.lab.state.ports.traffic}/metrics"


@scenario(
    component=PROMETHEUS,
    fault="{fault}; {family}",
    expected="holds with its reason while it lasts; then promotes a good canary, aborts one that begins to fail, "
    "and has counted nothing that was not served",
)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_holds_while_it_lasts_and_nothing_else(sight: Sight, fault: str, family: str, seen: Sees) -> None:
    stage, case = sight.stage, FAULTS[fault]
    _waiting(sight, family)

    case.begin(sight)
    for name in BOTH:
        stage.until(lambda name=name: stage.verdict(name) == ("Hold", case.reason), f"the hold of {name}", timeout=120)
    stage.throughout(lambda: all(_waits(stage, name) for name in BOTH), HELD_SECONDS, f"the hold while {fault}")
    case.end(sight)

    took = _ends_as_it_must(sight)
    seen(f"held both with {case.reason}, {took}")


@scenario(
    component=PROMETHEUS,
    fault="every third question is answered with 503, all the time; {family}",
    expected="promotes a good canary, aborts one that begins to fail, and has counted nothing that was not served",
    twin=True,
)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_third_question_fails(sight: Sight, family: str, seen: Sees) -> None:
    sight.proxy.answers(telemetryproxy.every_third(telemetryproxy.saying(503)))
    _waiting(sight, family)

    seen(_ends_as_it_must(sight))


@scenario(
    component=PROMETHEUS,
    fault="questions go in turn to two replicas, and one of them misses two of five scrapes; conditions",
    expected="promotes a good canary, aborts one that begins to fail, and has counted nothing that was not served",
    twin=True,
)
def test_half_of_a_pair_has_gaps(sight: Sight, tmp_path: Path, seed: int, seen: Sees) -> None:
    program = sight.stage.lab.programs["prometheus"]
    with (
        monitoring.relayed(_world(sight.stage)) as relay,
        monitoring.monitored(program, tmp_path / "replica", relay.target) as replica,
    ):
        relay.tell = monitoring.with_gaps(random.Random(seed))
        sight.proxy.answers(telemetryproxy.in_turn(sight.monitor.url, replica.url))
        _waiting(sight, "conditions")

        seen(_ends_as_it_must(sight))


def _waiting(sight: Sight, family: str) -> None:
    """Bring both canaries to a pause at which they have some evidence, and too little."""
    stage = sight.stage
    timing = {"warmUp": "0s", "settle": "0s", "minMeasurements": 20}
    stage.policy(timing=timing, **({"objectives": [AVAILABILITY]} if family == "objectives" else {}))
    stage.template(window="10s")
    ours = {"canary-operator.io/gate": "enforce", "canary-operator.io/slo-policy": "policy"}
    templates = {"canary-operator.io/analysis-templates": "errors"} if family == "conditions" else {}
    for name in BOTH:
        stage.rollout(name, gate=None, annotations={**ours, **templates}, rate=FEW)
    stage.operator(prometheus=sight.proxy.url)
    for name in BOTH:
        stage.release(V2, name)
    for name in BOTH:
        stage.at_pause(name)
        stage.until(
            lambda name=name: stage.verdict(name)[1] in {"Collecting", "LowTraffic"}, f"evidence of {name}", timeout=120
        )


def _waits(stage: Stage, name: str) -> bool:
    return stage.step(name) == 1 and not stage.status(name).get("abort") and stage.verdict(name)[0] == "Hold"


def _ends_as_it_must(sight: Sight) -> str:
    """Let one of the two fail, wait for both ends, and tell how long they took."""
    stage, began = sight.stage, time.monotonic()
    stage.lab.world.set_behaviour(stage.namespace, BAD, V2, error_ratio=0.5)
    for name in BOTH:
        traffic(stage, MANY, name)
    stage.until(lambda: stage.status(BAD).get("abort"), "the abort of the bad one", timeout=180)
    aborted = time.monotonic() - began
    stage.until(lambda: stage.is_promoted(GOOD), "the promotion of the good one", timeout=180)
    promoted = time.monotonic() - began
    _served_all_that_was_counted(sight)
    return f"then aborted the bad one after {aborted:.0f} s and promoted the good one after {promoted:.0f} s"


def _served_all_that_was_counted(sight: Sight) -> None:
    for name in BOTH:
        for each in sight.stage.gate(name).get("evidence") or ():
            counted = int((each.get("canary") or {}).get("total") or 0)
            assert counted <= sight.truth(name), (name, each)
