"""What is decided, as sentences about rows of counts."""

import pytest

from canary_operator.stats.judging import (
    Abort,
    Cause,
    Drifting,
    EnvironmentUnhealthy,
    Objective,
    Promote,
    Undecided,
    judge,
)
from canary_operator.stats.objective import advance, begin, renewed
from canary_operator.stats.tallying import Risk, Rules, Tick
from tests.stats.rows import RULES, after, judged

ALONE = Rules(0.01, compares=False)


@pytest.mark.parametrize(
    ("case", "rows", "verdict"),
    [
        ("nothing has happened", [], Undecided(("availability",))),
        ("no errors, but few requests", [(0, 20, 0, 180)] * 5, Undecided(("availability",))),
        ("no errors, requests enough, too soon", [(0, 1000, 0, 9000)] * 5, Undecided(("availability",))),
        ("no errors, requests enough, a minute", [(0, 1000, 0, 9000)] * 7, Promote()),
        ("one bad tick aborts nothing", [(500, 1000, 90, 9000)], Drifting(("availability",))),
        ("two bad ticks are", [(500, 1000, 90, 9000)] * 2, Abort(Cause.CANARY_REGRESSION, ("availability",))),
        ("few errors need no second tick", [(10, 10, 0, 90)], Abort(Cause.CANARY_REGRESSION, ("availability",))),
        ("both fail alike", [(300, 1000, 2700, 9000)] * 9, EnvironmentUnhealthy(("availability",))),
        (
            "worse than a failing stable",
            [(900, 1000, 2700, 9000)] * 9,
            Abort(Cause.CANARY_REGRESSION, ("availability",)),
        ),
        ("worse than stable within the objective", [(5, 1000, 9, 9000)] * 9, Drifting(("availability",))),
        ("a ratio that is tolerable", [(6, 1000, 45, 9000)] * 30, Promote()),
    ],
)
def test_the_verdict_on_rows(case, rows, verdict):
    assert judged(rows).verdict == verdict


def test_a_shared_outage_ends_by_itself_and_the_release_goes_on():
    outage = after([(300, 1000, 2700, 9000)] * 18)
    resumed = after([(1, 1000, 9, 9000)] * 9, state=outage)
    assert judge({"a": Objective(outage, RULES)}).verdict == EnvironmentUnhealthy(("a",))
    assert judge({"a": Objective(resumed, RULES)}).verdict == Promote()


@pytest.mark.parametrize("ratio", [0.013, 0.02, 0.1, 0.9])
def test_an_unhealthy_environment_is_seen_however_unhealthy(ratio):
    rows = [(round(1000 * ratio), 1000, round(9000 * ratio), 9000)] * 60
    assert judged(rows).verdict == EnvironmentUnhealthy(("availability",))


def test_a_late_fault_is_found_within_ticks():
    healthy = after([(1, 1000, 9, 9000)] * 90)
    late = after([(50, 1000, 9, 9000)] * 5, state=healthy)
    assert isinstance(judge({"a": Objective(late, RULES)}).verdict, Abort)


def test_without_stable_the_objective_alone_aborts():
    verdict = judged([(50, 1000, 0, 0)] * 3, ALONE).verdict
    assert verdict == Abort(Cause.OBJECTIVE_BREACHED, ("availability",))


@pytest.mark.parametrize(("share", "most"), [(0.05, 6), (0.1, 6), (0.25, 6), (0.5, 12)])
@pytest.mark.parametrize("every", [60.0, 15.0, 0.1])
def test_a_canary_that_fails_everything_is_aborted_after_few_requests(share, most, every):
    """One request in each tick, stable's first: neither version is ever seen beside the other."""
    stable, state, failed = round(1 / share) - 1, begin(0.0), 0
    while not isinstance(judge({"a": Objective(state, RULES)}).verdict, Abort):
        for _ in range(stable):
            state = advance(state, Tick(state.last + every, 0, 0, 0, 1), RULES, promotes=True)
        state = advance(state, Tick(state.last + every, 1, 1, 0, 0), RULES, promotes=True)
        failed += 1
        assert failed <= most


