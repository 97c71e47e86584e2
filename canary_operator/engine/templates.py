"""AnalysisTemplates as a Rollout uses them: which ones, and the values of their arguments.

Law: pure; a mistake of a person is a ConfigurationError.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.conditions import arguments
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.rollout import Analysis, Rollout, TemplateRef


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


@dataclass(frozen=True, slots=True)
class Together:
    """Templates that are judged as one analysis.

    Args:

        values: argument -> value, from the Rollout's own analysis, already resolved.

        unresolved: the arguments whose field the Rollout does not have (yet).

        dry_run: the Rollout's own rules for metrics that are only run dry.

        number: which analysis this is, or a part of.
    """

    refs: tuple[TemplateRef, ...]
    values: Mapping[str, str]
    unresolved: tuple[str, ...] = ()
    dry_run: tuple[str, ...] = ()
    number: int = 0


def analyses(snapshot: Snapshot) -> tuple[Together, ...]:
    """What is judged together, each once: the Rollout's own analyses, or the templates of the annotation.

    Those of the annotation are one analysis, in which each template has the values of the analysis that names it.
    """
    named = snapshot.opt_in.templates
    if named is not None:
        return tuple(_annotated(snapshot, ref) for ref in dict.fromkeys(named))
    found: list[Analysis] = []
    for own in snapshot.rollout.analyses:
        if own.templates and own not in found:
            found.append(own)
    return tuple(
        Together(own.templates, own.arguments, own.unresolved, own.dry_run, number) for number, own in enumerate(found)
    )


def _annotated(snapshot: Snapshot, ref: TemplateRef) -> Together:
    for own in snapshot.rollout.analyses:
        if ref in own.templates:
            return Together((ref,), own.arguments, own.unresolved)
    return Together((ref,), {})


def argument_values(snapshot: Snapshot, ref: TemplateRef, spec: Mapping[str, Any]) -> Mapping[str, str]:
    """The value of every argument that one template declares.

    Raises:

        ConfigurationError: if one has none.
    """
    return values_together(snapshot, _annotated(snapshot, ref), spec.get("args") or ())


def values_together(snapshot: Snapshot, together: Together, declared: Sequence[Mapping[str, Any]]) -> Mapping[str, str]:
    """The value of every argument that is declared.

    Raises:

        ConfigurationError: if one has none.
    """
    names = {str(each.get("name")) for each in declared}
    _refuse_unresolved([name for name in together.unresolved if name in names], snapshot)
    return arguments.resolve_arguments(
        declared, snapshot.opt_in.arguments or {}, together.values, _well_known(snapshot.rollout)
    )


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
