"""A record on its way: the GateDecision as one line of JSON, and its place in the chain.

Law: pure. What was just written and what is read back from the API server become the same line.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canary_operator.cluster import kinds
from canary_operator.journal import records
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import Body, RolloutRef


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of one Rollout.

    Args:

        uid: of the Rollout; with ``sequence``, from 1, the place in its chain.

        line: the object as JSON, without a line break.
    """

    ref: RolloutRef
    uid: str
    sequence: int
    line: str = field(repr=False)


def written_entry(ref: RolloutRef, record: GateDecisionSpec) -> Entry:
    """The entry of a record that was just written."""
    spec = record.model_dump(mode="json", by_alias=True, exclude_none=True)
    return _entry(ref, records.record_name(ref, record), spec)


def stored_entry(body: Body) -> Entry:
    """The entry of a GateDecision as the API server has it, whatever version has written it."""
    meta, spec = body["metadata"], body["spec"]
    return _entry(RolloutRef(meta["namespace"], spec["rolloutName"]), meta["name"], spec)


def _entry(ref: RolloutRef, name: str, spec: Mapping[str, Any]) -> Entry:
    document = {
        "apiVersion": kinds.GATE_DECISIONS.api_version,
        "kind": kinds.GATE_DECISIONS.kind,
        "metadata": {"name": name, "namespace": ref.namespace},
        "spec": spec,
    }
    line = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return Entry(ref, str(spec["rollout"]["uid"]), int(spec["sequence"]), line)
