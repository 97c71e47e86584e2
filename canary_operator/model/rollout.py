"""A Rollout as the engine sees it: what was judged, and what a write must find unchanged.

Law: frozen nouns and the parser at the border; raw Kubernetes dictionaries stop here.
"""

import enum
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.fieldpath import extract_field
from canary_operator.model.pause import Pause, PauseReason
from canary_operator.model.routing import Routing, parse_routing

Body = Mapping[str, Any]

_LONGEST_PAUSE_SECONDS = 2**31 - 1


@dataclass(frozen=True, slots=True, order=True)
class RolloutRef:
    """The one key of a Rollout, of its CanaryGate and of its place in the agenda."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class StepKind(enum.Enum):
    """The kinds of canary steps, by their field name."""

    SET_WEIGHT = "setWeight"
    PAUSE = "pause"
    ANALYSIS = "analysis"
    EXPERIMENT = "experiment"
    SET_CANARY_SCALE = "setCanaryScale"
    SET_HEADER_ROUTE = "setHeaderRoute"
    SET_MIRROR_ROUTE = "setMirrorRoute"
    PLUGIN = "plugin"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """One canary step. ``weight`` in percent of a setWeight; ``duration`` in seconds of a timed pause."""

    kind: StepKind
    weight: int | None = None
    duration: float | None = None


class Strategy(enum.Enum):
    """The strategies of a Rollout."""

    CANARY = "canary"
    BLUE_GREEN = "blueGreen"


@dataclass(frozen=True, slots=True)
class TemplateRef:
    """An AnalysisTemplate of the Rollout's namespace, or a ClusterAnalysisTemplate."""

    name: str
    cluster: bool = False

    def __str__(self) -> str:
        return f"cluster/{self.name}" if self.cluster else self.name


class Place(enum.Enum):
    """Where an analysis stands in the strategy."""

    BACKGROUND = "background"
    STEP = "step"
    PRE_PROMOTION = "prePromotion"
    POST_PROMOTION = "postPromotion"


@dataclass(frozen=True, slots=True)
class Analysis:
    """An analysis of the Rollout's own strategy: its templates, and its args resolved as Argo does.

    ``dry_run`` names metrics that the Rollout only runs dry.
    ``unresolved`` names the args whose field the Rollout does not have (yet).
    ``run`` names the AnalysisRun that is in progress for it, empty while there is none.
    """

    templates: tuple[TemplateRef, ...]
    arguments: Mapping[str, str]
    unresolved: tuple[str, ...] = ()
    dry_run: tuple[str, ...] = ()
    place: Place = Place.STEP
    run: str = ""


@dataclass(frozen=True, slots=True)
class Fence:
    """What every write tests: the object that was judged, in the words of the API.

    ``pause_conditions`` is the whole array as stored, None where the field is absent.
    """

    uid: str
    generation: int
    observed_generation: str
    pod_hash: str
    step_index: int | None
    pause_conditions: str | None
    promote_full: bool


@dataclass(frozen=True, slots=True)
class Rollout:
    """A Rollout with everything that deciding needs.

    ``revision`` is 0 while Argo has not numbered it. ``weight`` is the canary's share in percent as Argo
    reports it, None where nothing says so. ``in_sync`` is false while the status belongs to an older spec.
    ``rolls_back`` is true for a rollback inside ``spec.rollbackWindow``, which Argo never pauses.
    ``updated_replicas`` counts the pods of the new version, ready or not, as Argo last saw them.
    ``post_promotion`` is the analysis after the users of a blue/green Rollout were given the new version; it stays
    apart because its templates, unlike those of ``analyses``, never judge.
    ``images`` are (container, image) of its pod template, those that initialise a pod included; empty where the
    template is another object's (``workloadRef``).
    """

    ref: RolloutRef
    fence: Fence
    strategy: Strategy
    annotations: Mapping[str, str]
    revision: int
    stable_hash: str
    steps: tuple[Step, ...]
    pauses: tuple[Pause, ...]
    blue_green_pause: bool
    auto_promotion_seconds: float | None
    analyses: tuple[Analysis, ...]
    canary_service: str
    stable_service: str
    controller_pause: bool
    paused: bool
    aborted: bool
    abort_seen: bool
    abort_message: str
    replicas: int
    weight: int | None
    in_sync: bool
    routing: Routing
    updated_replicas: int
    rolls_back: bool = False
    post_promotion: Analysis | None = None
    images: tuple[tuple[str, str], ...] = ()

    @property
    def pod_hash(self) -> str:
        """The pod template hash of the new version."""
        return self.fence.pod_hash

    @property
    def step_index(self) -> int | None:
        """Argo's index of the current step, from 0; None for blue/green."""
        return self.fence.step_index

    @property
    def step(self) -> Step | None:
        """The current canary step, None past the last one and for blue/green."""
        index = self.fence.step_index
        if index is None or not 0 <= index < len(self.steps):
            return None
        return self.steps[index]

    @property
    def every_analysis(self) -> tuple[Analysis, ...]:
        """The analyses whose templates may judge, and the one after a promotion."""
        return self.analyses if self.post_promotion is None else (*self.analyses, self.post_promotion)

    @property
    def is_after_promotion(self) -> bool:
        """Whether the users of a blue/green Rollout have the new version, and Argo's analysis of that is running."""
        return self.post_promotion is not None and self.post_promotion.run != ""


