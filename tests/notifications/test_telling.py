"""Which looks bring news: the same verdict and reason at one step of one release is told once."""

import dataclasses

import pytest

from canary_operator.engine import tables
from canary_operator.model.news import FIELDS
from canary_operator.notifications.telling import Told, news_of
from tests.builders import T0
from tests.notifications.looks import REF, a_look, a_status, an_entry


def told(*looks, hold_after=0.0):
    """What one process tells of looks in this order."""
    memory = Told(hold_after)
    return [memory.is_new(look) for look in looks]


def test_a_new_verdict_is_news():
    assert told(a_look()) == [True]


@pytest.mark.parametrize("verdict", ["Promote", "Abort"])
def test_a_look_that_changes_nothing_is_none(verdict):
    assert told(a_look(a_status(verdict, "MaxHold"), changed=False)) == [False]


@pytest.mark.parametrize("missing", ["rollout", "verdict"])
def test_a_gate_that_judges_nothing_has_nothing_to_tell(missing):
    assert told(a_look(a_status().model_copy(update={missing: None}))) == [False]


def test_a_hold_is_told_once_it_has_stood_long_enough():
    looks = [a_look(changed=second == 0, at=T0 + second) for second in range(0, 120, 15)]

    assert told(*looks, hold_after=60.0) == [False, False, False, False, True, False, False, False]


@pytest.mark.parametrize(("verdict", "reason"), [("Promote", "ConditionsMet"), ("Abort", "ConditionsFailed")])
def test_promotions_and_aborts_are_told_at_once(verdict, reason):
    assert told(a_look(a_status(verdict, reason)), hold_after=60.0) == [True]


def test_a_hold_that_lasts_until_the_first_samples_is_not_told():
    looks = [a_look(at=T0), a_look(a_status(reason="Collecting"), at=T0 + 15), a_look(a_status("Promote"), at=T0 + 600)]

    assert told(*looks, hold_after=60.0) == [False, False, True]


def test_a_hold_that_keeps_coming_and_going_is_told_although_it_never_stands():
    reasons = ["NoData", "Collecting"] * 4
    looks = [a_look(a_status(reason=reason), at=T0 + 15 * number) for number, reason in enumerate(reasons)]

    assert told(*looks, hold_after=60.0) == [False, False, False, False, True, True, False, False]


def test_the_last_word_of_a_gate_that_a_person_has_ended_is_no_news():
    assert told(a_look(changed=False), a_look(a_status(phase="Ended"), at=T0 + 600), hold_after=60.0) == [False, False]


def test_a_verdict_that_comes_and_goes_is_told_once():
    no_data, collecting = a_look(a_status()), a_look(a_status(reason="Collecting"))

    assert told(*[no_data, collecting] * 50) == [True, True] + [False] * 98


@pytest.mark.parametrize(
    "second",
    [
        a_status(reason="NoTraffic"),
        a_status("Promote", "ConditionsMet"),
        a_status(step=2),
        a_status(revision=3),
    ],
    ids=["another reason", "another verdict", "another step", "another revision"],
)
def test_whatever_else_is_new_is_told_too(second):
    assert told(a_look(), a_look(second)) == [True, True]


def test_a_release_that_a_person_tries_again_is_told_anew():
    abort = a_status("Abort", "ConditionsFailed")
    ended = a_status("Abort", "ConditionsFailed", phase="Ended", step=0)

    looks = [a_look(abort), a_look(ended, changed=False), a_look(abort)]

    assert told(*looks) == [True, False, True]


def test_what_is_found_after_the_promotion_is_told():
    pause = {"startTime": "2026-09-14T10:00:00Z", "stepIndex": 3}
    promoted = a_status("Promote", "ConditionsMet", step=3, pause=pause)
    ended = a_status("Promote", "ConditionsMet", phase="Ended", step=4, pause=pause)
    bad = a_status("Abort", "CanaryRegression", phase="Ended", step=4, pause=pause)

    assert told(a_look(promoted), a_look(ended, changed=False), a_look(bad), a_look(bad)) == [True, False, True, False]


def test_the_end_of_a_release_repeats_nothing():
    pause = {"startTime": "2026-09-14T10:00:00Z", "stepIndex": 1}
    passed = a_status("Promote", "ConditionsMet", pause=pause)
    between = a_status("Hold", "Collecting", step=2, pause=pause)
    ended = a_status("Promote", "ConditionsMet", phase="Ended", step=4, pause=pause)

    assert told(a_look(passed), a_look(between), a_look(ended)) == [True, True, False]


def test_a_rollout_that_is_gone_is_forgotten():
    memory = Told(0.0)
    memory.is_new(a_look())

    memory.forget(REF)

    assert memory.is_new(a_look())


BEFORE = a_status(reason="NoTraffic", history=[an_entry("Hold", "NoData"), an_entry("Hold", "NoTraffic", at=T0 + 150)])
LATER = T0 + 300


def after_a_restart(reason="NoData", *, before=BEFORE, verdict="Hold", changed=True, at=LATER, **fields):
    """Whether a process that has just started tells its first look, 60 s after which holds are told."""
    look = a_look(a_status(verdict, reason, at=at, **fields), before=before, at=at, changed=changed)
    return told(look, dataclasses.replace(look, at=at + 60, verdict_changed=False), hold_after=60.0)


