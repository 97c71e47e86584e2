"""What must hold of every step: the model's invariants, with what really happened as their witness.

Law: pure. Each function takes the truth before something happened and returns the truth after it; what must never
happen is named in ``wrong``.
"""

import json
from collections.abc import Callable
from dataclasses import replace

from canary_operator.model.decision import ActionKind, Decision
from canary_operator.model.policy import Mode, parse_opt_in
from canary_operator.model.rollout import Rollout, StepKind
from canary_operator.model.verdict import Verdict, verdict_of
from tests.builders import T0
from tests.protocol.nouns import Licence, Objects, Spot, Truth
from tests.protocol.scopes import ATTENDED

LATE = "late"
_PROMOTED = {"promotes", "promotes in full"}
Parse = Callable[[str], Rollout]


def spot_of(rollout: Rollout) -> Spot | None:
    """The pause that a Rollout is at."""
    if not rollout.pauses or rollout.step_index is None:
        return None
    return Spot(rollout.pod_hash, rollout.step_index, rollout.pauses[0].user_start(T0))


def enforces(rollout: Rollout) -> bool:
    """Whether its gate is to be kept."""
    return parse_opt_in(rollout.annotations).mode is Mode.ENFORCE


def by_argo(truth: Truth, cached: Rollout, before: Rollout, after: Rollout) -> Truth:
    """Argo has written: no step is left whose pause nobody ended."""
    skipped = _skipped(truth, cached, before, after)
    spot = spot_of(after)
    truth = replace(truth, wrong=truth.wrong or skipped)
    if spot == truth.spot:
        return truth
    licence = Licence.NONE if enforces(after) else Licence.UNGATED
    return replace(truth, spot=spot, licence=licence, good=False, attended=0.0)


def _skipped(truth: Truth, cached: Rollout, before: Rollout, after: Rollout) -> str:
    same = (before.pod_hash, before.stable_hash) == (after.pod_hash, after.stable_hash) and not after.aborted
    first, last = cached.step_index, after.step_index
    if not same or first is None or last is None or last <= first or before.fence.promote_full:
        return _finished_early(truth, cached, after)
    if cached.steps[first].kind is not StepKind.PAUSE:
        return ""
    at = truth.spot is not None and (truth.spot.pod_hash, truth.spot.step) == (after.pod_hash, first)
    if not at:
        return f"step {first} was skipped: there was no pause"
    return "" if _may_end(truth) else f"the pause at step {first} ended: {truth.licence.value}"


def _finished_early(truth: Truth, cached: Rollout, after: Rollout) -> str:
    unfinished = cached.step_index is not None and cached.step_index < len(cached.steps)
    new = cached.stable_hash != after.stable_hash
    return "promoted with steps left" if new and unfinished and not cached.fence.promote_full else ""


def _may_end(truth: Truth) -> bool:
    return truth.licence is not Licence.NONE or truth.attended < ATTENDED


def by_person(truth: Truth, act: str, before: Objects, after: Objects, parse: Parse) -> Truth:
    """Somebody did something: what they want is theirs to want."""
    rollout = parse(after.rollout)
    truth = replace(truth, meddled=truth.meddled | {act})
    if act in _PROMOTED:
        return replace(truth, licence=Licence.PERSON)
    if not enforces(rollout):
        return replace(truth, licence=Licence.UNGATED)
    if after.wish == "Abort" or rollout.aborted:
        return replace(truth, bad=truth.bad | {rollout.pod_hash})
    return truth


def heard(truth: Truth, answer: str, seen: Rollout) -> Truth:
    """Evidence was heard by a look that saw the Rollout so."""
    if answer == "bad":
        return replace(truth, bad=truth.bad | {seen.pod_hash})
    return replace(truth, good=truth.good or (answer == "good" and spot_of(seen) == truth.spot is not None))


def patched(
    truth: Truth, decision: Decision, judged: Rollout, before: Rollout, wish: str, *, late: bool = False
) -> Truth:
    """A write of the operator has landed on the Rollout as it was ``before``.

    ``wish`` is what a person wanted when the gate decided. ``late`` is a write of a process that stood still between
    its fence and the wire: whoever concluded meanwhile that it never arrived was right then, and is not blamed.
    """
    action = decision.action
    if action is None:
        # What could not be written down keeps no pause from being held.
        return replace(truth, wrong=truth.wrong or _another(judged, before, ActionKind.HOLD))
    if action.kind is ActionKind.NUDGE:
        return truth
    wrong = _another(judged, before, action.kind) or _unfounded(truth, decision, judged, before, wish)
    wrong = wrong or _twice(truth, action.decision_id, action.kind)
    truth = replace(truth, wrong=truth.wrong or wrong)
    kind = f"{LATE} {action.kind.value}" if late else action.kind.value
    truth = replace(truth, applied=(*truth.applied, (action.decision_id, kind)))
    return replace(truth, licence=Licence.GATE) if _promotes(decision) else truth


