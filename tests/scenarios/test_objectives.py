"""Releases that objectives judge: counts of canary and stable, from the first look to the end."""

import json
import re
from typing import Any

import pytest

from canary_operator.model.facts import SLORefKey
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.samples import Absent
from canary_operator.model.verdict import HoldReason
from tests.builders import CANARY, NAME, STABLE, TEMPLATES, a_rollout, pause, set_weight
from tests.scenarios.fleet import Fleet, Version
from tests.scenarios.world import World

AVAILABILITY = {
    "name": "availability",
    "objective": "99",
    "indicator": {"ratio": {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}},
}
LATENCY = {
    "name": "latency",
    "objective": "95",
    "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": "0.5"}},
}
LONG = (set_weight(25), pause("20m"))
STEPS = (set_weight(25), pause("60s"), set_weight(50), pause())


def a_policy(*objectives: Any, **spec: Any) -> SLOPolicySpec:
    return SLOPolicySpec.model_validate({"objectives": list(objectives) or [AVAILABILITY], **spec})


def a_world(fleet: Fleet | None = None, policy: SLOPolicySpec | None = None, steps: Any = STEPS, **world: Any) -> World:
    body = a_rollout(steps)
    del body["metadata"]["annotations"][TEMPLATES]
    return World(body, policy=policy or a_policy(), fleet=fleet, **world)


def canary(**fields: Any) -> Version:
    return Version(CANARY, **fields)


def stable(**fields: Any) -> Version:
    return Version(STABLE, pods=3, born=-3600.0, **fields)


def constant(share: float) -> Any:
    return lambda _: share


def after(seconds: float, share: float, before: float = 0.0) -> Any:
    return lambda at: share if at >= seconds else before


def test_a_healthy_release_goes_through_all_its_steps():
    world = a_world(Fleet(canary(errors=constant(0.001)), stable(errors=constant(0.001)))).release()

    world.until(600)

    assert world.is_promoted
    assert world.verdict == ("Promote", "EvidenceSufficient")
    assert world.status.requests > 2000


def test_a_canary_that_fails_more_than_stable_and_its_objective_is_aborted_and_the_message_has_the_numbers():
    world = a_world(Fleet(canary(errors=constant(0.2)), stable(errors=constant(0.001)))).release()

    world.until(600)

    assert world.is_aborted
    assert world.verdict == ("Abort", "CanaryRegression")
    assert "requests bad" in world.status.message
    assert "on stable" in world.status.message


def test_a_fault_that_begins_late_is_found():
    fleet = Fleet(canary(errors=after(200, 0.2)), stable(errors=constant(0.001)))
    world = a_world(fleet, steps=(set_weight(25), pause("60s"), set_weight(50), pause("600s"))).release()

    world.until(600)

    assert world.is_aborted
    assert world.actions[-1][0] < 280


def test_when_stable_fails_too_it_holds_and_goes_on_by_itself():
    outage = lambda at: 0.4 if 60 <= at < 400 else 0.0  # noqa: E731
    world = a_world(Fleet(canary(errors=outage), stable(errors=outage))).release()

    world.until(390)
    held = world.verdict
    world.until(1500)

    assert held == ("Hold", "EnvironmentUnhealthy")
    assert world.is_promoted


def test_without_series_of_stable_it_holds_and_says_what_it_asked_for():
    world = a_world(Fleet(canary(), stable(labels={"namespace": "elsewhere"}))).release()

    world.until(300)

    assert world.verdict == ("Hold", "NoData")
    assert "http_requests_total has no series of the stable version" in world.status.message
    assert "podTargetLabels" in world.status.message


def test_a_canary_without_requests_holds():
    world = a_world(Fleet(canary(rate=0.0), stable())).release()

    world.until(300)

    assert world.verdict == ("Hold", "NoTraffic")


def test_a_bad_selector_on_a_label_that_nothing_has_promotes_nothing():
    world = a_world(Fleet(canary(status_label="code"), stable(status_label="code"))).release()

    world.until(300)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert 'no label "status"' in world.status.message


def test_a_threshold_that_is_no_bucket_is_told_with_the_buckets_that_there_are():
    latency = {**LATENCY, "indicator": {"latency": {"histogram": "http_request_duration_seconds", "threshold": "0.3"}}}
    world = a_world(Fleet(), a_policy(latency)).release()

    world.until(300)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert "0.1, 0.5, 2.5" in world.status.message


