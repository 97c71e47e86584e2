"""Which pods of the canary are scraped."""

from dataclasses import replace
from typing import Any

import pytest

from canary_operator.counting.tallies import Counter, Point, Scrape, Selection
from canary_operator.engine.reach import Reach
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason

SINCE = 1_000.0
POD = PodFacts(
    name="",
    pod_hash="abc",
    replica_set="web-abc",
    phase="Running",
    started=0.0,
    ready_since=0.0,
    terminating=False,
    restarts=(),
    restart_count=0,
    reason="",
    last_exit="",
    node="n",
    images=(),
)


def up(**values: tuple[float, float]) -> Answer:
    """``up`` of pods: when, and what."""
    return Answer(
        ResultKind.MATRIX,
        tuple(Series((("pod", pod),), (Sample(at, value),)) for pod, (at, value) in values.items()),
    )


def counted(**at: float) -> Selection:
    """One counter for each pod, and when it was last scraped."""
    counters = tuple(
        Counter(pod, f"target of {pod}", pod, (Point(round(1000 * when), 1, 0, ""),)) for pod, when in at.items()
    )
    scrapes = {each.target: (Scrape(each.points[-1].at_ms, ""),) for each in counters}
    return Selection(counters, scrapes)


def pods(*names: str, **fields: Any) -> VersionPods:
    return VersionPods(tuple(replace(POD, name=name, **fields) for name in names), (), at=2_000.0)


@pytest.mark.parametrize(
    ("selection", "answer", "listed"),
    [
        pytest.param(counted(a=1_100, b=1_100), up(), pods("a", "b"), id="both have series"),
        pytest.param(counted(a=1_100), up(b=(1_100, 1)), pods("a", "b"), id="one is up and has no request yet"),
        pytest.param(counted(), up(), pods("a", ready_since=1_050), id="it has just become ready"),
        pytest.param(counted(), up(), pods("a", ready_since=None), id="it is not ready"),
        pytest.param(counted(), up(), pods("a", terminating=True), id="it is shutting down"),
        pytest.param(counted(), up(), Absent(HoldReason.NO_DATA, "no right to list pods"), id="nobody knows the pods"),
    ],
)
def test_nothing_is_missing(selection, answer, listed):
    assert Reach(selection, answer, SINCE).gap(listed) is None


@pytest.mark.parametrize(
    ("selection", "answer"),
    [
        pytest.param(counted(a=1_100), up(), id="it is no target"),
        pytest.param(counted(a=1_100), up(b=(1_100, 0)), id="it is down"),
        pytest.param(counted(a=1_100), up(b=(900, 1)), id="it was up"),
        pytest.param(counted(a=1_100, b=900), up(), id="its series ended"),
    ],
)
def test_a_ready_pod_without_a_sign_of_life_is_missing(selection, answer):
    assert Reach(selection, answer, SINCE).gap(pods("a", "b")) == Absent(
        HoldReason.NO_DATA, "1 of 2 ready pods of the canary are not scraped: b"
    )


def test_many_are_not_all_named():
    gap = Reach(counted(), up(), SINCE).gap(pods(*"abcde"))
    assert gap is not None
    assert gap.message == "5 of 5 ready pods of the canary are not scraped: a, b, c, …"


def test_a_scrape_of_late_is_a_sign_of_life():
    assert Reach(counted(a=1_100), up(), SINCE).any
    assert not Reach(counted(a=900), up(), SINCE).any
