"""The one line of a decision: its keys are a promise."""

import json
import logging

import pytest
import structlog
from structlog.testing import capture_logs

from canary_operator.model.rollout import RolloutRef
from canary_operator.telemetry import VerdictLog, configure_logging
from tests.builders import NAME, NAMESPACE, T0
from tests.telemetry.test_gates import EVIDENCE, a_look, a_status

SINCE = "2026-09-14T10:00:00.000000Z"
ACTION = {"action": "Abort", "decisionId": "d-7", "at": SINCE, "outcome": "Applied"}
WHERE = {
    "rollout": {"uid": "u", "generation": 2, "revision": 4, "podHash": "new", "stableHash": "old"},
    "step": {"index": 1, "count": 4, "kind": "pause", "weight": 25},
    "rolloutStep": "1/4",
}


def logged(look):
    with capture_logs() as lines:
        VerdictLog(lambda: T0 + 0.25).looked(look)
    return lines


def test_a_changed_verdict_is_one_line_with_exactly_these_keys():
    remembered = {**EVIDENCE, "memory": "secret of the engine"}
    status = a_status(
        *("Abort", "CanaryRegression"),
        **WHERE,
        since=SINCE,
        message="worse",
        evidence=[remembered],
        lastAction=ACTION,
        sequence=3,
        recordHash="h",
    )

    assert logged(a_look(status, changed=True)) == [
        {
            "event": "verdict",
            "log_level": "info",
            "rollout": f"{NAMESPACE}/{NAME}",
            "mode": "enforce",
            "revision": 4,
            "pod_hash": "new",
            "step": "1/4",
            "weight": 25,
            "verdict": "Abort",
            "reason": "CanaryRegression",
            "message": "worse",
            "evidence": [
                {
                    "name": "availability",
                    "kind": "Ratio",
                    "canary": {"bad": 3, "total": 600},
                    "stable": {"bad": 0, "total": 0},
                    "value": None,
                }
            ],
            "action": "Abort",
            "outcome": "Applied",
            "decision_id": "d-7",
            "sequence": 3,
            "record_hash": "h",
            "seconds": 0.25,
        }
    ]


def test_what_is_not_known_is_null_and_no_key_is_missing():
    known = logged(a_look(a_status(**WHERE, since=SINCE, lastAction=ACTION), changed=True))[0]
    unknown = logged(a_look(a_status(), changed=True))[0]

    assert unknown.keys() == known.keys()
    assert [unknown[key] for key in ("revision", "pod_hash", "weight", "action", "outcome", "decision_id")] == [
        None
    ] * 6


def test_an_action_of_an_earlier_decision_is_not_told_as_this_ones():
    earlier = {**ACTION, "at": "2026-09-14T09:00:00.000000Z"}

    (line,) = logged(a_look(a_status(since=SINCE, lastAction=earlier), changed=True))

    assert (line["action"], line["outcome"], line["decision_id"]) == (None, None, None)


def test_a_look_that_changes_nothing_says_nothing():
    assert logged(a_look()) == []


def test_a_rollout_that_is_gone_says_nothing():
    with capture_logs() as lines:
        VerdictLog(lambda: T0).forget(RolloutRef(NAMESPACE, NAME))

    assert lines == []


@pytest.fixture
def as_in_the_program(capsys):
    # What the program configures for its whole life is put back for the other tests.
    root, handlers, level = logging.getLogger(), logging.getLogger().handlers[:], logging.getLogger().level
    yield capsys
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_every_line_of_the_program_is_a_document(as_in_the_program):
    configure_logging()

    logging.getLogger("somebody.else").warning("said %s", 'a "quoted" thing')

    (line,) = as_in_the_program.readouterr().out.splitlines()
    assert json.loads(line).keys() == {"event", "level", "timestamp"}
    assert json.loads(line)["event"] == 'said a "quoted" thing'
