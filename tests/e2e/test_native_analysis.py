"""The second way in: Argo's own analysis asks for the verdict, and nobody writes to the Rollout but Argo.

The templates and the arguments are the shipped ones; only where the operator listens is another place.
"""

from __future__ import annotations

import copy
import json
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.e2e.apiproxy import PATCH_STATUS, ApiProxy, Rule, refuse
from tests.e2e.routing import blue_green, selected
from tests.e2e.scenes import WITH_POLICY, ended, traffic
from tests.e2e.stage import ARGO, V2, Operator, Stage, free_port
from tests.e2e.telemetryproxy import TelemetryProxy

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples/native-analysis"
SHIPPED = EXAMPLES / "operator.yaml"
SERVICE = "http://canary-operator.canary-operator:8080"
TOKEN = "a-token-that-argo-sends"
QUICK = {"interval": "1s"}
RATIO = {"bad": 'http_requests_total{status=~"5.."}', "total": "http_requests_total"}
AVAILABILITY = {"name": "availability", "objective": "99", "indicator": {"ratio": RATIO}}
QUICK_OBJECTIVES = {"warmUp": "0s", "settle": "0s"}


class Native:
    """A stage whose operator answers Argo, at an address that stays over a restart."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.port = free_port()
        self.token_file = stage.folder / "token"
        self.token_file.write_text(f"{TOKEN}\n")
        self.secret(TOKEN)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def secret(self, token: str) -> None:
        """Give the namespace the token that Argo sends."""
        meta = {"name": "canary-operator-verdict", "namespace": self.stage.namespace}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": token}}
        self.stage.lab.apply(yaml.safe_dump(secret))

    def operator(self, **settings: Any) -> Operator:
        """Start an operator that answers, at the same place as the one before."""
        web = {"port": self.port, "verdict": {"tokenFile": str(self.token_file)}}
        return self.stage.operator(web=web, **settings)

    def named(self, template: str) -> str:
        """How a shipped template is called in this test."""
        return f"{template}-{self.stage.namespace}"

    def templates(self, **metric: Any) -> None:
        """Apply the shipped templates, pointed at this operator; ``metric`` overrides what would take minutes."""
        for body in shipped():
            body["metadata"]["name"] = self.named(body["metadata"]["name"])
            only = body["spec"]["metrics"][0]
            changed = {key: value for key, value in metric.items() if key in only}
            body["spec"]["metrics"] = [{**only, **changed}]
            url = only["provider"]["web"]["url"]
            assert url.startswith(SERVICE)
            only["provider"]["web"]["url"] = self.url + url.removeprefix(SERVICE)
            self.stage.lab.apply(yaml.safe_dump(body))

    def analysis(self, template: str = "canary-operator-verdict", **values: str) -> dict[str, Any]:
        """The analysis of the example, with other values for some arguments."""
        args = [{"name": name, "value": value} for name, value in values.items()]
        args += [arg for arg in copy.deepcopy(example_args()) if arg["name"] not in values]
        return {"templates": [{"templateName": self.named(template), "clusterScope": True}], "args": args}

    def rollout(self, *steps: Any, **rollout: Any) -> None:
        """A gate that observes, judged by the error ratio of every second."""
        self.stage.template()
        self.stage.rollout(**{"gate": "observe", **({"steps": steps} if steps else {}), **rollout})

    def runs(self) -> list[dict[str, Any]]:
        """Argo's own AnalysisRuns, the oldest first."""
        listing = self.stage.admin.get(f"{ARGO}/namespaces/{self.stage.namespace}/analysisruns") or {}
        label = "argo-rollouts.argoproj.io/controller-instance-id"
        own = [body for body in listing.get("items") or () if label not in (body["metadata"].get("labels") or {})]
        return sorted(own, key=lambda body: str(body["metadata"]["creationTimestamp"]))

    def result(self, index: int = -1) -> dict[str, Any]:
        """What Argo has of the verdict's metric in one of its runs, empty while there is none."""
        runs = self.runs()
        results = ((runs[index] if runs else {}).get("status") or {}).get("metricResults") or [{}]
        return dict(results[0])

    def heard(self, index: int = -1) -> list[dict[str, Any]]:
        """The answers that Argo has kept of a run."""
        return [json.loads(each["value"]) for each in self.result(index).get("measurements") or () if each.get("value")]

    def ask(self, token: str = TOKEN, **changed: str) -> dict[str, Any]:
        """Ask as Argo does at this moment."""
        body = self.stage.get()
        status = body["status"]
        params = {
            "ns": self.stage.namespace,
            "name": "web",
            "uid": body["metadata"]["uid"],
            "hash": status["currentPodHash"],
            "stable": status["stableRS"],
            "step": str(status["currentStepIndex"]),
        }
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.get(f"{self.url}/v1/verdict", params={**params, **changed}, headers=headers, timeout=5)
        return dict(answer.json())

    def tidy(self) -> None:
        """Take the templates of this test away: they are nobody's namespace."""
        for body in shipped():
            self.stage.admin.delete(f"{ARGO}/clusteranalysistemplates/{self.named(body['metadata']['name'])}")


