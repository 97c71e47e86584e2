"""The steps of a release as a timeline: what is behind it, where it is, what is to come.

Law: pure. Words and order only; what a step does is Argo's.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.model import durations
from canary_operator.model.gate import GateStatus, HistoryEntry
from canary_operator.model.rollout import Rollout, Step, StepKind, Strategy
from canary_operator.model.verdict import Verdict

_NAMES = {
    StepKind.ANALYSIS: "analysis of Argo's own",
    StepKind.EXPERIMENT: "experiment",
    StepKind.SET_CANARY_SCALE: "scale of the canary",
    StepKind.SET_HEADER_ROUTE: "route by header",
    StepKind.SET_MIRROR_ROUTE: "mirrored traffic",
    StepKind.PLUGIN: "plugin",
    StepKind.UNKNOWN: "step of a kind that is not known here",
}


class Progress(enum.Enum):
    """Where a step stands."""

    DONE = "done"
    HERE = "here"
    STOPPED = "stopped"
    TO_COME = "to come"


@dataclass(frozen=True, slots=True)
class Station:
    """One step. ``decided`` is what the gate said last at it in this release, None where it said nothing."""

    index: int
    name: str
    progress: Progress
    decided: HistoryEntry | None = None


def timeline(rollout: Rollout, status: GateStatus) -> tuple[Station, ...]:
    """The steps of a canary in their order, or the promotion of a blue/green release."""
    if rollout.strategy is Strategy.BLUE_GREEN:
        return tuple(_blue_green(rollout, status))
    said = _said(status)
    here = _here(rollout, status)
    return tuple(
        Station(index, _name(step), _progress(index, here, rollout, status), said.get(index) if index <= here else None)
        for index, step in enumerate(rollout.steps)
    )


def _name(step: Step) -> str:
    match step:
        case Step(StepKind.SET_WEIGHT, weight=weight):
            return f"weight {weight} %"
        case Step(StepKind.PAUSE, duration=None):
            return "pause until promoted"
        case Step(StepKind.PAUSE, duration=float() as seconds):
            return f"pause of {durations.format_duration(seconds)}"
        case _:
            return _NAMES[step.kind]


def _is_aborted(status: GateStatus) -> bool:
    return status.phase == "Ended" and status.verdict == Verdict.ABORT.value


def _here(rollout: Rollout, status: GateStatus) -> int:
    """The index where the release is, or was when it was aborted: Argo then goes back to the first step."""
    paused_at = status.pause.step_index if status.pause is not None else None
    if (_is_aborted(status) or rollout.aborted) and paused_at is not None:
        return paused_at
    return rollout.step_index or 0


def _progress(index: int, here: int, rollout: Rollout, status: GateStatus) -> Progress:
    if index != here:
        return Progress.DONE if index < here else Progress.TO_COME
    return Progress.STOPPED if _is_aborted(status) or rollout.aborted else Progress.HERE


def _said(status: GateStatus) -> dict[int, HistoryEntry]:
    """The last entry of each step since the release began: going back in time, steps do not go up again."""
    found: dict[int, HistoryEntry] = {}
    for entry in reversed(status.history):
        index = entry.step.partition("/")[0]
        if not index.isdecimal() or (found and int(index) > min(found)):
            break
        found.setdefault(int(index), entry)
    return found


def _blue_green(rollout: Rollout, status: GateStatus) -> Iterator[Station]:
    promoted = rollout.is_after_promotion or rollout.pod_hash == rollout.stable_hash
    judged = Progress.STOPPED if _is_aborted(status) else Progress.DONE if promoted else Progress.HERE
    yield Station(0, "preview of the new version", Progress.DONE)
    yield Station(1, "judged before the promotion", judged, status.history[-1] if status.history else None)
    yield Station(2, "promotion", Progress.HERE if promoted else Progress.TO_COME)
