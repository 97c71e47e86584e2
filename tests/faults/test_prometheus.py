"""Whatever Prometheus does, nothing is promoted or aborted because of it; once it answers well the release goes on."""

import shutil

import pytest
import requests

from canary_operator.model.pause import Hold
from tests.e2e import telemetryproxy
from tests.e2e.stage import Operator, Stage
from tests.e2e.telemetryproxy import TelemetryProxy, telemetry_proxy
from tests.faults.scenarios import Sees, scenario

PROMETHEUS = "Prometheus"

SHORT = ({"setWeight": 50}, {"pause": {"duration": "4s"}})
TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})
TWO = (*TIMED, {"setWeight": 60}, {"pause": {"duration": "6s"}})

BAD_ANSWERS = {
    "nothing: it refuses": (None, "TelemetryUnavailable"),
    "nothing: it hangs": (telemetryproxy.hanging, "TelemetryUnavailable"),
    "one byte every 0.2 s": (telemetryproxy.dripping, "TelemetryUnavailable"),
    "503": (telemetryproxy.saying(503), "TelemetryUnavailable"),
    "429": (telemetryproxy.saying(429), "TelemetryUnavailable"),
    "a login page": (telemetryproxy.html, "TelemetryUnavailable"),
    "warnings": (telemetryproxy.warning, "TelemetryUnavailable"),
    "400, a bad query": (telemetryproxy.saying(400, "bad_data"), "ConfigurationError"),
    "422, a query that fails": (telemetryproxy.saying(422, "execution"), "ConfigurationError"),
    "no series": (telemetryproxy.empty, "NoData"),
    "NaN": (telemetryproxy.vector("NaN"), "NoData"),
    "several series": (telemetryproxy.vector("0", "0"), "AmbiguousSeries"),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS)
@scenario(
    component=PROMETHEUS,
    fault="it answers with {answer}",
    expected="holds past the end of a pause of 4 s with its reason, and promotes once it answers well",
)
def test_a_bad_answer_holds_with_its_reason_and_a_good_one_lets_go(
    stage: Stage, telemetry: TelemetryProxy, answer: str, seen: Sees
) -> None:
    behaviour, reason = BAD_ANSWERS[answer]
    if behaviour is None:
        telemetry.refuse()
    else:
        telemetry.answers(behaviour)
    stage.template()
    stage.rollout(steps=SHORT)
    stage.operator(prometheus=telemetry.url)

    stage.release()

    stage.until(lambda: stage.verdict() == ("Hold", reason), f"the hold with {reason}")
    asked = telemetry.asked
    stage.throughout(
        lambda: stage.step() == 1 and not stage.status().get("abort") and stage.verdict() == ("Hold", reason),
        5,
        "the hold past the end of a pause of 4 s",
    )
    assert telemetry.asked - asked <= 8, "more than a question a second"
    telemetry.answers(telemetryproxy.passing)
    stage.until(stage.is_promoted, "the promotion once Prometheus answers well")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    seen(f"held with {reason}, then promoted")