def test_several_objectives_share_the_risk_and_the_one_that_shows_it_is_named():
    good, bad = after([(0, 1000, 0, 9000)] * 9), after([(50, 1000, 90, 9000)] * 9)
    found = judge({"latency": Objective(good, RULES), "availability": Objective(bad, RULES)})
    assert found.verdict == Abort(Cause.CANARY_REGRESSION, ("availability",))


def test_more_objectives_take_more_evidence():
    bad, good = after([(9, 100, 0, 300)]), begin(0.0)
    alone = judge({"a": Objective(bad, RULES)})
    many = judge({"a": Objective(bad, RULES)} | {f"b{i}": Objective(good, RULES) for i in range(99)})
    assert (isinstance(alone.verdict, Abort), isinstance(many.verdict, Abort)) == (True, False)
    assert many.towards_abort < 1


def test_a_release_without_objectives_is_not_judged():
    with pytest.raises(ValueError, match="at least one objective"):
        judge({})


def test_a_new_weight_asks_for_new_evidence_and_keeps_what_speaks_against_the_canary():
    before = after([(0, 1000, 0, 9000)] * 9)
    new = renewed(before)
    assert judge({"a": Objective(new, RULES)}).verdict == Undecided(("a",))
    assert (new.above, new.comparison, new.canary) == (before.above, before.comparison, before.canary)


def test_ticks_of_another_weight_can_abort_and_never_promote():
    state = begin(0.0)
    for end in range(10, 200, 10):
        state = advance(state, Tick(end, 0, 1000, 0, 9000), RULES, promotes=False)
    assert judge({"a": Objective(state, RULES)}).verdict == Undecided(("a",))


def test_strata_keep_a_canary_with_more_of_the_slow_route_from_blame():
    slow, quick = (60, 200, 30, 100), (1, 100, 29, 2900)
    pooled = after([tuple(a + b for a, b in zip(slow, quick, strict=True))] * 9)
    parts = {"slow": after([slow] * 9), "quick": after([quick] * 9)}
    assert isinstance(judge({"a": Objective(pooled, RULES)}).verdict, Abort)
    assert not isinstance(judge({"a": Objective(pooled, RULES, strata=parts)}).verdict, Abort)


def test_the_ranks_of_the_pods_abort_where_the_sums_are_discounted():
    rules = Rules(0.01, phi=500.0)
    state = after([(50, 1000, 90, 9000)] * 60, rules)
    alone = judge({"a": Objective(state, rules)})
    ranked = judge({"a": Objective(state, rules, ranks=9.0)})
    assert (isinstance(alone.verdict, Abort), isinstance(ranked.verdict, Abort)) == (False, True)


def test_a_report_says_what_is_lacking():
    report = judged([(0, 20, 0, 180)] * 3).reports["availability"]
    assert report.clean_to_promote == report.likely_to_promote == 107
    assert report.likely_to_abort is None
    assert report.excess == 0.0
    assert 0.05 < report.detectable < 0.3
    assert 0 < report.towards_promote < 1


def test_a_canary_at_twice_the_budget_never_has_enough_requests():
    report = judged([(20, 1000, 40, 9000)] * 5, Rules(0.01, Risk(reject_ratio=1.5))).reports["availability"]
    assert report.likely_to_promote is None


def test_excess_counts_above_stables_ratio_and_its_certain_part_is_less():
    report = judged([(30, 1000, 90, 9000)] * 10).reports["availability"]
    assert report.excess == pytest.approx(200)
    assert 100 < report.least_excess < 200


def test_chance_alone_is_no_certain_excess():
    assert judged([(12, 1000, 90, 9000)] * 10).reports["availability"].least_excess == 0.0


def test_ticks_out_of_order_are_refused():
    with pytest.raises(ValueError, match="in order of time"):
        advance(after([(0, 1, 0, 1)]), Tick(5.0, 0, 1), RULES, promotes=True)


@pytest.mark.parametrize("counts", [(2, 1, 0, 0), (-1, 1, 0, 0), (0, 0, 3, 2)])
def test_more_bad_requests_than_requests_are_refused(counts):
    with pytest.raises(ValueError, match="between 0 and"):
        Tick(1.0, *counts)
