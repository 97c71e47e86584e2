"""The gate promotes when, and only when, the evidence allows it."""

from canary_operator.model.pause import Hold
from tests.e2e.stage import V2, Stage

TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})


def test_an_indefinite_pause_is_promoted_once_the_conditions_are_met(stage: Stage) -> None:
    stage.template()
    stage.rollout()
    stage.operator()

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied")]
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=5)
    assert stage.verdict() == ("Promote", "ConditionsMet")
    assert stage.gate()["endedBy"] == "Gate"


def test_a_timed_pause_is_held_at_once_and_released_at_its_end(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=TIMED)
    stage.operator()

    stage.release()

    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]


def test_a_timed_pause_is_held_past_its_end_while_nothing_is_known(stage: Stage) -> None:
    stage.template()
    stage.rollout(steps=TIMED, rate=0)
    stage.operator()

    stage.release()
    stage.at_pause()

    stage.throughout(lambda: stage.step() == 1, 12, "the hold past the end of a pause of 6 s")
    assert stage.verdict() == ("Hold", "NoData")
    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.until(stage.is_promoted, "the promotion once there is traffic")