def parse_rollout(body: Body) -> Rollout:
    """A Rollout from its API object.

    Raises:

        ConfigurationError: if a field that deciding needs cannot be read; the text names the field.
    """
    try:
        return _parse(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"the Rollout cannot be read: {type(error).__name__}: {error}") from error


def _parse(body: Body) -> Rollout:
    meta, spec, status = body["metadata"], body.get("spec") or {}, body.get("status") or {}
    strategy = spec.get("strategy") or {}
    canary, blue_green = strategy.get("canary"), strategy.get("blueGreen")
    canary = canary or {}
    return Rollout(
        ref=RolloutRef(meta["namespace"], meta["name"]),
        fence=_fence(meta, status),
        strategy=Strategy.BLUE_GREEN if blue_green is not None else Strategy.CANARY,
        annotations=dict(meta.get("annotations") or {}),
        revision=int((meta.get("annotations") or {}).get("rollout.argoproj.io/revision") or 0),
        stable_hash=status.get("stableRS") or "",
        steps=tuple(_step(step, i) for i, step in enumerate(canary.get("steps") or ())),
        pauses=tuple(_pause(condition) for condition in status.get("pauseConditions") or ()),
        blue_green_pause=_pauses_before_promotion(blue_green),
        auto_promotion_seconds=_auto_promotion_seconds(blue_green),
        analyses=tuple(_analyses(body, canary, blue_green, status)),
        canary_service=canary.get("canaryService") or (blue_green or {}).get("previewService") or "",
        stable_service=canary.get("stableService") or (blue_green or {}).get("activeService") or "",
        controller_pause=bool(status.get("controllerPause")),
        paused=bool(spec.get("paused")),
        aborted=bool(status.get("abort")),
        abort_seen=bool(status.get("abortedAt")),
        abort_message=_abort_message(status),
        replicas=1 if spec.get("replicas") is None else int(spec["replicas"]),
        # Before a blue/green promotion no user sees the new version, however many pods it has.
        weight=None if blue_green is not None else _weight(status, canary),
        in_sync=_in_sync(meta, spec, status),
        routing=parse_routing(canary),
        updated_replicas=int(status.get("updatedReplicas") or 0),
        post_promotion=_post_promotion(body, blue_green, status),
        images=_images((spec.get("template") or {}).get("spec") or {}),
    )


def _images(pod: Body) -> tuple[tuple[str, str], ...]:
    containers = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    return tuple((str(each["name"]), str(each.get("image") or "")) for each in containers)


def _fence(meta: Body, status: Body) -> Fence:
    conditions = status.get("pauseConditions")
    return Fence(
        uid=meta["uid"],
        generation=int(meta["generation"]),
        observed_generation=str(status.get("observedGeneration") or ""),
        pod_hash=status.get("currentPodHash") or "",
        step_index=status.get("currentStepIndex"),
        pause_conditions=None if conditions is None else json.dumps(conditions, sort_keys=True),
        promote_full=bool(status.get("promoteFull")),
    )


def _step(step: Body, index: int) -> Step:
    for kind in StepKind:
        if kind.value not in step:
            continue
        if kind is StepKind.SET_WEIGHT:
            return Step(kind, weight=int(step[kind.value]))
        if kind is StepKind.PAUSE:
            return Step(kind, duration=_pause_seconds(step[kind.value] or {}, index))
        return Step(kind)
    return Step(StepKind.UNKNOWN)


def _pause_seconds(pause: Body, index: int) -> float | None:
    # Argo: an int or a numeric string is seconds, any other string a Go duration; whole seconds count, in 32 bits.
    # Zero ends at once, and a spec with less is refused.
    duration = pause.get("duration")
    if duration is None:
        return None
    text = str(duration)
    try:
        seconds = int(text) if re.fullmatch(r"[+-]?[0-9]{1,10}", text) else int(durations.parse_duration(text))
    except ConfigurationError as error:
        raise ConfigurationError(f"spec.strategy.canary.steps[{index}].pause.duration: {error}") from error
    return float(min(max(seconds, 0), _LONGEST_PAUSE_SECONDS))


