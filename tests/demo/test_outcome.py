"""A row of the table is right exactly when what it names happened."""

from dataclasses import replace

import pytest

from demo.closing import all_right
from demo.outcome import Blindness, Outcome, is_right, outcome_of, rows
from demo.releases import RELEASES
from demo.sight import Sight, Turn, parse_sight

HEALTHY, BROKEN, BLIND = RELEASES

PROMOTED = Outcome(
    title="a",
    image="new",
    verdict="Promote",
    ended_by="Gate",
    reasons=("Collecting", "ConditionsMet"),
    weights=(10, 25, 50),
    weight=0,
    stable_image="new",
)
ABORTED = replace(
    PROMOTED, verdict="Abort", reasons=("Collecting", "ConditionsFailed"), weights=(10,), stable_image="old"
)
HELD = Blindness(seconds=20, pause_seconds=10, steps=("3/8",), reasons=("Collecting", "TelemetryUnavailable"))
SURVIVED = replace(PROMOTED, reasons=(*PROMOTED.reasons, "TelemetryUnavailable"), blindness=HELD)


def wrong(release: object, outcome: Outcome) -> list[str]:
    assert release in RELEASES
    return [row.what for row in rows(release.expectation, outcome) if not row.right]  # type: ignore[attr-defined]


def test_what_should_happen_is_right() -> None:
    results = list(zip(RELEASES, (PROMOTED, ABORTED, SURVIVED), strict=True))

    assert all(is_right(release.expectation, outcome) for release, outcome in results)
    assert all_right(results)


def test_a_release_that_was_never_performed_is_not_right() -> None:
    assert not all_right([(HEALTHY, PROMOTED), (BROKEN, ABORTED)])


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("last verdict", {"verdict": "Hold"}),
        ("last verdict", {"verdict": ""}),
        ("ended by", {"ended_by": "Person"}),
        ("ended by", {"ended_by": ""}),
        ("reasons seen", {"reasons": ("Collecting",)}),
        ("weights seen, %", {"weights": (10, 50)}),
        ("final weight, %", {"weight": 100}),
        ("final weight, %", {"weight": None}),
        ("stable image", {"stable_image": "old"}),
        ("stable image", {"stable_image": ""}),
    ],
)
def test_each_row_finds_its_own_mistake(what: str, change: dict[str, object]) -> None:
    assert wrong(HEALTHY, replace(PROMOTED, **change)) == [what]  # type: ignore[arg-type]


def test_a_bad_release_that_is_promoted_is_wrong() -> None:
    assert wrong(BROKEN, PROMOTED) == ["last verdict", "reasons seen", "stable image"]


@pytest.mark.parametrize(
    "blindness",
    [
        None,
        replace(HELD, steps=("3/8", "4/8")),
        replace(HELD, steps=()),
        replace(HELD, reasons=("Collecting",)),
        replace(HELD, seconds=9),
    ],
)
def test_an_outage_must_be_noticed_outlast_the_pause_and_move_nothing(blindness: Blindness | None) -> None:
    assert wrong(BLIND, replace(SURVIVED, blindness=blindness)) == ["without Prometheus"]


SIGHT = Sight(
    step="1/8", weight=10, version="h2", image="new", stable_image="old", is_stable=False, aborted=False, settled=False
)


def test_an_outcome_collects_what_came_and_went_between_two_looks() -> None:
    promoted = Turn("1/8", 10, "Promote", "ConditionsMet", "m", "2026-01-01T00:00:00Z")
    end = replace(SIGHT, weight=0, stable_image="new", verdict="Promote", reason="ConditionsMet", ended_by="Gate")
    looks = [
        replace(SIGHT, reason="Collecting"),
        replace(SIGHT, weight=25, reason="NoData", history=(promoted,)),
        end,
    ]

    outcome = outcome_of("a", "new", looks, None)

    assert outcome.reasons == ("Collecting", "ConditionsMet", "NoData")
    assert outcome.weights == (10, 25)
    assert (outcome.weight, outcome.stable_image, outcome.ended_by) == (0, "new", "Gate")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("held at step 1/8 (10 %): error-rate 0, next look in 5 s", "error-rate 0"),
        ("may leave step 3/8 (25 %): x (3 of 3)", "x (3 of 3)"),
        ("passed step 3/8: x", "x"),
        ("Argo is setting the weight to 10 %", "Argo is setting the weight to 10 %"),
    ],
)
def test_a_line_does_not_repeat_what_its_columns_say(message: str, told: str) -> None:
    assert Turn("1/8", 10, "Hold", "Collecting", message).told == told


def container(image: str) -> dict[str, object]:
    return {"spec": {"containers": [{"image": image}]}}


def replica_set(version: str, image: str) -> dict[str, object]:
    return {
        "kind": "ReplicaSet",
        "metadata": {"labels": {"rollouts-pod-template-hash": version}},
        "spec": {"template": container(image)},
    }


def listing(judged: str, seen: str = "2") -> list[dict[str, object]]:
    rollout = {
        "kind": "Rollout",
        "metadata": {"generation": 2},
        "spec": {"template": container("newer"), "strategy": {"canary": {"steps": [{}, {}]}}},
        "status": {
            "observedGeneration": seen,
            "currentPodHash": "h2",
            "stableRS": "h1",
            "currentStepIndex": 1,
            "phase": "Paused",
            "canary": {"weights": {"canary": {"weight": 10}}},
        },
    }
    gate = {"kind": "CanaryGate", "status": {"rollout": {"podHash": judged}, "verdict": "Hold", "reason": "NoData"}}
    return [rollout, gate, replica_set("h1", "old"), replica_set("h2", "new")]


def test_a_look_reads_the_rollout_the_gate_and_the_stable_image() -> None:
    sight = parse_sight(listing("h2"))

    assert sight is not None
    assert (sight.step, sight.weight, sight.image, sight.stable_image) == ("1/2", 10, "new", "old")
    assert (sight.verdict, sight.reason, sight.over) == ("Hold", "NoData", False)


def test_the_image_is_the_one_of_the_version_that_argo_is_at_not_the_one_that_was_just_asked_for() -> None:
    sight = parse_sight(listing("h2"))

    assert sight is not None
    assert sight.image == "new"


def test_what_the_gate_said_of_an_earlier_version_is_not_taken_for_this_one() -> None:
    sight = parse_sight(listing("h1"))

    assert sight is not None
    assert (sight.verdict, sight.reason) == ("", "")


def test_a_rollout_that_argo_has_not_seen_yet_is_not_read() -> None:
    assert parse_sight(listing("h2", seen="1")) is None
    assert parse_sight([]) is None
