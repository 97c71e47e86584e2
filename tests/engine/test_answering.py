"""What Argo is answered: pass and fail only about the very release and step that it asked about."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.engine import answering
from canary_operator.engine.answering import Query, Told, Word
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import AbortReason, HoldReason, PromoteReason
from tests.builders import CANARY, INTERVAL, NAME, NAMESPACE, STABLE, T0, UID, a_gate_status, a_policy, a_snapshot

QUERY = Query(RolloutRef(NAMESPACE, NAME), UID, CANARY, STABLE, "1")
ROLLOUT = {"uid": UID, "generation": 3, "revision": 2, "podHash": CANARY, "stableHash": STABLE}
START = "2026-09-14T10:00:00Z"


def said(verdict, reason="Collecting", **fields):
    """A gate that judges step 1 of 2."""
    place = {"index": 1, "count": 2, "kind": "analysis", "weight": 25}
    pause = {"startTime": START, "stepIndex": 1, "askedBy": "run", "verdict": verdict or ""}
    status = {
        "phase": "Judging",
        "mode": "observe",
        "rollout": ROLLOUT,
        "step": place,
        "rolloutStep": "1/2",
        "verdict": verdict,
        "reason": reason,
        "message": "the gate's sentence",
        "pause": pause,
        **fields,
    }
    return Told(a_gate_status(**status), at=T0, counts_for=60.0)


def preview(verdict, kind="prePromotion"):
    place = {"count": 0, "kind": kind}
    pause = {"startTime": START, "askedBy": "run", "verdict": verdict}
    return said(verdict, "ConditionsMet", step=place, rolloutStep="", pause=pause)


PASSED, FAILED = said("Promote", "ConditionsMet"), said("Abort", "ConditionsFailed")


def asked(last, query=QUERY, later=0.0):
    answer = answering.answer(query, last, T0 + later)
    return answer.word, answer.reason


@pytest.mark.parametrize("reason", list(PromoteReason))
def test_a_promotion_passes(reason):
    assert asked(said("Promote", reason.value)) == (Word.PASS, reason.value)


@pytest.mark.parametrize("reason", list(HoldReason))
def test_every_hold_waits(reason):
    assert asked(said("Hold", reason.value)) == (Word.WAIT, reason.value)


@pytest.mark.parametrize("reason", list(AbortReason))
def test_every_abort_fails(reason):
    assert asked(said("Abort", reason.value)) == (Word.FAIL, reason.value)


@pytest.mark.parametrize("last", [PASSED, FAILED], ids=["passed", "failed"])
@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"uid": "u2"}, f"uid u2 was asked about, {UID} is judged"),
        ({"latest": STABLE}, f"hash {STABLE} was asked about, {CANARY} is judged"),
        ({"stable": ""}, f"stable none was asked about, {STABLE} is judged"),
        ({"step": "3"}, "step 3 was asked about, 1 is judged"),
        ({"step": "pre"}, "step pre was asked about, 1 is judged"),
        ({"uid": "u2", "step": "01"}, f"uid u2 was asked about, {UID} is judged; step 01 was asked about, 1 is judged"),
    ],
)
def test_whatever_is_not_judged_waits_and_is_named(last, other, message):
    answer = answering.answer(dataclasses.replace(QUERY, **other), last, T0)

    assert (answer.word, answer.reason) == (Word.WAIT, "Mismatch")
    assert answer.message == f"this is not what is judged: {message}"


@pytest.mark.parametrize(
    ("last", "step", "answer"),
    [
        (PASSED, "", (Word.WAIT, "NoStep")),
        (FAILED, "", (Word.FAIL, "ConditionsFailed")),
        (preview("Promote"), "pre", (Word.PASS, "ConditionsMet")),
        (preview("Promote"), "post", (Word.WAIT, "Mismatch")),
        (preview("Promote"), "", (Word.WAIT, "NoStep")),
        (preview("Promote", "postPromotion"), "post", (Word.PASS, "ConditionsMet")),
        (preview("Promote", "postPromotion"), "pre", (Word.WAIT, "Mismatch")),
        (preview("Abort", "postPromotion"), "", (Word.FAIL, "ConditionsMet")),
        (said("Promote", "Override", pause=None), "1", (Word.WAIT, "Mismatch")),
    ],
)
def test_only_a_named_step_passes_and_a_failure_is_about_the_whole_release(last, step, answer):
    assert asked(last, dataclasses.replace(QUERY, step=step)) == answer


@pytest.mark.parametrize("change", [{"leftBy": "Gate"}, {"verdict": "Hold"}])
def test_what_passed_before_and_is_over_does_not_pass_again(change):
    pause = {"startTime": START, "stepIndex": 1, "askedBy": "run", "verdict": "Promote", **change}

    assert asked(said("Promote", "ConditionsMet", pause=pause)) == (Word.WAIT, "Mismatch")


@pytest.mark.parametrize("last", [PASSED, FAILED], ids=["passed", "failed"])
def test_a_word_counts_for_some_looks_and_then_waits(last):
    assert asked(last, later=60.0)[0] is not Word.WAIT
    assert asked(last, later=60.1) == (Word.WAIT, "Stale")


@pytest.mark.parametrize("verdict", [None, "Hold", "Promote", "Abort"])
def test_a_release_that_has_ended_waits_for_the_next(verdict):
    assert asked(said(verdict, phase="Ended")) == (Word.WAIT, "Ended")


def test_outside_of_a_gated_release_the_gate_says_why_it_waits():
    answer = answering.answer(QUERY, said(None, "NotGated", phase="Idle", message="suspended"), T0)

    assert (answer.word, answer.reason, answer.message) == (Word.WAIT, "NotGated", "suspended")


def test_where_nothing_is_judged_no_look_is_expected_and_none_is_stale():
    idle, ended = said(None, "NotGated", phase="Idle"), said("Abort", phase="Ended")

    assert asked(idle, later=86_400.0) == (Word.WAIT, "NotGated")
    assert asked(ended, later=86_400.0) == (Word.WAIT, "Ended")


@pytest.mark.parametrize("last", [None, said(None, rollout=None, phase="Idle")], ids=["no look", "nothing judged"])
def test_what_nobody_has_looked_at_waits(last):
    assert asked(last) == (Word.WAIT, "NotJudged")


def test_an_abort_that_is_only_told_waits_unless_a_person_says_so():
    only_told = dataclasses.replace(FAILED, only_tells=True)
    by_a_person = dataclasses.replace(said("Abort", "Override"), only_tells=True)

    assert asked(only_told) == (Word.WAIT, "Notify")
    assert asked(by_a_person) == (Word.FAIL, "Override")
    assert asked(dataclasses.replace(PASSED, only_tells=True)) == (Word.PASS, "ConditionsMet")


texts = st.sampled_from([UID, CANARY, STABLE, "1", "pre", "", "2"])
queries = st.builds(Query, st.just(QUERY.ref), texts, texts, texts, texts)


@given(queries, st.sampled_from([PASSED, FAILED]), st.floats(-10, 1e6))
def test_pass_and_fail_are_only_said_about_what_is_judged_while_it_counts(query, last, later):
    word, _ = asked(last, query, later)

    fits = (query.uid, query.latest, query.stable) == (UID, CANARY, STABLE) and later <= 60
    assert (word is Word.PASS) == (fits and last is PASSED and query.step == "1")
    assert (word is Word.FAIL) == (fits and last is FAILED and query.step in {"", "1"})


@pytest.mark.parametrize(
    ("policies", "only_tells"),
    [
        ({}, False),
        ({"strict": a_policy()}, False),
        ({"strict": a_policy(failAction="Notify")}, True),
        ({"strict": "SLOPolicy strict: spec: cannot be read"}, False),
    ],
)
def test_what_was_told_knows_its_policy_and_how_long_it_counts(policies, only_tells):
    snapshot = a_snapshot(policies=policies)
    names = tuple(policies)
    snapshot = dataclasses.replace(snapshot, opt_in=dataclasses.replace(snapshot.opt_in, policies=names))

    assert answering.told(snapshot, PASSED.status, T0) == Told(PASSED.status, T0, 4 * INTERVAL, only_tells)


EVIDENCE = {"name": "availability", "kind": "Ratio", "source": "s", "digest": "d", "since": START, "message": "better"}
COUNTED = {**EVIDENCE, "canary": {"bad": 1, "total": 200}, "stable": {"bad": 9, "total": 1800}, "memory": "secret"}


def test_the_document_has_the_words_the_reason_and_the_evidence_in_short():
    last = said("Promote", "EvidenceSufficient", evidence=[COUNTED])

    assert answering.document(answering.answer(QUERY, last, T0)) == {
        "verdict": "pass",
        "gate": "Promote",
        "reason": "EvidenceSufficient",
        "message": "the gate's sentence",
        "step": "1/2",
        "evidence": [
            {
                "name": "availability",
                "message": "better",
                "canary": {"bad": 1, "total": 200},
                "stable": {"bad": 9, "total": 1800},
            }
        ],
    }


def test_the_document_of_an_answer_that_is_no_verdict_has_no_word_of_a_gate():
    document = answering.document(answering.answer(QUERY, None, T0))

    assert (document["verdict"], document["gate"], document["step"], document["evidence"]) == ("wait", None, None, [])
