"""News of a gate: one change of its verdict, in the words that are told to people.

Law: texts only, empty where there is nothing to say, so that a sentence of them is always a sentence.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from canary_operator.model.rollout import RolloutRef

# What a sentence may say.
FIELDS: Mapping[str, str] = {
    "namespace": "namespace of the Rollout",
    "rollout": "name of the Rollout",
    "revision": "Argo's revision number of the version that is judged",
    "hash": "pod template hash of the version that is judged",
    "stableHash": "pod template hash of the stable version",
    "step": "step as Argo counts, such as `3/8`; empty for blue/green",
    "weight": "the canary's share in percent; empty where nothing says so",
    "mode": "`enforce` or `observe`",
    "verdict": "`Promote`, `Hold` or `Abort`",
    "reason": "why, one word of [reasons.md](reasons.md)",
    "message": "why, the gate's sentence with numbers",
    "link": "address of the gate's page; empty where `web.url` is not configured",
}


@dataclass(frozen=True, slots=True)
class News:
    """One change of a verdict.

    ``id`` is the same for the same change, told again after a crash included. ``at`` is since when the verdict stands
    (Unix seconds). ``words`` has a text for each of FIELDS.
    """

    id: str
    at: float
    ref: RolloutRef
    needs_a_person: bool
    words: Mapping[str, str]
