"""What must hold of releases that have ended: told from records, from what was written to Rollouts, from Rollouts.

Law: pure, and independent of the operator's own view: a mistake is found here or nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from canary_operator.journal.records import record_hash
from canary_operator.journal.replaying import Identical, replay
from canary_operator.model import durations
from canary_operator.model.record import GateDecisionSpec
from tests.soak.releases import End, Release, Shape, Truth

Record = Mapping[str, Any]

_AT_REST = "Ended, pending None"


@dataclass
class Course:
    """What became of a release. Times are Unix seconds, None for "not (yet)"."""

    release: Release
    shape: Shape
    began: float
    uid: str = ""
    pod_hash: str = ""
    silent_since: float | None = None
    ended_by_us_at: float | None = None
    is_ended_by_us: bool = False
    end: End = End.NONE
    took: float = 0.0
    last_word: str = ""


class Write(NamedTuple):
    """A patch on a Rollout's status that the API server accepted; `pause` is the user's start of the pause."""

    rollout: str
    uid: str
    pod_hash: str
    step: int | None
    pause: str
    action: str


@dataclass(frozen=True)
class Chain:
    """The records of one Rollout as they were found, the head that its gate names, and what its gate is about."""

    rollout: str
    records: Sequence[Record]
    sequence: int
    head: str
    state: str = _AT_REST


@dataclass(frozen=True)
class Evidence:
    """All that is judged."""

    courses: Sequence[Course]
    chains: Sequence[Chain]
    writes: Sequence[Write]
    died: Sequence[str] = field(default_factory=tuple)


def mistakes(evidence: Evidence) -> list[str]:
    """Everything that must not be, in full; empty if all is well."""
    records = {chain.rollout: chain.records for chain in evidence.chains}
    found = [f"the operator ended by itself: {told}" for told in evidence.died]
    for course in evidence.courses:
        own = [each for each in records.get(course.release.rollout, ()) if _hash(each) == course.pod_hash]
        found += [f"{_name(course)}: {what}" for what in _of_release(course, own)]
    for chain in evidence.chains:
        found += [f"{chain.rollout}: {what}" for what in _of_chain(chain)]
        found += [f"{chain.rollout}: {what}" for what in _of_gate(chain)]
        found += [f"{chain.rollout}: {what}" for what in _of_actions(chain, evidence.writes)]
    return found


def not_replayed(chains: Iterable[Chain]) -> list[str]:
    """Every record that does not follow from the inputs it keeps, and what is different."""
    found = []
    for chain in chains:
        for record in chain.records:
            match replay(GateDecisionSpec.model_validate(record)):
                case Identical():
                    pass
                case other:
                    found.append(f"{chain.rollout}: record {record['sequence']} is not what is computed again: {other}")
    return found


def _of_release(course: Course, records: Sequence[Record]) -> Iterator[str]:
    wanted = course.release.end()
    if course.end is not wanted:
        yield f"ended {course.end} and not {wanted}: {course.last_word}"
    if course.release.truth is Truth.BAD and any(_promotes(each) for each in records):
        yield "a bad version was found good enough to promote"
    if wanted is End.PROMOTED_BY_GATE:
        passed = {_step(each) for each in records if _promotes(each)}
        yield from (f"no record of a promotion of the pause {step}" for step in _pauses(course) - passed)
    if course.release.truth is Truth.SILENT:
        until = course.ended_by_us_at or float("inf")
        yield from (
            f"judged {each['verdict']} ({each['reason']}) at {each['at']} without data"
            for each in records
            if each.get("verdict") in {"Promote", "Abort"} and durations.parse_time(each["at"]) < until - 1
        )


def _of_chain(chain: Chain) -> Iterator[str]:
    records = sorted(chain.records, key=lambda each: int(each["sequence"]))
    previous = records[0]["previousHash"] if records else ""
    for number, each in enumerate(records, int(records[0]["sequence"]) if records else 1):
        told = f"record {each['sequence']}"
        if int(each["sequence"]) != number:
            yield f"{told} stands where record {number} should be"
            return
        if each["previousHash"] != previous:
            yield f"{told} does not follow the one before"
        if record_hash(GateDecisionSpec.model_validate(each)) != each["hash"]:
            yield f"{told} is not what was hashed"
        previous = each["hash"]
    if records and (chain.sequence, chain.head) != (records[-1]["sequence"], records[-1]["hash"]):
        yield f"the gate names record {chain.sequence} as the last one, and it is {records[-1]['sequence']}"


def _of_gate(chain: Chain) -> Iterator[str]:
    if chain.records and chain.state not in {_AT_REST, "Idle, pending None"}:
        yield f"the gate is left {chain.state}"


def _of_actions(chain: Chain, writes: Sequence[Write]) -> Iterator[str]:
    applied = [each for each in chain.records if (each.get("action") or {}).get("outcome") == "Applied"]
    for decision, times in Counter(each["action"]["decisionId"] for each in applied).items():
        if times > 1:
            yield f"decision {decision} is recorded as applied {times} times"
    own = [each for each in writes if each.rollout == chain.rollout and each.action != "Nudge"]
    for write, times in Counter(own).items():
        # A hold is written twice, and the second write is no other action.
        if times > (2 if write.action == "Hold" else 1):
            yield f"{times} accepted writes where one was meant: {write}"
    # An abort is of a release, at whatever step.
    recorded = Counter((_hash(each), each["action"]["kind"], _step_of(each)) for each in applied)
    done = Counter((each.pod_hash, each.action, each.step) for each in set(own))
    written = Counter((each.pod_hash, each.action, each.step) for each in own)
    for key in sorted({*recorded, *done}, key=str):
        # The second write of a hold is another decision where the operator was killed between the two.
        if not done[key] <= recorded[key] <= (written[key] if key[1] == "Hold" else done[key]):
            yield f"{done[key]} times done and {recorded[key]} times recorded: {key}"


def _pauses(course: Course) -> set[int | None]:
    return set(course.shape.gated_steps())


def _promotes(record: Record) -> bool:
    return record.get("verdict") == "Promote"


def _hash(record: Record) -> str:
    return str(record["rollout"]["podHash"])


def _step(record: Record) -> int | None:
    index = (record.get("step") or {}).get("index")
    return None if index is None else int(index)


def _step_of(record: Record) -> int | None:
    return None if record["action"]["kind"] == "Abort" else _step(record)


def _name(course: Course) -> str:
    release = course.release
    return f"{release.image} ({course.shape}, {release.truth}, ends {release.ending}, {course.pod_hash or 'no hash'})"


def ends(courses: Iterable[Course]) -> Counter[tuple[Truth, End]]:
    """How many releases of each truth ended how."""
    return Counter((course.release.truth, course.end) for course in courses)
