"""Counting, sentence by sentence. The epoch begins at 1000 s, scrapes are 15 s apart, ticks 15 s long."""

import dataclasses

import pytest

from canary_operator.counting import folding, watermark
from canary_operator.counting.tallies import Arm, Cursor, Epoch, Folded, Pod, Reading, Rules, Tally
from canary_operator.model.samples import Absent, Answer, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason
from tests.counting.looking import ERRORS, SLOW, one_way

START = 1005.0
TIMES = (960.0, 975.0, 990.0, 1005.0, 1020.0, 1035.0, 1050.0, 1065.0, 1080.0, 1095.0)
OLD = Pod(started=-100_000.0)
RULES = Rules()


def series(values, *, pod="p", status="200", **more):
    """A series by scrape from 960 s on: a dot is a scrape without it, a word counts."""
    labels = {"instance": f"{pod}:80", "pod": pod, "status": status, **more}
    samples = [
        Sample(at, float(value)) for at, value in zip(TIMES, values.split(), strict=False) if value not in {".", "-"}
    ]
    return Series(tuple(sorted(labels.items())), tuple(samples))


def matrix(*several):
    return Answer(ResultKind.MATRIX, tuple(one for one in several if one.samples))


def up(values="1 1 1 1 1 1 1 1", pod="p"):
    labels = (("instance", f"{pod}:80"), ("pod", pod))
    return Series(labels, series(values).samples)


STABLE = matrix(series("1000 1010 1020 1030 1040 1050 1060 1070", pod="s"))


def folded(canary, *, pods=None, seen=None, since=900.0, stable=STABLE, state=None, epoch=None, rules=RULES, by=ERRORS):
    epoch = epoch or Epoch(START, canary_born=950.0)
    arms = {Arm.CANARY: one_way(by, canary, rules, seen), Arm.STABLE: one_way(ERRORS, stable, rules)}
    reading = Reading(arms, since, 1070.0, {"s": OLD} | (pods or {}))
    return folding.fold(state or folding.begin(epoch), reading, epoch, rules)


def tally(*canary, **how):
    answer = folded(matrix(*canary), **how)
    assert isinstance(answer, Folded)
    return answer.state.canary.tally


@pytest.mark.parametrize(
    ("why", "values", "total"),
    [
        ("from the last scrape up to the epoch", "0 10 20 30 40 50 60 70", 40),
        ("a series born before the epoch has its base there", ". . 20 30 35 35 35 36", 6),
        ("a series born in the epoch counts from zero", ". . . . 5 6 7 9", 9),
        ("born at the last scrape", ". . . . . . . 3", 3),
        ("a single first value that never changes", ". . . . . 3 3 3", 3),
        ("a value that falls is a restart, and all of it is new", "0 10 20 30 40 5 6 8", 10 + 8),
        ("a restart to the very same value cannot be seen", "0 0 0 30 40 40 40 40", 10),
        ("two restarts", "0 0 0 30 2 3 1 1", 3 + 1),
        ("a vanished series keeps what it had", "0 10 20 30 40 . . .", 10),
        ("a series that comes back goes on", "0 10 20 30 40 . . 45", 15),
        ("a series that comes back lower was restarted", "0 10 20 30 40 . . 4", 10 + 4),
        ("a gap over the start of the epoch has its base before it", "0 10 . . . 50 60 70", 60),
        ("NaN is as good as not scraped", "0 0 0 30 NaN 50 60 70", 40),
        ("so are infinite and negative values", "0 0 0 30 inf -5 60 70", 40),
    ],
)
def test_what_a_series_counts(why, values, total):
    assert tally(series(values), pods={"p": Pod(950.0)}) == Tally(0, total), why


