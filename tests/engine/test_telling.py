"""Where something is told: at a pause, between two, by a gate that acts and by one that only looks."""

import pytest

from canary_operator.engine import telling
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, Verdict
from tests.builders import a_snapshot, at_a_pause

BAD = Finding(AbortReason.CANARY_REGRESSION, "availability: 9 of 10 requests bad")
HELD = Finding(HoldReason.CANARY_REGRESSION, "availability: 9 of 10 requests bad (failAction is Hold)")


@pytest.mark.parametrize(
    ("mode", "fail_action", "finding", "begins"),
    [
        ("enforce", "Abort", BAD, "aborted at step 1/2 (25 %): availability: 9 of 10"),
        ("enforce", "Notify", BAD, "failing at step 1/2 (25 %): availability: 9 of 10"),
        ("observe", "Abort", BAD, "would abort at step 1/2 (25 %): availability: 9 of 10"),
        ("enforce", "Hold", HELD, "bad at step 1/2 (25 %): availability: 9 of 10"),
    ],
)
def test_between_pauses_the_place_is_told_as_well(mode, fail_action, finding, begins):
    rules = SLOPolicySpec(fail_action=fail_action)

    said = telling.between(a_snapshot(at_a_pause(mode=mode)), rules, finding)

    assert said.startswith(begins)
    assert said.endswith("; the next pause will be held") is (finding is HELD)


def test_between_pauses_a_person_who_paused_the_rollout_is_told_what_that_keeps_up():
    body = at_a_pause()
    body["spec"]["paused"] = True

    said = telling.between(a_snapshot(body), SLOPolicySpec(), BAD)

    assert said.endswith("; paused by a person (spec.paused): the canary stays up until they clear it")


@pytest.mark.parametrize(
    ("verdict", "seconds", "said"),
    [
        (Verdict.HOLD, 12.4, ", next look in 12 s"),
        (Verdict.HOLD, 0.3, ""),
        (Verdict.HOLD, 0.0, ""),
        (Verdict.HOLD, float("inf"), ""),
        (Verdict.PROMOTE, 12.4, ""),
    ],
)
def test_the_next_look_is_told_where_it_is_waited_for_and_worth_a_word(verdict, seconds, said):
    assert telling.next_look(verdict, seconds) == said
