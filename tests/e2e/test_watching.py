"""The operator goes on seeing what happens, whatever happens to its watches."""

from tests.e2e.apiproxy import ApiProxy
from tests.e2e.stage import Stage


def test_a_release_through_the_proxy_is_like_any_other(stage: Stage, api: ApiProxy) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "4s"}}))
    stage.operator(kubeconfig=api.kubeconfig)

    stage.release()

    stage.until(lambda: stage.is_promoted(), "the promotion")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    assert api.actions() == ["Hold", "Hold", "Release"]
