"""What stands beside a Rollout when its traffic is routed: Services, an Ingress, and the strategy that names them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.e2e.stage import Stage

HASH = "rollouts-pod-template-hash"


def load_balancer(stage: Stage, steps: Sequence[Any], name: str = "web", **canary: Any) -> dict[str, Any]:
    """Create Services and an Ingress of an AWS load balancer (no AWS needed), and return the canary strategy."""
    services(stage, f"{name}-canary", f"{name}-stable", app=name)
    backend = {"service": {"name": f"{name}-stable", "port": {"name": "use-annotation"}}}
    body = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name, "annotations": {"kubernetes.io/ingress.class": "alb"}},
        "spec": {"rules": [{"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}]},
    }
    stage.admin.post(f"/apis/networking.k8s.io/v1/namespaces/{stage.namespace}/ingresses", body)
    routed = {
        "canaryService": f"{name}-canary",
        "stableService": f"{name}-stable",
        "trafficRouting": {"alb": {"ingress": name, "servicePort": 80}},
        "steps": list(steps),
    }
    return {"canary": {**routed, **canary}}


def blue_green(stage: Stage, name: str = "web", **settings: Any) -> dict[str, Any]:
    """Create the active and the preview Service, and return the blue/green strategy."""
    services(stage, f"{name}-active", f"{name}-preview", app=name)
    named = {"activeService": f"{name}-active", "previewService": f"{name}-preview"}
    return {"blueGreen": {**named, "scaleDownDelaySeconds": 1, **settings}}


def services(stage: Stage, *names: str, app: str) -> None:
    """Create Services that select an app."""
    for name in names:
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"ports": [{"port": 80}], "selector": {"app": app}},
        }
        stage.admin.post(f"/api/v1/namespaces/{stage.namespace}/services", body)


def selected(stage: Stage, service: str) -> str | None:
    """Return the pod hash that a Service selects."""
    body = stage.admin.get(f"/api/v1/namespaces/{stage.namespace}/services/{service}") or {}
    return body["spec"]["selector"].get(HASH)


def load_balancer_weights(stage: Stage, name: str = "web") -> dict[str, int]:
    """Return the weights by Service that Argo wrote to the Ingress, those of 0 left out."""
    body = stage.admin.get(f"/apis/networking.k8s.io/v1/namespaces/{stage.namespace}/ingresses/{name}") or {}
    annotations = body["metadata"]["annotations"]
    action = json.loads(annotations.get(f"alb.ingress.kubernetes.io/actions.{name}-stable", "{}"))
    groups = (action.get("ForwardConfig") or {}).get("TargetGroups") or ()
    return {group["ServiceName"]: int(group["Weight"]) for group in groups if group.get("Weight")}


def pods_wanted(stage: Stage, name: str = "web") -> dict[str, int]:
    """Return the replicas of each ReplicaSet of a Rollout by image, those without any left out."""
    return {
        body["spec"]["template"]["spec"]["containers"][0]["image"]: int(body["spec"]["replicas"])
        for body in stage.replica_sets(name)
        if body["spec"]["replicas"]
    }
