"""What judges a release: the metrics of its AnalysisTemplates, rendered and read.

Law: pure; a mistake of a person is a ConfigurationError that names the place.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.conditions import arguments, flattening, validation
from canary_operator.conditions.flattening import flatten, gather
from canary_operator.conditions.metric_spec import MetricSpec, parse_metric
from canary_operator.engine import opaque, sought
from canary_operator.engine.sought import Sought
from canary_operator.engine.templates import Together, analyses, kind_of, template_spec, values_together
from canary_operator.errors import ConfigurationError
from canary_operator.model.decision import Snapshot
from canary_operator.model.indicator import Opaque
from canary_operator.model.providers import resolve_address
from canary_operator.model.rollout import TemplateRef
from canary_operator.model.samples import Absent
from canary_operator.slo.injection import require_matcher

# More than any release is judged by, and few enough that the others are looked at in time and a record can tell of all.
MOST_METRICS = 100


@dataclass(frozen=True, slots=True)
class JudgedMetric:
    """A metric that judges: where it comes from, whom it asks, and a digest of what it says.

    Args:

        counts: false for a metric that is only run dry.

        analysis: metrics of one number are one analysis, and end together in Argo's dialect.
    """

    spec: MetricSpec
    source: str
    provider: str
    digest: str
    counts: bool
    analysis: int = 0


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
    judging = () if found and snapshot.opt_in.templates is None else analyses(snapshot)
    if not judging and not found:
        raise ConfigurationError(
            "nothing judges this release: name an SLOPolicy with objectives in the annotation "
            "canary-operator.io/slo-policy, or an AnalysisTemplate in canary-operator.io/analysis-templates or in the "
            "Rollout's strategy"
        )
    _refuse_unknown_arguments(snapshot, judging, found)
    metrics = [replace(metric, analysis=each.number) for each in judging for metric in _metrics(snapshot, each)]
    _refuse_equal_names(metrics)
    metrics = _told_apart(metrics)
    metrics += [_unsplit(snapshot, each, each.meaning) for each in found if isinstance(each.meaning, Opaque)]
    _refuse_equal_names(metrics)
    if metrics:
        _refuse_count(len(metrics))
    return tuple(metrics)


def _told_apart(metrics: Sequence[JudgedMetric]) -> list[JudgedMetric]:
    """Metrics of one name in several analyses are several metrics, and the number of the analysis tells which."""
    names = [metric.spec.name for metric in metrics]
    return [_numbered(metric) if names.count(metric.spec.name) > 1 else metric for metric in metrics]


def _numbered(metric: JudgedMetric) -> JudgedMetric:
    return replace(metric, spec=replace(metric.spec, name=f"{metric.spec.name} (analysis {metric.analysis + 1})"))


def _unsplit(snapshot: Snapshot, objective: Sought, meaning: Opaque) -> JudgedMetric:
    """An objective that is one number and no counts stays a condition, and says so."""
    reference = meaning.source.reference
    said = f"{reference} (a condition: {meaning.reason})"
    if meaning.allowed is None:
        ref = TemplateRef(reference.name, cluster=reference.kind == "ClusterAnalysisTemplate")
        found = _metrics(snapshot, Together((ref,), {}))
        (own,) = [each for each in found if reference.entry in ("", each.spec.name)]
        return replace(own, spec=replace(own.spec, name=objective.name), source=said, counts=True)
    rendered = opaque.as_metric(snapshot, objective, meaning)
    digest = hashlib.sha256(json.dumps(rendered, sort_keys=True).encode()).hexdigest()[:16]
    return JudgedMetric(parse_metric(rendered, objective.name), said, objective.policy.provider, digest, counts=True)


def _metrics(snapshot: Snapshot, together: Together) -> list[JudgedMetric]:
    """The metrics of one analysis, those of templates that its templates name among them."""
    templates = gather(together.refs, lambda ref: template_spec(snapshot, ref))
    with _named(" and ".join(map(_source, together.refs))):
        flat = flatten(templates)
        values = values_together(snapshot, together, flat.arguments)
        _refuse_count(len(flat.metrics))
    found = []
    for template, at, raw in flat.metrics:
        with _named(_source(template.ref)):
            found.append(_judged(snapshot, _source(template.ref), at, arguments.render_metric(raw, values, _path(at))))
    with _named(" and ".join(map(_source, together.refs))):
        dry = _run_dry(found, (*together.dry_run, *flat.dry_run))
    return [replace(each, counts=each.spec.name not in dry) for each in found]


@contextmanager
def _named(source: str) -> Iterator[None]:
    """Say of a mistake in which template it is."""
    try:
        yield
    except ConfigurationError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def _refuse_count(metrics: int) -> None:
    if not metrics:
        raise ConfigurationError("spec.metrics is empty")
    if metrics > MOST_METRICS:
        raise ConfigurationError(f"{metrics} metrics; at most {MOST_METRICS} may judge a release")


def _source(ref: TemplateRef) -> str:
    return f"{kind_of(ref)}/{ref.name}"


def _path(at: int) -> str:
    return f"spec.metrics[{at}]"


def _run_dry(metrics: Sequence[JudgedMetric], rules: Sequence[str]) -> Collection[str]:
    flattening.refuse_repeated("two Dry-Run metric rules have the same name", rules)
    named = [{"metricName": rule} for rule in rules]
    return validation.matching(named, [metric.spec.name for metric in metrics], "dryRun")


def _judged(snapshot: Snapshot, source: str, at: int, rendered: Mapping[str, Any]) -> JudgedMetric:
    spec = parse_metric(rendered, _path(at))
    provider = resolve_address(spec.address or None, snapshot.addresses)
    if isinstance(provider, Absent):
        raise ConfigurationError(f"{_path(at)}.provider.prometheus.address: {provider.message}")
    if provider in snapshot.addresses.by_namespace:
        require_matcher(spec.query, "namespace", snapshot.rollout.ref.namespace)
    digest = hashlib.sha256(json.dumps(rendered, sort_keys=True).encode()).hexdigest()[:16]
    return JudgedMetric(spec, source, provider, digest, counts=True)


def _refuse_unknown_arguments(snapshot: Snapshot, judging: Sequence[Together], found: Sequence[Sought]) -> None:
    refs = [ref for each in judging for ref in each.refs]
    named = [ref for each in found for ref in each.policy.templates]
    gathered = gather((*refs, *named), lambda ref: template_spec(snapshot, ref))
    declared = [each.spec.get("args") or () for each in gathered]
    for name in arguments.undeclared(snapshot.opt_in.arguments or {}, declared):
        known = sorted({arg["name"] for args in declared for arg in args})
        raise ConfigurationError(
            f"annotation canary-operator.io/analysis-args: no template declares {name}; "
            f"declared are {', '.join(known) or 'none'}"
        )


def _refuse_equal_names(metrics: Sequence[JudgedMetric]) -> None:
    seen: dict[tuple[int, str], str] = {}
    for metric in metrics:
        name, key = metric.spec.name, (metric.analysis, metric.spec.name)
        if key in seen:
            raise ConfigurationError(f"two metrics are called {name}: in {seen[key]} and in {metric.source}")
        seen[key] = metric.source