def _pause(condition: Body) -> Pause:
    known = {reason.value: reason for reason in PauseReason}
    reason = known.get(str(condition.get("reason")), PauseReason.OTHER)
    return Pause(reason=reason, written_start=durations.parse_time(condition["startTime"]))


def _pauses_before_promotion(blue_green: Body | None) -> bool:
    if blue_green is None:
        return False
    return blue_green.get("autoPromotionEnabled") is False or (_auto_promotion_seconds(blue_green) or 0) > 0


def _auto_promotion_seconds(blue_green: Body | None) -> float | None:
    if blue_green is None or blue_green.get("autoPromotionEnabled") is False:
        # Argo then waits for a person, whatever the seconds say.
        return None
    seconds = blue_green.get("autoPromotionSeconds") or 0
    return float(seconds) if seconds > 0 else None


def _analyses(body: Body, canary: Body, blue_green: Body | None, status: Body) -> list[Analysis]:
    runs, here = status.get("canary") or {}, status.get("currentStepIndex")
    beside, inline = runs.get("currentBackgroundAnalysisRunStatus"), runs.get("currentStepAnalysisRunStatus")
    found = [(Place.BACKGROUND, canary.get("analysis"), beside)]
    found += [
        (Place.STEP, step.get("analysis"), inline if index == here else None)
        for index, step in enumerate(canary.get("steps") or ())
    ]
    # After the promotion there is nothing left to hold: the templates of postPromotionAnalysis stay Argo's.
    of_preview = (status.get("blueGreen") or {}).get("prePromotionAnalysisRunStatus")
    found.append((Place.PRE_PROMOTION, (blue_green or {}).get("prePromotionAnalysis"), of_preview))
    return [
        replace(_analysis(analysis, body, status), place=place, run=_in_progress(run))
        for place, analysis, run in found
        if analysis
    ]


def _post_promotion(body: Body, blue_green: Body | None, status: Body) -> Analysis | None:
    analysis = (blue_green or {}).get("postPromotionAnalysis")
    if not analysis:
        return None
    run = (status.get("blueGreen") or {}).get("postPromotionAnalysisRunStatus")
    return replace(_analysis(analysis, body, status), place=Place.POST_PROMOTION, run=_in_progress(run))


def _analysis(analysis: Body, body: Body, status: Body) -> Analysis:
    templates = tuple(
        TemplateRef(name=entry["templateName"], cluster=bool(entry.get("clusterScope")))
        for entry in analysis.get("templates") or ()
    )
    arguments: dict[str, str] = {}
    unresolved: list[str] = []
    for argument in analysis.get("args") or ():
        value = _argument(argument, body, status)
        if value is None:
            unresolved.append(argument["name"])
        else:
            arguments[argument["name"]] = value
    dry_run = tuple(str(entry["metricName"]) for entry in analysis.get("dryRun") or ())
    return Analysis(templates, arguments, tuple(unresolved), dry_run)


def _in_progress(run: Body | None) -> str:
    under_way = run is not None and (run.get("status") or "Pending") in {"Pending", "Running"}
    return str(run["name"]) if run is not None and under_way else ""


def _argument(argument: Body, body: Body, status: Body) -> str | None:
    source = argument.get("valueFrom") or {}
    if "podTemplateHashValue" in source:
        field = {"Latest": "currentPodHash", "Stable": "stableRS"}[source["podTemplateHashValue"]]
        return status.get(field) or None
    if "fieldRef" in source:
        return extract_field(body, source["fieldRef"]["fieldPath"])
    value = argument.get("value")
    return None if value is None else str(value)


def _abort_message(status: Body) -> str:
    conditions: Sequence[Body] = status.get("conditions") or ()
    for condition in conditions:
        if condition.get("type") == "Progressing" and condition.get("reason") == "RolloutAborted":
            return str(condition.get("message") or "")
    return ""


def _weight(status: Body, canary: Body) -> int | None:
    weights = (status.get("canary") or {}).get("weights")
    if weights:
        return int((weights.get("canary") or {}).get("weight") or 0)
    if canary.get("trafficRouting"):
        return None
    # Without a traffic router the pods are the weight.
    ready, new = int(status.get("availableReplicas") or 0), int(status.get("updatedReplicas") or 0)
    return round(100 * min(new, ready) / ready) if ready else None


def _in_sync(meta: Body, spec: Body, status: Body) -> bool:
    if str(status.get("observedGeneration") or "") != str(meta["generation"]):
        return False
    if not spec.get("workloadRef"):
        return True
    # A change of the referenced workload does not raise the Rollout's generation.
    mirrored = (meta.get("annotations") or {}).get("rollout.argoproj.io/workload-generation")
    return mirrored == status.get("workloadObservedGeneration")