@pytest.mark.parametrize(
    ("why", "epoch", "pod", "since", "total"),
    [
        ("its pod is younger than the epoch", Epoch(START), Pod(1010.0), 900.0, 9),
        ("its pod is older, and all since it started was asked for", Epoch(START), Pod(950.0), 900.0, 9),
        ("its version is younger than what was asked for", Epoch(START, canary_born=950.0), None, 900.0, 9),
        ("its pod was restarted in the epoch", Epoch(START), Pod(0.0, (1010.0,)), 900.0, 9),
        ("its pod is older than what was asked for: its first value is the base", Epoch(START), Pod(800.0), 900.0, 4),
        ("nothing is known of it: its first value is the base", Epoch(START), None, 900.0, 4),
        ("a restart after it was seen says nothing", Epoch(START), Pod(0.0, (1036.0,)), 900.0, 4),
    ],
)
def test_the_first_value_of_a_process_that_was_never_scraped(why, epoch, pod, since, total):
    answer = folded(matrix(series(". . . . 5 6 7 9")), epoch=epoch, pods={"p": pod} if pod else {}, since=since)

    assert isinstance(answer, Folded)
    assert answer.state.canary.tally.total == total, why
    assert answer.state.unbased == (0 if total == 9 else 1)


def test_a_first_value_counts_when_its_process_was_scraped_without_it():
    old = {"epoch": Epoch(START), "pods": {"p": OLD}}

    assert tally(series(". . . . 5 6 7 9"), **old) == Tally(0, 4)
    assert tally(series(". . . . 5 6 7 9"), series("1 1 1 1 1 1 1 1", status="201"), **old) == Tally(0, 9)
    assert tally(series(". . . . 5 6 7 9"), seen=matrix(up()), **old) == Tally(0, 9)
    assert tally(series(". . . . 5 6 7 9"), seen=matrix(up("0 0 0 0 1 1 1 1")), **old) == Tally(0, 4)


def test_a_probe_that_is_left_out_still_tells_that_its_process_was_scraped():
    probes = series("1 2 3 4 5 6 7 8", path="/healthz")

    assert tally(probes, series(". . . . 5 6 7 9", path="/"), epoch=Epoch(START), pods={"p": OLD}) == Tally(0, 9)


@pytest.mark.parametrize(
    ("why", "restart", "total"),
    [
        ("between two scrapes, well apart from both", 1012.0, 10 + 10),
        ("the clocks may differ: it may be before the earlier scrape", 1005.5, 5 + 10),
        ("its second is not over: it may be after the later scrape", 1018.5, 5 + 10),
        ("after all scrapes", 1066.0, 5 + 10),
    ],
)
def test_a_restart_hidden_by_fast_growth_needs_the_restart_time(why, restart, total):
    values = "0 0 0 5 10 15 20 20"

    assert tally(series(values), pods={"p": Pod(950.0, (restart,))}).total == total, why


def test_a_restart_that_is_known_and_seen_counts_once():
    assert tally(series("0 0 0 30 5 6 7 8"), pods={"p": Pod(950.0, (1012.0,))}) == Tally(0, 8)


def test_bad_are_the_series_that_match_out_of_the_total():
    got = tally(series("0 0 0 0 10 20 30 40"), series(". . . . . 1 1 3", status="503"))

    assert got == Tally(3, 43)


def test_no_bad_series_is_no_error():
    assert tally(series("0 0 0 0 10 20 30 40")) == Tally(0, 40)


def test_latency_is_what_is_over_the_bound_from_the_same_scrapes():
    buckets = matrix(
        series("0 0 0 0 9 18 27 36", le="0.50"),
        series("0 0 0 0 10 20 30 40", le="+Inf"),
        series("0 0 0 0 5 10 15 20", le="0.1"),
    )

    assert folded(buckets, by=SLOW).state.canary.tally == Tally(4, 40)


def test_a_scrape_of_which_half_has_arrived_waits():
    buckets = matrix(series("0 0 0 0 10 20 30 40", le="0.5"), series("0 0 0 0 10 20 30 .", le="+Inf"))

    assert folded(buckets, by=SLOW).state.canary.tally == Tally(0, 30)


def test_ticks_lie_on_a_grid_and_hold_both_arms():
    answer = folded(matrix(series("0 0 0 0 10 10 30 40")))

    assert [(tick.end, tick.canary.total, tick.stable.total) for tick in answer.ticks] == [
        (1020.0, 10, 10),
        (1035.0, 0, 10),
        (1050.0, 20, 10),
        (1065.0, 10, 10),
    ]


