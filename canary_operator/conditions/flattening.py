"""Templates that one analysis names -> one list of metrics, arguments and dry-run rules, as Argo puts them together.

Law: templates before cluster templates, each once, those that a template names after itself. Mistakes are told in
Argo's words; a circle, which Argo follows without end, is one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.rollout import TemplateRef


@dataclass(frozen=True, slots=True)
class Template:
    """A template by its name, and its spec."""

    ref: TemplateRef
    spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Flat:
    """What an analysis of several templates comes to.

    Args:

        metrics: where each stands, and the metric as it is written.

        arguments: the declarations, one of each name.

        dry_run: the rules, as regular expressions.
    """

    metrics: tuple[tuple[Template, int, Mapping[str, Any]], ...]
    arguments: tuple[Mapping[str, Any], ...]
    dry_run: tuple[str, ...]


def gather(refs: Iterable[TemplateRef], find: Callable[[TemplateRef], Mapping[str, Any]]) -> tuple[Template, ...]:
    """All templates that these name, directly or through others.

    Args:

        find: the spec of a template; it raises ConfigurationError where there is none.

    Raises:

        ConfigurationError: a template is not there, or names itself through others.
    """
    found: dict[TemplateRef, Template] = {}
    for ref in refs:
        _gather(ref, find, (), found)
    return tuple(sorted(found.values(), key=lambda each: each.ref.cluster))


def _gather(
    ref: TemplateRef,
    find: Callable[[TemplateRef], Mapping[str, Any]],
    above: tuple[TemplateRef, ...],
    found: dict[TemplateRef, Template],
) -> None:
    if ref in above:
        circle = " -> ".join(str(each) for each in (*above[above.index(ref) :], ref))
        raise ConfigurationError(f"spec.templates: templates name each other in a circle: {circle}")
    if ref in found:
        return
    found[ref] = Template(ref, find(ref))
    for inner in named_in(found[ref].spec):
        _gather(inner, find, (*above, ref), found)


def named_in(spec: Mapping[str, Any]) -> list[TemplateRef]:
    """The templates that a template names; an entry without a name means one that is not there."""
    return [
        TemplateRef(str(raw.get("templateName")), cluster=bool(raw.get("clusterScope")))
        for raw in spec.get("templates") or ()
    ]


def flatten(templates: Sequence[Template]) -> Flat:
    """Put templates together.

    Raises:

        ConfigurationError: two metrics or two dry-run rules have one name, or one argument has two values.
    """
    metrics = tuple((each, at, raw) for each in templates for at, raw in enumerate(each.spec.get("metrics") or ()))
    rules = [str(rule.get("metricName")) for each in templates for rule in each.spec.get("dryRun") or ()]
    refuse_repeated("two metrics have the same name", [str(raw.get("name")) for _, _, raw in metrics])
    refuse_repeated("two Dry-Run metric rules have the same name", rules)
    return Flat(metrics, _arguments(templates), tuple(rules))


def refuse_repeated(said: str, names: Sequence[str]) -> None:
    """Raise ConfigurationError, in Argo's words, where a name is there twice."""
    for at, name in enumerate(names):
        if name in names[:at]:
            raise ConfigurationError(f"{said} '{name}'")


def _arguments(templates: Sequence[Template]) -> tuple[Mapping[str, Any], ...]:
    """One declaration of each name: the first that has a value, else the last."""
    found: dict[str, Mapping[str, Any]] = {}
    for each in templates:
        for raw in each.spec.get("args") or ():
            known = found.get(str(raw.get("name")), {})
            _refuse_two_values(known, raw)
            found[str(raw.get("name"))] = raw if known.get("value") is None else known
    return tuple(found.values())


def _refuse_two_values(known: Mapping[str, Any], raw: Mapping[str, Any]) -> None:
    values = (known.get("value"), raw.get("value"))
    if None not in values and values[0] != values[1]:
        raise ConfigurationError(
            f"Argument `{raw.get('name')}` specified multiple times with different values: '{values[0]}', '{values[1]}'"
        )