def test_a_slow_canary_is_aborted_by_its_latency_objective():
    world = a_world(Fleet(canary(slow=constant(0.5)), stable(slow=constant(0.01))), a_policy(AVAILABILITY, LATENCY))

    world.release().until(600)

    assert world.is_aborted
    assert world.status.message.count("latency") == 1


def test_little_traffic_holds_and_says_what_is_needed_and_which_weight_would_do():
    world = a_world(Fleet(canary(rate=0.02), stable(rate=0.02)), a_policy(timing={"maxHold": "10m"})).release()

    world.until(300)

    assert world.verdict == ("Hold", "LowTraffic")
    assert "more requests would show" in world.status.message
    assert "weight" in world.status.message


def test_the_weight_that_would_do_is_told_as_a_part_of_the_full_weight():
    body = a_rollout((set_weight(100), pause()))
    del body["metadata"]["annotations"][TEMPLATES]
    body["spec"]["strategy"]["canary"]["trafficRouting"]["maxTrafficWeight"] = 1000
    fleet = Fleet(canary(rate=0.1), stable(rate=0.3))
    world = World(body, policy=a_policy(timing={"maxHold": "15m"}), fleet=fleet).release()

    world.until(300)

    assert world.verdict == ("Hold", "LowTraffic")
    weight = re.search(r"at a weight of (\d+) of 1000 before it", world.status.message)
    assert weight is not None
    assert 100 < int(weight[1]) <= 1000


def test_too_little_traffic_is_told_as_soon_as_the_version_is_warm():
    world = a_world(Fleet(canary(rate=0.02), stable(rate=0.02)), a_policy(timing={"maxHold": "10m"})).release()

    world.until(75)

    assert world.verdict == ("Hold", "LowTraffic")


def test_an_outage_of_prometheus_holds_and_loses_no_request():
    world = a_world(outages=[(80, 300)]).release()
    calm = a_world().release()

    world.until(290)
    held = world.verdict
    world.until(900)
    calm.until(900)

    assert held == ("Hold", "TelemetryUnavailable")
    assert world.is_promoted
    assert calm.is_promoted


def test_stale_samples_hold():
    world = a_world(Fleet(canary(gone_at=80.0), stable()), steps=(set_weight(25), pause())).release()

    world.until(400)

    assert world.verdict[0] == "Hold"
    assert not world.is_promoted


def test_the_share_of_requests_that_is_not_the_weight_holds():
    world = a_world(Fleet(canary(rate=200.0), stable(rate=1.0)), steps=(set_weight(25), pause())).release()

    world.until(600)

    assert world.verdict == ("Hold", "RoutingMismatch")
    assert "weight is 25" in world.status.message


def test_a_series_of_another_workload_with_the_same_labels_is_told():
    world = a_world(Fleet(canary(labels={"pod": "other-6c54544bf9-1x"}), stable())).release()

    world.until(300)

    assert world.verdict == ("Hold", "AmbiguousSeries")


def test_bad_requests_above_the_exposure_budget_abort():
    policy = a_policy(risk={"maxExcessBad": 50, "tolerableRatio": "1.25"})
    # Worse than stable, inside of the objective: only the exposure budget can end it.
    fleet = Fleet(canary(rate=40, errors=constant(0.008)), stable(rate=40, errors=constant(0.001)))
    world = a_world(fleet, policy, steps=(set_weight(25), pause())).release()

    world.until(3000)

    assert world.verdict == ("Abort", "ExposureSpent")
    assert world.is_aborted


@pytest.mark.parametrize("errors", [0.0, 0.02, 0.3])
def test_replaying_what_was_given_decides_the_same(errors):
    from canary_operator import engine

    world = a_world(Fleet(canary(errors=constant(errors)), stable())).release()

    world.until(400)

    for snapshot, samples, now, decision in world.decisions:
        assert engine.decide(snapshot, samples, now) == decision


def test_the_status_shows_how_the_versions_are_told_apart():
    world = a_world().release()

    world.until(200)

    (evidence,) = world.status.evidence
    assert evidence.attribution == "pod-hash"
    assert CANARY in evidence.queries[0]
    assert STABLE in evidence.queries[1]
    assert evidence.canary.total > 0
    assert evidence.left_out


