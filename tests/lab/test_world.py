"""The world counts as real processes do, and knows the truth."""

import itertools
import re

import pytest

from lab.traffic.fleet import Key, Pod, Service, fleet
from lab.traffic.shares import Split
from lab.traffic.world import World

WEB = Key("production", "web")


def pod(name, version="new", *, restarts=0, ready=True, image="web:2"):
    return Pod("production", name, (name, restarts), version, (image,), ready)


def service(*pods, **live):
    return Service(WEB, Split(live), pods)


def samples(world, metric="http_requests_total"):
    lines = [line for line in world.exposition().splitlines() if line.startswith(metric + "{")]
    return {tuple(re.findall(r'"([^"]*)"', line)): float(line.rpartition(" ")[2]) for line in lines}


def test_a_version_fails_as_often_as_its_behaviour_says():
    world = World(seed=1)
    world.set_demand(WEB, requests_per_second=1000)
    world.set_behaviour(WEB, "web:2", error_ratio=0.05)
    world.tick([service(pod("a"), pod("b"), new=1.0)], 20)

    bad, total = world.totals(WEB)["new"]
    assert total == pytest.approx(20_000, rel=0.05)
    assert bad / total == pytest.approx(0.05, rel=0.15)


def test_a_hash_is_more_exact_than_an_image_and_an_image_than_nothing():
    world = World(seed=1)
    world.set_behaviour(WEB, None, error_ratio=1.0)
    world.set_behaviour(WEB, "web:2", error_ratio=0.0)
    world.set_behaviour(WEB, "third", error_ratio=1.0)
    pods = [pod("a", "old", image="web:1"), pod("b", "new"), pod("c", "third")]
    world.tick([service(*pods, old=0.3, new=0.3, third=0.4)], 60)

    ratios = {name: bad / total for name, (bad, total) in world.totals(WEB).items()}
    assert ratios == {"old": 1.0, "new": 0.0, "third": 1.0}


def test_an_error_series_is_born_at_its_first_error():
    world = World(seed=1)
    world.set_behaviour(WEB, "web:2", error_ratio=0.0)
    world.tick([service(pod("a"), new=1.0)], 10)
    assert {labels[-1] for labels in samples(world)} == {"200"}

    world.set_behaviour(WEB, "web:2", error_ratio=1.0)
    world.tick([service(pod("a"), new=1.0)], 1)
    assert samples(world)["production", "a", "new", "500"] > 0


def test_a_restarted_pod_counts_from_zero_and_the_truth_goes_on():
    world = World(seed=1)
    world.tick([service(pod("a"), new=1.0)], 60)
    before = sum(samples(world).values())
    world.tick([service(pod("a", restarts=1), new=1.0)], 1)

    assert sum(samples(world).values()) < before
    assert world.totals(WEB)["new"][1] > before


def test_a_pod_that_is_gone_takes_its_series_with_it():
    world = World(seed=1)
    world.tick([service(pod("a"), pod("b"), new=1.0)], 10)
    world.tick([service(pod("b"), new=1.0)], 10)

    assert {labels[1] for labels in samples(world)} == {"b"}


def test_a_pod_that_is_not_ready_gets_no_requests():
    world = World(seed=1)
    world.tick([service(pod("a"), pod("b", ready=False), new=1.0)], 10)

    assert {labels[1] for labels in samples(world)} == {"a"}


@pytest.mark.parametrize(
    ("wish", "error"),
    [({"error_ratio": 1.1}, ValueError), ({"latency_seconds": 0}, ValueError), ({"eror_ratio": 0.1}, TypeError)],
)
def test_a_behaviour_that_cannot_be_is_refused_and_changes_nothing(wish, error):
    world = World(seed=1)
    with pytest.raises(error):
        world.set_behaviour(WEB, None, **wish)
    world.tick([service(pod("a"), new=1.0)], 10)

    assert world.totals(WEB)["new"][1] > 0


def test_a_silent_version_serves_and_exports_nothing():
    world = World(seed=1)
    world.set_behaviour(WEB, "web:2", silent=True)
    world.tick([service(pod("a"), new=1.0)], 10)

    assert samples(world) == {}
    assert world.totals(WEB)["new"][1] > 0


def test_every_pod_is_a_target_that_is_up_until_it_is_cut_off():
    world = World(seed=1)
    world.set_behaviour(WEB, "web:2", unreachable=True)
    world.tick([service(pod("a"), pod("b", "old", image="web:1"), new=0.5, old=0.5)], 10)

    assert samples(world, "up") == {("production", "a", "new"): 0, ("production", "b", "old"): 1}
    assert {labels[1] for labels in samples(world)} == {"b"}


def test_a_preview_gets_its_own_small_rate():
    world = World(seed=1)
    pods = (pod("a", "old"), pod("b", "new"))
    world.tick([Service(WEB, Split({"old": 1.0}, preview="new"), pods)], 100)

    totals = {name: total for name, (_, total) in world.totals(WEB).items()}
    assert totals == pytest.approx({"old": 5000, "new": 500}, rel=0.2)


def test_a_disobedient_router_sends_requests_where_the_script_says():
    world = World(seed=1)
    world.set_shares(WEB, {"web:1": 1.0})
    pods = (pod("a", "old", image="web:1"), pod("b", "new"))
    world.tick([service(*pods, old=0.5, new=0.5)], 10)
    assert set(world.totals(WEB)) == {"old"}

    world.set_shares(WEB, None)
    world.tick([service(*pods, old=0.5, new=0.5)], 10)
    assert set(world.totals(WEB)) == {"old", "new"}


