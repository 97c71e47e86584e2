"""The status of a CanaryGate: what the gate thinks, what it has counted, and what it is doing.

It is also the whole memory of the engine: a restart loses nothing that is not in here.

Law: pydantic models, frozen; the CRD is generated from them. Absent fields mean "not known (yet)".
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.document import Document

HISTORY_LENGTH = 20
RECENT_MEASUREMENTS = 10


class RolloutStatus(Document):
    """The Rollout that was judged."""

    uid: str = Field(description="UID of the judged Rollout.")
    generation: int = Field(description="Generation of the judged Rollout.")
    revision: int = Field(description="Argo's revision number; 0 while there is none.")
    pod_hash: str = Field(description="Pod template hash of the new version.")
    stable_hash: str = Field(description="Pod template hash of the stable version.")


class StepStatus(Document):
    """Where the Rollout is."""

    index: int | None = Field(
        default=None, description="Argo's index of the current step, from 0; absent for blue/green."
    )
    count: int = Field(default=0, description="Number of steps; 0 for blue/green.")
    kind: str = Field(
        default="",
        description="Kind of the step, such as pause or setWeight; prePromotion or postPromotion for blue/green.",
    )
    weight: int | None = Field(default=None, description="The canary's share in percent as Argo reports it.")


class Side(Document):
    """Requests of one version that are in evidence."""

    bad: int = Field(description="Requests that spent error budget.")
    total: int = Field(description="All requests.")


class Measured(Document):
    """One measurement that was taken."""

    at: str = Field(description="RFC 3339 time at which Prometheus was asked to evaluate.")
    phase: str = Field(description="Successful, Failed, Inconclusive, or the hold reason of an absent answer.")
    value: str = Field(default="", description="The value in Argo's notation, empty where there was none.")


class Measurements(Document):
    """The counters of a metric since the start of the pause, with Argo's meaning."""

    successful: int = Field(default=0, ge=0, description="Measurements that were Successful.")
    failed: int = Field(default=0, ge=0, description="Measurements that Failed.")
    inconclusive: int = Field(default=0, ge=0, description="Measurements that were Inconclusive.")
    error: int = Field(default=0, ge=0, description="Looks that brought no evidence; they count for nothing.")
    consecutive_error: int = Field(default=0, ge=0, description="Looks without evidence since the last measurement.")
    consecutive_success: int = Field(default=0, ge=0, description="Successful measurements in a row.")
    last_at: str | None = Field(default=None, description="RFC 3339 time of the last look.")
    recent: tuple[Measured, ...] = Field(default=(), description="The last looks, oldest first, at most 10.")


class Evidence(Document):
    """What one gate knows."""

    name: str = Field(description="Name of the metric or objective.")
    kind: Literal["Ratio", "Latency", "Condition"] = Field(description="Kind of the evidence.")
    source: str = Field(description="Where it is defined, such as AnalysisTemplate/error-rate-check.")
    digest: str = Field(description="Hash of the rendered definition; a change starts the evidence anew.")
    since: str = Field(description="RFC 3339 time from which the evidence counts.")
    canary: Side | None = Field(default=None, description="Requests of the canary since the release began.")
    stable: Side | None = Field(default=None, description="Requests of the stable version since then.")
    value: str | None = Field(default=None, description="The last value in Argo's notation.")
    towards_abort: float = Field(default=0.0, ge=0, le=1, description="0 to 1: how near the gate is to an abort.")
    towards_promote: float = Field(default=0.0, ge=0, le=1, description="0 to 1: how near the gate is to a promotion.")
    requests_needed: int | None = Field(default=None, description="Requests still needed to promote, where known.")
    eta: str | None = Field(default=None, description="RFC 3339 time at which they are expected, where known.")
    message: str = Field(default="", description="One sentence with numbers.")
    measurements: Measurements | None = Field(default=None, description="Counters of a condition.")
    attribution: str = Field(default="", description="How an objective's series are told apart, once that is known.")
    queries: tuple[Annotated[str, Field(description="A selector as PromQL.")], ...] = Field(
        default=(), description="The selectors that an objective asks for, both versions'."
    )
    left_out: str = Field(default="", description="Which series of an objective are no users' requests.")
    memory: str | None = Field(
        default=None, description="What the operator must remember of an objective over a restart; not for people."
    )


