"""AnalysisTemplates as a Rollout uses them: which ones, and the values of their arguments.

Law: pure; a mistake of a person is a ConfigurationError.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from canary_operator.conditions import arguments
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.rollout import Rollout, TemplateRef


def template_refs(snapshot: Snapshot) -> tuple[TemplateRef, ...]:
    """The templates of the annotation, else those that the Rollout's own strategy names, each once."""
    named = snapshot.opt_in.templates
    if named is None:
        named = tuple(ref for analysis in snapshot.rollout.analyses for ref in analysis.templates)
    return tuple(dict.fromkeys(named))


def template_spec(snapshot: Snapshot, ref: TemplateRef) -> Mapping[str, Any]:
    """The spec of a template.

    Raises:

        ConfigurationError: if it does not exist.
    """
    body = snapshot.templates.get(ref)
    if body is None:
        where = "" if ref.cluster else f" in namespace {snapshot.rollout.ref.namespace}"
        raise ConfigurationError(f"{kind_of(ref)} {ref.name} does not exist{where}")
    spec: Mapping[str, Any] = body.get("spec") or {}
    return spec


def kind_of(ref: TemplateRef) -> str:
    """The kind that a reference means."""
    return "ClusterAnalysisTemplate" if ref.cluster else "AnalysisTemplate"


def argument_values(snapshot: Snapshot, ref: TemplateRef, spec: Mapping[str, Any]) -> Mapping[str, str]:
    """The value of every argument that a template declares.

    Raises:

        ConfigurationError: if one has none.
    """
    return arguments.resolve_arguments(
        spec.get("args") or (),
        snapshot.opt_in.arguments or {},
        _rollout_values(snapshot, ref, {str(declared.get("name")) for declared in spec.get("args") or ()}),
        _well_known(snapshot.rollout),
    )


def _rollout_values(snapshot: Snapshot, ref: TemplateRef, declared: Collection[str]) -> dict[str, str]:
    for analysis in snapshot.rollout.analyses:
        if ref in analysis.templates:
            # An analysis of several templates gives each of them all args.
            _refuse_unresolved([name for name in analysis.unresolved if name in declared], snapshot)
            return dict(analysis.arguments)
    return {}


def _refuse_unresolved(names: Sequence[str], snapshot: Snapshot) -> None:
    for name in names:
        if name not in (snapshot.opt_in.arguments or {}):
            raise ConfigurationError(f"args.{name}: the Rollout does not have the field that valueFrom names")


def _well_known(rollout: Rollout) -> dict[str, str]:
    known = {
        "namespace": rollout.ref.namespace,
        "rollout": rollout.ref.name,
        "canary-hash": rollout.pod_hash,
        "stable-hash": rollout.stable_hash,
        "canary-service": rollout.canary_service,
        "stable-service": rollout.stable_service,
    }
    return {name: value for name, value in known.items() if value}
