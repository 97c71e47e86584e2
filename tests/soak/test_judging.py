"""What a long run must notice is noticed: each mistake is seeded into a run without any."""

import dataclasses

import pytest

from canary_operator.journal.records import record_hash
from canary_operator.model.record import GateDecisionSpec
from tests.soak.judging import Chain, Course, Evidence, Write, mistakes, not_replayed
from tests.soak.releases import End, Ending, Release, Shape, Truth

HASH = "6b8c4f7d9d"
START = "2026-11-30T12:00:00Z"
GOOD = Release("web", 2, Truth.GOOD, Ending.BY_ITSELF)


def chain_of(*told, head=None):
    """A chain of records: step, verdict, reason, then kind, decision and outcome of an action, if there was one."""
    records, previous = [], ""
    for sequence, (step, verdict, reason, *action) in enumerate(told, 1):
        body = {
            "rolloutName": "web",
            "rollout": {"uid": "u", "generation": 2, "revision": 2, "podHash": HASH, "stableHash": "s"},
            "step": {"index": step, "count": 4, "kind": "pause", "weight": 50},
            "at": START,
            "mode": "enforce",
            "verdict": verdict,
            "reason": reason,
            "message": "",
            "actor": {"kind": "Operator"},
            "operatorVersion": "0",
            "configuration": "",
            "inputs": {"digest": "", "size": 0, "data": ""},
            "sequence": sequence,
            "previousHash": previous,
            "hash": "",
        }
        if action:
            body["action"] = dict(zip(("kind", "decisionId", "outcome"), action, strict=True))
        record = GateDecisionSpec.model_validate(body)
        previous = record_hash(record)
        signed = record.model_copy(update={"hash": previous})
        records.append(signed.model_dump(by_alias=True, exclude_none=True, mode="json"))
    return Chain("web", records, len(records), previous if head is None else head)


PROMOTED = (
    (1, "Hold", "Collecting", "Hold", "a", "Applied"),
    (1, "Promote", "ConditionsMet", "Release", "b", "Applied"),
    (3, "Hold", "Collecting"),
    (3, "Promote", "ConditionsMet", "Promote", "c", "Applied"),
)


def write(action, step, pause=START):
    return Write("web", "u", HASH, step, pause, action)


WRITES = (write("Hold", 1), write("Hold", 1), write("Release", 1), write("Promote", 3))


def evidence(*, release=GOOD, end=End.PROMOTED_BY_GATE, told=PROMOTED, writes=WRITES, chain=None, **course):
    course = Course(release, Shape.CONDITIONS, 0.0, uid="u", pod_hash=HASH, end=end, took=1.0, **course)
    return Evidence([course], [chain or chain_of(*told)], writes)


def test_a_release_that_is_held_released_and_promoted_has_no_mistake():
    assert mistakes(evidence()) == []


def test_a_hold_that_two_operators_wrote_has_a_record_of_each():
    again = (1, "Hold", "Collecting", "Hold", "a2", "Applied")
    assert mistakes(evidence(told=(PROMOTED[0], again, *PROMOTED[1:]))) == []
    assert "1 times done and 3 times" in "\n".join(
        mistakes(evidence(told=(PROMOTED[0], again, (*again[:4], "a3", "Applied"), *PROMOTED[1:])))
    )


SILENT = Release("web", 2, Truth.SILENT, Ending.PERSON_ABORTS)
BAD = Release("web", 2, Truth.BAD, Ending.BY_ITSELF)


@pytest.mark.parametrize(
    ("changed", "noticed"),
    [
        pytest.param({"end": End.NONE}, "ended not at all and not promoted by the gate", id="a release is stuck"),
        pytest.param({"end": End.ABORTED_BY_GATE}, "ended aborted by the gate", id="a good one is aborted"),
        pytest.param({"release": BAD}, "good enough to promote", id="a bad one is promoted"),
        pytest.param(
            {"told": PROMOTED[:2], "writes": WRITES[:3]},
            "no record of a promotion of the pause 3",
            id="a gate is skipped",
        ),
        pytest.param({"release": SILENT}, "without data", id="a promotion without data"),
        pytest.param({"writes": (*WRITES, write("Promote", 3))}, "2 accepted writes", id="promoted twice"),
        pytest.param({"writes": (*WRITES, write("Hold", 1))}, "3 accepted writes", id="a hold is written three times"),
        pytest.param(
            {"told": (*PROMOTED, PROMOTED[-1])}, "decision c is recorded as applied 2 times", id="one decision twice"
        ),
        pytest.param({"writes": WRITES[:3]}, "0 times done and 1 times recorded", id="recorded and not done"),
        pytest.param(
            {"told": (*PROMOTED[:3], (3, "Promote", "ConditionsMet"))}, "1 times done and 0", id="not recorded"
        ),
        pytest.param({"chain": chain_of(*PROMOTED, head="x")}, "the gate names record 4", id="another head"),
    ],
)
def test_a_mistake_is_noticed(changed, noticed):
    assert noticed in "\n".join(mistakes(evidence(**changed)))


def test_a_gate_that_is_left_with_something_to_do_is_noticed():
    chain = dataclasses.replace(chain_of(*PROMOTED), state="Judging, pending None")
    assert mistakes(evidence(chain=chain)) == ["web: the gate is left Judging, pending None"]


def test_a_record_that_was_changed_is_noticed():
    chain = chain_of(*PROMOTED)
    changed = [{**record, "message": "other"} if record["sequence"] == 2 else record for record in chain.records]
    found = mistakes(evidence(chain=dataclasses.replace(chain, records=changed)))
    assert found == ["web: record 2 is not what was hashed"]


def test_a_record_that_is_missing_is_noticed():
    chain = chain_of(*PROMOTED)
    found = mistakes(evidence(chain=dataclasses.replace(chain, records=[*chain.records[:1], *chain.records[2:]])))
    assert "web: record 3 stands where record 2 should be" in found


def test_an_operator_that_ends_by_itself_is_a_mistake():
    assert mistakes(Evidence([], [], [], ["exit status 1"])) == ["the operator ended by itself: exit status 1"]


def test_a_record_that_cannot_be_computed_again_is_noticed():
    found = not_replayed([chain_of(PROMOTED[0])])
    assert len(found) == 1
    assert found[0].startswith("web: record 1 is not what is computed again: NotReplayable")