def shipped() -> list[dict[str, Any]]:
    bodies = yaml.safe_load_all(SHIPPED.read_text())
    return [body for body in bodies if body["kind"] == "ClusterAnalysisTemplate"]


def example_args() -> list[Mapping[str, Any]]:
    strategy = yaml.safe_load((EXAMPLES / "canary.yaml").read_text())["spec"]["strategy"]
    return list(strategy["canary"]["steps"][1]["analysis"]["args"])


def managers(stage: Stage) -> set[str]:
    """Who has written to the Rollout."""
    return {entry["manager"] for entry in stage.get()["metadata"]["managedFields"]}


@pytest.fixture
def native(stage: Stage) -> Iterator[Native]:
    opened = Native(stage)
    yield opened
    opened.tidy()


def test_a_good_canary_goes_through_both_steps_and_only_argo_has_written(native: Native, stage: Stage) -> None:
    native.templates()  # as shipped: the second question comes after 15 s
    native.rollout(
        {"setWeight": 50}, {"analysis": native.analysis()}, {"setWeight": 80}, {"analysis": native.analysis()}
    )
    before = managers(stage)
    native.operator()

    stage.release()

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion", timeout=120)
    gate = ended(stage)
    assert (gate["mode"], gate["verdict"], gate["reason"]) == ("observe", "Promote", "ConditionsMet")
    assert gate["endedBy"] == "Gate"
    assert gate["message"].startswith("passed step 3/4 (67 %): error-rate 0")
    assert managers(stage) == before, "only Argo and the test have written"
    assert stage.actions() == []
    assert [run["status"]["phase"] for run in native.runs()] == ["Successful", "Successful"]
    for index, step in enumerate(("1/4", "3/4")):
        heard = native.heard(index)
        assert [each["verdict"] for each in heard[:-1]] == ["wait"] * (len(heard) - 1)
        assert (heard[-1]["verdict"], heard[-1]["gate"], heard[-1]["step"]) == ("pass", "Promote", step)
    hash_ = stage.status()["currentPodHash"]
    shown = {run["metadata"]["name"]: run["status"]["phase"] for run in stage.runs()}
    assert shown == {f"web-{hash_}-2-gate-1": "Successful", f"web-{hash_}-2-gate-3": "Successful"}


def test_a_bad_canary_is_aborted_by_argo_with_the_gates_reason(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()})
    before = managers(stage)
    native.operator()

    stage.release(errors=0.5)

    stage.until(lambda: stage.status().get("abortedAt"), "the abort")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "ConditionsFailed", "Gate")
    assert gate["message"].startswith("aborted at step 1/2 (50 %): error-rate 0.")
    assert managers(stage) == before
    assert native.result()["phase"] == "Failed"
    assert (native.heard()[-1]["verdict"], native.heard()[-1]["reason"]) == ("fail", "ConditionsFailed")
    assert TOKEN not in json.dumps(native.runs())


def test_a_release_that_is_retried_is_judged_anew_and_not_by_what_was_said_before(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()})
    native.operator()
    stage.release(errors=0.5)
    stage.until(lambda: stage.status().get("abortedAt"), "the abort")
    ended(stage)
    assert native.ask()["reason"] == "Ended"

    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.0)
    served = f'increase(http_requests_total{{namespace="{stage.namespace}",status=~"5.."}}[5s]) > 0'
    stage.until(lambda: not stage.lab.prometheus.query(served), "its old errors to leave the window")
    stage.argo("retry", "rollout", "web")

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert (ended(stage)["verdict"], len(native.runs())) == ("Promote", 2)
    assert [each["verdict"] for each in native.heard()].count("fail") == 0


def test_an_outage_of_prometheus_is_waited_for_and_never_aborts(
    native: Native, stage: Stage, telemetry: TelemetryProxy
) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()})
    telemetry.refuse()
    native.operator(prometheus=telemetry.url, timeout="1s")

    stage.release()

    stage.until(lambda: native.result().get("inconclusive", 0) >= 5, "five answers")
    stage.throughout(lambda: stage.step() == 1 and not stage.status().get("abort"), 4, "the waiting")
    assert {each["verdict"] for each in native.heard()} == {"wait"}
    assert native.heard()[-1]["reason"] == "TelemetryUnavailable"
    telemetry.listen()
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert ended(stage)["endedBy"] == "Gate"


