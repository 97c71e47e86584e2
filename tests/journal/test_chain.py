"""A chain of records: whatever is done to one of them is found, and a chain that was written holds."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.journal import records
from canary_operator.journal.chain import Stored, flaws
from canary_operator.model.gate import GateStatus, Retired
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef
from tests.builders import NAME, NAMESPACE, a_policy, a_rollout, pause, set_weight
from tests.scenarios.world import World

REF = RolloutRef(NAMESPACE, NAME)


def stored(record):
    spec = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return Stored(REF, records.record_name(REF, record), spec)


def a_chain():
    steps = (set_weight(25), pause("30s"), set_weight(50), pause("30s"))
    world = World(a_rollout(steps), policy=a_policy()).release().until(150)
    return tuple(map(stored, world.records))


CHAIN = a_chain()
HEAD = CHAIN[-1].spec


def a_gate(*, retired=0, head=HEAD):
    before = Retired(sequence=retired, hash=CHAIN[retired - 1].spec["hash"]) if retired else None
    return GateStatus(sequence=head["sequence"], record_hash=head["hash"], retired=before)


def told(chain, gate=None):
    return [flaw.sentence for flaw in flaws(chain, gate or a_gate())]


def resigned(each, **changes):
    spec = {**copy.deepcopy(dict(each.spec)), **changes}
    record = records.signed(GateDecisionSpec.model_validate(spec))
    return stored(record)


def test_the_records_of_a_release_are_a_chain():
    assert len(CHAIN) >= 6
    assert told(CHAIN) == []


@pytest.mark.parametrize("kept", range(len(CHAIN) - 1))
def test_a_chain_whose_beginning_was_given_up_holds_from_there(kept):
    assert told(CHAIN[kept:], a_gate(retired=kept)) == []


def test_what_was_given_up_and_is_not_deleted_yet_belongs_to_the_chain():
    assert told(CHAIN[1:], a_gate(retired=3)) == []
    assert told((*CHAIN[1:2], *CHAIN[3:]), a_gate(retired=3)) == ["record 3 is missing"]


def test_a_chain_without_a_gate_is_looked_at_as_far_as_it_goes():
    assert flaws(CHAIN[2:4], None) == ()
    assert [flaw.sentence for flaw in flaws((CHAIN[1], CHAIN[3]), None)] == ["record 3 is missing"]


def test_a_record_after_the_gates_last_is_told_apart():
    (flaw,) = flaws(CHAIN, a_gate(head=CHAIN[-2].spec))

    assert flaw.beyond
    assert flaw.place == HEAD["sequence"]


@pytest.mark.parametrize("at", range(len(CHAIN)))
def test_a_record_that_was_taken_out_is_missing(at):
    assert told((*CHAIN[:at], *CHAIN[at + 1 :])) == [f"record {at + 1} is missing"]


@pytest.mark.parametrize("left", range(len(CHAIN)))
def test_a_chain_that_was_cut_at_either_end_is_found(left):
    assert told(CHAIN[:left])
    assert told(CHAIN[len(CHAIN) - left :], a_gate())


@pytest.mark.parametrize("at", range(len(CHAIN)))
def test_a_record_that_is_there_twice_is_found(at):
    assert f"record {at + 1} is there twice" in told((*CHAIN, CHAIN[at]))


def test_a_forged_chain_that_is_one_in_itself_is_not_the_gates():
    forged, previous = [], ""
    for each in CHAIN:
        forged.append(resigned(each, message="all is well", previousHash=previous))
        previous = forged[-1].spec["hash"]

    assert told(tuple(forged)) == [f"record {len(CHAIN)} has another hash than the gate remembers of it"]


def test_a_record_that_was_changed_and_signed_again_breaks_the_next():
    forged = (*CHAIN[:2], resigned(CHAIN[2], message="all is well"), *CHAIN[3:])

    assert told(forged) == ["record 4 was written after another record 3 than the one that is there"]


def leaves(document, path=()):
    """Where a document has values, by path."""
    match document:
        case dict():
            return [leaf for key, value in document.items() for leaf in leaves(value, (*path, key))]
        case list():
            return [leaf for at, value in enumerate(document) for leaf in leaves(value, (*path, at))]
    return [path]


def changed(value):
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
    raise AssertionError(value)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(CHAIN) - 1), st.data())
def test_whatever_field_of_whatever_record_is_changed_it_is_found(at, data):
    spec = copy.deepcopy(dict(CHAIN[at].spec))
    *path, last = data.draw(st.sampled_from(leaves(spec)))
    inside = spec
    for key in path:
        inside = inside[key]
    inside[last] = changed(inside[last])

    assert told((*CHAIN[:at], Stored(REF, CHAIN[at].name, spec), *CHAIN[at + 1 :]))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(CHAIN) - 1), st.data())
def test_whatever_field_is_taken_away_it_is_found(at, data):
    spec = copy.deepcopy(dict(CHAIN[at].spec))
    # An empty list that is not there says the same.
    del spec[data.draw(st.sampled_from([name for name in sorted(spec) if spec[name] not in ([], "")]))]

    assert told((*CHAIN[:at], Stored(REF, CHAIN[at].name, spec), *CHAIN[at + 1 :]))


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(len(CHAIN))))
def test_records_that_were_given_each_others_places_are_found(order):
    moved = tuple(Stored(REF, CHAIN[at].name, CHAIN[other].spec) for at, other in enumerate(order))

    assert bool(told(moved)) is (list(order) != sorted(order))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, len(CHAIN) - 1), st.integers(1, len(CHAIN) + 2))
def test_a_forged_record_is_found_wherever_it_is_put_in(like, place):
    forged = resigned(
        CHAIN[like], sequence=place, message="forged", previousHash=CHAIN[min(place, len(CHAIN)) - 2].spec["hash"]
    )

    assert told((*CHAIN, forged))
    assert told((*CHAIN[: place - 1], forged, *CHAIN[place:]))