def test_the_watermark_is_common_so_a_gap_of_one_arm_delays_the_other():
    answer = folded(matrix(series("0 0 0 0 10 20 . .")))

    assert answer.state.watermark_ms == 1_035_000
    assert answer.state.stable.tally.total == 20


def test_a_process_that_is_gone_is_not_waited_for():
    gone = series("0 0 0 0 . . . .", pod="gone")

    assert folded(matrix(series("0 0 0 0 10 20 30 40"), gone)).state.watermark_ms == 1_065_000


def test_a_process_that_missed_a_scrape_is_waited_for():
    late = series("0 0 0 0 1 2 3 .", pod="late")

    assert folded(matrix(series("0 0 0 0 10 20 30 40"), late)).state.watermark_ms == 1_050_000


def test_as_long_as_the_canary_has_no_scrape_nothing_is_counted():
    answer = folded(matrix())

    assert (answer.ticks, answer.state.watermark_ms, answer.state.stable.tally) == ((), None, Tally())


def test_a_canary_that_is_scraped_and_has_no_requests_is_known_to_have_none():
    answer = folded(matrix(), seen=matrix(up()))

    assert answer.state.watermark_ms == 1_065_000
    assert (answer.state.canary.tally, answer.state.stable.tally) == (Tally(), Tally(0, 40))


def test_a_sample_that_comes_late_counts_in_the_next_open_tick():
    first = folded(matrix(series("0 0 0 0 10 20 30 ."), series(". . . . . . . .", status="500")))
    both = matrix(series("0 0 0 0 10 20 30 40"), series(". . . . . 2 2 2", status="500"))
    second = folded(both, state=first.state)

    assert first.state.watermark_ms == 1_050_000
    assert [(tick.end, tick.canary) for tick in second.ticks] == [(1065.0, Tally(2, 12))]


def test_a_sample_that_comes_late_and_stays_the_only_one_counts():
    steady = series("0 0 0 0 0 0 0 0")
    first = folded(matrix(series("0 0 0 0 0 0 0 .")))
    second = folded(matrix(steady, series(". . . . . 2 . .", status="500")), state=first.state)

    assert [(tick.end, tick.canary) for tick in second.ticks] == [(1065.0, Tally(2, 2))]


def replica(name, values, **labels):
    return series(values, prometheus_replica=name, **labels)


LONG_STABLE = matrix(series("0 10 20 30 40 50 60 70 80 90", pod="s"))


def test_what_the_replica_that_is_not_followed_says_late_is_not_taken():
    first = folded(matrix(replica("a", "0 0 0 0 10 . . ."), replica("a", "1 1 1 1 1 1 1 .", status="201")))
    late = matrix(
        replica("a", "0 0 0 0 10 . . ."),
        replica("a", "1 1 1 1 1 1 1 1", status="201"),
        replica("b", ". . . . . 7 . ."),
    )

    assert folded(late, state=first.state).state.canary.tally == Tally(0, 10)


def test_what_a_replica_said_before_it_was_followed_is_not_taken():
    def seen(of_b):
        return matrix(
            replica("a", "0 0 0 0 10 . . . . ."),
            replica("a", "1 1 1 1 1 . . . . .", status="201"),
            replica("b", ". . . . . 9 . . . ."),
            replica("b", of_b, status="201"),
        )

    first = folded(seen("1 1 1 1 1 1 1 1 1 ."), stable=LONG_STABLE)
    second = folded(seen("1 1 1 1 1 1 1 1 1 1"), stable=LONG_STABLE, state=first.state)

    assert first.state.watermark_ms == 1_080_000
    assert second.state.watermark_ms == 1_095_000
    assert second.state.canary.tally == Tally(0, 10)


def test_of_two_replicas_one_is_followed_though_the_clock_of_the_other_is_behind():
    mine = series("0 0 0 0 10 20 30 40", prometheus_replica="a")
    behind = Series(
        tuple(sorted({**dict(mine.labels), "prometheus_replica": "b"}.items())),
        tuple(Sample(one.at + 1, max(0.0, one.value - 3)) for one in mine.samples),
    )

    assert tally(mine, behind) == Tally(0, 40)