def test_an_operator_that_is_killed_loses_neither_the_verdict_nor_the_release(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()}, rate=0)
    first = native.operator()
    stage.release()
    stage.until(lambda: native.result().get("inconclusive", 0) >= 2, "the first answers")
    # The first answers may be older than the first look.
    begun = stage.until(lambda: stage.gate().get("pause"), "the gate to judge")["startTime"]

    first.stop(signal.SIGKILL)
    stage.until(lambda: native.result().get("error", 0) >= 1, "an error of Argo's", timeout=20)
    assert native.runs()[-1]["status"]["phase"] == "Running"
    native.operator()
    stage.until(lambda: native.ask()["reason"] == "NoData", "the verdict after the restart")
    assert stage.gate()["pause"]["startTime"] == begun, "the analysis has not begun anew"
    traffic(stage)

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert native.result().get("consecutiveError", 0) == 0
    assert len(native.runs()) == 1


@pytest.mark.parametrize(
    ("argument", "differs"),
    [("uid", "uid 0815 was asked about"), ("latest", "hash 0815 was asked about"), ("stable", "stable 0815 was asked")],
)
def test_another_object_or_version_never_passes_and_says_what_differs(
    native: Native, stage: Stage, argument: str, differs: str
) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis(**{argument: "0815"})})
    native.operator()

    stage.release()

    stage.until(lambda: stage.verdict()[0] == "Promote", "the gate's verdict")
    seen = native.result()["count"]
    stage.until(lambda: native.result()["count"] >= seen + 4, "four more answers")
    assert {each["verdict"] for each in native.heard()} == {"wait"}
    assert (native.heard()[-1]["reason"], stage.step()) == ("Mismatch", 1)
    assert differs in native.heard()[-1]["message"]
    assert native.ask()["verdict"] == "pass", "the same moment, asked about what is judged"
    assert native.ask(step="3")["reason"] == "Mismatch"
    assert native.ask(step="")["reason"] == "NoStep"
    assert native.ask(token="wrong")["reason"] == "Unauthorized"


def test_an_unanswered_analysis_ends_with_a_pause_for_a_person(native: Native, stage: Stage) -> None:
    native.templates(**QUICK, count=3, inconclusiveLimit=3)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()}, rate=0)
    native.operator()

    stage.release()

    stage.until(lambda: stage.status().get("pauseConditions"), "Argo's pause")
    assert stage.status()["pauseConditions"][0]["reason"] == "InconclusiveAnalysisRun"
    stage.until(lambda: stage.verdict() == ("Hold", "Inconclusive"), "the verdict")
    assert not stage.status().get("abort")


def test_a_wrong_token_is_an_error_of_argos_and_no_answer(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.secret("another token")
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()})
    native.operator()

    stage.release()

    stage.until(lambda: native.result().get("error", 0) >= 1, "an error of Argo's")
    assert native.result()["measurements"][-1]["message"] == "received non 2xx response code: 401"
    assert (stage.step(), native.heard()) == (1, [])
    native.secret(TOKEN)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion with the right one")


def test_a_background_analysis_fails_a_bad_canary_and_lets_a_good_one_alone(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    watch = native.analysis("canary-operator-watch")
    steps = [{"setWeight": 50}, {"pause": {"duration": "12s"}}]
    native.rollout(strategy={"canary": {"analysis": watch, "steps": steps}})
    native.operator()

    stage.release()
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion by Argo's own timer")
    assert {each["verdict"] for each in native.heard()} <= {"wait", "pass"}
    stage.until(lambda: native.runs()[-1]["status"]["phase"] == "Successful", "the end of the run")

    stage.release("shop.example.com/web:3", errors=0.5)
    stage.until(lambda: stage.status().get("abortedAt"), "the abort")
    assert native.heard()[-1]["reason"] == "ConditionsFailed"
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"]) == ("Abort", "ConditionsFailed")
    assert stage.actions() == []


def both_promotions(native: Native) -> dict[str, Any]:
    asked = {
        place: native.analysis(step=value)
        for place, value in (("prePromotionAnalysis", "pre"), ("postPromotionAnalysis", "post"))
    }
    return blue_green(native.stage, **asked)


def test_a_preview_becomes_active_when_it_passes_and_is_judged_again_by_its_users(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.rollout(strategy=both_promotions(native))
    stable = stage.status()["stableRS"]
    before = managers(stage)
    stage.lab.world.set_preview_rate(stage.namespace, "web", 0)
    native.operator()

    stage.release()

    stage.until(lambda: native.result().get("inconclusive", 0) >= 3, "answers")
    assert selected(stage, "web-active") == stable
    stage.lab.world.set_preview_rate(stage.namespace, "web", 50)
    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    preview = stage.status()["currentPodHash"]
    assert selected(stage, "web-active") == preview
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "ConditionsMet", "Gate")
    assert [each["verdict"] for each in (native.heard(0)[-1], native.heard(1)[-1])] == ["pass", "pass"]
    assert [native.heard(0)[-1]["step"], native.heard(1)[-1]["step"]] == ["pre", "post"]
    assert {run["metadata"]["name"] for run in stage.runs()} == {
        f"web-{preview}-2-gate-pre",
        f"web-{preview}-2-gate-post",
    }
    assert managers(stage) == before


def test_a_version_that_fails_its_users_goes_back_after_the_promotion(native: Native, stage: Stage) -> None:
    native.templates(**QUICK)
    native.rollout(strategy=both_promotions(native))
    stage.template(failure_limit=7)  # eight looks to pass: the errors are seen before the last of them
    stable = stage.status()["stableRS"]
    stage.lab.world.set_preview_rate(stage.namespace, "web", 50)
    native.operator()
    stage.release()

    stage.until(lambda: selected(stage, "web-active") != stable, "the switch")
    stage.lab.world.set_behaviour(stage.namespace, "web", V2, error_ratio=0.5)

    stage.until(lambda: stage.status().get("abortedAt"), "the abort")
    stage.until(lambda: selected(stage, "web-active") == stable, "the way back")
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "ConditionsFailed", "Gate")


