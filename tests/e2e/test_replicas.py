"""Two replicas: one writes, the other watches, takes over, and goes on where the first one was."""

import signal
import time

import pytest
import requests

from canary_operator.model import durations
from lab.waiting import until
from tests import takeovers
from tests.e2e.apiproxy import GATE_STATUS, PATCH_STATUS, ApiProxy, hang
from tests.e2e.stage import Operator, Stage
from tests.takeovers import LEASES, holder_of, lease_of

# As shipped.
LEASE = {"duration": "15s"}


@pytest.fixture
def pair(stage: Stage, api: ApiProxy) -> tuple[Operator, Operator]:
    """Two replicas of one operator, both behind the proxy; the first one leads."""
    first = stage.operator(kubeconfig=api.kubeconfig, lease=LEASE)
    until(lambda: leads(first), "the first replica to lead")
    second = stage.operator(kubeconfig=api.kubeconfig, lease=LEASE)
    return first, second


def leads(operator: Operator) -> bool:
    """Whether a replica said last that it holds the Lease."""
    told = [line["event"] for line in operator.logged() if line.get("event") in {"lease_held", "lease_lost"}]
    return told[-1:] == ["lease_held"]


def verdicts_of(operator: Operator) -> list[object]:
    return [line for line in operator.logged() if line.get("event") == "verdict"]


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
    assert verdicts_of(second) == []
    assert [_leader_metric(each) for each in pair] == [1.0, 0.0]


def _leader_metric(operator: Operator) -> float:
    text = requests.get(f"{operator.web}/metrics", timeout=5).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("canary_operator_leader ")))


def test_a_replica_that_is_killed_is_followed_within_the_lease_and_its_evidence_goes_on(
    stage: Stage, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)
    first, second = pair
    first.stop(signal.SIGKILL)
    before, renewed = stage.gate()["evidence"][0], lease_of(stage)["renewTime"]

    stage.until(lambda: leads(second), "the takeover", timeout=60)

    waited = durations.parse_time(lease_of(stage)["acquireTime"]) - durations.parse_time(renewed)
    assert waited > 15, "nobody takes a Lease that may be held"
    stage.until(lambda: successful(stage) > before["measurements"]["successful"] + 1, "further measurements")
    assert stage.gate()["evidence"][0]["since"] == before["since"]


def test_a_clean_stop_hands_over_at_once(stage: Stage, pair: tuple[Operator, Operator]) -> None:
    judging(stage)
    first, second = pair

    assert first.stop() == 0
    given_back = durations.parse_time(lease_of(stage)["renewTime"])
    stage.until(lambda: leads(second), "the takeover")

    waited = durations.parse_time(lease_of(stage)["acquireTime"]) - given_back
    assert waited < 15, "it was given back, and not waited out"


def test_a_replica_that_slept_over_its_lease_writes_nothing_when_it_wakes_up(
    stage: Stage, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)
    first, second = pair
    first.process.send_signal(signal.SIGSTOP)
    stage.until(lambda: leads(second), "the takeover", timeout=60)
    taken, verdicts = holder_of(stage), len(verdicts_of(first))

    first.process.send_signal(signal.SIGCONT)

    stage.until(lambda: not leads(first), "the first replica to notice")
    stage.throughout(lambda: holder_of(stage) == taken, 5, "the Lease of the second")
    assert len(verdicts_of(first)) == verdicts
    stage.argo("abort", "web")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the end, told by the second")
    chain = [each["sequence"] for each in stage.decisions()]
    assert chain == list(range(1, len(chain) + 1))


def test_looks_that_hang_at_the_api_server_keep_nobody_from_renewing(
    stage: Stage, api: ApiProxy, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)
    hanging = api.on("PATCH", GATE_STATUS, hang, times=None)
    stage.until(lambda: hanging.seen, "a write that hangs")
    renewed = lease_of(stage)["renewTime"]

    time.sleep(16)  # longer than a term without a renewal lasts

    assert lease_of(stage)["renewTime"] > renewed
    assert [leads(each) for each in pair] == [True, False]
    hanging.end()


def test_the_api_server_gives_up_writes_that_a_term_has_no_time_for(
    stage: Stage, api: ApiProxy, pair: tuple[Operator, Operator]
) -> None:
    judging(stage)

    written = [each.path for each in api.accepted("PATCH", f"{GATE_STATUS}|{PATCH_STATUS}")]

    assert written
    assert all(0 < int(path.partition("?timeout=")[2].removesuffix("ms")) <= 5000 for path in written)


def test_a_lease_that_somebody_deletes_is_waited_for(stage: Stage, pair: tuple[Operator, Operator]) -> None:
    judging(stage)
    name = lease_of(stage) and next(
        body["metadata"]["name"]
        for body in (stage.admin.get(LEASES) or {})["items"]
        if body["spec"].get("holderIdentity") == holder_of(stage)
    )
    stage.admin.delete(f"{LEASES}/{name}")
    deleted = time.time()

    stage.until(lambda: lease_of(stage), "a new Lease", timeout=60)

    assert durations.parse_time(lease_of(stage)["acquireTime"]) - deleted > 14, "whoever held it may not have known"
    before = successful(stage)
    stage.until(lambda: successful(stage) > before, "further measurements")


def test_one_pass_waits_for_the_lease_and_says_who_has_it(stage: Stage, pair: tuple[Operator, Operator]) -> None:
    told = stage.command("run", "--once", f"--namespace={stage.namespace}")

    assert told.returncode == 3
    assert f"held by {holder_of(stage)}; lease.enabled: false writes without it" in told.stderr


def test_takeovers_in_the_middle_of_releases_do_every_action_once(stage: Stage, api: ApiProxy) -> None:
    """As ``python -m tests.takeovers``, which does it by the hundred."""
    played = takeovers.play(stage, api, takeovers=6, seed=1, duration="5s")

    assert played.problems == []
    assert played.promoted + played.aborted >= 4
    assert set(played.seconds) == {"killed", "stopped", "put to sleep"}
