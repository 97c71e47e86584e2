"""What the records say of a promoted release, as an unsigned in-toto statement that others can sign.

Law: pure. It is said only of images whose digests are known, only where the gate's last word was Promote, and only from
records that are as they were written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from canary_operator.journal.records import record_hash
from canary_operator.model.record import GateDecisionSpec, RunningImage, Used
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Verdict

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://canary-operator.io/attestation/promotion/v1"
_ALGORITHM = "@sha256:"


@dataclass(frozen=True, slots=True)
class Statement:
    """An in-toto statement, version 1."""

    subject: tuple[tuple[str, str], ...]
    predicate: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """The statement as JSON has it."""
        subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in self.subject]
        return {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": self.predicate}


@dataclass(frozen=True, slots=True)
class Unsaid:
    """Why nothing can be said: a sentence."""

    why: str


def statement_of(
    ref: RolloutRef, records: Sequence[GateDecisionSpec], uid: str, stable_hash: str
) -> Statement | Unsaid:
    """What can be said of the version that is stable now.

    Args:

        records: what is stored of this Rollout, in any order.

        uid: of the Rollout.

        stable_hash: pod template hash of its stable version.
    """
    chain = sorted((each for each in records if each.rollout.uid == uid), key=lambda each: each.sequence)
    release = _release(chain, stable_hash)
    if not release:
        return Unsaid(f"no record is about the version {stable_hash or '(none)'}, which is stable: it was not gated")
    forged = [each.sequence for each in release if record_hash(each) != each.hash]
    if forged:
        return Unsaid(f"record {forged[0]} does not have the hash of what it says")
    last = release[-1]
    if last.verdict != Verdict.PROMOTE.value:
        said = f"{last.verdict} {last.reason}" if last.verdict else last.reason
        return Unsaid(f"the gate's last word about version {stable_hash} was {said}: the gate did not promote it")
    return _stated(ref, release, chain[-1])


def _release(chain: Sequence[GateDecisionSpec], pod_hash: str) -> list[GateDecisionSpec]:
    """The records of the last release of a version."""
    about = [each for each in chain if pod_hash and each.rollout.pod_hash == pod_hash]
    return [each for each in about if each.rollout.revision == about[-1].rollout.revision]


def _stated(ref: RolloutRef, release: Sequence[GateDecisionSpec], head: GateDecisionSpec) -> Statement | Unsaid:
    promoted = [each for each in release if each.verdict == Verdict.PROMOTE.value and _canaries(each)]
    if not promoted:
        return Unsaid("no record of the promotion names an image: no pod said what it runs")
    images = _canaries(promoted[-1])
    unnamed = [each for each in images if _ALGORITHM not in each.image]
    if unnamed:
        return Unsaid(f"container {unnamed[0].container} ran {unnamed[0].image}, which names no digest")
    containers = [each.container for each in images]
    twice = sorted({name for name in containers if containers.count(name) > 1})
    if twice:
        return Unsaid(f"container {twice[0]} ran more than one image")
    return Statement(tuple(sorted(set(map(_subject, images)))), _predicate(ref, release, head))


def _canaries(record: GateDecisionSpec) -> list[RunningImage]:
    return [each for each in record.images if each.version == "Canary"]


def _subject(image: RunningImage) -> tuple[str, str]:
    name, _, digest = image.image.partition(_ALGORITHM)
    return name, digest


def _predicate(ref: RolloutRef, release: Sequence[GateDecisionSpec], head: GateDecisionSpec) -> dict[str, Any]:
    last = release[-1]
    return {
        "rollout": {"namespace": ref.namespace, "name": ref.name, **last.rollout.model_dump(by_alias=True)},
        "decidedAt": last.at,
        "mode": last.mode,
        "verdict": last.verdict,
        "reason": last.reason,
        "message": last.message,
        "actor": last.actor.model_dump(by_alias=True),
        "evidence": [_evidence(each.model_dump(mode="json", by_alias=True)) for each in last.evidence],
        "policies": [_used(each) for each in last.policies],
        "templates": [_used(each) for each in last.templates],
        "operator": {"version": last.operator_version, "configuration": last.configuration},
        "records": [{"sequence": each.sequence, "hash": each.hash} for each in release],
        "chainHead": {"sequence": head.sequence, "hash": head.hash},
    }


def _evidence(evidence: dict[str, Any]) -> dict[str, Any]:
    told = ("name", "kind", "source", "digest", "since", "canary", "stable", "value", "message")
    return {name: evidence[name] for name in told if evidence.get(name) is not None}


def _used(used: Used) -> dict[str, Any]:
    return used.model_dump(by_alias=True, exclude_none=True)
