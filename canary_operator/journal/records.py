"""The chain of GateDecisions: one for each change of the verdict, one for each action taken.

Law: pure. A record is a function of the inputs of the decision, of what became of it and of its place in the chain;
its hash covers everything in it and the hash of the one before.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import canary_operator
from canary_operator.errors import ConfigurationError
from canary_operator.journal import exact
from canary_operator.journal.inputs import Inputs, pack
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.gate import GateStatus
from canary_operator.model.indicator import Selector
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.policy import CanaryGateSpec
from canary_operator.model.promql import write_selector
from canary_operator.model.record import Actor, Asked, GateDecisionSpec, RecordedAction, RunningImage, Used
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.samples import Absent, Answer, Query, Question, RawQuery, Samples

_OVERRIDE = "Override"
_MAX_QUERY = 1024


@dataclass(frozen=True, slots=True)
class Origin:
    """Which operator decides: its version, and the hash of its configuration."""

    configuration: str = ""
    version: str = canary_operator.__version__


def decision_record(
    inputs: Inputs, status: GateStatus, action: RecordedAction | None, origin: Origin
) -> GateDecisionSpec:
    """The next record of this gate's chain.

    Args:

        status: what the gate says now, with the head of its chain.

        action: what was done, where the record is about that and not about the verdict.
    """
    assert status.rollout is not None
    snapshot = inputs.snapshot
    return signed(
        GateDecisionSpec(
            rollout_name=snapshot.rollout.ref.name,
            rollout=status.rollout,
            step=status.step,
            at=durations.format_time(inputs.now),
            mode=status.mode,
            verdict=status.verdict,
            reason=status.reason,
            message=status.message,
            action=action,
            actor=_actor(snapshot, status, action),
            evidence=status.evidence,
            asked=tuple(_asked(inputs.samples)),
            images=tuple(_images(snapshot.facts.pods)),
            policies=tuple(_policies(snapshot)),
            templates=tuple(_templates(snapshot)),
            operator_version=origin.version,
            configuration=origin.configuration,
            inputs=pack(inputs),
            sequence=status.sequence + 1,
            previous_hash=status.record_hash,
            hash="",
        )
    )


def signed(record: GateDecisionSpec) -> GateDecisionSpec:
    """The record with the hash of what it says."""
    return record.model_copy(update={"hash": record_hash(record)})


def linked(record: GateDecisionSpec, status: GateStatus) -> GateDecisionSpec:
    """The same record behind the head that a status has of its chain."""
    return signed(record.model_copy(update={"sequence": status.sequence + 1, "previous_hash": status.record_hash}))


def record_hash(record: GateDecisionSpec) -> str:
    """SHA-256 of the record's canonical JSON without its own hash."""
    return exact.digest(record.model_dump(by_alias=True, exclude_none=True, exclude={"hash"}, mode="json"))


def record_name(ref: RolloutRef, record: GateDecisionSpec) -> str:
    """One name for one place in the chain, so that nothing is recorded twice."""
    return f"{ref.name[:220].rstrip('-.')}-{record.rollout.uid[:8]}-{record.sequence:06d}"


def _actor(snapshot: Snapshot, status: GateStatus, action: RecordedAction | None) -> Actor:
    spec, last = snapshot.gate_spec, status.last_action
    override = spec.override if isinstance(spec, CanaryGateSpec) else None
    if action is None or last is None:
        name = override.requested_by if override is not None and status.reason == _OVERRIDE else ""
    else:
        name = last.requested_by
    if not name:
        return Actor(kind="Operator")
    same = override is not None and override.requested_by == name
    return Actor(kind="Person", name=name, reason=override.reason if override is not None and same else "")


def _asked(samples: Samples) -> Iterator[Asked]:
    for question, answer in samples.items():
        asked = {
            "provider": question.provider,
            "query": _text(question)[:_MAX_QUERY],
            "at": durations.format_micro_time(question.at),
        }
        if isinstance(answer, Absent):
            yield Asked.model_validate({**asked, "absent": f"{answer.reason.value}: {answer.message}"})
        else:
            count = len(answer.series) + len(answer.native)
            yield Asked.model_validate({**asked, "series": count, "digest": exact.digest(exact.write(answer, Answer))})


def _text(question: Question) -> str:
    match question:
        case Query(promql=promql):
            return promql
        case RawQuery(selector=selector):
            whole = Selector(selector.metric, tuple(dict.fromkeys((*selector.matchers, *question.identity))))
            try:
                return f"{write_selector(whole)}[{question.window}s]"
            except ConfigurationError as error:
                return str(error)


def _images(pods: VersionPods | Absent) -> Iterator[RunningImage]:
    if isinstance(pods, VersionPods):
        yield from _running("Canary", pods.canary)
        yield from _running("Stable", pods.stable)


def _running(version: Literal["Canary", "Stable"], pods: tuple[PodFacts, ...]) -> Iterator[RunningImage]:
    counted = Counter(image for pod in pods for image in pod.images)
    for (container, image), count in sorted(counted.items()):
        yield RunningImage(version=version, container=container, image=image, pods=count)


def _policies(snapshot: Snapshot) -> Iterator[Used]:
    # Packed inputs know no order of policies, so that a record has one of its own.
    for name, policy in sorted(snapshot.policies.items()):
        if not isinstance(policy, str):
            digest = exact.digest(policy.model_dump(mode="json", by_alias=True))
            yield Used(name=name, digest=digest, generation=snapshot.policy_generations.get(name))


def _templates(snapshot: Snapshot) -> Iterator[Used]:
    for ref, body in snapshot.templates.items():
        generation = (body.get("metadata") or {}).get("generation")
        yield Used(name=str(ref), digest=exact.digest(body.get("spec")), generation=generation)