class PauseStatus(Document):
    """The pause that is judged, or was judged last."""

    start_time: str = Field(description="When Argo began the pause (the user's start, without any hold).")
    step_index: int | None = Field(default=None, description="Index of the paused step; absent for blue/green.")
    telemetry_lost_since: str | None = Field(default=None, description="Since when Prometheus has not answered.")
    analysis_run: str = Field(default="", description="Name of the AnalysisRun that shows this pause.")
    asked_by: str | None = Field(
        default=None,
        description="Name of Argo's own AnalysisRun that asks for the verdict and lasts as long as it takes; absent "
        "where Argo is at a pause.",
    )
    verdict: str = Field(default="", description="The gate's verdict when the pause was last judged.")
    reason: str = Field(default="", description="The reason of that verdict.")
    message: str = Field(default="", description="The sentence of that verdict.")
    left_by: str | None = Field(
        default=None, description="Who ended the pause: Gate, Person or Argo; absent while it lasts."
    )


class Pending(Document):
    """An action that was decided and whose outcome is not known yet."""

    action: str = Field(description="Hold, Release, Promote or Abort.")
    decision_id: str = Field(description="Identifies the decision in every record of it.")
    at: str = Field(description="RFC 3339 time of the decision.")
    pause_start: str | None = Field(default=None, description="The user's start of the pause that the action is about.")
    step_index: int | None = Field(default=None, description="Index of the step that the action is about.")
    pod_hash: str = Field(default="", description="Pod template hash that the action is about.")
    verdict: str = Field(
        default="", description="The verdict that the action follows from, empty where it follows from none."
    )
    reason: str = Field(default="", description="The reason of that verdict.")
    requested_by: str = Field(
        default="", description="Whose override the action follows from, empty where it follows from none."
    )


class LastAction(Pending):
    """The last action and what became of it."""

    outcome: Literal["Applied", "Stale", "Gone", "Refused", "Unknown"] = Field(
        description="Applied; Stale: the object had moved on, nothing was written; Gone; Refused by the API server; "
        "Unknown: the reply was lost, and the object had moved on before anybody could tell."
    )
    message: str = Field(default="", description="What the API server said, where it matters.")
    code: int | None = Field(
        default=None, description="HTTP status of its answer; absent where nothing was sent, or no answer was heard."
    )
    nudged_at: str | None = Field(default=None, description="When Argo was last made to look at it again.")


class HistoryEntry(Document):
    """A change of the verdict."""

    at: str = Field(description="RFC 3339 time of the change.")
    step: str = Field(description="Step as in rolloutStep.")
    weight: int | None = Field(default=None, description="The canary's share in percent.")
    verdict: str = Field(description="The new verdict.")
    reason: str = Field(description="Its reason.")
    message: str = Field(description="Its sentence.")