def test_the_other_replica_is_followed_when_the_first_is_silent_and_nothing_counts_twice():
    mine = series("0 0 0 0 10 . . .", prometheus_replica="a")
    other = series("0 0 0 0 10 20 30 40", prometheus_replica="b")

    answer = folded(matrix(mine, other))

    assert answer.state.canary.tally == Tally(0, 40)
    assert {each.replica for each in answer.state.targets.values()} == {"b", ""}


def test_arms_that_share_a_series_are_not_compared():
    answer = folded(STABLE)

    assert isinstance(answer, Absent)
    assert answer.reason is HoldReason.ROUTING_MISMATCH


def test_more_series_than_can_be_remembered_are_refused():
    answer = folded(matrix(*(series("0 0 0 0 1", path=f"/{n}") for n in range(5))), rules=Rules(max_series=5))

    assert answer == Absent(
        HoldReason.CONFIGURATION_ERROR, "6 series are more than 5 that can be counted: narrow the selectors"
    )


def test_counters_of_pods_that_are_long_gone_make_room_where_there_is_none():
    gone = {f"gone-{number}": Cursor(0, 1, 0) for number in range(5)}
    state = dataclasses.replace(folding.begin(Epoch(START)), cursors=gone)

    answer = folded(matrix(series("0 0 0 0 1")), state=state, rules=Rules(max_series=5))

    assert isinstance(answer, Folded)
    assert not gone.keys() & answer.state.cursors.keys()


def test_a_new_epoch_keeps_what_it_knows_as_bases():
    first = folded(matrix(series("0 0 0 0 10 20 . .")))
    epoch = Epoch(1040.0, canary_born=950.0)

    state = folding.begin(epoch, first.state)
    late = matrix(series("- - - - - - 35 40"))
    second = folded(late, state=state, epoch=epoch, since=1036.0)

    assert second.state.canary.tally == Tally(0, 20)


def test_a_new_epoch_forgets_what_is_younger_than_its_start():
    first = folded(matrix(series("0 0 0 0 10 20 30 40")))
    epoch = Epoch(1040.0, canary_born=950.0)

    second = folded(matrix(series("0 0 0 0 10 20 30 40")), state=folding.begin(epoch, first.state), epoch=epoch)

    assert second.state.canary.tally == Tally(0, 20)


def test_the_canary_alone_is_counted_where_nothing_is_compared():
    epoch = Epoch(START, canary_born=950.0)
    arms = {Arm.CANARY: one_way(ERRORS, matrix(series(". . . . 5 6 7 9")))}

    answer = folding.fold(folding.begin(epoch), Reading(arms, 900.0, 1070.0), epoch, RULES)

    assert answer.state.canary.tally == Tally(0, 9)


def test_a_hole_in_the_questions_makes_an_unknown_process_unknown():
    epoch = Epoch(START, canary_born=950.0)
    first = folded(matrix(series("0 0 0 0 10 20 . .")), epoch=epoch)
    new = series("- - - - - - 5 9", pod="new")

    answer = folded(matrix(series("- - - - - - 30 40"), new), state=first.state, since=1071.0, epoch=epoch)

    assert answer.state.canary.tally == Tally(0, 40 + 4)


@pytest.mark.parametrize(
    ("why", "until", "marked", "interval", "since"),
    [
        ("over a gap before the epoch", 1100.0, None, None, START - 300),
        ("not long before the watermark", 2000.0, 1_900_000, 15_000, 1810.0),
        ("never before the first question", 1100.0, 1_020_000, 60_000, 720.0),
        ("as at first while the interval is unknown", 2000.0, 1_900_000, None, START - 300),
        ("no further than an hour", 9000.0, 1_900_000, 15_000, 5400.0),
    ],
)
def test_how_far_back_the_next_question_reaches(why, until, marked, interval, since):
    epoch = Epoch(START)
    state = dataclasses.replace(folding.begin(epoch), watermark_ms=marked, interval_ms=interval)

    assert watermark.since(state, epoch, until) == since, why