def test_what_is_remembered_of_an_objective_is_small():
    world = a_world().release()

    world.until(300)

    assert len(world.status.evidence[0].memory) < 4000


@pytest.mark.parametrize(("weight", "most"), [(25, 6), (50, 12)])
def test_a_canary_that_fails_everything_is_aborted_within_few_requests_even_at_one_a_minute(weight, most):
    others = 1 / 60 * (100 - weight) / weight / 3
    fleet = Fleet(canary(rate=1 / 60, errors=constant(1.0)), stable(rate=others), regular=True)
    world = a_world(fleet, steps=(set_weight(weight), pause())).release()

    world.until(3600)

    assert world.is_aborted
    assert world.status.evidence[0].canary.bad <= most


def test_a_canary_that_fails_everything_is_aborted_while_it_warms_up():
    world = a_world(Fleet(canary(errors=constant(1.0)), stable())).release()

    world.until(120)

    assert world.is_aborted
    assert world.actions[-1][0] < 60


def test_errors_of_a_cold_version_are_forgiven():
    cold = lambda at: 0.05 if at < 50 else 0.0  # noqa: E731
    world = a_world(Fleet(canary(errors=cold), stable())).release()

    world.until(600)

    assert world.is_promoted


def test_a_canary_whose_containers_keep_crashing_is_aborted_and_the_message_names_the_pod():
    world = a_world(Fleet(canary(restarts=4), stable())).release()

    world.until(120)

    assert world.is_aborted
    assert world.verdict == ("Abort", "CanaryUnhealthy")
    assert f"guestbook-{CANARY}-0x" in world.status.message


def test_a_canary_that_crashes_as_stable_does_is_held():
    world = a_world(Fleet(canary(restarts=4), stable(restarts=2, restarted_at=5.0))).release()

    world.until(120)

    assert world.verdict == ("Hold", "EnvironmentUnhealthy")


def test_a_canary_whose_pods_stay_unready_is_aborted_and_the_message_names_one():
    world = a_world(Fleet(canary(pods=2, unready=1, unready_since=100.0), stable()), steps=LONG).release()

    world.until(270)
    before = world.verdict
    world.until(330)

    assert before[0] != "Abort"
    assert world.verdict == ("Abort", "CanaryUnhealthy")
    assert f"1 of 2 pods of the canary run and are not ready, pod guestbook-{CANARY}-0x" in world.status.message


def test_where_stable_is_unready_too_nobody_is_blamed():
    fleet = Fleet(canary(unready=1, unready_since=100.0), stable(unready=1, unready_since=110.0))
    world = a_world(fleet, steps=LONG).release()

    world.until(400)

    assert world.verdict[0] == "Hold"
    assert "EnvironmentUnhealthy" in {reason for _, _, reason in world.verdicts}


def test_one_unready_pod_of_many_aborts_nothing():
    world = a_world(Fleet(canary(pods=3, unready=1, unready_since=100.0), stable()), steps=LONG).release()

    world.until(400)

    assert "Abort" not in {verdict for _, verdict, _ in world.verdicts}


def test_old_restarts_of_stable_excuse_nothing():
    world = a_world(Fleet(canary(restarts=4), stable(restarts=2, restarted_at=-500.0))).release()

    world.until(120)

    assert world.verdict == ("Abort", "CanaryUnhealthy")


def test_at_full_weight_without_stable_series_the_objective_alone_judges():
    steps = (set_weight(100), pause())
    good = a_world(Fleet(canary(), stable(rate=0.0, labels={"namespace": "elsewhere"})), steps=steps).release()
    bad = a_world(
        Fleet(canary(errors=constant(0.1)), stable(rate=0.0, labels={"namespace": "elsewhere"})), steps=steps
    ).release()

    good.until(400)
    bad.until(400)

    assert good.is_promoted
    assert bad.verdict == ("Abort", "ObjectiveBreached")


