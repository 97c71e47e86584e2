"""The API server answers late, badly or not at all: nothing is done twice, nothing is lost, nothing stale is done."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from canary_operator.model.pause import Hold
from lab.plane import commands
from tests.e2e import apiproxy
from tests.e2e.apiproxy import ApiProxy
from tests.e2e.scenes import timed, traffic
from tests.e2e.stage import OURS, V2, V3, Stage
from tests.faults.scenarios import Sees, scenario

API_SERVER = "API server"
CRDS = Path(__file__).parents[2] / "crds"

TIMED = ({"setWeight": 50}, {"pause": {"duration": "6s"}})
TWO = ({"setWeight": 50}, {"pause": {}}, {"pause": {}})


@scenario(
    component=API_SERVER,
    fault="the reply to a promotion is lost",
    expected="told from the Rollout: each step promoted once, recorded once",
)
def test_a_promotion_whose_reply_is_lost_is_not_repeated(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)
    lost = api.on_action("Promote", apiproxy.lose_the_reply)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert len(lost.seen) == 1
    assert api.actions() == ["Promote", "Promote"]
    assert stage.actions() == [("Promote", "Applied"), ("Promote", "Applied")]
    assert [each["step"]["index"] for each in stage.decisions() if "action" in each] == [1, 2]
    told = [event["message"] for event in stage.events() if event["action"] == "Promote"]
    assert all(any(f"step {index}/3" in message for message in told) for index in (1, 2))
    seen(f"{len(api.actions())} promotions of 2 steps")


@scenario(
    component=API_SERVER,
    fault="the replies to both writes of a hold are lost",
    expected="told from the Rollout: held, released, promoted; one decision",
)
def test_a_hold_whose_reply_is_lost_is_still_our_hold(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=TIMED)
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Hold", apiproxy.lose_the_reply, times=2)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Hold", "Applied"), ("Release", "Applied")]
    assert api.actions() == ["Hold", "Hold", "Release"]
    seen("held, released, promoted")


@scenario(
    component=API_SERVER,
    fault="the reply to a promotion is lost, and all watches are refused",
    expected="told from the Rollout: each step promoted once",
)
def test_a_lost_reply_is_told_from_the_rollout_even_while_the_watch_is_deaf(
    stage: Stage, api: ApiProxy, seen: Sees
) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)

    def lose_everything(exchange: apiproxy.Exchange) -> None:
        api.on("GET", apiproxy.WATCH, apiproxy.refuse(503), times=12)
        api.cut_watches()
        apiproxy.lose_the_reply(exchange)

    api.on_action("Promote", lose_everything)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied"), ("Promote", "Applied")]
    assert api.actions() == ["Promote", "Promote"]
    seen(f"{len(api.actions())} promotions of 2 steps")


@scenario(
    component=API_SERVER,
    fault="a newer, bad version is pushed between a promotion's decision and its write",
    expected="the promotion is Stale; the newer version is aborted",
)
def test_a_promotion_decided_for_an_older_version_is_void(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Promote", apiproxy.before(lambda: stage.release(V3, errors=1.0)))

    stage.release(V2)

    stage.until(lambda: stage.status().get("abort"), "the abort of the newer version")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=10)
    assert stage.actions() == [("Promote", "Stale"), ("Abort", "Applied")]
    assert api.actions() == ["Abort"]
    assert stage.verdict() == ("Abort", "ConditionsFailed")
    seen("Promote: Stale, Abort: Applied")


@scenario(
    component=API_SERVER,
    fault="a newer, good version is pushed between an abort's decision and its write",
    expected="the abort is Stale; the newer version is promoted",
    twin=True,
)
def test_an_abort_decided_for_an_older_version_is_void(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Abort", apiproxy.before(lambda: stage.release(V3)))

    stage.release(V2, errors=1.0)

    stage.until(lambda: stage.is_promoted(image=V3), "the promotion of the newer version")
    assert stage.actions() == [("Abort", "Stale"), ("Promote", "Applied")]
    assert api.actions() == ["Promote"]
    seen("Abort: Stale, Promote: Applied")


@scenario(
    component=API_SERVER,
    fault="a person promotes between a hold's decision and its write",
    expected="the hold is Stale; the next pause is judged",
)
def test_a_hold_is_not_written_into_a_pause_that_a_person_ends(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "1h"}}, {"pause": {}}), rate=0)
    stage.operator(kubeconfig=api.kubeconfig)
    api.on_action("Hold", apiproxy.before(lambda: stage.argo("promote", "web")))

    stage.release()

    stage.at_pause(step=2)
    stage.until(lambda: stage.verdict()[1] == "NoData", "the next pause to be judged")
    assert stage.actions() == [("Hold", "Stale")]
    assert api.actions() == []
    seen("Hold: Stale")


@pytest.mark.parametrize("status", [500, 503, 429, 409])
@scenario(
    component=API_SERVER,
    fault="{status} to every write for 6 s",
    expected="nothing happens meanwhile; promoted once afterwards",
)
def test_an_api_server_that_refuses_writes_for_a_while_delays_and_nothing_else(
    stage: Stage, api: ApiProxy, status: int, seen: Sees
) -> None:
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig)
    writes = [
        api.on(method, "/apis/", apiproxy.refuse(status, retry_after="1"), times=None) for method in ("PATCH", "POST")
    ]

    stage.release()
    stage.at_pause()
    stage.throughout(lambda: stage.step() == 1, 6, "the pause that nobody could end")
    refused = sum(len(rule.seen) for rule in writes)
    for rule in writes:
        rule.end()

    stage.until(stage.is_promoted, "the promotion")
    assert stage.actions() == [("Promote", "Applied")]
    assert api.actions() == ["Promote"]
    assert operator.process.poll() is None
    seen(f"{refused} writes refused, then one promotion")


@scenario(
    component=API_SERVER,
    fault="500 to a promotion, twice",
    expected="tried again; each step promoted once",
)
def test_a_promotion_that_is_answered_with_an_error_is_tried_again(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=TWO)
    stage.operator(kubeconfig=api.kubeconfig)
    failing = api.on_action("Promote", apiproxy.refuse(500), times=2)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    assert len(failing.seen) == 2
    assert api.actions() == ["Promote", "Promote"]
    done = [kind for kind, outcome in stage.actions() if outcome == "Applied"]
    assert done == ["Promote", "Promote"]
    told = [event["message"] for event in stage.events() if event["action"] == "Promote"]
    assert all(any(f"step {index}/3" in message for message in told) for index in (1, 2))
    seen(f"{len(failing.seen)} attempts refused, 2 promotions of 2 steps")


@scenario(
    component=API_SERVER,
    fault="403 to every promotion until the right is there",
    expected="refused, recorded once; promoted once the right is there",
)
def test_a_right_that_is_missing_is_said_once_and_not_every_second(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    missing = api.on_action("Promote", apiproxy.refuse(403), times=None)

    stage.release()

    stage.until(lambda: ("Promote", "Refused") in stage.actions(), "the refusal to be recorded")
    stage.until(lambda: len(missing.seen) >= 3, "further attempts")
    assert stage.gate()["lastAction"]["outcome"] == "Refused"
    assert stage.actions() == [("Promote", "Refused")]
    missing.end()
    stage.until(stage.is_promoted, "the promotion once the right is there")
    stage.until(lambda: stage.actions()[-1] == ("Promote", "Applied"), "the promotion to be recorded")
    seen(f"{len(missing.seen)} attempts, recorded once as Refused")


@contextlib.contextmanager
def _frozen_api_server(stage: Stage) -> Iterator[None]:
    stage.lab.pause_api_server()
    try:
        yield
    finally:
        stage.lab.resume_api_server()


@pytest.mark.xdist_group("own-lab")
@scenario(
    component=API_SERVER,
    fault="it is frozen for 12 s over the end of a held pause",
    expected="held, then released and promoted",
)
def test_an_api_server_that_hangs_for_some_seconds_loses_no_hold(own_stage: Stage, seen: Sees) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "10s"}}))
    operator = stage.operator()
    stage.release()
    # Argo can lose the first write of a hold, and the second is not possible in what follows.
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")

    with _frozen_api_server(stage):
        _wait(stage, 12)

    stage.until(stage.is_promoted, "the promotion", timeout=90)
    done = [("Hold", "Applied"), ("Release", "Applied")]
    stage.until(lambda: [each for each in stage.actions() if each[1] == "Applied"] == done, "the record", timeout=10)
    assert operator.process.poll() is None
    seen("held, released, promoted")


RESTARTS = {"the API server": "kube-apiserver", "etcd": "etcd"}


@pytest.mark.xdist_group("own-lab")
@pytest.mark.parametrize("program", RESTARTS)
@scenario(
    component=API_SERVER,
    fault="{program} is killed during a pause, and started again after 5 s",
    expected="held; then the good version is promoted, and the next, bad one aborted",
)
def test_a_control_plane_that_restarts_is_watched_again(own_stage: Stage, program: str, seen: Sees) -> None:
    stage = own_stage
    stage.template()
    stage.rollout(rate=0)
    operator = stage.operator()
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold")

    _kill_and_start_again(stage, RESTARTS[program])

    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.until(stage.is_promoted, "the promotion", timeout=120)
    assert operator.process.poll() is None
    stage.release(V3, errors=1.0)
    stage.until(lambda: stage.status().get("abort"), "the next release to be judged too", timeout=120)
    seen("promoted, then aborted, by the same process")


def _kill_and_start_again(stage: Stage, program: str) -> None:
    plane = stage.lab.plane
    command = {"kube-apiserver": commands.api_server, "etcd": commands.etcd}[program](plane)
    stage.lab.supervision.stop(program, grace=0)
    _wait(stage, 5)
    stage.lab.supervision.start(program, command)
    stage.until(lambda: _answers(stage), "the API server")


ALL = ("GET", "POST", "PATCH", "DELETE")
LATENCY = 30.0


@scenario(
    component=API_SERVER,
    fault="every answer takes 30 s, which is as good as none, when a pause of 75 s begins",
    expected="the hold is written before the pause ends, and nothing else happens; promoted once it answers in time",
)
def test_a_slow_api_server_loses_no_hold(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=timed("75s"))
    stage.operator(kubeconfig=api.kubeconfig)
    slow = [api.on(method, "/apis?/", apiproxy.delay(LATENCY), times=None) for method in ALL]

    stage.release()
    stage.at_pause()
    begun = time.monotonic()
    stage.until(lambda: stage.hold() is not Hold.NONE, "the hold", timeout=75)
    took = time.monotonic() - begun
    stage.throughout(lambda: stage.step() == 1, 45, "the pause")
    for rule in slow:
        rule.end()

    stage.until(stage.is_promoted, "the promotion", timeout=200)
    assert set(api.actions()) == {"Hold", "Release"}
    done = [kind for kind, outcome in stage.actions() if outcome == "Applied"]
    assert done == ["Hold", "Release"]
    seen(f"held after {took:.0f} s, promoted")


@scenario(
    component=API_SERVER,
    fault="every answer takes 8 s",
    expected="a bad canary is aborted, once",
    twin=True,
)
def test_a_slow_api_server_saves_no_bad_canary(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    for method in ALL:
        api.on(method, "/apis?/", apiproxy.delay(8), times=None)

    stage.release(errors=1.0)
    stage.at_pause()
    begun = time.monotonic()
    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=280)

    assert api.actions() == ["Abort"]
    seen(f"aborted {time.monotonic() - begun:.0f} s after the pause began")


@scenario(
    component=API_SERVER,
    fault="all connections die in silence: bytes are taken, nothing comes back, nothing is closed",
    expected="a good release with a pause of 90 s is held and promoted, a bad one aborted",
)
def test_connections_that_die_in_silence_are_replaced(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout("good", steps=timed("90s"), wait=False)
    stage.rollout("bad")
    stage.until(lambda: stage.phase("good") == "Healthy", "the first deploy")
    stage.operator(kubeconfig=api.kubeconfig)
    stage.until(api.silence_watches, "open watches")
    # One for each connection that the operator's client keeps.
    for method in ALL:
        api.on(method, "/apis?/", apiproxy.hang, times=2)

    begun = time.monotonic()
    stage.release(name="good")
    stage.release(name="bad", errors=1.0)
    stage.until(lambda: stage.hold("good") is Hold.CONFIRMED, "the hold, written twice", timeout=90)
    held = time.monotonic() - begun
    stage.until(lambda: stage.status("bad").get("abort"), "the abort", timeout=120)
    aborted = time.monotonic() - begun

    stage.until(lambda: stage.is_promoted("good"), "the promotion", timeout=120)
    seen(f"held after {held:.0f} s, aborted after {aborted:.0f} s, promoted")


def _unreadable(body: dict[str, Any]) -> dict[str, Any]:
    """A Rollout after a conversion that went wrong."""
    meta = body["metadata"]
    version = str(int(meta["resourceVersion"]) + 1)
    steps = {"canary": {"steps": [{"setWeight": "some"}, {"pause": {}}]}}
    return {**body, "metadata": {**meta, "resourceVersion": version}, "spec": {**body["spec"], "strategy": steps}}


@scenario(
    component=API_SERVER,
    fault="a held Rollout comes back from a conversion so that nobody can read it",
    expected="its hold stays, a neighbour is promoted; once it can be read it is promoted, too",
)
def test_a_rollout_that_cannot_be_read_stays_held(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=timed("4s"), rate=0)
    stage.rollout("neighbour")
    operator = stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")

    api.say_to_watches({"type": "MODIFIED", "object": _unreadable(stage.get())}, plural="rollouts")
    stage.until(lambda: "rollout_unreadable" in operator.log.read_text(), "a word about it")
    stage.release(name="neighbour")
    traffic(stage)
    stage.until(lambda: stage.is_promoted("neighbour"), "the neighbour's promotion")
    assert stage.hold() is Hold.CONFIRMED
    stage.patch({"metadata": {"labels": {"converted": "well"}}})

    stage.until(stage.is_promoted, "the promotion")
    seen("held until it could be read, then promoted")


class Account:
    """A ServiceAccount of the stage with the shipped rights, of which some can be taken away and given back."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._home = stage, f"/apis/rbac.authorization.k8s.io/v1/namespaces/{stage.namespace}"
        shipped = stage.admin.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/canary-operator")
        assert shipped is not None
        self.rules: list[dict[str, Any]] = shipped["rules"]
        self.kubeconfig: Path = stage.lab.service_account_kubeconfig(stage.namespace, "operator")
        role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "operator"}}
        stage.admin.post(f"{self._home}/roles", {**role, "rules": self.rules})
        binding = {
            **role,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"},
            "subjects": [{"kind": "ServiceAccount", "name": "operator", "namespace": stage.namespace}],
        }
        stage.admin.post(f"{self._home}/rolebindings", binding)

    def without(self, rights: Mapping[str, str]) -> None:
        """Take rights away: verbs, with blanks between them, by resource; everything else is given."""
        rules = [part for rule in self.rules for part in _parts(rule, rights)]
        self._stage.admin.patch(f"{self._home}/roles/operator", {"rules": rules})


