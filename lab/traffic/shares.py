"""Which version of a Rollout gets which share of its requests, as the cluster is now.

Law: pure; Kubernetes objects as dictionaries in, shares by pod template hash out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HASH_LABEL = "rollouts-pod-template-hash"


@dataclass(frozen=True, slots=True)
class Split:
    """Who serves a Rollout: shares of its users' requests, and the version under preview if any."""

    live: Mapping[str, float] = field(default_factory=dict)
    preview: str | None = None


def split(
    rollout: Mapping[str, Any],
    selectors: Mapping[str, Mapping[str, str]],
    ready_pods: Mapping[str, int],
) -> Split:
    """Return the split of `rollout`.

    `selectors` are those of the namespace's Services, `ready_pods` the Rollout's by hash.
    """
    strategy = rollout.get("spec", {}).get("strategy", {})
    if "blueGreen" in strategy:
        return _blue_green(strategy["blueGreen"] or {}, selectors)
    if (strategy.get("canary") or {}).get("trafficRouting"):
        weights = routed(rollout.get("status", {}))
        # Before the first weights are set, the router knows one Service, and it selects all pods.
        if weights:
            return Split(weights)
    return Split(by_pods(ready_pods))


def routed(status: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of the weights that Argo says it has set; nothing when it says nothing."""
    weights = (status.get("canary") or {}).get("weights") or {}
    sources = [weights.get("canary"), weights.get("stable"), *(weights.get("additional") or [])]
    by_hash: dict[str, float] = {}
    for source in filter(None, sources):
        name, weight = source.get("podTemplateHash"), float(source.get("weight") or 0)
        if name and weight:
            by_hash[name] = by_hash.get(name, 0.0) + weight
    return _normal(by_hash)


def by_pods(ready_pods: Mapping[str, int]) -> dict[str, float]:
    """Return the shares of a Service that selects all ready pods alike."""
    return _normal({name: float(count) for name, count in ready_pods.items() if count})


def _blue_green(strategy: Mapping[str, Any], selectors: Mapping[str, Mapping[str, str]]) -> Split:
    active = _selected(strategy.get("activeService"), selectors)
    preview = _selected(strategy.get("previewService"), selectors)
    live = {active: 1.0} if active else {}
    return Split(live, preview if preview != active else None)


def _selected(service: str | None, selectors: Mapping[str, Mapping[str, str]]) -> str | None:
    return selectors.get(service or "", {}).get(HASH_LABEL)


def _normal(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {name: weight / total for name, weight in weights.items()} if total else {}
