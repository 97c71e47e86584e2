"""Looks and news that the tests of this room begin with."""

import dataclasses

from canary_operator.model import durations
from canary_operator.model.gate import GateStatus
from canary_operator.model.look import Look
from canary_operator.model.news import FIELDS, News
from canary_operator.model.rollout import RolloutRef
from tests.builders import CANARY, NAME, NAMESPACE, STABLE, T0, UID, a_snapshot

REF = RolloutRef(NAMESPACE, NAME)
SNAPSHOT = a_snapshot()


def a_status(verdict="Hold", reason="NoData", *, step=1, at=T0, revision=2, **fields):
    return GateStatus.model_validate(
        {
            "phase": "Judging",
            "mode": "enforce",
            "rollout": {
                "uid": UID,
                "generation": revision,
                "revision": revision,
                "podHash": CANARY,
                "stableHash": STABLE,
            },
            "step": {"index": step, "count": 4, "kind": "pause", "weight": 25},
            "rolloutStep": f"{step}/4",
            "verdict": verdict,
            "reason": reason,
            "message": f"held at step {step}/4 (25 %): error-rate has no data",
            "since": durations.format_micro_time(at),
            "generationSince": durations.format_micro_time(T0 - 60),
            **fields,
        }
    )


def a_look(status=None, *, before=None, changed=True, at=T0):
    snapshot = dataclasses.replace(SNAPSHOT, status=before or GateStatus())
    return Look(snapshot, status or a_status(), at, changed)


def an_entry(verdict, reason, *, step=1, at=T0):
    return {
        "at": durations.format_time(at),
        "step": f"{step}/4",
        "weight": 25,
        "verdict": verdict,
        "reason": reason,
        "message": "",
    }


def some_news(verdict="Abort", reason="ConditionsFailed", *, needs_a_person=False, ref=REF, at=T0, **words):
    told = dict.fromkeys(FIELDS, "") | {
        "namespace": ref.namespace,
        "rollout": ref.name,
        "revision": "2",
        "step": "1/4",
        "weight": "25",
        "mode": "enforce",
        "verdict": verdict,
        "reason": reason,
        "message": "aborted at step 1/4 (25 %): error-rate 0.5 is not < 0.05",
    }
    return News("4f5c", at, ref, needs_a_person, told | words)
