"""Measurements are folded into counters, and counters are judged."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.conditions.measurement import Measurement, MeasurementPhase
from canary_operator.conditions.metric import (
    Counters,
    MetricPhase,
    assess,
    describe,
    due_at,
    fold,
    needed,
    passes,
)
from canary_operator.conditions.metric_spec import Limits
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

YES = Measurement(MeasurementPhase.SUCCESSFUL, "1", "1 is > 0")
NO = Measurement(MeasurementPhase.FAILED, "0", "0 is not > 0")
MAYBE = Measurement(MeasurementPhase.INCONCLUSIVE, "2", "neither")
NOTHING = Absent(HoldReason.NO_DATA, "no series")
OUTCOMES = {"y": YES, "n": NO, "m": MAYBE, "-": NOTHING}
ENDLESS = Limits(count=None, interval_seconds=60)


def counted(outcomes):
    counters = Counters()
    for at, outcome in enumerate(outcomes):
        counters = fold(counters, float(at), OUTCOMES[outcome])
    return counters


def limits(count=1, **others):
    return Limits(count=count, interval_seconds=60, **others)


def test_each_phase_is_counted():
    assert (
        (found := counted("yy-nm-")).successful,
        found.failed,
        found.inconclusive,
        found.error,
    ) == (2, 1, 1, 2)


@pytest.mark.parametrize(
    ("outcomes", "errors", "successes"),
    [("--", 2, 0), ("--y", 0, 1), ("yy", 0, 2), ("yyn", 0, 0), ("yym", 0, 0), ("yy-", 1, 0)],
)
def test_rows_are_broken_by_anything_else(outcomes, errors, successes):
    found = counted(outcomes)

    assert (errors, successes) == (found.consecutive_error, found.consecutive_success)


def test_the_last_attempt_is_remembered():
    found = counted("yn")

    assert (found.last_at, found.last_phase, found.last_value) == (1.0, MeasurementPhase.FAILED, "0")


def test_an_absent_attempt_keeps_no_value():
    found = counted("y-")

    assert (found.last_phase, found.last_value) == (MeasurementPhase.ERROR, "")


# Columns: outcomes, limits, phase.
ASSESSED = {
    "nothing attempted": ("", limits(), MetricPhase.PENDING),
    "one more failure than tolerated": ("nnn", limits(3, failure_limit=2), MetricPhase.FAILED),
    "as many failures as tolerated": ("nnn", limits(5, failure_limit=3), MetricPhase.RUNNING),
    "the count is reached within the limit": ("nnn", limits(3, failure_limit=3), MetricPhase.SUCCESSFUL),
    "failures are cumulative": ("nyny", limits(9, failure_limit=1), MetricPhase.FAILED),
    "one more inconclusive than tolerated": ("mmm", limits(9, inconclusive_limit=2), MetricPhase.INCONCLUSIVE),
    "inconclusive wins over failed": ("nm", limits(9), MetricPhase.INCONCLUSIVE),
    "five errors in a row do not complete": ("-----", limits(), MetricPhase.RUNNING),
    "a hundred errors do not complete": ("-" * 100, limits(3), MetricPhase.RUNNING),
    "a failure before an outage stays one": ("n-----", limits(3), MetricPhase.FAILED),
    "ten of ten": ("y" * 10, limits(10), MetricPhase.SUCCESSFUL),
    "half inconclusive": ("yyyyymmmmm", limits(10), MetricPhase.INCONCLUSIVE),
    "nine of ten": ("y" * 9, limits(10), MetricPhase.RUNNING),
    "errors are not counted": ("y-", limits(2), MetricPhase.RUNNING),
    "too few in a row, no failure limit": (
        "nnnnyyy",
        limits(7, failure_limit=-1, consecutive_success_limit=5),
        MetricPhase.FAILED,
    ),
    "too few in a row so far": (
        "nnnnyyy",
        limits(9, failure_limit=-1, consecutive_success_limit=5),
        MetricPhase.RUNNING,
    ),
    "too few in a row, failures tolerated": (
        "nynynynyyy",
        limits(10, failure_limit=4, consecutive_success_limit=4),
        MetricPhase.INCONCLUSIVE,
    ),
    "enough in a row": ("nnnnyyyy", limits(10, failure_limit=4, consecutive_success_limit=4), MetricPhase.SUCCESSFUL),
    "too many failures before enough in a row": (
        "nnnnnyyyy",
        limits(10, failure_limit=4, consecutive_success_limit=4),
        MetricPhase.FAILED,
    ),
    "endless never succeeds": ("y" * 50, ENDLESS, MetricPhase.RUNNING),
    "endless with enough in a row goes on": (
        "yyy",
        Limits(count=None, interval_seconds=60, consecutive_success_limit=2),
        MetricPhase.RUNNING,
    ),
    "endless fails": ("yyn", ENDLESS, MetricPhase.FAILED),
    "endless with any number of failures": (
        "nnnnn",
        Limits(count=None, interval_seconds=60, failure_limit=-1, consecutive_success_limit=2),
        MetricPhase.RUNNING,
    ),
}


@pytest.mark.parametrize(("outcomes", "rules", "phase"), ASSESSED.values(), ids=ASSESSED.keys())
def test_a_metric_is_assessed(outcomes, rules, phase):
    assert phase is assess(counted(outcomes), rules)


# Columns: outcomes, limits, minimum, yes.
PASSES = {
    "the count is reached": ("yyy", limits(3), 1, True),
    "the count is not reached": ("yy", limits(3), 1, False),
    "a count needs no minimum": ("y", limits(1), 5, True),
    "endless needs its minimum": ("yy", ENDLESS, 3, False),
    "endless has its minimum": ("yyy", ENDLESS, 3, True),
    "endless needs more than its failure limit": (
        "yyy",
        Limits(count=None, interval_seconds=1, failure_limit=3),
        1,
        False,
    ),
    "the last one has to be a success": ("yyyn", Limits(count=None, interval_seconds=1, failure_limit=2), 3, False),
    "a tolerated failure before": ("nyyy", Limits(count=None, interval_seconds=1, failure_limit=2), 3, True),
    "an outage is no yes": ("yyy-", ENDLESS, 3, False),
    "inconclusive ones do not count": (
        "mmy",
        Limits(count=None, interval_seconds=1, inconclusive_limit=5),
        2,
        False,
    ),
    "nothing measured": ("", ENDLESS, 0, False),
    "only errors": ("-----", ENDLESS, 0, False),
    "failed": ("nyyy", ENDLESS, 1, False),
    "the row is too short": (
        "nyy",
        Limits(count=None, interval_seconds=1, failure_limit=-1, consecutive_success_limit=3),
        1,
        False,
    ),
}


@pytest.mark.parametrize(("outcomes", "rules", "minimum", "expected"), PASSES.values(), ids=PASSES.keys())
def test_a_metric_passes(outcomes, rules, minimum, expected):
    assert expected is passes(counted(outcomes), rules, minimum)


def test_a_failing_release_would_be_noticed_before_an_endless_metric_passes():
    assert (needed(Limits(failure_limit=2), 1), needed(Limits(), 5), needed(Limits(failure_limit=-1), 0)) == (3, 5, 1)


# Columns: outcomes, limits, seconds after the start at 1000, attempts end at 0, 1, 2, ....
DUE = {
    "at once": ("", limits(3), 1000.0),
    "after its delay": ("", Limits(initial_delay_seconds=30), 1030.0),
    "an interval later": ("yy", limits(3), 61.0),
    "sooner after an outage": ("y-", limits(3), 11.0),
    "not later than the interval after an outage": ("-", Limits(count=2, interval_seconds=5), 5.0),
    "again after an outage without interval": ("-", Limits(), 10.0),
    "never when complete": ("yyy", limits(3), None),
    "never when failed": ("n", limits(3), None),
    "never when inconclusive": ("m", limits(3), None),
    "endless goes on after a failure": ("n", ENDLESS, 60.0),
    "endless goes on": ("y" * 5, ENDLESS, 64.0),
}


@pytest.mark.parametrize(("outcomes", "rules", "expected"), DUE.values(), ids=DUE.keys())
def test_a_metric_is_due(outcomes, rules, expected):
    assert expected == due_at(counted(outcomes), rules, 1000.0)


@pytest.mark.parametrize(
    ("outcomes", "rules", "sentence"),
    [
        ("yyy", limits(5), "3 of 5 measurements"),
        ("nn", limits(5, failure_limit=2), "2 of 5 measurements, 2 of at most 2 failures"),
        ("ny", limits(5, failure_limit=1), "2 of 5 measurements, 1 of at most 1 failure"),
        ("y", ENDLESS, "1 measurement"),
        ("", limits(1), "0 of 1 measurement"),
        ("m--", limits(3), "1 of 3 measurements, 1 of at most 0 inconclusive ones, no data 2 times in a row"),
        (
            "nyy",
            limits(9, failure_limit=-1, consecutive_success_limit=3),
            "3 of 9 measurements, 1 failure, 2 of 3 successes in a row",
        ),
    ],
)
def test_a_metric_is_described(outcomes, rules, sentence):
    assert sentence == describe(counted(outcomes), rules)


histories = st.text(alphabet="ynm-", max_size=20)
rules = st.builds(
    limits,
    st.one_of(st.none(), st.integers(1, 10)),
    failure_limit=st.integers(-1, 3),
    inconclusive_limit=st.integers(0, 3),
    consecutive_success_limit=st.integers(0, 3),
)


@given(histories)
def test_absent_attempts_never_count(history):
    assert counted(history).measured == counted(history.replace("-", "")).measured == len(history.replace("-", ""))


@given(histories, rules, st.integers(1, 20))
def test_an_outage_never_completes_or_passes_a_metric(history, rule, length):
    before, after = counted(history), counted(history + "-" * length)

    if assess(before, rule) in (MetricPhase.PENDING, MetricPhase.RUNNING):
        assert MetricPhase.RUNNING is assess(after, rule)
        assert not passes(after, rule, 1)


@given(histories, rules)
def test_the_sums_do_not_depend_on_the_order(history, rule):
    one, other = counted(history), counted(history[::-1])

    assert (one.successful, one.failed, one.inconclusive, one.error) == (
        other.successful,
        other.failed,
        other.inconclusive,
        other.error,
    )


@given(histories, rules, st.integers(0, 5))
def test_a_failed_metric_never_passes(history, rule, minimum):
    found = counted(history)

    if assess(found, rule) in (MetricPhase.FAILED, MetricPhase.INCONCLUSIVE):
        assert not passes(found, rule, minimum)


@given(histories, rules, st.integers(0, 5))
def test_one_more_failure_never_makes_a_metric_pass(history, rule, minimum):
    if rule.count is None and not passes(counted(history), rule, minimum):
        assert not passes(counted(history + "n"), rule, minimum)


@given(histories, rules)
def test_a_metric_that_is_not_complete_is_due_later(history, rule):
    found = counted(history)
    due = due_at(found, rule, 0.0)

    if assess(found, rule) is MetricPhase.RUNNING or rule.endless:
        assert due is not None
        assert due >= (found.last_at or 0.0)
    if due is None:
        assert assess(found, rule) in (MetricPhase.SUCCESSFUL, MetricPhase.FAILED, MetricPhase.INCONCLUSIVE)
