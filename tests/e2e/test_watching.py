"""The operator goes on seeing what happens, whatever happens to its watches."""

from canary_operator.cluster import kinds
from tests.e2e import apiproxy
from tests.e2e.apiproxy import TOO_OLD, ApiProxy
from tests.e2e.stage import ARGO, V3, Stage

TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})


def test_a_release_through_the_proxy_is_like_any_other(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=TIMED)
    stage.operator(kubeconfig=api.kubeconfig)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    assert api.actions() == ["Hold", "Hold", "Release"]


def test_a_rollout_that_was_deleted_and_created_again_unseen_is_another_one(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(rate=0)
    stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold")
    first = stage.gate()["rollout"]["uid"]

    deaf = api.on("GET", apiproxy.WATCH, apiproxy.refuse(503), times=None)
    api.cut_watches()
    stage.admin.delete(stage.path())
    stage.until(lambda: stage.admin.get(stage.path()) is None, "the end of the first")
    stage.rollout()
    stage.release(V3, errors=1.0)
    stage.at_pause()
    deaf.end()

    stage.until(lambda: stage.status().get("abort"), "the abort of the second")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "its gate to end")
    assert stage.gate()["rollout"]["uid"] not in {first, ""}
    assert [kind for kind, _ in stage.actions()] == ["Abort"]


def test_a_template_that_was_deleted_unseen_is_missed(stage: Stage, api: ApiProxy) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.until(lambda: stage.gate().get("evidence"), "the first look")

    deaf = api.on("GET", apiproxy.WATCH, apiproxy.refuse(503), times=None)
    api.cut_watches()
    stage.admin.delete(f"{ARGO}/namespaces/{stage.namespace}/analysistemplates/errors")
    # What happened meanwhile is forgotten by the API server: kopf lists, and nobody says DELETED.
    told = api.on("GET", apiproxy.WATCH, apiproxy.watch_that_says(TOO_OLD), times=len(kinds.WATCHED))
    deaf.end()
    stage.until(lambda: told.left == 0, "watches that are told to list again")

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the hold without a template")
    assert stage.step() == 1


def test_a_release_that_begins_while_nobody_watches_is_held_when_the_watch_is_back(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "90s"}}))
    stage.operator(kubeconfig=api.kubeconfig)
    deaf = api.on("GET", apiproxy.WATCH, apiproxy.drop, times=None)
    api.cut_watches()
    stage.release()
    stage.at_pause()
    deaf.end()

    stage.until(lambda: ("Hold", "Applied") in stage.actions(), "the hold")
