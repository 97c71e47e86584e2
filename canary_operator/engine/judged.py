"""What judges a release: the metrics of its AnalysisTemplates, rendered and read.

Law: pure; a mistake of a person is a ConfigurationError that names the place.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.conditions import arguments, patterns
from canary_operator.conditions.metric_spec import MetricSpec, parse_metric
from canary_operator.conditions.problems import OperandError
from canary_operator.engine import opaque, sought
from canary_operator.engine.sought import Sought
from canary_operator.engine.templates import argument_values, kind_of, template_refs, template_spec
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.indicator import Opaque
from canary_operator.model.providers import resolve_address
from canary_operator.model.rollout import TemplateRef
from canary_operator.model.samples import Absent
from canary_operator.slo.injection import require_matcher

# Parts of a template that change what is measured and that the gate does not read.
_UNREAD = ("templates",)


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """A metric that judges: where it comes from, whom it asks, and a digest of what it says.

    ``counts`` is false for a metric that the template only runs dry.
    """

    spec: MetricSpec
    source: str
    provider: str
    digest: str
    counts: bool


def judged_metrics(snapshot: Snapshot) -> tuple[JudgedMetric, ...]:
    """All metrics that judge this release, in the order of the templates.

    Raises:

        ConfigurationError: if there is none, or one cannot be used.
    """
    try:
        return _judged_metrics(snapshot)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"a template cannot be read: {type(error).__name__}: {error}") from error


def _judged_metrics(snapshot: Snapshot) -> tuple[JudgedMetric, ...]:
    found = sought.objectives(snapshot)
    # Where objectives judge, the Rollout's own templates stay Argo's, unless the annotation names them too.
    refs = () if found and snapshot.opt_in.templates is None else template_refs(snapshot)
    if not refs and not found:
        raise ConfigurationError(
            "nothing judges this release: name an SLOPolicy with objectives in the annotation "
            "canary-operator.io/slo-policy, or an AnalysisTemplate in canary-operator.io/analysis-templates or in the "
            "Rollout's strategy"
        )
    _refuse_unknown_arguments(snapshot, refs, found)
    metrics = [metric for ref in refs for metric in _metrics(snapshot, ref)]
    metrics += [_unsplit(snapshot, each, each.meaning) for each in found if isinstance(each.meaning, Opaque)]
    _refuse_equal_names(metrics)
    return tuple(metrics)


def _unsplit(snapshot: Snapshot, objective: Sought, meaning: Opaque) -> JudgedMetric:
    """An objective that is one number and no counts stays a condition, and says so."""
    reference = meaning.source.reference
    said = f"{reference} (a condition: {meaning.reason})"
    if meaning.allowed is None:
        ref = TemplateRef(reference.name, cluster=reference.kind == "ClusterAnalysisTemplate")
        (own,) = [each for each in _metrics(snapshot, ref) if reference.entry in ("", each.spec.name)]
        return replace(own, spec=replace(own.spec, name=objective.name), source=said, counts=True)
    rendered = opaque.as_metric(snapshot, objective, meaning)
    digest = hashlib.sha256(json.dumps(rendered, sort_keys=True).encode()).hexdigest()[:16]
    return JudgedMetric(parse_metric(rendered, objective.name), said, objective.policy.provider, digest, counts=True)


def _metrics(snapshot: Snapshot, ref: TemplateRef) -> list[JudgedMetric]:
    spec, source = template_spec(snapshot, ref), f"{kind_of(ref)}/{ref.name}"
    for field in _UNREAD:
        if spec.get(field):
            raise ConfigurationError(f"{source}: spec.{field} is not supported")
    try:
        return _rendered(snapshot, ref, spec, source)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def _rendered(snapshot: Snapshot, ref: TemplateRef, spec: Mapping[str, Any], source: str) -> list[JudgedMetric]:
    values = argument_values(snapshot, ref, spec)
    dry_run = [str(entry.get("metricName")) for entry in spec.get("dryRun") or ()]
    if snapshot.opt_in.templates is None:
        dry_run += [name for own in snapshot.rollout.analyses if ref in own.templates for name in own.dry_run]
    metrics = []
    for index, raw in enumerate(spec.get("metrics") or ()):
        path = f"spec.metrics[{index}]"
        rendered = arguments.render_metric(raw, values, path)
        metrics.append(_judged(snapshot, rendered, path, source, dry_run))
    if not metrics:
        raise ConfigurationError("spec.metrics is empty")
    return metrics


def _judged(
    snapshot: Snapshot, rendered: Mapping[str, Any], path: str, source: str, dry_run: Sequence[str]
) -> JudgedMetric:
    spec = parse_metric(rendered, path)
    provider = resolve_address(spec.address or None, snapshot.addresses)
    if isinstance(provider, Absent):
        raise ConfigurationError(f"{path}.provider.prometheus.address: {provider.message}")
    if provider in snapshot.addresses.by_namespace:
        require_matcher(spec.query, "namespace", snapshot.rollout.ref.namespace)
    digest = hashlib.sha256(json.dumps(rendered, sort_keys=True).encode()).hexdigest()[:16]
    counts = not any(_matches(pattern, spec.name) for pattern in dry_run)
    return JudgedMetric(spec, source, provider, digest, counts)


def _matches(pattern: str, name: str) -> bool:
    if pattern == name:
        return True
    try:
        # A pattern is written by a tenant: only those that cannot be made endless are searched for.
        return patterns.found(pattern, name)
    except OperandError as error:
        raise ConfigurationError(f"spec.dryRun: metricName: {error}") from error


def _refuse_unknown_arguments(snapshot: Snapshot, refs: Sequence[TemplateRef], found: Sequence[Sought]) -> None:
    named = [ref for each in found for ref in each.policy.templates]
    declared = [template_spec(snapshot, ref).get("args") or () for ref in dict.fromkeys((*refs, *named))]
    for name in arguments.undeclared(snapshot.opt_in.arguments or {}, declared):
        known = sorted({arg["name"] for args in declared for arg in args})
        raise ConfigurationError(
            f"annotation canary-operator.io/analysis-args: no template declares {name}; "
            f"declared are {', '.join(known) or 'none'}"
        )


def _refuse_equal_names(metrics: Sequence[JudgedMetric]) -> None:
    seen: dict[str, str] = {}
    for metric in metrics:
        if metric.spec.name in seen:
            raise ConfigurationError(
                f"two metrics are called {metric.spec.name}: in {seen[metric.spec.name]} and in {metric.source}"
            )
        seen[metric.spec.name] = metric.source
