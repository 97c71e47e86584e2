"""What is wrong with the records that a test has produced: a chain that does not hold, a record that does not replay.

A test that writes records itself says so to its stage (``forges``), and is not asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic

from canary_operator.cluster.ledger import LEFT_BEHIND
from canary_operator.journal.chain import Stored, flaws
from canary_operator.journal.replaying import Identical, replay
from canary_operator.model.gate import GateStatus
from canary_operator.model.record import GateDecisionSpec
from canary_operator.model.rollout import RolloutRef

Body = Mapping[str, Any]


def mistakes(decisions: Sequence[Body], gates: Sequence[Body]) -> list[str]:
    """All that is wrong, one sentence each; what an operator that was killed has left behind is not."""
    chains: dict[str, list[Stored]] = defaultdict(list)
    for body in decisions:
        ref = RolloutRef(body["metadata"]["namespace"], body["spec"]["rolloutName"])
        chains[body["spec"]["rollout"]["uid"]].append(Stored(ref, body["metadata"]["name"], body["spec"]))
    heads = {gate.rollout.uid: gate for gate in map(_status, gates) if gate.rollout is not None and gate.sequence}
    found = [said for uid, chain in chains.items() for said in _broken(chain, heads.get(uid))]
    return found + [said for chain in chains.values() for stored in chain for said in _not_replayed(stored)]


def _status(body: Body) -> GateStatus:
    return GateStatus.model_validate(body.get("status") or {})


def _broken(chain: Sequence[Stored], gate: GateStatus | None) -> list[str]:
    wrong = flaws(chain, gate)
    beyond = [flaw for flaw in wrong if flaw.beyond]
    return [flaw.sentence for flaw in wrong if not flaw.beyond or len(beyond) > LEFT_BEHIND]


def _not_replayed(stored: Stored) -> list[str]:
    try:
        result = replay(GateDecisionSpec.model_validate(stored.spec))
    except pydantic.ValidationError as error:
        return [f"{stored.name}: {error}"]
    return [] if isinstance(result, Identical) else [f"{stored.name}: {result}"]
