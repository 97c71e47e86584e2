"""What judges a release: the metrics of its AnalysisTemplates, rendered and read.

Law: pure; a mistake of a person is a ConfigurationError that names the place.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.conditions import arguments, patterns
from canary_operator.conditions.metric_spec import MetricSpec, parse_metric
from canary_operator.conditions.problems import OperandError
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.providers import resolve_address
from canary_operator.model.rollout import Rollout, TemplateRef
from canary_operator.model.samples import Absent

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
    refs = template_refs(snapshot)
    if not refs:
        raise ConfigurationError(
            "nothing judges this release: name an AnalysisTemplate in the annotation "
            "canary-operator.io/analysis-templates or in the Rollout's strategy"
        )
    _refuse_unknown_arguments(snapshot, refs)
    metrics = tuple(metric for ref in refs for metric in _metrics(snapshot, ref))
    _refuse_equal_names(metrics)
    return metrics


def template_refs(snapshot: Snapshot) -> tuple[TemplateRef, ...]:
    """The templates of the annotation, else those that the Rollout's own strategy names, each once."""
    named = snapshot.opt_in.templates
    if named is None:
        named = tuple(ref for analysis in snapshot.rollout.analyses for ref in analysis.templates)
    return tuple(dict.fromkeys(named))


def _template(snapshot: Snapshot, ref: TemplateRef) -> Mapping[str, Any]:
    body = snapshot.templates.get(ref)
    if body is None:
        where = "" if ref.cluster else f" in namespace {snapshot.rollout.ref.namespace}"
        raise ConfigurationError(f"{_kind(ref)} {ref.name} does not exist{where}")
    spec: Mapping[str, Any] = body.get("spec") or {}
    return spec


def _kind(ref: TemplateRef) -> str:
    return "ClusterAnalysisTemplate" if ref.cluster else "AnalysisTemplate"


def _metrics(snapshot: Snapshot, ref: TemplateRef) -> list[JudgedMetric]:
    spec, source = _template(snapshot, ref), f"{_kind(ref)}/{ref.name}"
    for field in _UNREAD:
        if spec.get(field):
            raise ConfigurationError(f"{source}: spec.{field} is not supported")
    try:
        return _rendered(snapshot, ref, spec, source)
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def _rendered(snapshot: Snapshot, ref: TemplateRef, spec: Mapping[str, Any], source: str) -> list[JudgedMetric]:
    values = arguments.resolve_arguments(
        spec.get("args") or (),
        snapshot.opt_in.arguments or {},
        _rollout_values(snapshot, ref),
        _well_known(snapshot.rollout),
    )
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


def _rollout_values(snapshot: Snapshot, ref: TemplateRef) -> dict[str, str]:
    for analysis in snapshot.rollout.analyses:
        if ref in analysis.templates:
            _refuse_unresolved(analysis.unresolved, snapshot)
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


def _refuse_unknown_arguments(snapshot: Snapshot, refs: Sequence[TemplateRef]) -> None:
    declared = [_template(snapshot, ref).get("args") or () for ref in refs]
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
