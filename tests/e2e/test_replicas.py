"""Two replicas: one writes, the other watches, takes over, and goes on where the first one was."""

import signal
import time
from typing import Any

import pytest

from canary_operator.cluster.lease import claim_of
from canary_operator.model import durations
from canary_operator.settings import Lease
from lab.waiting import until
from tests.e2e.stage import Operator, Stage

LEASES = "/apis/coordination.k8s.io/v1/namespaces/canary-operator/leases"
# As shipped.
LEASE = {"duration": "15s"}
STEPS = ({"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}, {"pause": {}}, {"pause": {}})


@pytest.fixture
def pair(stage: Stage) -> tuple[Operator, Operator]:
    """Two replicas of one operator; the first one leads."""
    first = stage.operator(lease=LEASE)
    until(lambda: leads(first), "the first replica to lead")
    second = stage.operator(lease=LEASE)
    return first, second


def leads(operator: Operator) -> bool:
    """Whether a replica said last that it holds the Lease."""
    told = [line["event"] for line in operator.logged() if line.get("event") in {"lease_held", "lease_lost"}]
    return told[-1:] == ["lease_held"]


def lease(stage: Stage) -> dict[str, Any]:
    """The Lease of this test's namespace."""
    body = stage.admin.get(f"{LEASES}/{claim_of(Lease(), [stage.namespace]).name}")
    assert body is not None
    return dict(body["spec"])


def holder(stage: Stage) -> str:
    return str(lease(stage)["holderIdentity"])


def judging(stage: Stage) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    stage.release()
    stage.until(lambda: successful(stage) >= 3, "three measurements")


def successful(stage: Stage) -> int:
    evidence = stage.gate().get("evidence") or [{}]
    return int((evidence[0].get("measurements") or {}).get("successful") or 0)


def test_one_replica_judges_and_both_are_ready(stage: Stage, pair: tuple[Operator, Operator]) -> None:
    judging(stage)

    first, second = pair
    assert (leads(first), leads(second)) == (True, False)
    assert [line for line in second.logged() if line.get("event") == "verdict"] == []


def test_a_replica_that_is_killed_is_followed_within_the_lease_and_its_evidence_goes_on(
    stage: Stage, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)
    first, second = pair
    first.stop(signal.SIGKILL)
    before, renewed = stage.gate()["evidence"][0], lease(stage)["renewTime"]

    stage.until(lambda: leads(second), "the takeover", timeout=60)

    waited = durations.parse_time(lease(stage)["acquireTime"]) - durations.parse_time(renewed)
    assert waited > 15, "nobody takes a Lease that may be held"
    stage.until(lambda: successful(stage) > before["measurements"]["successful"] + 1, "further measurements")
    assert stage.gate()["evidence"][0]["since"] == before["since"]


def test_a_clean_stop_hands_over_at_once(stage: Stage, pair: tuple[Operator, Operator]) -> None:
    judging(stage)
    first, second = pair

    assert first.stop() == 0
    given_back = durations.parse_time(lease(stage)["renewTime"])
    stage.until(lambda: leads(second), "the takeover")

    waited = durations.parse_time(lease(stage)["acquireTime"]) - given_back
    assert waited < 15, "it was given back, and not waited out"


def test_a_replica_that_slept_over_its_lease_writes_nothing_when_it_wakes_up(
    stage: Stage, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)
    first, second = pair
    first.process.send_signal(signal.SIGSTOP)
    stage.until(lambda: leads(second), "the takeover", timeout=60)
    taken = holder(stage)
    verdicts = len(verdicts_of(first))

    first.process.send_signal(signal.SIGCONT)

    stage.until(lambda: not leads(first), "the first replica to notice")
    stage.throughout(lambda: holder(stage) == taken, 5, "the Lease of the second")
    assert len(verdicts_of(first)) == verdicts
    stage.argo("abort", "web")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the end, told by the second")
    chain = [each["sequence"] for each in stage.decisions()]
    assert chain == list(range(1, len(chain) + 1))


def verdicts_of(operator: Operator) -> list[object]:
    return [line for line in operator.logged() if line.get("event") == "verdict"]


def test_a_release_survives_takeovers_with_every_action_done_once(stage: Stage) -> None:
    """The leader is stopped or killed again and again while a release goes through four pauses."""
    stage.template()
    stage.rollout(steps=STEPS)
    quick = {"duration": "3s"}
    replicas = [stage.operator(lease=quick), stage.operator(lease=quick)]
    stage.release()
    hows = [signal.SIGTERM, signal.SIGKILL] * 3
    for how in hows:
        if stage.is_promoted():
            break
        stage.until(lambda: any(map(leads, replicas)), "a leader")
        time.sleep(1.5)  # something is under way by then
        leader = next(each for each in replicas if leads(each))
        leader.stop(how)
        replicas.remove(leader)
        replicas.append(stage.operator(lease=quick))

    stage.until(stage.is_promoted, "the promotion", timeout=120)

    stage.until(lambda: stage.gate().get("phase") == "Ended", "the end")
    promoted = [each["step"]["index"] for each in stage.decisions() if did(each, "Promote")]
    assert promoted == [1, 3, 4, 5], "each pause once"
    chain = [each["sequence"] for each in stage.decisions()]
    assert chain == list(range(1, len(chain) + 1))


def did(decision: dict[str, object], kind: str) -> bool:
    action = decision.get("action") or {}
    assert isinstance(action, dict)
    return (action.get("kind"), action.get("outcome")) == (kind, "Applied")
