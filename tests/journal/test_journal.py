"""What is told and kept of a decision."""

import copy
import re

import jsonschema
import pytest

from canary_operator.engine.judged import judged_metrics
from canary_operator.journal import analysis_run, events, records
from canary_operator.journal.inputs import Inputs
from canary_operator.journal.records import Origin
from canary_operator.model.record import GateDecisionSpec, RecordedAction
from canary_operator.model.rollout import RolloutRef
from tests.builders import BAD, EMPTY, GOOD, NAME, NAMESPACE, ONE_INDEFINITE, T0, a_rollout, a_snapshot
from tests.scenarios.world import World

REF = RolloutRef(NAMESPACE, NAME)
NAME_OF_AN_OBJECT = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# What Argo's CRD wants of a run, as far as the gate fills it in.
RUN_SCHEMA = {
    "required": ["spec"],
    "properties": {
        "spec": {
            "required": ["metrics"],
            "properties": {"metrics": {"minItems": 1, "items": {"required": ["name", "provider"]}}},
        },
        "status": {
            "required": ["phase"],
            "properties": {
                "phase": {"enum": ["Running", "Successful", "Failed", "Inconclusive"]},
                "metricResults": {
                    "items": {
                        "required": ["name", "phase"],
                        "properties": {"measurements": {"items": {"required": ["phase"]}}},
                    }
                },
            },
        },
    },
}


def after(answer, seconds=0):
    return World(a_rollout(ONE_INDEFINITE), prometheus=lambda _: answer).release().until(seconds).status


# Events.


@pytest.mark.parametrize(("answer", "kind", "reason"), [(GOOD, "Normal", "Collecting"), (EMPTY, "Warning", "NoData")])
def test_an_event_tells_the_verdict(answer, kind, reason):
    event = events.verdict_event(REF, after(answer), T0, "")

    assert (event["type"], event["reason"]) == (kind, reason)
    assert event["message"].startswith("Hold: held at step 1/2 (25 %)")
    assert event["involvedObject"]["uid"] == a_rollout()["metadata"]["uid"]


def test_equal_verdicts_of_a_pause_share_a_name_and_others_do_not():
    one, again, other = after(EMPTY), after(EMPTY, 30), after(GOOD)

    names = [events.verdict_event(REF, status, T0, "")["metadata"]["name"] for status in (one, again, other)]

    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize("name", ["a", "a" * 253, "a" * 199 + "-" + "b" * 30, "a" * 219 + "." + "b" * 20])
def test_names_are_names_for_the_api_server(name):
    ref, status = RolloutRef(NAMESPACE, name), after(EMPTY)
    record = a_record(status)

    for written in (events.verdict_event(ref, status, T0, "")["metadata"]["name"], records.record_name(ref, record)):
        assert NAME_OF_AN_OBJECT.fullmatch(written)
        assert len(written) <= 253


def test_a_long_message_is_cut():
    status = after(EMPTY).model_copy(update={"message": "x" * 5000})

    assert len(events.verdict_event(REF, status, T0, "")["message"]) == 1024


PAGE = "https://gates.example/gates/shop/guestbook"


def test_an_event_ends_with_the_address_of_the_page():
    event = events.verdict_event(REF, after(EMPTY), T0, PAGE)

    assert event["message"].endswith(f" {PAGE}")


@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_long_message_is_cut_in_bytes_and_its_link_never(letter):
    status = after(EMPTY).model_copy(update={"message": letter * 5000})

    message = events.verdict_event(REF, status, T0, PAGE)["message"]

    assert 1020 < len(message.encode()) <= 1024
    assert message.endswith(f"{letter} {PAGE}")


def test_a_link_that_leaves_no_room_is_left_out():
    event = events.verdict_event(REF, after(EMPTY), T0, "https://gates.example/" + "x" * 1024)

    assert event["message"].startswith("Hold: held at step 1/2")
    assert "https" not in event["message"]


# AnalysisRuns.


@pytest.mark.parametrize(
    ("answer", "seconds", "phase"),
    [(GOOD, 0, "Running"), (GOOD, 50, "Successful"), (BAD, 50, "Failed"), (EMPTY, 50, "Running")],
)
def test_a_run_shows_the_pause(answer, seconds, phase):
    content = analysis_run.run_content(after(answer, seconds), judged_metrics(a_snapshot()), T0 + seconds, "")

    jsonschema.validate(content, RUN_SCHEMA)
    assert content["status"]["phase"] == phase
    assert ("completedAt" in content["status"]) is (phase != "Running")


def test_a_run_of_which_nothing_can_be_read_has_a_metric_all_the_same():
    jsonschema.validate(analysis_run.run_content(after(EMPTY), (), T0, ""), RUN_SCHEMA)


def test_a_run_is_not_controlled_and_belongs_to_another_instance():
    meta = analysis_run.run_metadata(REF, after(EMPTY))

    assert [owner["controller"] for owner in meta["ownerReferences"]] == [False]
    assert meta["labels"]["argo-rollouts.argoproj.io/controller-instance-id"] == "canary-operator"
    assert meta["annotations"]["rollout.argoproj.io/revision"] == "2"


# Records.


def a_record(status, *, action=None, snapshot=None, samples=None):
    inputs = Inputs(snapshot or a_snapshot(), samples or {}, T0)
    return records.decision_record(inputs, status, action, Origin("configuration"))


def a_chain(length=3):
    status = after(EMPTY).model_copy(update={"sequence": 0, "record_hash": ""})
    chain = []
    for number in range(length):
        action = RecordedAction(kind="Hold", decision_id="d", outcome="Applied") if number % 2 else None
        record = a_record(status, action=action)
        status = status.model_copy(update={"sequence": record.sequence, "record_hash": record.hash})
        chain.append(record)
    return chain


def test_a_record_names_the_one_before():
    chain = a_chain()

    assert [record.sequence for record in chain] == [1, 2, 3]
    assert [record.previous_hash for record in chain] == ["", chain[0].hash, chain[1].hash]


def test_what_is_stored_is_what_was_hashed():
    for record in a_chain():
        stored = record.model_dump(mode="json", by_alias=True, exclude_none=True)

        assert records.record_hash(GateDecisionSpec.model_validate(stored)) == record.hash


@pytest.mark.parametrize(
    "change", [{"message": "fine"}, {"verdict": "Promote"}, {"previous_hash": "0"}, {"sequence": 9}, {"evidence": ()}]
)
def test_a_record_that_was_changed_has_another_hash(change):
    record = a_chain()[1]

    assert records.record_hash(record.model_copy(update=change)) != record.hash


def test_the_builders_are_not_changed_by_a_run():
    body = a_rollout(ONE_INDEFINITE)
    before = copy.deepcopy(body)
    World(body).release().until(30)

    assert body == before


@pytest.mark.parametrize(("link", "end"), [("", "NoData"), (PAGE, f" {PAGE}")])
def test_the_message_of_a_run_ends_with_the_address_of_the_page_if_there_is_one(link, end):
    status = after(EMPTY)
    pause = status.pause.model_copy(update={"message": "held: NoData"})

    content = analysis_run.run_content(status.model_copy(update={"pause": pause}), (), T0, link)

    assert content["status"]["message"].startswith("held: NoData")
    assert content["status"]["message"].endswith(end)
