"""What of a look is to be recorded: a verdict that has changed, an action whose outcome has just become known.

Law: pure; told from the status before the look and the one after it.
"""

from canary_operator.model.caution import Matter
from canary_operator.model.decision import Outcome
from canary_operator.model.gate import Condition, GateStatus, LastAction
from canary_operator.model.record import RecordedAction


def is_new_verdict(before: GateStatus, status: GateStatus) -> bool:
    """Whether the verdict has changed, in this cycle or in an interrupted one whose outcome is known only now."""
    if status.verdict is None:
        return False
    interrupted = before.pending is not None and before.pending.at == status.since
    return interrupted or status.since != before.since


def new_cautions(before: GateStatus, status: GateStatus) -> tuple[Condition, ...]:
    """The conditions that say something against the release which they did not say before of this version."""
    cautioned = {matter.value for matter in Matter}
    told = {(each.type, each.message) for each in before.conditions if _version(before) == _version(status)}
    false = (each for each in status.conditions if each.type in cautioned and each.status == "False")
    return tuple(each for each in false if (each.type, each.message) not in told)


def _version(status: GateStatus) -> str:
    return status.rollout.pod_hash if status.rollout is not None else ""


def new_action(before: GateStatus, status: GateStatus) -> RecordedAction | None:
    """The action whose outcome has just become known; both writes of a hold are one action."""
    last = status.last_action
    if last is None or last == before.last_action or _is_told(before.last_action, last):
        return None
    return RecordedAction.model_validate(
        {
            "kind": last.action,
            "decisionId": last.decision_id,
            "outcome": last.outcome,
            "message": last.message,
            "code": last.code,
        }
    )


def _is_told(told: LastAction | None, last: LastAction) -> bool:
    if told is None or told.outcome != last.outcome:
        return False
    # A right that is missing is missing at every attempt: told once.
    refused_again = last.outcome == Outcome.REFUSED.value and _target(told) == _target(last)
    return refused_again or told.decision_id == last.decision_id


def _target(action: LastAction) -> tuple[object, ...]:
    return (action.action, action.pod_hash, action.step_index, action.pause_start)