def test_pods_of_stable_that_differ_by_more_than_chance_make_the_gate_more_careful():
    def bursts(pod: int, at: float) -> float:
        return 0.1 if (int(at) // 45 + pod * 7) % 11 == 0 else 0.0

    even = a_world(Fleet(canary(), stable(errors=constant(0.009)))).release()
    uneven = a_world(Fleet(canary(), stable(errors_of=bursts))).release()

    even.until(120)
    uneven.until(120)

    assert memory(even)["dispersion"][0] < 1.5
    assert memory(uneven)["dispersion"][0] > 2


def memory(world: World) -> Any:
    return json.loads(world.status.evidence[0].memory)


def test_series_whose_pod_label_is_the_exporters_are_counted_by_the_pod_that_was_exported():
    def exported(version: str) -> dict[str, str]:
        pod = f"guestbook-{version}-0x"
        return {"namespace": "monitoring", "pod": "exporter-0", "exported_namespace": "shop", "exported_pod": pod}

    fleet = Fleet(canary(labels=exported(CANARY)), Version(STABLE, born=-3600.0, labels=exported(STABLE)))
    world = a_world(fleet).release()

    world.until(600)

    assert world.is_promoted
    assert "exported" in world.status.evidence[0].attribution


def test_a_version_that_fails_while_it_bakes_is_told_with_the_command_that_undoes_it():
    fleet = Fleet(canary(errors=after(400, 0.2)), stable(gone_at=330.0))
    policy = a_policy(timing={"bake": "10m"})
    world = a_world(fleet, policy, steps=(set_weight(25), pause("60s"))).release()

    world.until(360)
    promoted = (world.is_promoted, world.verdict)
    world.until(900)

    assert promoted == (True, ("Promote", "EvidenceSufficient"))
    assert world.verdict == ("Abort", "ObjectiveBreached")
    assert "kubectl argo rollouts undo guestbook -n shop" in world.status.message
    assert world.status.ended_by == "Gate"
    assert world.of_kind("Abort") == []


def test_a_version_that_stays_good_while_it_bakes_keeps_its_verdict_and_is_looked_at_no_longer():
    policy = a_policy(timing={"bake": "5m"})
    world = a_world(Fleet(canary(), stable(gone_at=330.0)), policy, steps=(set_weight(25), pause("60s"))).release()

    world.until(1200)
    asked = [at for at, _ in world.asked]

    assert world.verdict == ("Promote", "EvidenceSufficient")
    assert 380 < max(asked) < 500


def test_without_a_bake_nothing_is_asked_after_the_promotion():
    world = a_world(steps=(set_weight(25), pause("60s"))).release()

    world.until(900)

    assert world.is_promoted
    assert max(at for at, _ in world.asked) < 200


def test_an_objective_that_cannot_be_read_holds_and_does_not_stop_another_from_aborting():
    reference = {"apiVersion": "pyrra.dev/v1alpha1", "kind": "ServiceLevelObjective", "name": "gone"}
    policy = a_policy(AVAILABILITY, {"name": "imported", "sloRef": reference})
    gone = {
        SLORefKey("pyrra.dev/v1alpha1", "ServiceLevelObjective", "gone"): Absent(
            HoldReason.CONFIGURATION_ERROR, "ServiceLevelObjective gone does not exist in namespace shop"
        )
    }
    good = a_world(Fleet(canary(), stable()), policy, definitions=gone).release()
    bad = a_world(Fleet(canary(errors=constant(0.3)), stable()), policy, definitions=gone).release()

    good.until(400)
    bad.until(400)

    assert good.verdict == ("Hold", "ConfigurationError")
    assert "does not exist in namespace shop" in good.status.message
    assert bad.verdict == ("Abort", "CanaryRegression")


def test_a_template_that_is_missing_holds_and_does_not_stop_an_objective_from_aborting():
    world = a_world(Fleet(canary(errors=constant(0.1)), stable())).annotate(TEMPLATES, "nobody")

    world.release().until(60)
    held = world.verdict
    world.until(400)

    assert held == ("Hold", "ConfigurationError")
    assert world.verdict == ("Abort", "CanaryRegression")


def mixed() -> Fleet:
    """The canary gets far more of the route that fails often, for both versions alike."""
    return Fleet(
        canary(rate=30, routes={"/search": (0.9, 0.04), "/": (0.1, 0.001)}),
        stable(rate=30, routes={"/search": (0.1, 0.04), "/": (0.9, 0.001)}),
    )


def test_a_canary_that_gets_more_of_a_bad_route_is_blamed_only_where_routes_are_not_told_apart():
    pooled = a_world(mixed(), a_policy(), steps=(set_weight(25), pause())).release()
    apart = a_world(mixed(), a_policy(stratifyBy=["route"]), steps=(set_weight(25), pause())).release()

    pooled.until(400)
    apart.until(400)

    assert pooled.is_aborted
    assert not apart.is_aborted
    assert set(memory(apart)["strata"]) == {'route="/"', 'route="/search"', "other"}


def test_a_canary_that_is_worse_on_one_route_is_found_where_routes_are_told_apart():
    fleet = Fleet(
        canary(rate=30, routes={"/search": (0.2, 0.15), "/": (0.8, 0.001)}),
        stable(rate=30, routes={"/search": (0.2, 0.01), "/": (0.8, 0.001)}),
    )
    world = a_world(fleet, a_policy(stratifyBy=["route"]), steps=(set_weight(25), pause())).release()

    world.until(400)

    assert world.verdict == ("Abort", "CanaryRegression")


def test_where_stables_pods_differ_pods_are_ranked_as_well():
    def bursts(pod: int, at: float) -> float:
        return 0.1 if (int(at) // 45 + pod * 7) % 11 == 0 else 0.0

    stable_pods = Version(STABLE, pods=6, born=-3600.0, errors_of=bursts)
    world = a_world(Fleet(canary(errors_of=bursts), stable_pods), steps=(set_weight(25), pause())).release()

    world.until(300)

    assert memory(world)["ranking"]["stable"]
    assert not world.is_aborted


def test_a_label_to_stratify_by_that_nothing_has_holds():
    world = a_world(Fleet(), a_policy(stratifyBy=["route"])).release()

    world.until(200)

    assert world.verdict == ("Hold", "ConfigurationError")
    assert 'no series has the label "route"' in world.status.message


def test_a_canary_that_has_just_begun_is_waited_for_without_alarm():
    world = a_world(Fleet(canary(born=20.0), stable())).release()

    world.until(600)

    assert world.is_promoted
    assert {reason for _, _, reason in world.verdicts} <= {"Collecting", "WarmUp", "EvidenceSufficient"}


def test_a_canary_that_prometheus_does_not_reach_is_no_data_and_not_a_route_that_is_missing():
    world = a_world(Fleet(canary(rate=0.0, up=0), stable())).release()

    world.until(300)

    assert world.verdict == ("Hold", "NoData")
    assert "is not up" in world.status.message


def test_pods_that_are_not_scraped_are_not_judged_by_the_others():
    world = a_world(Fleet(canary(pods=3, unscraped=frozenset({1})), stable())).release()

    world.until(400)

    assert world.verdict == ("Hold", "NoData")
    assert f"1 of 3 ready pods of the canary are not scraped: {NAME}-{CANARY}-1x" in world.status.message


def test_a_bad_version_is_aborted_even_if_not_all_of_its_pods_are_scraped():
    world = a_world(Fleet(canary(pods=3, unscraped=frozenset({1}), errors=constant(0.3)), stable())).release()

    world.until(400)

    assert world.verdict == ("Abort", "CanaryRegression")


def test_conditions_that_were_measured_at_a_pause_are_still_shown_after_it():
    world = World(a_rollout((set_weight(25), pause("60s")))).release()

    world.until(200)

    assert world.is_promoted
    assert world.status.evidence[0].measurements.successful >= 3


@pytest.mark.parametrize("interval", [1.0, 4.0, 20.0, 60.0])
def test_however_often_is_looked_pods_that_are_scraped_one_after_the_other_are_no_wrong_route(interval):
    fleet = Fleet(canary(rate=10), Version(STABLE, pods=10, born=-3600.0, rate=3.0))
    world = a_world(fleet, steps=(set_weight(25), pause("10m")), interval=interval).release()

    world.until(500)
    evidence = world.status.evidence[0]

    assert world.verdict == ("Promote", "EvidenceSufficient")
    assert "RoutingMismatch" not in {reason for _, _, reason in world.verdicts}
    # Both versions' last scrapes may be one interval and one tick old.
    assert 0.75 * 4850 < evidence.canary.total <= 5100
