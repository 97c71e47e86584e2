"""Which gates need a person, in which order they stand, and which of them somebody wants to see."""

import pytest

from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from canary_operator.web.sight import Known
from canary_operator.web.summary import Balance, Group, Wanted, counts, summary
from tests.builders import T0
from tests.web.town import an_evidence, at, broken, ended, held, idle, promoting, regressing

API = RolloutRef("shop", "api")


def known(status, lack=""):
    return Known(API, GateStatus.model_validate(status), None, lack)


def refused(**fields):
    return {"lastAction": {"action": "Hold", "decisionId": "d", "at": at(T0), "outcome": "Refused"}, **fields}


@pytest.mark.parametrize(
    ("status", "group"),
    [
        (held(API), Group.JUDGING),
        (promoting(API), Group.JUDGING),
        (held(API, reason="LowTraffic"), Group.JUDGING),
        (held(API, verdict=None, reason="NotGated"), Group.JUDGING),
        (broken(API), Group.PERSON),
        (broken(API, "ConfigurationError"), Group.PERSON),
        (held(API, reason="Drifting"), Group.PERSON),
        (held(API, verdict="Abort", reason="CanaryRegression"), Group.PERSON),
        (held(API, reason="WrittenByANewerOperator"), Group.PERSON),
        (held(API, **refused()), Group.PERSON),
        (regressing(API), Group.PERSON),
        (ended(API), Group.ENDED),
        (held(API, phase="Ended", reason="NoData"), Group.ENDED),
        (ended(API, **refused()), Group.ENDED),
        (idle(API), Group.IDLE),
    ],
)
def test_what_needs_a_person_is_what_the_tables_say_and_what_was_refused(status, group):
    assert summary(known({key: value for key, value in status.items() if value is not None})).group is group


def test_a_gate_whose_rollout_cannot_be_read_needs_a_person_and_says_why():
    said = summary(known(held(API), lack="spec.replicas cannot be read"))

    assert (said.group, said.message) == (Group.PERSON, "spec.replicas cannot be read")


def test_one_evidence_is_enough_to_abort_and_all_are_needed_to_promote():
    evidence = [
        an_evidence("a", towardsAbort=0.1, towardsPromote=0.9),
        an_evidence("b", towardsAbort=0.4, towardsPromote=0.2),
    ]

    assert summary(known(held(API, evidence=evidence))).balance == Balance(0.4, 0.2)


@pytest.mark.parametrize("status", [held(API, evidence=[]), idle(API)])
def test_without_evidence_there_is_nothing_to_weigh(status):
    assert summary(known(status)).balance is None


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [
        (Wanted(), True),
        (Wanted(namespace="shop"), True),
        (Wanted(namespace="sho"), False),
        (Wanted(verdict="Hold"), True),
        (Wanted(verdict="None"), False),
        (Wanted(text="collecting SHOP/api"), True),
        (Wanted(text="collecting nobody"), False),
        (Wanted(text="1,200 more"), True),
    ],
)
def test_a_gate_is_wanted_by_namespace_verdict_and_every_word(wanted, matches):
    assert wanted.matches(summary(known(held(API)))) is matches


def test_the_address_of_what_is_wanted_keeps_the_other_fields():
    wanted = Wanted("a b&c", "shop", "Hold")

    assert wanted.query(verdict="") == "q=a+b%26c&namespace=shop"
    assert Wanted().query() == ""


def test_every_verdict_is_counted_also_one_that_no_gate_has():
    rows = [summary(known(status)) for status in (held(API), held(API), idle(API))]

    assert counts(rows) == {"Abort": 0, "Hold": 2, "Promote": 0, "None": 1}
