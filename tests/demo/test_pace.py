"""The example's times are divided, everything else stays."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.pace import FASTEST, Pace, pause_seconds
from demo.wishes import WishError, read_wishes

EXAMPLE = Path(__file__).parents[2] / "examples" / "api-service"


def body(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((EXAMPLE / name).read_text())
    return loaded


def pauses(rollout: dict[str, Any]) -> list[Any]:
    steps = rollout["spec"]["strategy"]["canary"]["steps"]
    return [step["pause"].get("duration") for step in steps if "pause" in step]


def metric(template: dict[str, Any]) -> tuple[str, str]:
    first = template["spec"]["metrics"][0]
    return first["interval"], first["provider"]["prometheus"]["query"]


@pytest.mark.parametrize(
    ("speed", "pause", "interval", "window", "evaluation"),
    [
        (6, "10s", "5s", "10s", "2500ms"),
        (2, "30s", "15s", "30s", "7500ms"),
        (8, "8s", "3750ms", "7500ms", "1875ms"),
        (12, "5s", "2500ms", "5s", "1250ms"),
    ],
)
def test_the_times_of_the_example_are_divided(
    speed: float, pause: str, interval: str, window: str, evaluation: str
) -> None:
    pace = Pace(speed)

    rollout, template = pace.applied_to(body("rollout.yaml")), pace.applied_to(body("analysis-template.yaml"))

    assert pauses(rollout) == [pause, pause, None, pause]
    found_interval, query = metric(template)
    assert found_interval == interval
    assert query.count(f"[{window}]") == query.count("[") == 3
    assert pace.evaluation_interval == evaluation


@pytest.mark.parametrize("name", [path.name for path in EXAMPLE.glob("*.yaml") if path.name != "services.yaml"])
def test_at_speed_1_nothing_changes(name: str) -> None:
    assert Pace(1).applied_to(body(name)) == body(name)


@pytest.mark.parametrize("name", ["ingress.yaml", "namespace.yaml", "pod-disruption-budget.yaml"])
def test_what_has_no_times_of_the_release_stays(name: str) -> None:
    assert Pace(6).applied_to(body(name)) == body(name)


def test_only_times_change_and_the_original_is_left_alone() -> None:
    before = body("rollout.yaml")

    after = Pace(6).applied_to(before)

    assert before == body("rollout.yaml")
    canary = after["spec"]["strategy"]["canary"]
    canary["steps"] = before["spec"]["strategy"]["canary"]["steps"]
    canary["scaleDownDelaySeconds"] = before["spec"]["strategy"]["canary"]["scaleDownDelaySeconds"]
    assert after == before


@pytest.mark.parametrize("duration", [60, "60", "60s", "1m"])
def test_a_pause_is_read_in_every_notation_of_argo(duration: object) -> None:
    steps = [{"setWeight": 10}, {"pause": {"duration": duration}}]
    rollout = {"kind": "Rollout", "spec": {"strategy": {"canary": {"steps": steps}}}}

    assert pause_seconds(rollout, 1) == 60
    assert pauses(Pace(6).applied_to(rollout)) == ["10s"]


def test_windows_and_intervals_have_a_lower_bound() -> None:
    template = {
        "kind": "AnalysisTemplate",
        "spec": {"metrics": [{"interval": "5s", "provider": {"prometheus": {"query": "rate(a[20s]) + rate(b[3s])"}}}]},
    }

    interval, query = metric(Pace(FASTEST).applied_to(template))

    assert interval == "1s"
    assert query == "rate(a[5s]) + rate(b[3s])"


def test_the_outage_is_longer_than_the_pause_at_every_speed() -> None:
    for speed in range(1, int(FASTEST) + 1):
        assert Pace(speed).outage_seconds(60 / speed) > 60 / speed


def test_wishes_have_defaults() -> None:
    wishes = read_wishes({})

    assert (wishes.pace.speed, wishes.keep) == (6, False)


@pytest.mark.parametrize(("text", "keep"), [("1", True), ("yes", True), ("0", False), ("no", False), ("", False)])
def test_keep_is_read_as_people_write_it(text: str, keep: bool) -> None:
    assert read_wishes({"KEEP": text}).keep is keep


@pytest.mark.parametrize("text", ["fast", "0", "0.5", "13", "nan", "-6"])
def test_a_speed_that_cannot_be_is_refused_with_the_bounds(text: str) -> None:
    with pytest.raises(WishError, match=r"from 1 .* to 12"):
        read_wishes({"SPEED": text})
