"""The chart for Argo's own analysis: both sides of the token are one, and the templates are what the door takes."""

import pathlib
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from canary_operator.engine import native
from canary_operator.model.decision import Snapshot
from canary_operator.model.policy import Mode, parse_opt_in
from canary_operator.model.rollout import TemplateRef, parse_rollout
from canary_operator.settings import load_settings
from canary_operator.web import verdict
from tests.builders import a_snapshot

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "native-analysis"

Body = dict[str, Any]


def read(path: pathlib.Path) -> list[Body]:
    return list(yaml.safe_load_all(path.read_text()))


def templates() -> list[Body]:
    return [body for body in read(EXAMPLES / "operator.yaml") if body["kind"] == "ClusterAnalysisTemplate"]


def template(name: str) -> Body:
    return next(body for body in templates() if body["metadata"]["name"] == name)


def metric(name: str) -> Body:
    (only,) = template(name)["spec"]["metrics"]
    return dict(only)


def example(name: str) -> Body:
    (body,) = read(EXAMPLES / name)
    return {**body, "metadata": {**body["metadata"], "uid": "u", "generation": 1}}


def gated(name: str, **status: Any) -> Snapshot:
    shipped = {TemplateRef(body["metadata"]["name"], cluster=True): body for body in templates()}
    return a_snapshot({**example(name), "status": status}, templates=shipped)


@pytest.fixture
def pod(asked_by_argo: dict[tuple[str, str], Body]) -> Body:
    return dict(asked_by_argo["Deployment", "canary-operator"]["spec"]["template"]["spec"])


BOTH = ("canary-operator-verdict", "canary-operator-watch")


@pytest.mark.parametrize("name", BOTH)
def test_a_question_has_every_parameter_that_the_door_takes_and_no_other(name: str) -> None:
    url = urlsplit(metric(name)["provider"]["web"]["url"])
    asked = dict(parse_qsl(url.query, keep_blank_values=True))
    declared = {arg["name"] for arg in template(name)["spec"]["args"]}

    step = {"step"} if name == "canary-operator-verdict" else set()
    assert set(asked) == {*verdict._NEEDED, *step}
    assert {re.fullmatch(r"\{\{args\.([a-z]+)\}\}", value)[1] for value in asked.values()} == declared - {"token"}  # type: ignore[index]
    assert url.path == native.VERDICT_PATH


def test_the_question_goes_to_the_service(manifests: dict[tuple[str, str], Body]) -> None:
    service = manifests["Service", "canary-operator"]
    place = f"{service['metadata']['name']}.{service['metadata']['namespace']}:{service['spec']['ports'][0]['port']}"

    assert {urlsplit(metric(name)["provider"]["web"]["url"]).netloc for name in BOTH} == {place}


def test_the_first_verdict_ends_a_step_and_half_an_hour_of_waiting_is_inconclusive() -> None:
    limits = metric("canary-operator-verdict")

    assert limits["count"] >= limits["failureLimit"] + limits["consecutiveSuccessLimit"], "else Argo refuses it"
    assert limits["count"] >= limits["inconclusiveLimit"], "else Argo refuses it"
    assert (limits["failureLimit"], limits["consecutiveSuccessLimit"]) == (0, 1)
    assert (limits["interval"], limits["count"] * 15) == ("15s", 30 * 60)


def test_beside_the_steps_only_a_failure_counts_and_nothing_ends() -> None:
    watch = metric("canary-operator-watch")

    assert not {"count", "successCondition", "consecutiveSuccessLimit"} & watch.keys()
    assert watch["failureCondition"] == metric("canary-operator-verdict")["failureCondition"]


@pytest.mark.parametrize("name", BOTH)
def test_an_operator_that_is_away_for_minutes_is_waited_for(name: str) -> None:
    # Argo asks again 10 s after an error.
    assert 10 * metric(name)["consecutiveErrorLimit"] > 5 * 60


@pytest.mark.parametrize("name", BOTH)
def test_both_sides_read_the_same_token(name: str, pod: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    (token,) = (arg["valueFrom"]["secretKeyRef"] for arg in template(name)["spec"]["args"] if arg["name"] == "token")
    (container,) = pod["containers"]
    (variable,) = (each for each in container["env"] if "value" in each)
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "verdict")
    (volume,) = (each for each in pod["volumes"] if each["name"] == "verdict")
    monkeypatch.setenv(variable["name"], variable["value"])

    assert volume["secret"]["secretName"] == token["name"]
    assert load_settings(None).web.verdict.token_file == pathlib.Path(mount["mountPath"]) / token["key"]
    assert (mount["name"], mount["readOnly"]) == (volume["name"], True)
    header = {"key": "Authorization", "value": "Bearer {{args.token}}"}
    assert metric(name)["provider"]["web"]["headers"] == [header]


def test_the_operator_that_argo_asks_may_not_write_to_rollouts(asked_by_argo: dict[tuple[str, str], Body]) -> None:
    rules = asked_by_argo["ClusterRole", "canary-operator"]["rules"]

    assert not any("rollouts/status" in rule["resources"] for rule in rules)
    config = yaml.safe_load(asked_by_argo["ConfigMap", "canary-operator"]["data"]["config.yaml"])
    assert config["mode"] == "observe"


@pytest.mark.parametrize("name", ["canary.yaml", "blue-green.yaml"])
def test_an_example_opts_in_observes_and_asks(name: str) -> None:
    opt_in = parse_opt_in(example(name)["metadata"]["annotations"])

    assert (opt_in.mistake, opt_in.mode) == ("", Mode.OBSERVE)
    assert opt_in.policies or opt_in.templates, "what judges is named"
    assert native.asks(gated(name))


@pytest.mark.parametrize("name", ["canary.yaml", "blue-green.yaml"])
def test_an_example_gives_every_argument_that_the_templates_declare(name: str) -> None:
    rollout = parse_rollout(
        {**example(name), "status": {"currentPodHash": "new", "stableRS": "old", "currentStepIndex": 1}}
    )

    analyses = [*rollout.analyses, *([rollout.post_promotion] if rollout.post_promotion else [])]
    for analysis in analyses:
        (ref,) = analysis.templates
        declared = {arg["name"] for arg in template(ref.name)["spec"]["args"] if "valueFrom" not in arg}
        assert declared <= analysis.arguments.keys()
        assert analysis.unresolved == ()
    assert len(analyses) == (3 if name == "canary.yaml" else 2)
