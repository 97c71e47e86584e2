"""What people write: annotations on a Rollout, SLOPolicy, and the spec of a CanaryGate.

Law: pydantic at the border; every number has its unit, its bound and the reason of its default. The CRDs are
generated from these models, so a description here is what ``kubectl explain`` says.
"""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.document import Document, Duration, read, rules
from canary_operator.model.freeze import FreezeWindow
from canary_operator.model.objectives import Attribution, Guards, Objective, Risk, SLOReference
from canary_operator.model.providers import DEFAULT_PROVIDER
from canary_operator.model.rollout import TemplateRef

PREFIX = "canary-operator.io/"


LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$", max_length=128, description="Name of a label.")]


class Timing(Document):
    """When the gate looks, how long it holds, and what then."""

    warm_up: Duration | None = Field(
        default=None,
        description="Time that is not judged, such as 60s: for conditions from the start of each pause, for objectives "
        "from the start of the first pause. Absent: 0s for conditions, whose author chose the windows they look at, "
        "and 60s for objectives, because caches and connection pools fill.",
    )
    settle: Duration = Field(
        default=10.0,
        description="Time after the start of a pause until the new weight is taken to be in force: evidence to promote "
        "counts from there. Default 10s: what load balancers and meshes need to take up a weight.",
    )
    bake: Duration = Field(
        default=0.0,
        description="Time after the promotion for which objectives go on judging the version. Argo can abort no more "
        "then: a breach is told, with the command that undoes the release. Default 0s: the gate ends with the release.",
    )
    max_hold: Duration = Field(
        default=3600.0,
        description="Time after the start of a pause until onMaxHold applies. Default 1h: longer than most "
        "releases, short enough for a working day.",
    )
    on_max_hold: Literal["Hold", "Abort", "Promote"] = Field(
        default="Hold",
        description="What happens when maxHold is over and the gate still holds. Promote only where "
        "measurements exist and none was missing at the end. Default Hold: a person decides.",
    )
    promote_early: bool = Field(
        default=False,
        description="Whether a timed pause ends as soon as the evidence suffices. Default false: the "
        "duration is the least that the author wanted.",
    )
    min_measurements: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Conclusive measurements that a metric with an interval and no count needs before it "
        "passes. Default 3: one lucky look is no evidence.",
    )


class TelemetryLoss(Document):
    """What happens when Prometheus stays away."""

    escalate_after: Duration = Field(
        default=900.0,
        description="Time without telemetry until `then` applies. Default 15m: longer than a restart of "
        "Prometheus with a large write-ahead log.",
    )
    then: Literal["Hold", "Abort"] = Field(
        default="Hold",
        description="Hold or Abort; never a promotion. Default Hold: an outage is not the canary's fault.",
    )


Severity = Literal["Ignore", "Warn", "Hold"]


class Images(Document):
    """What becomes of a release whose image is not one and the same: Ignore, Warn or Hold with ImageChanged."""

    mutable_tag: Severity = Field(
        default="Warn",
        description="An image of the pod template is named by a tag, without a digest. Default Warn: most are, and "
        "what the pods run is compared anyway.",
    )
    different: Severity = Field(
        default="Hold",
        description="Pods of the new version run different images. Default Hold: evidence of one says nothing about "
        "the other.",
    )
    changed: Severity = Field(
        default="Hold",
        description="Pods of the new version run another image than before in this release. Default Hold: what was "
        "judged is not what would be promoted.",
    )


