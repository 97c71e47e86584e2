"""Who gets which share of a Rollout's requests."""

import pytest

from lab.traffic.shares import Split, split

ROUTED = {"canary": {"trafficRouting": {"alb": {}}}}


def weights(canary, stable, **more):
    return {
        "canary": {
            "weights": {
                "canary": {"podTemplateHash": "new", "weight": canary},
                "stable": {"podTemplateHash": "old", "weight": stable},
                **more,
            }
        }
    }


@pytest.mark.parametrize(
    ("case", "status", "expected"),
    [
        ("the weights that Argo set", weights(20, 80), {"new": 0.2, "old": 0.8}),
        ("a version of weight 0 gets nothing", weights(0, 100), {"old": 1.0}),
        ("weights of another scale", weights(250, 750), {"new": 0.25, "old": 0.75}),
        (
            "an experiment's version takes its part",
            weights(10, 80, additional=[{"podTemplateHash": "third", "weight": 10}]),
            {"new": 0.1, "old": 0.8, "third": 0.1},
        ),
        (
            "a promoted version is canary and stable at once",
            {
                "canary": {
                    "weights": {
                        "canary": {"podTemplateHash": "new", "weight": 30},
                        "stable": {"podTemplateHash": "new", "weight": 70},
                    }
                }
            },
            {"new": 1.0},
        ),
        ("before the first weights all ready pods share", {}, {"new": 0.25, "old": 0.75}),
    ],
)
def test_a_routed_canary_is_split_by(case, status, expected):
    found = split({"spec": {"strategy": ROUTED}, "status": status}, {}, {"new": 1, "old": 3})

    assert found.live == pytest.approx(expected), case


def test_a_canary_without_a_router_is_split_by_ready_pods_whatever_its_status_says():
    rollout = {"spec": {"strategy": {"canary": {"steps": []}}}, "status": weights(50, 50)}

    assert split(rollout, {}, {"new": 1, "old": 9, "gone": 0}).live == {"new": 0.1, "old": 0.9}


def test_a_rollout_without_ready_pods_serves_nobody():
    assert split({"spec": {"strategy": {"canary": {}}}}, {}, {}) == Split()


def blue_green(active, preview):
    strategy = {"blueGreen": {"activeService": "live", "previewService": "preview"}}
    selectors = {
        "live": {"rollouts-pod-template-hash": active},
        "preview": {"rollouts-pod-template-hash": preview},
    }
    return split({"spec": {"strategy": strategy}}, selectors, {})


def test_blue_green_sends_all_users_where_the_active_service_points():
    assert blue_green("old", "new") == Split({"old": 1.0}, preview="new")


def test_blue_green_has_no_preview_when_both_services_point_to_one_version():
    assert blue_green("old", "old") == Split({"old": 1.0}, preview=None)
