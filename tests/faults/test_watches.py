"""The operator goes on seeing what happens, whatever happens to its watches."""

import requests
from prometheus_client.parser import text_string_to_metric_families

from canary_operator.cluster import kinds
from tests.e2e.apiproxy import LEADER_CHANGED, TOO_OLD, ApiProxy
from tests.e2e.stage import V2, V3, Operator, Stage
from tests.faults.scenarios import Sees, scenario

WATCHES = "API server's watches"


def heard(operator: Operator) -> dict[str, bool]:
    """Return which kinds somebody listens to."""
    text = requests.get(f"{operator.web}/metrics", timeout=5).text
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    up = {each.labels["resource"]: each.value == 1 for each in found if each.name == "canary_operator_watch_up"}
    assert up.keys() == {kind.plural for kind in kinds.WATCHED}
    return up


@scenario(
    component=WATCHES,
    fault="connections are cut, then 410, then an ERROR event that ends kopf",
    expected="promoted, aborted, promoted by the same process",
)
def test_watching_goes_on_after_cut_connections_and_errors(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig)

    stage.until(api.cut_watches, "open watches")
    stage.release(V2)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion after cut watches")
    stage.until(lambda: api.say_to_watches(TOO_OLD), "open watches")
    stage.release(V3, errors=1.0)
    stage.until(lambda: stage.status().get("abort"), "the abort after versions that were too old")
    stage.until(lambda: api.say_to_watches(LEADER_CHANGED), "open watches")
    stage.release(V2)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion after an error that ends kopf")

    stage.until(lambda: all(heard(operator).values()), "all watches to be open")
    assert operator.process.poll() is None
    seen("promoted, aborted, promoted")


@scenario(
    component=WATCHES,
    fault="old events are told again, as kopf does after a listing",
    expected="what is told twice is not done twice: each step promoted once",
)
def test_what_is_told_twice_is_not_done_twice(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {}}, {"pause": {}}))
    stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.at_pause(step=1)
    old = stage.get()

    def replay() -> int | None:
        # As kopf does: what was listed is told again by the watch, late.
        for kind in ("ADDED", "MODIFIED"):
            api.say_to_watches({"type": kind, "object": old}, plural="rollouts")
        return stage.step()

    stage.until(lambda: replay() == 2, "the second pause")
    stage.until(lambda: replay() is not None and stage.is_promoted(), "the promotion")
    assert api.actions() == ["Promote", "Promote"]
    assert stage.actions() == [("Promote", "Applied"), ("Promote", "Applied")]
    seen("2 promotions of 2 steps")


@scenario(
    component=WATCHES,
    fault="every stream is cut in the middle of a line",
    expected="a good version is promoted, a bad one aborted",
)
def test_a_line_that_ends_in_the_middle_is_no_event(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout("good")
    stage.rollout("bad")
    operator = stage.operator(kubeconfig=api.kubeconfig)

    stage.until(api.break_watches, "open watches")
    stage.release(name="good")
    stage.release(name="bad", errors=1.0)

    stage.until(lambda: stage.is_promoted("good"), "the promotion")
    stage.until(lambda: stage.status("bad").get("abort"), "the abort")
    assert operator.process.poll() is None
    seen("promoted and aborted")
