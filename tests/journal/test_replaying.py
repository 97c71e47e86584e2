"""A record is computed again from what it keeps: identical, different and where, or not to be had and why."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator import engine
from canary_operator.cluster import kinds
from canary_operator.cluster.store import Store
from canary_operator.errors import ConfigurationError
from canary_operator.journal import inputs as inputs_module
from canary_operator.journal import records
from canary_operator.journal.inputs import Inputs, pack, unpack
from canary_operator.journal.replaying import Differs, Identical, NotReplayable, replay
from canary_operator.model.rollout import TemplateRef
from canary_operator.model.samples import (
    Answer,
    NativeBucket,
    NativeSample,
    NativeSeries,
    Query,
    ResultKind,
    Sample,
    Series,
)
from canary_operator.model.template import without_secrets
from tests.builders import BAD, GOOD, T0, a_metric, a_rollout, a_snapshot, a_template, an_override, pause, set_weight
from tests.scenarios.world import World

STEPS = (set_weight(25), pause("30s"), set_weight(50), pause())


def a_release(answer=GOOD, **fields):
    return World(a_rollout(STEPS), prometheus=lambda _: answer, **fields).release().until(90).records


def test_the_records_of_a_release_are_identical():
    assert [replay(record) for record in a_release()] == [Identical()] * len(a_release())


def test_the_record_of_an_override_names_the_person():
    world = World(a_rollout(STEPS)).release().until(5)
    world.says(an_override("Abort")).until(20)

    record = next(record for record in world.records if record.action and record.action.kind == "Abort")
    assert (record.actor.kind, record.actor.name, record.actor.reason) == ("Person", "ada", "release train")
    assert replay(record) == Identical()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": "all is well"}, "message"),
        ({"reason": "Override"}, "reason"),
        ({"evidence": ()}, "evidence"),
        ({"asked": ()}, "asked"),
        ({"templates": ()}, "templates"),
        ({"mode": "observe"}, "mode"),
    ],
)
def test_a_record_that_says_something_else_differs_there(change, field):
    record = next(each for each in a_release(BAD) if each.asked)

    result = replay(records.signed(record.model_copy(update=change)))

    assert isinstance(result, Differs)
    assert field in [each.field for each in result.differences]


def test_a_record_of_another_version_is_compared_all_the_same():
    record = a_release()[0]

    other = records.signed(record.model_copy(update={"operator_version": "0.0.1"}))

    assert replay(other) == Identical(other_version="0.0.1")


def test_a_verdict_that_did_not_change_is_no_record():
    world = World(a_rollout(STEPS)).release().until(40)
    snapshot, samples, now, decision = next(each for each in world.decisions if each[0].status.verdict)
    snapshot = dataclasses.replace(snapshot, status=engine.decide(snapshot, samples, now).status)
    record = records.decision_record(Inputs(snapshot, samples, now), decision.status, None, records.Origin())

    assert isinstance(replay(record), Differs)


def test_inputs_that_were_changed_are_not_replayed():
    record = a_release()[0]
    kept = record.inputs.model_copy(update={"data": a_release(BAD)[-1].inputs.data})

    assert replay(record.model_copy(update={"inputs": kept})) == NotReplayable(
        "the inputs are not those that were recorded: their hash differs"
    )


@pytest.mark.parametrize("data", ["", "%%%", "AAAA", "eJwDAAAAAAE="])
def test_what_cannot_be_unpacked_is_said(data):
    kept = a_release()[0].inputs.model_copy(update={"data": data})

    with pytest.raises(ConfigurationError):
        unpack(kept)


def test_answers_that_are_too_large_are_left_out_and_the_record_says_so(monkeypatch):
    monkeypatch.setattr(inputs_module, "MAX_COMPRESSED_BYTES", 4096)
    series = tuple(Series((("pod", str(at)),), (Sample(T0, at / 7),)) for at in range(3000))
    kept = pack(Inputs(a_snapshot(), {Query("default", "up", T0): Answer(ResultKind.VECTOR, series)}, T0))

    assert kept.left_out.startswith("answers of ")
    with pytest.raises(ConfigurationError, match=r"answers of .* KiB were left out"):
        unpack(kept)


def test_inputs_that_are_too_large_without_answers_are_left_out_whole(monkeypatch):
    monkeypatch.setattr(inputs_module, "MAX_COMPRESSED_BYTES", 16)

    kept = pack(Inputs(a_snapshot(), {}, T0))

    assert kept.left_out.startswith("everything, ")
    assert kept.data == ""


numbers = st.floats() | st.integers(-(2**53), 2**53).map(float)
labels = st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=2).map(tuple)
samples = st.builds(Sample, numbers, numbers)
buckets = st.builds(NativeBucket, numbers, numbers, numbers)
natives = st.builds(NativeSample, numbers, numbers, st.lists(buckets, max_size=2).map(tuple))
answers = st.builds(
    Answer,
    st.sampled_from(ResultKind),
    st.lists(st.builds(Series, labels, st.lists(samples, max_size=3).map(tuple)), max_size=3).map(tuple),
    st.lists(st.builds(NativeSeries, labels, st.lists(natives, max_size=2).map(tuple)), max_size=2).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(answers, st.floats(0, 4e9))
def test_answers_come_back_to_the_last_bit(answer, at):
    kept = pack(Inputs(a_snapshot(), {Query("default", "up", at): answer}, at))

    again = unpack(kept)

    assert repr(again.samples) == repr({Query("default", "up", at): answer})
    assert pack(again) == kept


SECRET = "hunter2"
HIDDEN = [
    {"prometheus": {"query": "up", "headers": [{"key": "Authorization", "value": SECRET}]}},
    {"prometheus": {"query": "up", "authentication": {"oauth2": {"clientSecret": SECRET}}}},
    {"prometheus": {"query": "up", "address": f"http://me:{SECRET}@prometheus:9090"}},
    {"web": {"url": f"https://me:{SECRET}@x/?token={SECRET}", "headers": [{"key": "a", "value": SECRET}]}},
    {"web": {"url": "https://x/", "body": SECRET, "jsonBody": {"deep": [SECRET]}}},
    {"job": {"spec": {"env": [{"name": "TOKEN", "value": SECRET}]}}},
    {"plugin": {"acme/metrics": {"apiKey": SECRET}}},
]


@pytest.mark.parametrize("provider", HIDDEN)
def test_what_a_template_keeps_secret_never_gets_into_a_record(provider):
    store, ref = Store(), TemplateRef("errors")
    meta = {"name": "errors", "namespace": "shop", "uid": "u", "resourceVersion": "1"}
    metric = {**a_metric(), "provider": provider}
    store.put(kinds.ANALYSIS_TEMPLATES, {"metadata": meta, **a_template(metric)})

    snapshot = a_snapshot(templates={ref: store.template(ref, "shop")})
    decision = engine.decide(snapshot, {}, T0)
    record = records.decision_record(Inputs(snapshot, {}, T0), decision.status, None, records.Origin())

    assert SECRET not in record.model_dump_json()
    assert SECRET not in json.dumps(unpack(record.inputs).snapshot.templates[ref])


def test_a_secret_that_changes_is_still_a_change_and_what_is_judged_stays():
    def a_body(value):
        provider = {"prometheus": {"query": "up", "headers": [{"key": "k", "value": value}]}}
        return without_secrets(a_template({**a_metric(), "provider": provider}))

    assert a_body("one") != a_body("two")
    assert without_secrets(a_template()) == a_template()


def test_annotations_of_people_are_not_kept():
    body = a_rollout(STEPS, annotations={"example.com/note": SECRET})

    records_ = World(body).release().until(40).records

    assert records_
    assert not [each for each in records_ if SECRET in repr(unpack(each.inputs))]
