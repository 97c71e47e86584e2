"""The API server answers late, badly or not at all: nothing is done twice, nothing is lost, nothing stale is done."""

import contextlib
from collections.abc import Iterator

import pytest

from canary_operator.model.pause import Hold
from lab.plane import commands
from tests.e2e import apiproxy
from tests.e2e.apiproxy import ApiProxy
from tests.e2e.stage import V2, V3, Stage

TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})
TWO = ({"setWeight": 50}, {"pause": {}}, {"pause": {}})


def test_a_promotion_whose_reply_is_lost_is_not_repeated(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)
    lost = api.on_action("Promote", apiproxy.lose_the_reply)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert len(lost.seen) == 1
    assert api.actions() == ["Promote", "Promote"]
    assert stage.actions() == [("Promote", "Applied"), ("Promote", "Applied")]
    assert [each["step"]["index"] for each in stage.decisions() if "action" in each] == [1, 2]
    told = [event["message"] for event in stage.events() if event["action"] == "Promote"]
    assert all(any(f"step {index}/3" in message for message in told) for index in (1, 2))


def test_a_hold_whose_reply_is_lost_is_still_our_hold(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=TIMED)
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Hold", apiproxy.lose_the_reply, times=2)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    assert api.actions() == ["Hold", "Hold", "Release"]


def test_a_lost_reply_is_told_from_the_rollout_even_while_the_watch_is_deaf(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)

    def lose_everything(exchange: apiproxy.Exchange) -> None:
        api.on("GET", apiproxy.WATCH, apiproxy.refuse(503), times=12)
        api.cut_watches()
        apiproxy.lose_the_reply(exchange)

    api.on_action("Promote", lose_everything)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied"), ("Promote", "Applied")]
    assert api.actions() == ["Promote", "Promote"]


def test_a_promotion_decided_for_an_older_version_is_void(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Promote", apiproxy.before(lambda: stage.release(V3, errors=1.0)))

    stage.release(V2)

    stage.until(lambda: stage.status().get("abort"), "the abort of the newer version")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=10)
    assert stage.actions() == [("Promote", "Stale"), ("Abort", "Applied")]
    assert api.actions() == ["Abort"]
    assert stage.verdict() == ("Abort", "ConditionsFailed")


def test_an_abort_decided_for_an_older_version_is_void(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Abort", apiproxy.before(lambda: stage.release(V3)))

    stage.release(V2, errors=1.0)

    stage.until(lambda: stage.is_promoted(image=V3), "the promotion of the newer version")
    assert stage.actions() == [("Abort", "Stale"), ("Promote", "Applied")]
    assert api.actions() == ["Promote"]


def test_a_hold_is_not_written_into_a_pause_that_a_person_ends(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "1h"}}, {"pause": {}}), rate=0)
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Hold", apiproxy.before(lambda: stage.argo("promote", "web")))

    stage.release()

    stage.at_pause(step=2)
    stage.until(lambda: stage.verdict()[1] == "NoData", "the next pause to be judged")
    assert stage.actions() == [("Hold", "Stale")]
    assert api.actions() == []


@pytest.mark.parametrize("status", [500, 503, 429, 409])
def test_an_api_server_that_refuses_writes_for_a_while_delays_and_nothing_else(
    stage: Stage, api: ApiProxy, status: int
) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig)
    writes = [
        api.on(method, "/apis/", apiproxy.refuse(status, retry_after="1"), times=None) for method in ("PATCH", "POST")
    ]

    stage.release()
    stage.at_pause()
    stage.throughout(lambda: stage.step() == 1, 6, "the pause that nobody could end")
    for rule in writes:
        rule.end()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied")]
    assert api.actions() == ["Promote"]
    assert operator.process.poll() is None


def test_a_promotion_that_is_answered_with_an_error_is_tried_again(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)
    failing = api.on_action("Promote", apiproxy.refuse(500), times=2)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert len(failing.seen) == 2
    assert api.actions() == ["Promote", "Promote"]
    done = [kind for kind, outcome in stage.actions() if outcome == "Applied"]
    assert done == ["Promote", "Promote"]
    told = [event["message"] for event in stage.events() if event["action"] == "Promote"]
    assert all(any(f"step {index}/3" in message for message in told) for index in (1, 2))


def test_a_right_that_is_missing_is_said_once_and_not_every_second(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    missing = api.on_action("Promote", apiproxy.refuse(403), times=None)

    stage.release()

    stage.until(lambda: ("Promote", "Refused") in stage.actions(), "the refusal to be recorded")
    stage.until(lambda: len(missing.seen) >= 3, "further attempts")
    assert stage.gate()["lastAction"]["outcome"] == "Refused"
    assert stage.actions() == [("Promote", "Refused")]
    missing.end()
    stage.until(stage.is_promoted, "the promotion once the right is there")
    stage.until(lambda: stage.actions()[-1] == ("Promote", "Applied"), "the promotion to be recorded")


@contextlib.contextmanager
def _frozen_api_server(stage: Stage) -> Iterator[None]:
    stage.lab.pause_api_server()
    try:
        yield
    finally:
        stage.lab.resume_api_server()


@pytest.mark.xdist_group("own-lab")
def test_an_api_server_that_hangs_for_some_seconds_loses_no_hold(own_stage: Stage) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "10s"}}))
    operator = stage.operator()
    stage.release()
    # Argo can lose the first write of a hold, and the second is not possible in what follows.
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")

    with _frozen_api_server(stage):
        _wait(stage, 12)

    stage.until(stage.is_promoted, "the promotion", timeout=90)
    done = [("Hold", "Applied"), ("Release", "Applied")]
    stage.until(lambda: [each for each in stage.actions() if each[1] == "Applied"] == done, "the record", timeout=10)
    assert operator.process.poll() is None


@pytest.mark.xdist_group("own-lab")
def test_an_api_server_that_restarts_is_watched_again(own_stage: Stage) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(rate=0)
    operator = stage.operator()
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold")

    plane = stage.lab.plane
    stage.lab.supervision.stop("kube-apiserver")
    stage.lab.supervision.start("kube-apiserver", commands.api_server(plane))
    stage.until(lambda: _answers(stage), "the API server")

    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.until(stage.is_promoted, "the promotion", timeout=90)
    assert operator.process.poll() is None
    stage.release(V3, errors=1.0)
    stage.until(lambda: stage.status().get("abort"), "the next release to be judged too", timeout=90)


def _answers(stage: Stage) -> bool:
    with contextlib.suppress(Exception):
        return stage.admin.ask("GET", "/readyz").ok
    return False


def _wait(stage: Stage, seconds: float) -> None:
    """The outage itself: there is nobody to ask."""
    operator = stage.operators[-1]
    with contextlib.suppress(Exception):
        operator.process.wait(seconds)
