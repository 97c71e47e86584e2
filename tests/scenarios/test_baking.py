"""After a release: how long the promoted version is looked at, and what is said where Argo can do no more."""

from tests.builders import STABLE, pause, set_weight
from tests.scenarios.fleet import Fleet
from tests.scenarios.test_objectives import a_policy, a_world, after, canary, constant, stable
from tests.scenarios.world import World

STEPS = (set_weight(25), pause("60s"))


def baking(fleet: Fleet, **world: object) -> World:
    return a_world(fleet, a_policy(timing={"bake": "10m"}), steps=STEPS, **world).release()


def test_the_command_names_the_revision_because_argo_alone_may_go_back_to_an_aborted_one():
    world = baking(Fleet(canary(errors=after(400, 0.2)), stable()))

    world.until(900)

    assert world.verdict == ("Abort", "ObjectiveBreached")
    assert world.status.message.endswith("kubectl argo rollouts undo guestbook -n shop --to-revision=3")
    assert world.status.history[-1].message == world.status.message


def test_where_nobody_knows_the_revision_the_version_before_is_named():
    fleet = Fleet(canary(errors=after(400, 0.2)), stable())
    fleet.stable_revision = None
    world = baking(fleet)

    world.until(900)

    assert world.status.message.endswith(f"--to-revision=N, with the revision of guestbook-{STABLE}")


def test_a_version_that_crashes_after_its_promotion_is_told_as_well():
    fleet = Fleet(canary(), stable())
    world = baking(fleet)
    world.until(400)
    fleet.canary.restarts = 4

    world.until(500)

    assert world.verdict == ("Abort", "CanaryUnhealthy")
    assert "--to-revision=3" in world.status.message


def test_the_requests_that_are_shown_are_those_that_are_in_evidence():
    world = baking(Fleet(canary(), stable()))

    world.until(300)

    assert world.status.phase == "Ended"
    assert world.status.requests == world.status.evidence[0].canary.total > 1500


def test_an_aborted_release_does_not_bake_and_is_not_looked_at_again():
    world = baking(Fleet(canary(errors=constant(0.5)), stable()))
    world.until(120)
    looks = len(world.decisions)

    world.until(600)

    assert world.is_aborted
    assert len(world.decisions) - looks <= 1


def test_an_abort_that_argo_misses_is_nudged_although_a_promoted_version_would_bake():
    fleet = Fleet(canary(errors=after(80, 1.0)), stable())
    world = baking(fleet)
    world.until(79)
    world.argo.deaf = True

    world.until(300)

    assert [kind for _, kind, _ in world.actions] == ["Hold", "Hold", "Abort", "Nudge"]
    assert world.argo.status["abortedAt"]