def _parts(rule: dict[str, Any], taken: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for resource in rule["resources"]:
        verbs = [verb for verb in rule["verbs"] if verb not in taken.get(resource, "").split()]
        if verbs:
            yield {**rule, "resources": [resource], "verbs": verbs}


RIGHTS: dict[str, Mapping[str, str]] = {
    "get rollouts": {"rollouts": "get"},
    "list gatedecisions": {"gatedecisions": "list"},
    "create gatedecisions": {"gatedecisions": "create"},
    "create canarygates": {"canarygates": "create"},
    "patch canarygates/status": {"canarygates/status": "patch"},
    "everything but to watch and to patch rollouts/status": {
        "rollouts": "get",
        "canarygates": "get create",
        "canarygates/status": "patch",
        "gatedecisions": "list create delete",
        "analysisruns": "list create patch delete",
        "events": "create patch",
        "pods": "list",
        "replicasets": "list",
    },
}


@pytest.mark.parametrize("right", RIGHTS)
@scenario(
    component=API_SERVER,
    fault="the right to {right} is taken away before a release, and given back",
    expected="a pause of 6 s is held by both writes as long as it is missing, and promoted once it is back",
)
def test_a_pause_is_held_without_a_right(stage: Stage, right: str, seen: Sees) -> None:
    account = Account(stage)
    stage.template()
    stage.rollout(steps=TIMED, rate=0)
    operator = stage.operator(kubeconfig=account.kubeconfig)
    account.without(RIGHTS[right])

    stage.release()
    stage.until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")
    stage.throughout(lambda: stage.step() == 1, 8, "the hold past the end of a pause of 6 s")
    account.without({})
    traffic(stage)

    stage.until(stage.is_promoted, "the promotion", timeout=120)
    assert operator.process.poll() is None
    stage.until(lambda: stage.actions()[-1:] == [("Release", "Applied")], "the record", timeout=20)
    seen("held by both writes, then promoted")


@pytest.mark.parametrize("right", ["create gatedecisions"])
@scenario(
    component=API_SERVER,
    fault="the right to {right} is taken away before a release",
    expected="a bad canary is aborted all the same",
    twin=True,
)
def test_a_bad_canary_is_aborted_without_a_right(stage: Stage, right: str, seen: Sees) -> None:
    account = Account(stage)
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=account.kubeconfig)
    account.without(RIGHTS[right])

    stage.release(errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort")
    seen("aborted")


@scenario(
    component=API_SERVER,
    fault="every right is taken away for 10 s, and given back",
    expected="the same process goes on: a good version is promoted, a bad one aborted",
)
def test_rights_that_are_taken_away_and_given_back(stage: Stage, seen: Sees) -> None:
    account = Account(stage)
    everything = {resource: " ".join(rule["verbs"]) for rule in account.rules for resource in rule["resources"]}
    stage.template()
    stage.rollout("good")
    stage.rollout("bad")
    operator = stage.operator(kubeconfig=account.kubeconfig)
    account.without(everything)

    stage.release(name="good")
    stage.release(name="bad", errors=1.0)
    stage.at_pause("good")
    stage.at_pause("bad")
    stage.throughout(lambda: stage.step("good") == 1, 10, "a pause that nobody may end")
    account.without({})

    stage.until(lambda: stage.is_promoted("good"), "the promotion", timeout=120)
    stage.until(lambda: stage.status("bad").get("abort"), "the abort", timeout=120)
    assert operator.process.poll() is None
    seen("promoted and aborted by the same process")


@pytest.mark.xdist_group("own-lab")
@scenario(
    component=API_SERVER,
    fault="our kinds are deleted with everything of them during a release, and put back",
    expected="a pause of 6 s that begins without them is held; then the good is promoted, the bad aborted",
)
def test_our_kinds_are_deleted_and_put_back(own_stage: Stage, seen: Sees) -> None:
    stage = own_stage
    stage.template()
    stage.rollout("good", steps=TIMED, wait=False)
    stage.rollout("bad", rate=0)
    stage.until(lambda: stage.phase("good") == "Healthy", "the first deploy")
    operator = stage.operator()
    stage.release(name="bad", errors=1.0)
    stage.until(lambda: stage.verdict("bad") == ("Hold", "NoData"), "the hold without traffic")

    stage.lab.kubectl("delete", "--ignore-not-found", "--filename", str(CRDS))
    stage.until(lambda: stage.admin.get(OURS) is None, "the end of the kinds")
    stage.release(name="good")
    stage.until(lambda: stage.hold("good") is Hold.CONFIRMED, "the hold written twice")
    stage.throughout(lambda: stage.step("good") == 1, 8, "the hold past the end of a pause of 6 s")
    stage.lab.kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(CRDS))
    stage.lab.kubectl("wait", "--for=condition=Established", "--filename", str(CRDS), "--timeout=30s")
    traffic(stage, name="bad")

    stage.until(lambda: stage.is_promoted("good"), "the promotion", timeout=150)
    stage.until(lambda: stage.status("bad").get("abort"), "the abort", timeout=150)
    assert operator.process.poll() is None
    seen("held without them, then promoted and aborted")


def _answers(stage: Stage) -> bool:
    with contextlib.suppress(Exception):
        return stage.admin.ask("GET", "/readyz").ok
    return False


def _wait(stage: Stage, seconds: float) -> None:
    """The outage itself: there is nobody to ask."""
    operator = stage.operators[-1]
    with contextlib.suppress(Exception):
        operator.process.wait(seconds)
