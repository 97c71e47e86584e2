"""Releases that wait for each other: first come first served, a brake, and what never waits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.model import durations
from canary_operator.model.fleet import Brake
from canary_operator.model.policy import CanaryGateSpec
from tests import builders
from tests.builders import BAD, GOOD, T0, a_policy, an_override, pause, set_weight
from tests.scenarios.several import Town
from tests.scenarios.world import World

TWO = (set_weight(25), pause(), set_weight(50), pause())


def bad(_at: float):
    return BAD


def unclear(_at: float):
    return builders.NAN


def test_without_rules_nobody_waits_for_anybody():
    town = Town()
    for name in ("shop/api", "shop/web", "till/api"):
        town.rollout(name).release()

    town.until(60)

    assert len(town.promoted()) == 3


def test_who_began_first_goes_first_and_the_others_hold_and_say_who_is_ahead():
    town = Town(per_cluster=1)
    first = town.rollout("till/zebra", TWO).release()
    town.until(3)
    second = town.rollout("shop/api").release()

    town.until(30)

    assert (first.step, first.is_promoted) == (3, False)
    assert second.verdict == ("Hold", "FleetLimit")
    assert "1 of 1 releases that may be in progress in the cluster began before: till/zebra" in second.status.message


def test_the_turn_comes_when_the_release_ahead_ends():
    town = Town(per_cluster=1)
    town.rollout("shop/a", prometheus=unclear).release()
    for name in ("shop/b", "shop/c"):
        town.until(town.seconds + 2).rollout(name).release()

    town.until(60)
    assert town.promoted() == []
    town.worlds["shop/a"].prometheus = lambda _: GOOD
    town.until(120)
    assert len(town.promoted()) == 3
    ends = [world.of_kind("Promote")[0][0] for world in town.worlds.values()]
    assert ends == sorted(ends)


def test_a_full_namespace_keeps_no_other_one_waiting():
    town = Town(per_cluster=2, per_namespace=1)
    for name in ("shop/a", "shop/b", "till/c"):
        town.rollout(name, TWO).release()
        town.until(town.seconds + 2)

    town.until(35)

    assert [world.step for world in town.worlds.values()] == [3, 1, 3]
    assert (
        "1 of 1 releases that may be in progress in shop began before: shop/a" in town.worlds["shop/b"].status.message
    )


def test_a_bad_canary_is_aborted_though_it_is_not_its_turn():
    town = Town(per_cluster=1)
    town.rollout("shop/a", prometheus=unclear).release()
    town.until(3)
    waiting = town.rollout("shop/b", prometheus=bad).release()

    town.until(60)

    assert waiting.is_aborted
    assert waiting.verdict == ("Abort", "ConditionsFailed")


def test_a_release_that_waits_for_a_person_keeps_nobody_waiting_and_loses_its_place():
    town = Town(per_cluster=1)
    unsure = town.rollout("shop/a", TWO, prometheus=unclear, policy=a_policy(maxHold="60s")).release()
    town.until(3)
    other = town.rollout("shop/b", TWO, prometheus=lambda at: GOOD if at > 90 else builders.NAN).release()

    town.until(55)
    assert other.verdict[1] == "NoData"
    town.until(85)
    assert (unsure.verdict, unsure.status.in_progress_since) == (("Hold", "MaxHold"), None)
    unsure.prometheus = lambda _: GOOD
    town.until(120)

    assert (other.step, unsure.step) == (3, 1)
    assert unsure.verdict == ("Hold", "FleetLimit")


def test_a_release_that_a_person_holds_or_pauses_keeps_nobody_waiting():
    for says in (lambda world: world.says(an_override("Hold")), lambda world: world.argo.change(paused=True)):
        town = Town(per_cluster=1)
        held = town.rollout("shop/a").release()
        says(held)
        town.until(3)
        town.rollout("shop/b").release()

        town.until(60)

        assert town.promoted() == ["shop/b"]


def test_what_is_only_observed_keeps_nobody_waiting():
    town = Town(per_cluster=1)
    town.rollout("shop/a", TWO).gate("observe").release()
    town.until(3)
    town.rollout("shop/b").release()

    assert town.until(40).promoted() == ["shop/b"]


def test_a_person_may_overrule_the_limit_of_one_release():
    town = Town(per_cluster=1)
    town.rollout("shop/a", prometheus=unclear).release()
    town.until(3)
    urgent = town.rollout("shop/b").release()
    town.until(30)

    urgent.says(an_override("Promote"))

    assert town.until(35).promoted() == ["shop/b"]


def braked(count: int = 2, *, within: float = 300.0) -> Town:
    return Town(brake=Brake(count, within))


def test_aborts_of_several_services_hold_all_others_until_they_are_long_ago():
    town = braked()
    for name in ("shop/a", "till/b"):
        town.rollout(name, prometheus=bad).release()
    town.until(50)
    other = town.rollout("mail/c").release()

    town.until(100)
    assert other.verdict == ("Hold", "FleetBrake")
    end = other.status.message.partition("2 such releases hold all others, until ")[2][:20]
    assert "aborted within 5 min: " in other.status.message
    assert "shop/a at 2026-09-14T10:00:" in other.status.message
    assert "(ConditionsFailed)" in other.status.message
    over = round(durations.parse_time(end) - T0)
    town.until(over - 2)
    assert not other.is_promoted
    town.until(over + 2)
    assert other.is_promoted


def test_aborts_of_one_service_are_one_coincidence():
    town = braked()
    service = town.rollout("shop/a", prometheus=bad).release()
    town.until(50)
    service.release("another")
    town.until(100)
    assert service.is_aborted
    other = town.rollout("mail/c").release()

    assert town.until(150).promoted() == ["mail/c"]
    assert other.verdict[1] == "ConditionsMet"


def test_an_abort_counts_though_its_service_has_begun_another_release():
    town = braked()
    for name in ("shop/a", "till/b"):
        town.rollout(name, prometheus=bad).release()
    town.until(50)
    for world in town.order():
        world.prometheus = lambda _: GOOD
        world.release("mended")

    town.until(100)

    assert {world.verdict for world in town.order()} == {("Hold", "FleetBrake")}


def test_an_abort_that_a_person_has_ordered_brakes_nobody():
    town = braked(1)
    town.rollout("shop/a").says(an_override("Abort")).release()
    town.until(20)
    town.rollout("mail/c").release()

    assert town.until(60).promoted() == ["mail/c"]


def test_an_abort_is_never_held_by_the_brake():
    town = braked(1)
    town.rollout("shop/a", prometheus=bad).release()
    town.until(50)
    second = town.rollout("mail/c", prometheus=bad).release()

    assert town.until(100).worlds["mail/c"].is_aborted
    assert second.status.last_abort is not None


def test_a_person_may_overrule_the_brake_for_one_release():
    town = braked(1)
    town.rollout("shop/a", prometheus=bad).release()
    town.until(50)
    other = town.rollout("mail/c").release()
    town.until(80)
    assert other.verdict == ("Hold", "FleetBrake")

    other.says(an_override("Promote", until=T0 + 600))

    assert town.until(85).promoted() == ["mail/c"]


# Freeze windows of the policy, in the same place: what delays a promotion and nothing else.


def frozen(begin: int, end: int, **policy) -> object:
    window = {"from": durations.format_time(T0 + begin), "until": durations.format_time(T0 + end), "reason": "sale"}
    return a_policy(**policy).model_validate(
        {**a_policy(**policy).model_dump(by_alias=True), "freezeWindows": [window]}
    )


def test_a_frozen_release_holds_says_until_when_and_why_and_goes_on_at_the_end():
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=frozen(0, 100)).release()

    world.until(99)
    assert world.verdict == ("Hold", "Frozen")
    assert "frozen until 2026-09-14T10:01:40Z: sale" in world.status.message
    world.until(100)
    assert world.verdict == ("Promote", "ConditionsMet")
    assert world.is_promoted


def test_a_bad_canary_is_aborted_in_a_freeze():
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=frozen(0, 100), prometheus=bad).release()

    assert world.until(60).is_aborted


def test_a_freeze_that_outlasts_max_hold_aborts_nothing():
    rules = frozen(0, 7200, maxHold="60s", onMaxHold="Abort")
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=rules).release()

    assert world.until(7199).verdict == ("Hold", "Frozen")
    assert world.until(7200).is_promoted


def test_a_person_outranks_a_freeze():
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=frozen(0, 7200)).release()
    world.until(60)

    world.says(an_override("Promote"))

    assert world.until(61).is_promoted


def test_a_timed_pause_is_held_in_a_freeze_and_ends_with_it():
    world = World(policy=frozen(0, 200)).release()

    world.until(199)
    assert not world.is_promoted
    assert world.until(201).is_promoted


def test_a_failure_that_is_only_told_does_not_end_a_pause_in_a_freeze():
    world = World(policy=frozen(0, 200, failAction="Notify"), prometheus=bad).release()

    world.until(199)
    assert (world.verdict, world.is_promoted) == (("Hold", "Frozen"), False)
    assert "besides ConditionsFailed" in world.status.message
    assert world.until(260).is_promoted


def test_policies_that_disagree_on_the_calendar_are_a_mistake():
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=frozen(0, 200)).release()
    world.policies["free"] = a_policy()
    world.annotate(builders.POLICY, "strict,free")

    world.until(30)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert "differ in freeze_windows" in world.status.message


@pytest.mark.parametrize("spec", [CanaryGateSpec(), an_override("Hold")])
def test_no_wait_outranks_a_persons_hold(spec):
    world = World(builders.a_rollout(builders.ONE_INDEFINITE), policy=frozen(0, 200)).says(spec).release()

    assert world.until(60).verdict == ("Hold", "Override" if spec.override else "Frozen")


@given(
    begins=st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.booleans()), min_size=1, max_size=6),
    cluster=st.integers(1, 3),
    namespace=st.integers(1, 2),
    random=st.randoms(use_true_random=False),
)
@settings(max_examples=15, deadline=None)
def test_never_more_go_past_their_first_pause_than_may_and_all_come_through(begins, cluster, namespace, random):
    town = Shuffled(random, per_cluster=cluster, per_namespace=namespace)
    starts = [(at, f"{where}/{number}", fails) for number, (at, where, fails) in enumerate(begins)]

    for second in range(1, 700):
        for at, name, fails in starts:
            if at == second - 1:
                town.rollout(name, TWO, prometheus=bad if fails else lambda _: GOOD).release()
        town.until(second)
        past = [name for name, world in town.worlds.items() if not world.is_promoted and world.step > 1]
        assert len(past) <= cluster
        assert all(sum(name.startswith(where) for name in past) <= namespace for where in "ab")

    assert all(world.is_promoted or world.is_aborted for world in town.worlds.values())
    assert all(town.worlds[name].is_aborted == fails for _, name, fails in starts)


@given(
    aborts=st.lists(st.integers(0, 200), min_size=1, max_size=6),
    count=st.integers(1, 3),
    begin=st.integers(0, 200),
)
@settings(max_examples=15, deadline=None)
def test_a_brake_never_holds_for_ever_nor_lets_anybody_pass_while_it_is_on(aborts, count, begin):
    town = braked(count, within=120.0)
    for second in range(1, 500):
        for number, at in enumerate(aborts):
            if at == second - 1:
                town.rollout(f"shop/{number}", prometheus=bad).release()
        if begin == second - 1:
            town.rollout("mail/good").release()
        town.until(second)

    good = town.worlds["mail/good"]
    assert good.is_promoted
    (promoted,) = [at for at, kind, _ in good.actions if kind == "Promote"]
    told = [durations.parse_time(world.status.last_abort.at) - T0 for world in town.order() if world.status.last_abort]
    assert sum(promoted - 120 < at < promoted for at in told) < count


class Shuffled(Town):
    """Those whose time has come in one second look in any order."""

    def __init__(self, random, **rules) -> None:
        super().__init__(**rules)
        self._random = random

    def order(self):
        worlds = super().order()
        self._random.shuffle(worlds)
        return worlds