def changed(**fields):
    return BEFORE.model_copy(update=fields)


@pytest.mark.parametrize("reason", ["NoData", "NoTraffic"])
def test_what_was_told_before_a_restart_is_not_told_again(reason):
    assert after_a_restart(reason) == [False, False]


@pytest.mark.parametrize(
    ("look", "why"),
    [
        ({"reason": "AmbiguousSeries"}, "it was not told"),
        ({"step": 2}, "it was told of another step"),
        ({"revision": 3}, "it was told of another revision"),
        ({"before": changed(phase="Ended")}, "that release is over"),
        ({"before": changed(generation_since="2026-09-14T10:04:30Z")}, "it was told of another generation"),
    ],
)
def test_everything_else_is_told_after_a_restart(look, why):
    assert after_a_restart(**look) == [False, True], why


@pytest.mark.parametrize(
    ("stood", "tells"),
    [
        (30, [False, True]),  # it was not due
        (70, [True, False]),  # it fell due at about the time of the restart
        (119, [True, False]),
        (120, [False, False]),  # it was told long ago
    ],
)
def test_a_hold_that_stands_over_a_restart_is_told_by_one_of_both(stood, tells):
    before = a_status(history=[an_entry("Hold", "NoData")])

    assert after_a_restart(before=before, changed=False, at=T0 + stood) == tells


def test_a_hold_that_was_gone_before_it_was_told_is_told_when_it_comes_again():
    blip = a_status(
        reason="Collecting", history=[an_entry("Hold", "NoData"), an_entry("Hold", "Collecting", at=T0 + 15)]
    )

    assert after_a_restart(before=blip) == [True, False]


def test_a_promotion_that_was_told_before_a_restart_is_not_told_again():
    passed = a_status(history=[an_entry("Promote", "ConditionsMet"), an_entry("Hold", "NoData", at=T0 + 5)])

    assert after_a_restart("ConditionsMet", verdict="Promote", before=passed) == [False, False]


def test_what_the_operator_was_about_to_tell_when_it_stopped_is_told():
    decided = a_status("Abort", "ConditionsFailed", at=LATER, history=[an_entry("Abort", "ConditionsFailed", at=LATER)])

    assert after_a_restart("ConditionsFailed", verdict="Abort", before=decided) == [True, False]


def test_a_second_try_after_an_abort_is_told_after_a_restart():
    entries = [an_entry("Promote", "MaxHold"), an_entry("Abort", "ConditionsFailed", at=T0 + 5)]
    tried_again = changed(history=a_status(history=entries).history)

    assert after_a_restart("MaxHold", verdict="Promote", before=tried_again) == [True, False]


def test_a_history_that_nobody_can_read_stops_nothing():
    torn = a_status(reason="Collecting", history=[{**an_entry("Hold", "NoData"), "at": "yesterday"}])

    assert after_a_restart(before=torn) == [False, True]


def test_news_have_a_text_for_every_field():
    news = news_of(a_look(), lambda ref: f"https://gates.example/{ref}")

    assert list(news.words) == list(FIELDS)
    assert news.words == {
        "namespace": "shop",
        "rollout": "guestbook",
        "revision": "2",
        "hash": "6c54544bf9",
        "stableHash": "7d8f9cbb44",
        "step": "1/4",
        "weight": "25",
        "mode": "enforce",
        "verdict": "Hold",
        "reason": "NoData",
        "message": "held at step 1/4 (25 %): error-rate has no data",
        "link": "https://gates.example/shop/guestbook",
    }


def test_what_is_absent_is_an_empty_text():
    bare = a_status().model_copy(update={"rollout": None, "step": None, "rollout_step": ""})

    words = news_of(a_look(bare), lambda _: "").words

    empty = {name for name, text in words.items() if not text}
    assert empty == {"revision", "hash", "stableHash", "step", "weight", "link"}


@pytest.mark.parametrize("reason", tables.HOLD_ORDER)
def test_a_hold_needs_a_person_where_the_events_warn_of_it(reason):
    news = news_of(a_look(a_status(reason=reason.value)), lambda _: "")

    assert news.needs_a_person is (reason in tables.NEEDS_A_PERSON)


def test_one_change_has_one_id_whatever_its_sentence_says():
    first, again = a_status(), a_status(message="held at step 1/4 (25 %): error-rate has no data for 30 s")

    assert news_of(a_look(first), lambda _: "").id == news_of(a_look(again), lambda _: "x").id


@pytest.mark.parametrize("other", [a_status(at=T0 + 1), a_status(step=2), a_status(reason="NoTraffic")])
def test_another_change_has_another_id(other):
    assert news_of(a_look(), lambda _: "").id != news_of(a_look(other), lambda _: "").id


@pytest.mark.parametrize(("since", "at"), [("2026-09-14T09:59:00.5Z", T0 - 59.5), (None, T0), ("yesterday", T0)])
def test_news_are_of_the_time_since_which_the_verdict_stands(since, at):
    assert news_of(a_look(a_status(since=since)), lambda _: "").at == at


def test_the_status_is_the_one_that_was_written_not_the_one_before():
    look = a_look(a_status("Promote", "ConditionsMet"), before=a_status())

    assert news_of(look, lambda _: "").words["verdict"] == "Promote"