class SLOPolicySpec(Document):
    """Objectives, risk and timing that gates of this namespace refer to by name."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.objectives.all(each, self.objectives.exists_one(other, other.name == each.name))",
                "objectives: names must be unique",
            )
        )
    )

    provider: str = Field(
        default=DEFAULT_PROVIDER,
        max_length=63,
        description="Name of a provider of the operator's configuration that answers for the objectives, never a URL. "
        "Default: the one called default.",
    )
    objectives: tuple[Objective, ...] = Field(
        default=(),
        max_length=16,
        description="What judges by statistics, canary against stable and against the objective. Default none: then "
        "templates judge.",
    )
    attribution: Attribution = Field(
        default=Attribution(), description="How the canary's series are told from stable's."
    )
    stratify_by: tuple[LabelName, ...] = Field(
        default=(),
        max_length=2,
        description="Labels, such as route, whose values are compared each with its own, so that a version that gets "
        "more of a slow route is not blamed for it. Up to eight values; the rest is one. Default none.",
    )
    risk: Risk = Field(default=Risk(), description="How often the gate may be wrong, and what still counts as fine.")
    guards: Guards = Field(default=Guards(), description="What must be right before evidence is believed.")
    timing: Timing = Field(default=Timing(), description="When the gate looks, how long it holds, and what then.")
    telemetry_loss: TelemetryLoss = Field(
        default=TelemetryLoss(), description="What happens when Prometheus stays away for long."
    )
    images: Images = Field(
        default=Images(), description="What becomes of a release whose image is not one and the same."
    )
    freeze_windows: tuple[FreezeWindow, ...] = Field(
        default=(),
        max_length=32,
        description="When nothing is promoted. Aborts go on, and a person's override outranks it. Default never.",
    )
    fail_action: Literal["Abort", "Hold", "Notify"] = Field(
        default="Abort",
        description="What an abort verdict does. Abort: goes back to stable. Hold: every abort reason becomes "
        "a hold of that reason. Notify: the verdict is told, nothing is patched, the pause ends as without a "
        "gate. Default Abort.",
    )
    compatibility: Literal["safe", "argo"] = Field(
        default="safe",
        description="How templates without evidence are judged. safe: they hold. argo: as by Argo's own analysis, to "
        "the letter: no data and NaN are what the condition makes of them, and errors over their limit abort. "
        "Default safe: no data is no evidence.",
    )

    @property
    def references(self) -> tuple[SLOReference, ...]:
        """Where its objectives are defined, if not here."""
        return tuple(each.slo_ref for each in self.objectives if each.slo_ref is not None)

    @property
    def templates(self) -> tuple[TemplateRef, ...]:
        """The AnalysisTemplates among them."""
        found = map(template_of, self.references)
        return tuple(ref for ref in found if ref is not None)

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [objective.name for objective in self.objectives]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"objectives: names must be unique, given more than once: {', '.join(repeated)}")
        return self


def template_of(reference: SLOReference) -> TemplateRef | None:
    """The AnalysisTemplate that a reference means, None for another kind."""
    cluster = reference.kind == "ClusterAnalysisTemplate"
    return TemplateRef(reference.name, cluster) if cluster or reference.kind == "AnalysisTemplate" else None


class Override(Document):
    """How a person overrules the gate; it outranks every finding, never the fence."""

    action: Literal["Promote", "Abort", "Hold"] = Field(description="What the gate is to do until expiresAt.")
    reason: str = Field(min_length=1, max_length=1024, description="Why, for the record.")
    requested_by: str = Field(min_length=1, max_length=256, description="Who asks for it, for the record.")
    expires_at: str = Field(
        json_schema_extra={"format": "date-time"}, description="RFC 3339 time after which the override is void."
    )


class CanaryGateSpec(Document):
    """What people may say to a gate. The gate itself is written by the operator."""

    suspend: bool = Field(default=False, description="True releases what the gate holds and stops gating this Rollout.")
    override: Override | None = Field(default=None, description="A person's decision in place of the gate's.")


class Mode(enum.Enum):
    """The values of the annotation ``canary-operator.io/gate``."""

    ENFORCE = "enforce"
    OBSERVE = "observe"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class OptIn:
    """The annotations of a Rollout. ``templates`` is None where the Rollout's own strategy names them."""

    mode: Mode
    policies: tuple[str, ...] = ()
    templates: tuple[TemplateRef, ...] | None = None
    arguments: Mapping[str, str] | None = None
    mistake: str = ""

    def at_most(self, mode: Mode) -> "OptIn":
        """The same, but observing where only that is allowed."""
        observes = mode is Mode.OBSERVE and self.mode is Mode.ENFORCE
        return replace(self, mode=Mode.OBSERVE) if observes else self


def parse_opt_in(annotations: Mapping[str, str]) -> OptIn:
    """What a Rollout's annotations ask for. A mistake is kept as text, and the gate holds with it."""
    ours = {key.removeprefix(PREFIX): value for key, value in annotations.items() if key.startswith(PREFIX)}
    if "gate" not in ours:
        return OptIn(Mode.OFF)
    modes = {mode.value: mode for mode in Mode}
    # A gate whose value cannot be read holds: whoever wrote it wanted a gate.
    mode = modes.get(ours["gate"], Mode.ENFORCE)
    try:
        return _parse_opt_in(ours, modes)
    except ConfigurationError as error:
        return OptIn(mode, mistake=str(error))


def _parse_opt_in(ours: Mapping[str, str], modes: Mapping[str, Mode]) -> OptIn:
    allowed = ("gate", "slo-policy", "analysis-templates", "analysis-args")
    for key in sorted(set(ours) - set(allowed)):
        raise ConfigurationError(f"annotation {PREFIX}{key} is not known; allowed are {', '.join(allowed)}")
    if ours["gate"] not in modes:
        raise ConfigurationError(f'annotation {PREFIX}gate: "{ours["gate"]}" is not one of {", ".join(modes)}')
    return OptIn(
        mode=modes[ours["gate"]],
        policies=tuple(_names(ours, "slo-policy")) if "slo-policy" in ours else (),
        templates=tuple(map(_template, _names(ours, "analysis-templates"))) if "analysis-templates" in ours else None,
        arguments=_arguments(ours.get("analysis-args")),
    )


def _names(ours: Mapping[str, str], key: str) -> list[str]:
    names = [name.strip() for name in ours[key].split(",")]
    if not all(names):
        raise ConfigurationError(f'annotation {PREFIX}{key}: "{ours[key]}" has an empty name; write a comma list')
    return names


def _template(name: str) -> TemplateRef:
    scope, slash, rest = name.partition("/")
    if not slash:
        return TemplateRef(name)
    if scope != "cluster" or not rest or "/" in rest:
        raise ConfigurationError(f'annotation {PREFIX}analysis-templates: "{name}" is neither a name nor cluster/name')
    return TemplateRef(rest, cluster=True)


def _arguments(text: str | None) -> Mapping[str, str]:
    if text is None:
        return {}
    place = f"annotation {PREFIX}analysis-args"
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{place} is not JSON: {error}") from error
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ConfigurationError(f'{place} must be a JSON object of strings, such as {{"service": "api"}}')
    return values


def parse_policy(name: str, body: Mapping[str, Any]) -> SLOPolicySpec:
    """The spec of an SLOPolicy object.

    Raises:

        ConfigurationError: naming the policy, the field, the value and what is allowed.
    """
    return read(SLOPolicySpec, body.get("spec") or {}, f"SLOPolicy {name}: spec")


def parse_gate_spec(body: Mapping[str, Any]) -> CanaryGateSpec:
    """The spec of a CanaryGate object.

    Raises:

        ConfigurationError: naming the field, the value and what is allowed.
    """
    spec = read(CanaryGateSpec, body.get("spec") or {}, "CanaryGate: spec")
    if spec.override is not None:
        durations.parse_time(spec.override.expires_at)
    return spec
