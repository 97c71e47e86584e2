"""The steps of a release: what is behind it, where it is, what is to come, and what was said at each."""

import pytest

from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef, parse_rollout
from canary_operator.web.timeline import Progress, timeline
from tests import builders
from tests.builders import T0, a_blue_green
from tests.web.town import a_rollout, entry, held, regressing

API = RolloutRef("shop", "api")
DONE, HERE, STOPPED, TO_COME = Progress.DONE, Progress.HERE, Progress.STOPPED, Progress.TO_COME


def stations(body, status):
    return timeline(parse_rollout(body), GateStatus.model_validate(status))


def test_the_steps_are_named_as_people_say_them():
    assert [station.name for station in stations(a_rollout(), held(API))] == [
        *("weight 5 %", "pause of 5 min", "weight 25 %", "pause of 10 min", "weight 50 %", "pause until promoted"),
        "weight 100 %",
    ]


def test_what_is_before_the_step_is_done_and_what_is_after_is_to_come():
    found = [station.progress for station in stations(a_rollout(3), held(API))]

    assert found == [DONE, DONE, DONE, HERE, TO_COME, TO_COME, TO_COME]


def test_after_the_last_step_all_are_done():
    body = a_rollout(6)
    body["status"]["currentStepIndex"] = 7

    assert {station.progress for station in stations(body, held(API))} == {DONE}


def test_each_step_has_what_was_said_last_at_it():
    said = {station.index: station.decided.reason for station in stations(a_rollout(3), held(API)) if station.decided}

    assert said == {1: "EvidenceSufficient", 3: "Collecting"}


def test_what_was_said_in_the_release_before_is_not_told():
    older = [entry(T0 - 9000, step, 5, "Abort", "CanaryRegression", "old") for step in ("1/7", "3/7", "5/7")]
    newer = [entry(T0, "1/7", 5, "Hold", "Collecting", "new")]

    found = stations(a_rollout(1), held(API, step=1, history=[*older, *newer]))

    assert [station.decided.message for station in found if station.decided] == ["new"]


def test_an_abort_stands_where_it_happened_although_argo_goes_back_to_the_first_step():
    body = a_rollout(0)
    body["status"] |= {"abort": True, "abortedAt": "2026-09-14T10:00:00Z"}

    found = stations(body, regressing(API))

    assert [station.progress for station in found][2:5] == [DONE, STOPPED, TO_COME]


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (builders.analysis(), "analysis of Argo's own"),
        ({"experiment": {}}, "experiment"),
        ({"new": {}}, "step of a kind"),
    ],
)
def test_other_steps_have_a_name_too(step, name):
    body = builders.a_rollout((step, builders.pause()))

    (found, _) = stations(body, held(API, history=[]))

    assert found.name.startswith(name)


def test_a_blue_green_release_has_a_preview_a_judgement_and_a_promotion():
    body = a_blue_green(seconds=600)
    body["status"] |= {"currentPodHash": builders.CANARY}

    found = [station.progress for station in stations(body, held(API))]

    assert found == [DONE, HERE, TO_COME]
