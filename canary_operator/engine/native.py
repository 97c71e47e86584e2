"""Whether an analysis of Argo's own asks for the gate's verdict, and which AnalysisRun does so now.

It is read from the Rollout's strategy and the templates that it names, so that nothing has to be said twice: a
template with a ``web`` metric whose URL leads to the verdict asks.

Law: pure; templates are written by tenants, whatever they hold is read or passed over.
"""

from collections.abc import Mapping
from typing import Any

from canary_operator.conditions.flattening import named_in
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import SLOPolicySpec
from canary_operator.model.rollout import Analysis, Place, StepKind, TemplateRef

VERDICT_PATH = "/v1/verdict"


def asks(snapshot: Snapshot) -> bool:
    """Whether the strategy has an analysis that asks, in progress or not."""
    return any(_asks(snapshot, each) for each in snapshot.rollout.every_analysis)


def mistake(snapshot: Snapshot) -> str:
    """What is wrong where an analysis asks and nothing is named that judges, empty if nothing is.

    What asks is a template of the strategy, so those cannot be what judges unless an annotation says which.
    """
    policies = [snapshot.policies.get(name) for name in snapshot.opt_in.policies]
    # A policy that is missing or cannot be read is a mistake of its own.
    judges = any(not isinstance(policy, SLOPolicySpec) or policy.objectives for policy in policies)
    if judges or snapshot.opt_in.templates is not None or not asks(snapshot):
        return ""
    return (
        "an analysis asks for the verdict and nothing is named that judges: name an SLOPolicy with objectives in the "
        "annotation canary-operator.io/slo-policy, or AnalysisTemplates in canary-operator.io/analysis-templates"
    )


def asked_by(snapshot: Snapshot) -> str:
    """The AnalysisRun that lasts until it is told the verdict about this very place, empty where none does."""
    # The latest first.
    here = (each for each in reversed(snapshot.rollout.every_analysis) if each.place is not Place.BACKGROUND)
    return next((each.run for each in here if each.run and _asks(snapshot, each)), "")


def is_watched(snapshot: Snapshot) -> bool:
    """Whether a background analysis asks while an analysis step of Argo's own lasts: there is a weight to judge."""
    rollout = snapshot.rollout
    return (
        rollout.step is not None
        and rollout.step.kind is StepKind.ANALYSIS
        and any(each.place is Place.BACKGROUND and each.run and _asks(snapshot, each) for each in rollout.analyses)
    )


def _asks(snapshot: Snapshot, analysis: Analysis) -> bool:
    waiting, seen = list(analysis.templates), set[TemplateRef]()
    while waiting:
        ref = waiting.pop()
        if ref in seen:
            continue
        seen.add(ref)
        spec = (snapshot.templates.get(ref) or {}).get("spec") or {}
        if any(_leads_to_the_verdict(metric) for metric in spec.get("metrics") or ()):
            return True
        waiting += named_in(spec)
    return False


def _leads_to_the_verdict(metric: Mapping[str, Any]) -> bool:
    url = ((metric.get("provider") or {}).get("web") or {}).get("url") or ""
    return str(url).partition("?")[0].endswith(VERDICT_PATH)
