"""Builders of realistic bodies: a canary paused at a timed step, as Argo Rollouts 1.9 stores it; and a real cluster."""

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import lab
from lab.starting import find

START = "2026-09-14T10:00:00Z"


def _a_rollout() -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": "guestbook",
            "namespace": "shop",
            "uid": "6f1c2c0e-0000-4000-8000-000000000001",
            "generation": 17,
            "resourceVersion": "1000",
            "creationTimestamp": "2026-09-01T08:00:00Z",
            "annotations": {
                "canary-operator.io/gate": "enforce",
                "canary-operator.io/slo-policy": "strict",
                "rollout.argoproj.io/revision": "7",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
            },
            "managedFields": [{"manager": "kubectl", "operation": "Apply"}],
        },
        "spec": {
            "replicas": 10,
            "selector": {"matchLabels": {"app": "guestbook"}},
            "strategy": {
                "canary": {
                    "steps": [
                        {"setWeight": 20},
                        {"pause": {"duration": "30s"}},
                        {"setWeight": 60},
                        {"pause": {}},
                    ],
                    "analysis": {"templates": [{"templateName": "error-rate"}]},
                }
            },
            "template": {"metadata": {"labels": {"app": "guestbook"}}, "spec": {"containers": []}},
        },
        "status": {
            "observedGeneration": "17",
            "currentPodHash": "6c54544bf9",
            "stableRS": "7d8f9cbb44",
            "currentStepIndex": 1,
            "currentStepHash": "5f8b7c",
            "controllerPause": True,
            "pauseConditions": [{"reason": "CanaryPauseStep", "startTime": START}],
            "phase": "Paused",
            "message": "CanaryPauseStep",
            "replicas": 12,
            "updatedReplicas": 2,
            "availableReplicas": 12,
        },
    }


@pytest.fixture
def a_rollout() -> Callable[[], dict[str, Any]]:
    """A new copy for every call."""
    return _a_rollout


@pytest.fixture
def blue_green() -> dict[str, Any]:
    body = copy.deepcopy(_a_rollout())
    body["spec"]["strategy"] = {
        "blueGreen": {"activeService": "active", "previewService": "preview", "autoPromotionSeconds": 30}
    }
    del body["status"]["currentStepIndex"]
    body["status"]["pauseConditions"] = [{"reason": "BlueGreenPause", "startTime": START}]
    return body


@pytest.fixture(scope="session")
def cluster() -> Iterator[lab.Lab]:
    """The running lab that LAB_NAME says, else one for this session."""
    name = os.environ.get("LAB_NAME")
    if name:
        yield find(name)
        return
    with lab.start() as started:
        yield started


@pytest.fixture
def namespace(cluster: lab.Lab) -> Iterator[str]:
    """A fresh namespace of the lab."""
    with cluster.namespace() as name:
        yield name