@scenario(component=PROMETHEUS, fault="a good value comes with a warning", expected="holds; the value does not count")
def test_a_good_value_with_a_warning_does_not_count_towards_a_promotion(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    stage.template()
    stage.rollout()
    stage.operator(prometheus=telemetry.url)
    telemetry.answers(telemetryproxy.warning)

    stage.release()

    stage.until(lambda: stage.gate().get("evidence"), "the first look")
    stage.throughout(lambda: stage.step() == 1, 5, "the hold")
    condition = {each["type"]: each["status"] for each in stage.gate()["conditions"]}
    assert condition["TelemetryAvailable"] == "False"
    assert (stage.gate()["evidence"][0].get("measurements") or {}).get("successful", 0) == 0
    seen("held 5 s, no successful measurement")


@scenario(
    component=PROMETHEUS,
    fault="it hangs while another release reaches its pause",
    expected="the other release is held in time",
)
def test_a_hanging_prometheus_delays_no_hold_of_another_release(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    telemetry.answers(telemetryproxy.hanging)
    stage.template()
    stage.rollout("first")
    stage.rollout("second", steps=TIMED)
    stage.operator(prometheus=telemetry.url, timeout="20s")
    stage.release(name="first")
    stage.at_pause("first")
    stage.until(lambda: telemetry.asked, "a question that hangs")

    stage.release(name="second")

    stage.until(lambda: stage.hold("second") is Hold.CONFIRMED, "the hold written twice")
    stage.throughout(lambda: stage.step("second") == 1, 6, "the hold past the end of a pause of 6 s")
    seen("the other one was held past the end of a pause of 6 s")


@scenario(
    component=PROMETHEUS,
    fault="it hangs while a person promotes to the next pause",
    expected="the next pause is held in time",
)
def test_a_hanging_prometheus_delays_no_hold_of_the_next_pause(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    telemetry.answers(telemetryproxy.hanging)
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(prometheus=telemetry.url, timeout="30s")
    stage.release()
    stage.until(lambda: telemetry.asked, "a question that hangs")

    stage.argo("promote", "web")
    stage.at_pause(step=3)

    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold of the next pause", timeout=6)
    stage.throughout(lambda: stage.step() == 3, 6, "the hold past the end of a pause of 6 s")
    seen("the next pause was held within 6 s and past its end")


@scenario(component=PROMETHEUS, fault="it hangs while a person aborts", expected="the gate ends within 5 s", twin=True)
def test_a_hanging_prometheus_does_not_keep_the_gate_from_ending(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    telemetry.answers(telemetryproxy.hanging)
    stage.template()
    stage.rollout()
    stage.operator(prometheus=telemetry.url, timeout="30s")
    stage.release()
    stage.until(lambda: telemetry.asked, "a question that hangs")

    stage.argo("abort", "web")

    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=5)
    assert stage.gate()["endedBy"] == "Person"
    seen("ended by Person")


@scenario(component=PROMETHEUS, fault="it hangs while a person overrules the gate", expected="promotes", twin=True)
def test_a_person_overrules_while_prometheus_hangs(stage: Stage, telemetry: TelemetryProxy, seen: Sees) -> None:
    telemetry.answers(telemetryproxy.hanging)
    stage.template()
    stage.rollout()
    stage.operator(prometheus=telemetry.url, timeout="30s")
    stage.release()
    stage.until(lambda: telemetry.asked, "a question that hangs")
    stage.until(stage.gate, "the gate")

    override = {"action": "Promote", "reason": "known", "requestedBy": "admin", "expiresAt": "2099-01-01T00:00:00Z"}
    stage.gate_patch({"override": override})

    stage.until(stage.is_promoted, "the promotion", timeout=15)
    assert stage.verdict() == ("Promote", "Override")
    seen("promoted by Override")


@scenario(
    component=PROMETHEUS,
    fault="503 for longer than escalateAfter, one policy says Abort, one says Hold",
    expected="aborts the one with TelemetryLost, holds the other with it, each told by an Event and a metric; "
    "promotes the other once Prometheus answers",
)
def test_lost_telemetry_aborts_only_where_the_policy_says_so(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    telemetry.answers(telemetryproxy.saying(503))
    stage.template()
    stage.policy("abort", telemetryLoss={"escalateAfter": "4s", "then": "Abort"})
    stage.policy("hold", telemetryLoss={"escalateAfter": "4s", "then": "Hold"})
    stage.rollout("aborting", annotations={"canary-operator.io/slo-policy": "abort"})
    stage.rollout("holding", annotations={"canary-operator.io/slo-policy": "hold"})
    operator = stage.operator(prometheus=telemetry.url)

    stage.release(name="holding")
    stage.release(name="aborting")

    stage.until(lambda: stage.status("aborting").get("abort"), "the abort")
    stage.until(lambda: stage.gate("aborting").get("phase") == "Ended", "the gate to end", timeout=5)
    assert stage.verdict("aborting") == ("Abort", "TelemetryLost")
    stage.until(
        lambda: "no telemetry for" in str(stage.gate("holding").get("message")), "the gate to say how long it waits"
    )
    assert stage.verdict("holding") == ("Hold", "TelemetryLost")
    for name in ("aborting", "holding"):
        stage.until(
            lambda name=name: _is_told(stage, operator, name, "TelemetryLost"), f"the loss of {name} to be told"
        )
    telemetry.answers(telemetryproxy.passing)
    stage.until(lambda: stage.is_promoted("holding"), "the promotion once Prometheus answers")
    seen("TelemetryLost for both, an abort of the one and a hold of the other, each with an Event and its count")


@scenario(
    component=PROMETHEUS,
    fault="503 three times for less than escalateAfter, the policy says Abort",
    expected="holds, and does not abort",
)
def test_short_losses_of_telemetry_do_not_add_up_to_an_abort(
    stage: Stage, telemetry: TelemetryProxy, seen: Sees
) -> None:
    stage.template(failure_limit=1000)
    stage.policy(telemetryLoss={"escalateAfter": "5s", "then": "Abort"})
    stage.rollout(annotations={"canary-operator.io/slo-policy": "policy"})
    stage.operator(prometheus=telemetry.url)
    stage.release()
    stage.until(lambda: stage.verdict()[0] == "Hold" and stage.gate().get("evidence"), "the first look")

    for _ in range(3):
        telemetry.answers(telemetryproxy.saying(503))
        stage.until(lambda: stage.verdict() == ("Hold", "TelemetryUnavailable"), "the loss", timeout=10)
        telemetry.answers(telemetryproxy.passing)
        stage.until(lambda: stage.verdict()[1] != "TelemetryUnavailable", "its end", timeout=10)

    assert not stage.status().get("abort")
    seen("held three times, no abort")


@pytest.mark.xdist_group("own-lab")
@pytest.mark.parametrize("loss", ["its data kept", "its data lost"])
@scenario(
    component=PROMETHEUS,
    fault="it is killed during a pause and starts again, {loss}",
    expected="holds past the end of the pause, promotes once it is back",
)
def test_prometheus_is_killed_during_a_pause_and_started_again(own_stage: Stage, loss: str, seen: Sees) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(steps=TIMED)
    stage.operator()
    stage.release()
    stage.at_pause()

    stage.lab.prometheus.stop()
    try:
        stage.until(lambda: stage.verdict() == ("Hold", "TelemetryUnavailable"), "the hold")
        stage.throughout(lambda: stage.step() == 1, 7, "the hold past the end of a pause of 6 s")
        if loss == "its data lost":
            shutil.rmtree(stage.lab.plane.layout.data("prometheus"))
    finally:
        stage.lab.prometheus.start()

    stage.until(stage.is_promoted, "the promotion once Prometheus is back")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    seen("held with TelemetryUnavailable, then promoted")


@scenario(component=PROMETHEUS, fault="503 between two releases", expected="holds both, promotes both after it")
def test_two_providers_fail_each_for_itself(stage: Stage, seen: Sees) -> None:
    with telemetry_proxy(stage.lab.prometheus_url) as telemetry:
        stage.template()
        stage.rollout("web", steps=SHORT)
        stage.rollout("shop", steps=SHORT)
        # Two operators of one namespace would fight: each release has its own Prometheus behind one operator.
        stage.operator(prometheus=telemetry.url)
        stage.release(name="web")
        stage.at_pause("web")
        telemetry.answers(telemetryproxy.saying(503))
        stage.release(name="shop")
        stage.until(lambda: stage.verdict("shop") == ("Hold", "TelemetryUnavailable"), "the hold of the later one")
        telemetry.answers(telemetryproxy.passing)
        stage.until(lambda: stage.is_promoted("web") and stage.is_promoted("shop"), "both promotions")
    seen("both held, both promoted")


def _is_told(stage: Stage, operator: Operator, name: str, reason: str) -> bool:
    """Whether there is an Event about this reason, and a series that counted it."""
    told = [event for event in stage.events(name) if event["reason"] == reason]
    series = f'rollout="{name}",verdict="{stage.verdict(name)[0]}"'
    lines = requests.get(f"{operator.web}/metrics", timeout=5).text.splitlines()
    counted = [line for line in lines if line.startswith("canary_operator_decisions_total") and series in line]
    return bool(told) and any(f'reason="{reason}"' in line and float(line.split()[-1]) > 0 for line in counted)
