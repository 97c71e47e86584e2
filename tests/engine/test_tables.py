"""Precedence: which of several findings decides."""

import itertools

import pytest

from canary_operator.engine import tables
from canary_operator.model.verdict import AbortReason, Finding, HoldReason, PromoteReason, Verdict, verdict_of

REASONS = [*AbortReason, *HoldReason, *PromoteReason]
RANK = {verdict: position for position, verdict in enumerate(tables.VERDICT_ORDER)}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(REASONS, 2)))
def test_the_stronger_verdict_decides_and_the_order_of_findings_does_not(one, other):
    findings = [Finding(one, "a"), Finding(other, "b")]

    decided = tables.strongest(findings)

    assert decided == tables.strongest(findings[::-1])
    assert RANK[verdict_of(decided.reason)] == min(RANK[verdict_of(one)], RANK[verdict_of(other)])


def test_no_finding_at_all_holds():
    assert verdict_of(tables.strongest([]).reason) is Verdict.HOLD


def test_sentences_of_one_reason_are_joined():
    findings = [Finding(HoldReason.NO_DATA, "a"), Finding(HoldReason.NO_DATA, "b"), Finding(HoldReason.COLLECTING, "c")]

    assert tables.strongest(findings).message == "a; b"


@pytest.mark.parametrize("reason", AbortReason)
def test_every_abort_can_be_a_hold_of_the_same_name(reason):
    assert tables.HELD_INSTEAD[reason].value == reason.value


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (AbortReason.CONDITIONS_FAILED, True),
        (HoldReason.CONFIGURATION_ERROR, True),
        (HoldReason.COLLECTING, False),
        (HoldReason.WARM_UP, False),
        (PromoteReason.CONDITIONS_MET, False),
    ],
)
def test_somebody_should_look_at_what_does_not_pass_by_itself(reason, expected):
    assert tables.needs_a_person(Finding(reason, "")) is expected