@pytest.fixture
def refused(api: ApiProxy) -> Rule:
    """An API server that lets the operator write to no Rollout; that the shipped rights are so has a test elsewhere.

    An account with those rights alone would not do: the admission policies let one operator write the records.
    """
    return api.on("PATCH", PATCH_STATUS, refuse(403), times=None)


def test_without_the_right_to_write_to_rollouts_argo_still_gets_its_answers(
    native: Native, stage: Stage, api: ApiProxy, refused: Rule
) -> None:
    native.templates(**QUICK)
    native.rollout({"setWeight": 50}, {"analysis": native.analysis()})
    native.operator(kubeconfig=api.kubeconfig)

    stage.release()

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion")
    assert ended(stage)["endedBy"] == "Gate"
    assert refused.seen == [], "it has not even tried"


@pytest.mark.usefixtures("refused")
def test_without_that_right_a_gate_that_enforces_says_that_it_may_not(
    native: Native, stage: Stage, api: ApiProxy
) -> None:
    stage.template()
    stage.rollout()
    native.operator(kubeconfig=api.kubeconfig)

    stage.release()

    stage.until(lambda: (stage.gate().get("lastAction") or {}).get("outcome") == "Refused", "the refusal")
    assert "403" in stage.gate()["lastAction"]["message"]
    assert stage.step() == 1


def by_objective(native: Native, canary: Mapping[str, Any]) -> None:
    """A gate that observes, judged by counts and no template."""
    native.stage.policy(objectives=[AVAILABILITY], timing=QUICK_OBJECTIVES)
    annotations = {"canary-operator.io/gate": "observe", **WITH_POLICY}
    native.stage.rollout(gate=None, annotations=annotations, strategy={"canary": canary})


def test_an_objective_is_shown_at_each_steps_own_weight(native: Native, stage: Stage) -> None:
    native.templates(**QUICK, count=600, inconclusiveLimit=600)
    asked = {"analysis": native.analysis()}
    by_objective(native, {"steps": [{"setWeight": 50}, asked, {"setWeight": 75}, asked]})
    before = managers(stage)
    native.operator(evaluation_interval="5s")

    stage.release()

    stage.until(lambda: stage.is_promoted(image=V2), "the promotion at two weights", timeout=300)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Promote", "EvidenceSufficient", "Gate")
    passed = [native.heard(index)[-1] for index in (0, 1)]
    assert [(each["verdict"], each["reason"], each["step"]) for each in passed] == [
        ("pass", "EvidenceSufficient", "1/4"),
        ("pass", "EvidenceSufficient", "3/4"),
    ]
    assert passed[1]["evidence"][0]["canary"]["total"] > passed[0]["evidence"][0]["canary"]["total"] > 100
    assert [len(native.heard(index)) > 1 for index in (0, 1)] == [True, True], "each weight had to be shown anew"
    assert managers(stage) == before


def test_a_regression_that_counts_show_fails_the_step_and_the_analysis_beside_it(native: Native, stage: Stage) -> None:
    native.templates(**QUICK, count=600, inconclusiveLimit=600)
    steps = [{"setWeight": 50}, {"analysis": native.analysis()}]
    by_objective(native, {"analysis": native.analysis("canary-operator-watch"), "steps": steps})
    native.operator(evaluation_interval="5s")

    stage.release(errors=0.1)

    stage.until(lambda: stage.status().get("abortedAt"), "the abort", timeout=120)
    gate = ended(stage)
    assert (gate["verdict"], gate["reason"], gate["endedBy"]) == ("Abort", "CanaryRegression", "Gate")
    assert "on stable" in gate["message"]
    assert stage.actions() == []