def _promotes(decision: Decision) -> bool:
    promotes = decision.reason is not None and verdict_of(decision.reason) is Verdict.PROMOTE
    assert decision.action is not None
    return promotes and decision.action.kind in {ActionKind.PROMOTE, ActionKind.RELEASE}


def _another(judged: Rollout, before: Rollout, kind: ActionKind) -> str:
    was, found = judged.fence, before.fence
    if (was.uid, was.generation, was.pod_hash) != (found.uid, found.generation, found.pod_hash):
        return f"{kind.value} of another object, generation or version than the one that was judged"
    if kind is not ActionKind.ABORT and spot_of(judged) != spot_of(before):
        return f"{kind.value} of another pause than the one that was judged"
    return ""


def _unfounded(truth: Truth, decision: Decision, judged: Rollout, before: Rollout, wish: str) -> str:
    assert decision.action is not None
    if decision.action.kind is ActionKind.ABORT:
        founded = judged.pod_hash in truth.bad or wish == "Abort"
        return "" if founded else "Abort without bad evidence"
    if decision.action.kind is ActionKind.PROMOTE or _promotes(decision):
        founded = truth.good or wish == "Promote"
        return "" if founded else "Promote without good evidence at this very pause"
    return ""


def _twice(truth: Truth, decision_id: str, kind: ActionKind) -> str:
    times = [each for each, _ in truth.applied].count(decision_id)
    if kind is ActionKind.HOLD:
        return "the hold was written a third time" if times >= 2 else ""
    return f"{kind.value} was done twice for one decision" if times else ""


def remembered(truth: Truth, before: str, after: str) -> Truth:
    """The gate's status was written: nothing that was begun is forgotten, and its outcome is as it was."""
    old, new = json.loads(before), json.loads(after)
    truth = replace(truth, wrong=truth.wrong or _forgotten(truth, old.get("pending"), new))
    return truth if new.get("pending") is None else replace(truth, meddled=frozenset())


def _forgotten(truth: Truth, pending: dict[str, str] | None, new: dict[str, dict[str, str]]) -> str:
    if pending is None or (new.get("pending") or {}).get("decisionId") == pending["decisionId"]:
        return ""
    last = new.get("lastAction") or {}
    if last.get("decisionId") != pending["decisionId"]:
        return f"what became of a {pending['action']} is forgotten"
    done = (pending["decisionId"], pending["action"]) in truth.applied
    if (pending["decisionId"], f"{LATE} {pending['action']}") in truth.applied:
        return ""
    told = last["outcome"] == "Applied"
    # Nobody can tell a person's promotion or abort from one of ours whose reply was lost.
    alike = {"Promote": _PROMOTED, "Release": _PROMOTED, "Abort": {"aborts"}}.get(pending["action"], set())
    if done == told or last["outcome"] == "Unknown" or (told and truth.meddled & alike):
        return ""
    return f"a {pending['action']} was {'done' if done else 'not done'} and is told as {last['outcome']}"


def recorded(truth: Truth, record: str) -> Truth:
    """A GateDecision was added to the chain."""
    action = json.loads(record).get("action")
    if action is None:
        return truth
    entry = (action["decisionId"], action["outcome"])
    wrong = f"a {action['kind']} was recorded twice" if entry in truth.recorded else ""
    return replace(truth, recorded=(*truth.recorded, entry), wrong=truth.wrong or wrong)


def passed(truth: Truth, seconds: float, ran: bool) -> Truth:
    """Time went by."""
    if truth.spot is None or truth.attended >= ATTENDED:
        return truth
    return replace(truth, attended=min(ATTENDED, truth.attended + seconds) if ran else 0.0)


def unrecorded(truth: Truth) -> str:
    """What was done and stands in no record, once everything is at rest."""
    told = {decision_id for decision_id, outcome in truth.recorded if outcome in {"Applied", "Unknown"}}
    on_time = [each for each in truth.applied if not each[1].startswith(LATE)]
    missing = sorted({kind for decision_id, kind in on_time if decision_id not in told})
    return f"no record tells of {', '.join(missing)}" if missing else ""
