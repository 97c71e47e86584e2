"""Images: what was judged is what is promoted, or somebody is told, or the release holds."""

import dataclasses
from collections.abc import Callable

import pytest

from canary_operator.model.caution import Matter
from canary_operator.model.gate import Condition
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import CANARY, ONE_INDEFINITE, a_rollout
from tests.scenarios.fleet import Fleet, Version
from tests.scenarios.world import World

APP, OTHER = "registry.example/app@sha256:aaaa", "registry.example/app@sha256:bbbb"
Image = Callable[[int, float], str]


def same(_number: int, _at: float) -> str:
    return APP


def split(number: int, _at: float) -> str:
    return OTHER if number else APP


def swapped(_number: int, at: float) -> str:
    return OTHER if at >= 12 else APP


def mirrored(number: int, _at: float) -> str:
    return APP.replace("registry", "mirror") if number else APP


def a_world(image: Image, named: str = APP, pods: int = 2, **images: str) -> World:
    policy = SLOPolicySpec.model_validate({"images": images})
    world = World(a_rollout(ONE_INDEFINITE), policy=policy, fleet=Fleet(Version(CANARY, pods=pods, image=image)))
    world.argo.change(template={"hash": CANARY, "spec": {"containers": [{"name": "app", "image": named}]}})
    return world


def cautioned(world: World, matter: Matter = Matter.IMAGES_FIXED) -> Condition:
    (found,) = (each for each in world.status.conditions if each.type == matter.value)
    return found


@pytest.mark.parametrize(
    ("image", "named", "rules", "reason", "said"),
    [
        (same, APP, {}, "ConditionsMet", ""),
        (mirrored, APP, {}, "ConditionsMet", ""),
        (same, "app:1", {}, "ConditionsMet", "container app runs app:1, and a tag can be moved"),
        (same, "app:1", {"mutableTag": "Ignore"}, "ConditionsMet", ""),
        (same, "app:1", {"mutableTag": "Hold"}, "ImageChanged", "container app runs app:1, and a tag can be moved"),
        (split, APP, {}, "ImageChanged", "pods of one version run different images as app: sha256:aaaa, sha256:bbbb"),
        (split, APP, {"different": "Warn"}, "ConditionsMet", "pods of one version run different images as app"),
        (split, APP, {"different": "Ignore"}, "ConditionsMet", ""),
        (swapped, APP, {}, "ImageChanged", "container app runs sha256:bbbb, and ran sha256:aaaa before"),
        (swapped, APP, {"changed": "Warn"}, "ConditionsMet", "container app runs sha256:bbbb, and ran sha256:aaaa"),
        (swapped, APP, {"changed": "Ignore"}, "ConditionsMet", ""),
    ],
)
def test_an_image_that_is_not_one_and_the_same_is_ignored_told_or_held(image, named, rules, reason, said):
    world = a_world(image, named, **rules).until(60)

    assert (world.status.reason, world.is_promoted) == (reason, reason == "ConditionsMet")
    assert (cautioned(world).status == "False") == bool(said)
    assert said in cautioned(world).message
    if reason == "ImageChanged":
        assert said in world.status.message


def test_a_change_is_remembered_though_all_pods_run_the_new_image():
    world = a_world(swapped, pods=1).until(3000)

    assert world.verdict == ("Hold", "ImageChanged")
    assert [(each.container, each.digests) for each in world.status.images] == [("app", ("sha256:aaaa", "sha256:bbbb"))]


def test_the_next_release_knows_nothing_of_the_images_of_this_one():
    world = a_world(swapped, pods=1).until(60)
    world.fleet.canary = Version("another", born=60.0, image=lambda _number, _at: OTHER)

    world.release("another").until(120)

    assert world.is_promoted


def test_what_is_put_into_pods_from_outside_is_not_the_release():
    world = a_world(split)
    world.argo.body["spec"]["template"]["spec"] = {"containers": [{"name": "ours", "image": APP}]}

    assert world.until(60).is_promoted


def test_where_the_template_is_another_objects_all_containers_are_compared():
    world = a_world(split)
    del world.argo.body["spec"]["template"]["spec"]

    assert world.until(60).verdict == ("Hold", "ImageChanged")


def test_pods_that_cannot_be_listed_hold_nothing_and_are_not_silent(monkeypatch):
    world = a_world(same)
    facts = world.fleet.facts
    forbidden = Absent(HoldReason.CONFIGURATION_ERROR, "the pods cannot be read: list pods: 403: pods is forbidden")
    monkeypatch.setattr(world.fleet, "facts", lambda now: dataclasses.replace(facts(now), pods=forbidden))

    world.until(60)

    assert world.is_promoted
    told = cautioned(world, Matter.PODS_KNOWN)
    assert (told.status, told.message) == (
        "False",
        f"neither crashes nor changes of images are seen: {forbidden.message}",
    )
