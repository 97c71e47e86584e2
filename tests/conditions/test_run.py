"""A run of several metrics: what is due, what ends what, and how the two dialects part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.conditions import run as runs
from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.measurement import Measurement, MeasurementPhase
from canary_operator.conditions.metric import MetricPhase
from canary_operator.conditions.metric_spec import Limits
from canary_operator.conditions.run import Rule, Run, Summary, Taken
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason

YES, NO, MAYBE = (
    Measurement(phase, "1", "a sentence")
    for phase in (MeasurementPhase.SUCCESSFUL, MeasurementPhase.FAILED, MeasurementPhase.INCONCLUSIVE)
)
ERROR = Measurement(MeasurementPhase.ERROR, "", "oops")
NOTHING = Absent(HoldReason.NO_DATA, "no series")
OUTCOMES = {"y": YES, "n": NO, "m": MAYBE, "e": ERROR, "-": NOTHING}
ONCE = Limits(count=1)
RUNNING, SUCCESSFUL, FAILED, INCONCLUSIVE, ERRED = (
    MetricPhase.RUNNING,
    MetricPhase.SUCCESSFUL,
    MetricPhase.FAILED,
    MetricPhase.INCONCLUSIVE,
    MetricPhase.ERROR,
)


def every(seconds, count=None, **others):
    return Limits(count=count, interval_seconds=seconds, **others)


def taken(at, **outcomes):
    return {name: Taken(OUTCOMES[outcome], at) for name, outcome in outcomes.items()}


def settled(run, at):
    after = runs.advance(run, at, {})
    return after if after == run else settled(after, at)


def played(run, *rounds):
    """The run after rounds, one a second, in which these were measured."""
    for at, outcomes in enumerate(rounds):
        run = settled(runs.advance(run, float(at), taken(float(at), **outcomes)), float(at))
    return run


def argo(*rules, **others):
    return Run(rules, Dialect.ARGO, **others)


# What is due.


def test_everything_is_due_at_first_but_what_has_a_delay():
    run = argo(Rule("a", ONCE), Rule("b", every(5, initial_delay_seconds=3.0), delayed=True))

    assert runs.due(run, 0.0) == ("a",)


def test_a_delay_counts_from_the_first_round():
    run = argo(Rule("a", every(5, initial_delay_seconds=3.0), delayed=True))

    begun = runs.advance(run, 10.0, {})

    assert (runs.due(begun, 12.9), runs.due(begun, 13.0)) == ((), ("a",))


def test_a_delay_of_nothing_costs_one_round():
    run = argo(Rule("a", ONCE, delayed=True))

    assert (runs.due(run, 0.0), runs.due(runs.advance(run, 0.0, {}), 0.0)) == ((), ("a",))


@pytest.mark.parametrize(
    ("limits", "outcome", "due"),
    [(every(5, 3), "y", 5.0), (every(60, 3), "e", 10.0), (ONCE, "e", 10.0), (every(2, 3), "e", 10.0)],
)
def test_the_next_one_is_due_after_the_interval_or_ten_seconds_after_an_error(limits, outcome, due):
    assert runs.due_times(played(argo(Rule("a", limits)), {"a": outcome})) == {"a": due}


def test_nothing_is_due_at_the_very_second_but_right_after():
    run = played(argo(Rule("a", every(5))), {"a": "y"})

    assert (runs.due(run, 5.0), runs.due(run, 5.001)) == ((), ("a",))


# Columns: the rounds of metrics a (once) and b (endless), the end.
ENDINGS = {
    "a failure ends its sibling": ([{"a": "n", "b": "y"}], FAILED, SUCCESSFUL),
    "an inconclusive one ends its sibling": ([{"a": "m", "b": "y"}], INCONCLUSIVE, SUCCESSFUL),
    "errors end its sibling": ([{"a": "e"}, {"a": "e", "b": "y"}], ERRED, SUCCESSFUL),
    "a sibling that has only failed is cut short as successful": ([{"a": "n", "b": "n"}], FAILED, SUCCESSFUL),
    "a success ends nothing": ([{"a": "y", "b": "y"}], RUNNING, RUNNING),
}


@pytest.mark.parametrize(("rounds", "whole", "sibling"), ENDINGS.values(), ids=ENDINGS.keys())
def test_a_metric_that_is_not_well_ends_the_run(rounds, whole, sibling):
    once = Limits(count=1, consecutive_error_limit=1)
    found = played(argo(Rule("a", once), Rule("b", every(60, failure_limit=5))), *rounds)

    assert (found.phase, found.results["b"].phase) == (whole, sibling)


def test_a_sibling_that_never_started_is_missing():
    found = played(argo(Rule("a", ONCE), Rule("b", every(5, initial_delay_seconds=9.0), delayed=True)), {"a": "n"})

    assert (found.phase, set(found.results)) == (FAILED, {"a"})


def test_a_dry_run_ends_nothing_and_says_what_it_would_have():
    found = played(argo(Rule("a", ONCE, dry=True), Rule("b", every(5))), {"a": "n", "b": "y"})

    assert (found.phase, found.results["a"].message) == (
        RUNNING,
        "Metric assessed Failed due to failed (1) > failureLimit (0)",
    )
    assert (found.summary, found.dry_summary) == (Summary(count=1), Summary(count=1, failed=1))


# Columns: phases that two metrics come to, the run's.
WORST = {
    "failed over error": ("n", "e", FAILED),
    "error over inconclusive": ("e", "m", ERRED),
    "inconclusive over successful": ("m", "y", INCONCLUSIVE),
}


@pytest.mark.parametrize(("one", "other", "phase"), WORST.values(), ids=WORST.keys())
def test_the_run_is_as_bad_as_its_worst_metric(one, other, phase):
    once = Limits(count=1, consecutive_error_limit=0)

    for first, second in ((one, other), (other, one)):
        assert played(argo(Rule("a", once), Rule("b", once)), {"a": first, "b": second}).phase is phase


def test_the_message_names_the_metric_the_limit_and_the_error():
    found = played(argo(Rule("a", Limits(count=1, consecutive_error_limit=0))), {"a": "e"})

    assert found.message == (
        'Metric "a" assessed Error due to consecutiveErrors (1) > consecutiveErrorLimit (0): "Error Message: oops"'
    )


def test_only_the_last_measurements_are_kept():
    found = played(argo(Rule("a", every(1), retained=2)), *[{"a": "y"}] * 3)

    assert [each.at for each in found.results["a"].measurements] == [1.0, 2.0]
    assert found.results["a"].counters.successful == 3


# Where the dialects part. Columns: rules, rounds, whether somebody ends it, argo, safe.
A = Rule("a", ONCE)
PARTED = {
    "errors without end": ([A], [{"a": "e"}] * 5, False, ERRED, RUNNING),
    "only dry runs": ([Rule("a", ONCE, dry=True)], [{"a": "y"}], False, SUCCESSFUL, INCONCLUSIVE),
    "ended before it measured": ([A], [{}], True, SUCCESSFUL, INCONCLUSIVE),
    "ended before it was through": ([Rule("a", every(5))], [{"a": "y"}], True, SUCCESSFUL, INCONCLUSIVE),
    "enough in a row, without count": (
        [Rule("a", every(5, consecutive_success_limit=1))],
        [{"a": "y"}],
        False,
        SUCCESSFUL,
        RUNNING,
    ),
    "a success": ([A], [{"a": "y"}], False, SUCCESSFUL, SUCCESSFUL),
    "a failure": ([A], [{"a": "n"}], False, FAILED, FAILED),
}


@pytest.mark.parametrize(("rules", "rounds", "ending", "argo", "safe"), PARTED.values(), ids=PARTED.keys())
def test_the_dialects_part_where_there_is_no_evidence(rules, rounds, ending, argo, safe):
    ends = [
        played(Run(tuple(rules), dialect, ending=ending), *rounds).phase for dialect in (Dialect.ARGO, Dialect.SAFE)
    ]

    assert [argo, safe] == ends


limits = st.builds(
    Limits,
    count=st.none() | st.integers(1, 4),
    interval_seconds=st.just(1.0),
    failure_limit=st.integers(0, 2),
    inconclusive_limit=st.integers(0, 2),
    consecutive_error_limit=st.integers(0, 2),
    consecutive_success_limit=st.integers(0, 2),
)
histories = st.lists(
    st.fixed_dictionaries({}, optional={"a": st.sampled_from("ynme-"), "b": st.sampled_from("ynme-")}), max_size=8
)


def of(dialect, first, second, history, dry):
    run = Run((Rule("a", first), Rule("b", second, dry=dry)), dialect)
    for at, outcomes in enumerate(history):
        known = {name: o for name, o in outcomes.items() if name in runs.due_times(run)}
        run = settled(runs.advance(run, float(at), taken(float(at), **known)), float(at))
    return run


@given(limits, limits, histories, st.booleans())
def test_the_safe_dialect_succeeds_only_where_argo_does_or_has_given_up(first, second, history, dry):
    if of(Dialect.SAFE, first, second, history, dry).phase is SUCCESSFUL:
        assert of(Dialect.ARGO, first, second, history, dry).phase in (SUCCESSFUL, ERRED)


@given(limits, limits, histories, st.booleans())
def test_the_safe_dialect_never_errs(first, second, history, dry):
    assert of(Dialect.SAFE, first, second, history, dry).phase is not ERRED


@given(limits, limits, histories, st.booleans(), st.sampled_from(Dialect))
def test_what_has_ended_stays_as_it_is(first, second, history, dry, dialect):
    run = of(dialect, first, second, history, dry)

    if run.phase is not None and run.phase.completed:
        assert runs.due_times(run) == {}
        assert settled(run, 99.0).phase is run.phase