@pytest.mark.parametrize("rate", [5, 5_000])
def test_a_histogram_is_cumulative_and_counts_every_request_once(rate):
    world = World(seed=1)
    world.set_demand(WEB, requests_per_second=rate)
    world.set_behaviour(WEB, None, latency_seconds=0.1)
    world.tick([service(pod("a"), new=1.0)], 10)

    buckets = list(samples(world, "http_request_duration_seconds_bucket").values())
    total = world.totals(WEB)["new"][1]
    assert buckets == sorted(buckets)
    assert buckets[-1] == total
    assert buckets[4] / total == pytest.approx(0.5, abs=0.2)
    assert list(samples(world, "http_request_duration_seconds_count").values()) == [total]


def test_the_same_seed_gives_the_same_world():
    first, second = World(seed=7), World(seed=7)
    for world in (first, second):
        world.tick([service(pod("a"), new=1.0)], 10)

    assert first.exposition() == second.exposition()


def test_a_fleet_is_read_off_the_cluster():
    body = {
        "metadata": {
            "namespace": "production",
            "name": "web-new-x",
            "uid": "u",
            "labels": {"rollouts-pod-template-hash": "new"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-new"}],
        },
        "spec": {"containers": [{"image": "web:2"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"restartCount": 2}],
        },
    }
    leaving = {**body, "metadata": {**body["metadata"], "deletionTimestamp": "now"}}
    rollout = {"metadata": {"namespace": "production", "name": "web"}, "spec": {"strategy": {}}}

    expected = Pod("production", "web-new-x", ("u", 2), "new", ("web:2",), ready=True)
    assert fleet([rollout], [body, leaving], []) == [Service(WEB, Split({"new": 1.0}), (expected,))]


def test_a_route_has_its_part_of_the_requests_and_errors_of_its_own():
    world = World(seed=1)
    world.set_behaviour(WEB, "web:2", routes={"/": {"share": 0.75}, "/search": {"share": 0.25, "error_ratio": 0.5}})
    world.tick([service(pod("a"), new=1.0)], 100)

    found = samples(world)
    assert found["production", "a", "new", "/search", "500"] == pytest.approx(625, rel=0.2)
    assert found["production", "a", "new", "/", "200"] == pytest.approx(3750, rel=0.1)
    counts = samples(world, "http_request_duration_seconds_count")
    assert sum(counts.values()) == sum(found.values()) == world.totals(WEB)["new"][1]


def test_routes_that_are_not_all_of_the_requests_are_refused():
    with pytest.raises(ValueError, match="1 in all"):
        World(seed=1).set_behaviour(WEB, None, routes={"/": {"share": 0.5}})


def test_pods_fail_in_bursts_each_by_itself():
    world = World(seed=1)
    world.set_demand(WEB, requests_per_second=100)
    world.set_behaviour(WEB, "web:2", error_ratio=0.0, burst_error_ratio=1.0, burst_seconds=5, calm_seconds=15)
    failed, before = {"a": [], "b": []}, {}
    for _ in range(400):
        world.tick([service(pod("a"), pod("b"), new=1.0)], 1)
        now = samples(world)
        for name, seen in failed.items():
            seen.append(
                now.get(("production", name, "new", "500"), 0) > before.get(("production", name, "new", "500"), 0)
            )
        before = now

    parts = {name: sum(seen) / len(seen) for name, seen in failed.items()}
    assert parts == pytest.approx({"a": 0.25, "b": 0.25}, abs=0.12)
    ends = {name: sum(one and not two for one, two in itertools.pairwise(seen)) for name, seen in failed.items()}
    assert all(sum(failed[name]) / ends[name] == pytest.approx(5, rel=0.5) for name in failed)
    together = sum(a and b for a, b in zip(failed["a"], failed["b"], strict=True)) / 400
    assert together < 0.15


def test_pods_that_have_lived_expose_what_would_have_been_scraped_and_count_on_from_there():
    world = World(seed=1)
    world.set_demand(WEB, requests_per_second=0)
    both = [service(pod("a"), pod("b"), new=1.0)]
    world.tick(both, 1)
    world.age(WEB, 600, 20.0, now=10_000.0)

    lines = [line.split() for line in world.exposition().splitlines() if line.startswith("http_requests_total{")]
    past = [(name, float(value), int(at[0])) for name, value, *at in lines if at]
    now = {name: float(value) for name, value, *at in lines if not at}
    good = [(value, at) for name, value, at in past if 'pod="a"' in name and "200" in name]
    assert [at for _, at in good] == [*range(9_415_000, 9_941_000, 15_000), *range(9_941_000, 10_000_000, 1_000)]
    assert [value for value, _ in good] == sorted(value for value, _ in good)
    assert sum(now.values()) == pytest.approx(12_000, rel=0.1)
    assert good[-1][0] <= next(value for name, value in now.items() if 'pod="a"' in name and "200" in name)

    world.tick(both, 10)
    assert sum(samples(world).values()) > sum(now.values())
    assert all(len(line.split()) == 2 for line in world.exposition().splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("pods", [(), (pod("a", ready=False),)])
def test_without_a_ready_pod_nothing_has_lived(pods):
    world = World(seed=1)
    world.tick([service(*pods, new=1.0)], 1)
    with pytest.raises(ValueError, match="only ready pods"):
        world.age(WEB, 60, 20.0, now=0.0)


def test_a_pod_that_has_had_requests_is_not_given_another_past():
    world = World(seed=1)
    world.tick([service(pod("a"), new=1.0)], 10)
    with pytest.raises(ValueError, match="no request yet"):
        world.age(WEB, 60, 20.0, now=0.0)