class Condition(Document):
    """A condition as in metav1.Condition."""

    type: str = Field(description="Ready, TelemetryAvailable, EvidenceSufficient, ImagesFixed or PodsKnown.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    reason: str = Field(description="CamelCase reason.")
    message: str = Field(default="", description="One sentence.")
    last_transition_time: str = Field(description="RFC 3339 time at which the status last changed.")
    observed_generation: int | None = Field(default=None, description="Generation of the gate that was seen.")


class Retired(Document):
    """The newest record that retention has deleted, or is about to delete."""

    sequence: int = Field(description="Its number; records up to this one may be gone.")
    hash: str = Field(description="Its hash, on which the first record that is kept hangs.")


class SeenImages(Document):
    """Images that a container of the new version has run in this release."""

    container: str = Field(description="Name of the container.")
    digests: tuple[Annotated[str, Field(description="Digest of an image.")], ...] = Field(
        description="In the order in which they were seen, at most 8; more than one: the image changed."
    )


class LastAbort(Document):
    """The last release that the gate aborted; it stays over later releases."""

    at: str = Field(description="RFC 3339 time of the abort.")
    reason: str = Field(description="Why, one CamelCase word.")
    pod_hash: str = Field(description="Pod template hash of the version that was aborted.")


class GateStatus(Document):
    """What the operator says about one Rollout."""

    phase: Literal["Idle", "Judging", "Ended"] = Field(default="Idle", description="Idle outside a gated release.")
    mode: str = Field(
        default="off", description="enforce, observe or off: as annotated, and at most what the operator is allowed."
    )
    rollout: RolloutStatus | None = Field(default=None, description="The Rollout that was judged.")
    step: StepStatus | None = Field(default=None, description="Where the Rollout is.")
    rollout_step: str = Field(default="", description="Step as Argo's own tools count, such as 3/8, from 0.")
    requests: int | None = Field(default=None, description="Requests of the canary in evidence, where known.")
    verdict: str | None = Field(
        default=None, description="Promote, Hold or Abort; absent where there is nothing to judge."
    )
    reason: str = Field(default="NotGated", description="Why, one CamelCase word.")
    message: str = Field(default="", description="Why, one sentence with numbers.")
    since: str | None = Field(default=None, description="RFC 3339 time since which verdict and reason stand.")
    ended_by: Literal["Gate", "Person", "Argo"] | None = Field(default=None, description="Who ended the release.")
    ended_at: str | None = Field(default=None, description="RFC 3339 time at which the gate saw the release end.")
    baseline: str = Field(default="", description="Pod template hash of the version that an ended release replaced.")
    evidence: tuple[Evidence, ...] = Field(default=(), description="What each gate knows.")
    images: tuple[SeenImages, ...] = Field(default=(), description="What the pods of this release have run.")
    pause: PauseStatus | None = Field(default=None, description="The pause that is judged, or was judged last.")
    pending: Pending | None = Field(default=None, description="An action whose outcome is not known yet.")
    last_action: LastAction | None = Field(default=None, description="The last action and its outcome.")
    history: tuple[HistoryEntry, ...] = Field(default=(), description="The last 20 changes of the verdict.")
    in_progress_since: str | None = Field(
        default=None,
        description="Since when this release counts among those in progress; absent where none is, or where it waits "
        "for a person.",
    )
    last_abort: LastAbort | None = Field(default=None, description="The last release that the gate aborted.")
    generation_since: str | None = Field(
        default=None, description="Since when the gate has known this generation of the Rollout."
    )
    unseen_since: str | None = Field(
        default=None, description="Since when, or since the last nudge, Argo has not taken up a person's change."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(), description="Ready, TelemetryAvailable, EvidenceSufficient, ImagesFixed, PodsKnown."
    )
    observed_generation: int | None = Field(default=None, description="Generation of the gate that was seen.")
    sequence: int = Field(default=0, description="Number of the last GateDecision of this gate.")
    record_hash: str = Field(default="", description="Hash of the last GateDecision: the head of the chain.")
    retired: Retired | None = Field(default=None, description="Up to where retention deletes the chain's beginning.")


def parse_gate_status(body: Mapping[str, Any]) -> GateStatus:
    """The status of a CanaryGate object, as it was remembered.

    Raises:

        ConfigurationError: if it was written by a newer operator, or by hand, and cannot be read.
    """
    try:
        status = GateStatus.model_validate(body.get("status") or {})
    except pydantic.ValidationError as error:
        raise ConfigurationError(f"CanaryGate: status: {error}") from error
    for moment in _moments(status):
        durations.parse_time(moment)
    return status


def _moments(status: GateStatus) -> Iterator[str]:
    """The times that the engine reads back."""
    pause, pending, last = status.pause, status.pending, status.last_action
    found = [status.unseen_since, status.generation_since, status.ended_at, status.in_progress_since]
    found += [status.last_abort.at] if status.last_abort else []
    found += [pause.start_time, pause.telemetry_lost_since] if pause else []
    found += [pending.at, pending.pause_start] if pending else []
    found += [last.at, last.pause_start, last.nudged_at] if last else []
    for evidence in status.evidence:
        measured = evidence.measurements or Measurements()
        found += [evidence.since, measured.last_at, *(each.at for each in measured.recent)]
    return (moment for moment in found if moment is not None)
