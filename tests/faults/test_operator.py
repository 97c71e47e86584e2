"""The operator is killed, frozen, starved or lied to: the release ends as it must, every action happens once."""

import contextlib
import itertools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from canary_operator.model import durations
from canary_operator.model.pause import Hold
from tests.e2e import apiproxy
from tests.e2e.apiproxy import DECISIONS, GATE_STATUS, PATCH_STATUS, ApiProxy, Exchange
from tests.e2e.scenes import first_start, left_at, timed
from tests.e2e.stage import ARGO, V1, V3, Operator, Stage
from tests.faults.scenarios import Sees, scenario

OPERATOR = "Operator"

# A pause that began while the operator was gone runs on the user's timer: long enough for a restart.
STEPS = ({"setWeight": 50}, {"pause": {"duration": "25s"}}, {"pause": {}}, {"pause": {}})

# An action is written down as an intention (status.pending), then done, then recorded, then remembered as an outcome.
WRITES = ["intention", "write", "record", "outcome"]
MOMENTS = [f"{when} the {write}" for write in WRITES for when in ("before", "after")]
# Until the hold is written, time runs: a restart under load may be slower than the pause.
NOT_HELD_YET = MOMENTS[:3]


class Killer:
    """Kills the operator at a moment of an action, and starts it again."""

    def __init__(self, stage: Stage, api: ApiProxy) -> None:
        self.stage = stage
        self.api = api
        self.killed = 0
        self._dead = threading.Event()

    def at(self, moment: str, action: str) -> None:
        """Kill once, when this action is at this moment."""
        when, _, write = moment.partition(" the ")
        act = apiproxy.instead(self._kill) if when == "before" else apiproxy.after(self._kill)
        method, path, said = _WRITES[write]
        self.api.on(method, path, act, where=lambda exchange: said(exchange) == action)

    def revive_until(self, true: Any, what: str) -> None:
        """Start the operator whenever it was killed, until something is true."""

        def is_true() -> Any:
            if self._dead.is_set():
                self._dead.clear()
                self.stage.operator(kubeconfig=self.api.kubeconfig)
            return true()

        self.stage.until(is_true, what, timeout=120)

    def _kill(self) -> None:
        self.stage.operators[-1].stop(signal.SIGKILL)
        self.killed += 1
        self._dead.set()


def _recorded(exchange: Exchange) -> str:
    return str((exchange.document()["spec"].get("action") or {}).get("kind", ""))


def _intended(exchange: Exchange) -> str:
    return str((exchange.document()[-1]["value"].get("pending") or {}).get("action", ""))


def _remembered(exchange: Exchange) -> str:
    status = exchange.document()[-1]["value"]
    return "" if "pending" in status else str((status.get("lastAction") or {}).get("action", ""))


_WRITES: dict[str, tuple[str, str, Callable[[Exchange], str]]] = {
    "intention": ("PATCH", GATE_STATUS, _intended),
    "write": ("PATCH", PATCH_STATUS, Exchange.action),
    "record": ("POST", DECISIONS, _recorded),
    "outcome": ("PATCH", GATE_STATUS, _remembered),
}


@pytest.mark.parametrize("moment", MOMENTS)
@scenario(
    component=OPERATOR,
    fault="SIGKILL {moment} of a hold, a release and a promotion",
    expected="promoted; each action once, no gate skipped, the chain of records whole",
)
def test_a_killed_operator_promotes_once_and_skips_no_gate(
    stage: Stage, api: ApiProxy, moment: str, seen: Sees
) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout(steps=STEPS)
    stage.operator(kubeconfig=api.kubeconfig)
    # A hold that was never written cannot outlive a slow restart: it has a test of its own.
    killed = ("Release", "Promote") if moment in NOT_HELD_YET else ("Hold", "Release", "Promote")
    for action in killed:
        killer.at(moment, action)

    stage.release()
    killer.revive_until(stage.is_promoted, "the promotion")

    assert killer.killed == len(killed)
    assert api.actions() == ["Hold", "Hold", "Release", "Promote", "Promote"]
    done = [kind for kind, outcome in stage.actions() if outcome == "Applied"]
    assert done == ["Hold", "Release", "Promote", "Promote"]
    assert {outcome for _, outcome in stage.actions()} <= {"Applied", "Stale"}
    places = [each["step"]["index"] for each in stage.decisions() if _did(each, "Promote")]
    assert places == [2, 3], "each pause is judged by itself"
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=10)
    assert (stage.verdict(), stage.gate()["endedBy"]) == (("Promote", "ConditionsMet"), "Gate")
    assert stage.gate().get("pending") is None
    assert [each["sequence"] for each in stage.decisions()] == list(range(1, len(stage.decisions()) + 1))
    seen(f"{killer.killed} kills, then promoted by {', '.join(api.actions())}")


@scenario(
    component=OPERATOR,
    fault="SIGKILL before the write of a hold, in a pause that outlives the restart",
    expected="held after the restart; what never arrived is recorded as Stale",
)
def test_a_hold_that_was_meant_and_not_written_is_written_after_the_restart(
    stage: Stage, api: ApiProxy, seen: Sees
) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout(steps=({"setWeight": 50}, {"pause": {"duration": "90s"}}))
    stage.operator(kubeconfig=api.kubeconfig)
    killer.at("before the write", "Hold")

    stage.release()
    killer.revive_until(lambda: stage.hold() is Hold.CONFIRMED, "the hold written twice")

    assert killer.killed == 1
    stage.until(lambda: api.actions() == ["Hold", "Hold"], "the two writes of one hold, and no more")
    stage.until(lambda: stage.actions() == [("Hold", "Stale"), ("Hold", "Applied")], "both to be recorded")
    seen("held by two writes of one decision")


@pytest.mark.parametrize("moment", MOMENTS)
@scenario(
    component=OPERATOR,
    fault="SIGKILL {moment} of an abort",
    expected="the bad canary is aborted, once, and told once",
    twin=True,
)
def test_a_killed_operator_aborts_once(stage: Stage, api: ApiProxy, moment: str, seen: Sees) -> None:
    killer = Killer(stage, api)
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)
    killer.at(moment, "Abort")

    stage.release(errors=1.0)
    killer.revive_until(lambda: stage.gate().get("phase") == "Ended", "the gate to end")

    assert killer.killed == 1
    assert api.actions() == ["Abort"]
    assert [kind for kind, outcome in stage.actions() if outcome == "Applied"] == ["Abort"]
    assert (stage.verdict(), stage.gate()["endedBy"]) == (("Abort", "ConditionsFailed"), "Gate")
    events = [event for event in stage.events() if event["action"] == "Abort"]
    assert len(events) == 1, "the verdict is told, although the operator was killed over it"
    stage.argo("undo", "web")
    stage.until(lambda: stage.is_promoted(image=V1), "the way back")
    seen(f"{killer.killed} kill, then one abort")


@scenario(
    component=OPERATOR,
    fault="SIGKILL while evidence is collected",
    expected="evidence goes on where it was",
)
def test_a_restart_keeps_the_evidence(stage: Stage, seen: Sees) -> None:
    stage.template(failure_limit=1000)
    stage.rollout()
    first = stage.operator()
    stage.release()
    stage.until(lambda: _successful(stage) >= 3, "three measurements")
    first.stop(signal.SIGKILL)
    before = stage.gate()["evidence"][0]

    stage.operator()

    stage.until(lambda: _successful(stage) > before["measurements"]["successful"] + 1, "further measurements")
    after = stage.gate()["evidence"][0]
    assert after["since"] == before["since"]
    assert stage.gate()["pause"]["startTime"] == stage.status()["pauseConditions"][0]["startTime"]
    counts = (before["measurements"]["successful"], after["measurements"]["successful"])
    seen("{} measurements before the kill, {} after it, of one pause".format(*counts))


@scenario(
    component=OPERATOR,
    fault="SIGKILL between two failures",
    expected="none of them is forgiven: aborted at the fourth",
    twin=True,
)
def test_a_restart_between_two_failures_forgives_none_of_them(stage: Stage, seen: Sees) -> None:
    stage.template(failure_limit=3)
    stage.rollout()
    first = stage.operator()
    stage.release(errors=1.0)
    stage.until(lambda: _counted(stage, "failed") >= 2, "two failures")
    first.stop(signal.SIGKILL)
    failed = _counted(stage, "failed")

    stage.operator()

    stage.until(lambda: stage.status().get("abort"), "the abort")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=5)
    assert failed < 4, "the operator had aborted before it was killed"
    assert _counted(stage, "failed") == 4
    seen(f"aborted after {failed} failures before and {4 - failed} after the kill")


FROZEN_SECONDS = 17.0


@contextlib.contextmanager
def _frozen_over(stage: Stage, api: ApiProxy) -> Iterator[None]:
    """Freeze the operator when it has just read again what it is about to promote, for longer than a Lease lasts."""
    operator, is_frozen = stage.operators[-1], threading.Event()

    def freeze(exchange: Exchange) -> None:
        exchange.forward()
        operator.process.send_signal(signal.SIGSTOP)
        is_frozen.set()

    api.on("GET", r"/rollouts/web$", freeze)
    stage.release()
    assert is_frozen.wait(60), stage.picture()
    yield
    stage.throughout(lambda: stage.step() in {0, 1}, FROZEN_SECONDS, "a Rollout that nobody promotes")
    operator.process.send_signal(signal.SIGCONT)


@scenario(
    component=OPERATOR,
    fault="SIGSTOP for 17 s between the last reading and a promotion, while a bad version is pushed",
    expected="the promotion is refused as Stale; the bad version is judged by itself and aborted",
)
def test_a_frozen_operator_writes_nothing_stale(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)

    with _frozen_over(stage, api):
        stage.release(V3, errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort of the newer version")
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=20)
    assert api.actions() == ["Abort"]
    assert stage.actions() == [("Promote", "Stale"), ("Abort", "Applied")]
    seen("Promote: Stale, then Abort: Applied")


@scenario(
    component=OPERATOR,
    fault="SIGSTOP for 17 s between the last reading and a promotion",
    expected="promoted once it goes on, once",
    twin=True,
)
def test_a_frozen_operator_goes_on(stage: Stage, api: ApiProxy, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(kubeconfig=api.kubeconfig)

    with _frozen_over(stage, api):
        pass

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: stage.actions() == [("Promote", "Applied")], "the record")
    assert api.actions() == ["Promote"]
    seen("one promotion")


# Threads have heaps of their own, whose reserves a limit does not touch.
ONE_HEAP = ("env", "MALLOC_ARENA_MAX=1")


def _starve(operator: Operator) -> None:
    """Give it no more memory: from now on every larger allocation fails."""
    process = psutil.Process(operator.process.pid)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms, psutil.RLIM_INFINITY))


def _feast(operator: Operator) -> None:
    psutil.Process(operator.process.pid).rlimit(psutil.RLIMIT_AS, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))


def _is_out_of_memory(operator: Operator) -> bool:
    return operator.process.poll() is not None or "MemoryError" in operator.log.read_text(errors="replace")


@pytest.mark.parametrize("truth", ["good", "bad"])
@scenario(
    component=OPERATOR,
    fault="no memory left in the middle of a {truth} release, until it is there again or a new process is",
    expected="good: promoted, bad: aborted; each action once",
)
def test_an_operator_without_memory_does_nothing_by_halves(stage: Stage, api: ApiProxy, truth: str, seen: Sees) -> None:
    stage.template()
    stage.rollout(rate=0)
    operator = stage.operator(kubeconfig=api.kubeconfig, through=ONE_HEAP)
    stage.release(errors=0.0 if truth == "good" else 1.0)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold without traffic")

    _starve(operator)
    # What is watched is parsed and kept: templates as large as they may be.
    numbers = itertools.count()
    stage.until(
        lambda: _write_large_template(stage, next(numbers)) or _is_out_of_memory(operator), "the end of its memory"
    )
    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.throughout(lambda: stage.step() in {0, 1, 2}, 6, "a Rollout")
    if operator.process.poll() is None:
        _feast(operator)
    else:
        stage.operator(kubeconfig=api.kubeconfig)

    ended = stage.is_promoted if truth == "good" else lambda: stage.status().get("abort")
    stage.until(ended, "the end that the truth demands", timeout=120)
    stage.until(lambda: stage.gate().get("phase") == "Ended", "the gate to end", timeout=30)
    assert api.actions() == ["Promote" if truth == "good" else "Abort"]
    how = "it ended" if operator.process.poll() is not None else "looks failed with MemoryError"
    seen(f"{how}; then {api.actions()[0]}, once")


def _write_large_template(stage: Stage, number: int) -> None:
    spec = {"metrics": [{"name": "large", "provider": {"prometheus": {"query": "x" * 900_000}}}]}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": f"large-{number}", "namespace": stage.namespace},
        "spec": spec,
    }
    stage.admin.post(f"{ARGO}/namespaces/{stage.namespace}/analysistemplates", body)


class Clock:
    """A wall clock of one operator's own, which a test sets while it runs; the monotonic one goes on as ever."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.set(0)

    def set(self, seconds: int) -> None:
        """Be this much ahead of the others, or behind them."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}\n")
        written.rename(self._file)

    @property
    def through(self) -> list[str]:
        """The command through which an operator has this clock."""
        (library,) = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        settings = ("FAKETIME_CACHE_DURATION=1", "FAKETIME_DONT_FAKE_MONOTONIC=1")
        return ["env", f"LD_PRELOAD={library}", f"FAKETIME_TIMESTAMP_FILE={self._file}", *settings]


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path)


JUMPS = {"three minutes ahead": 180, "three minutes back": -180}
JUMPED_SECONDS = 12.0


@pytest.mark.parametrize("jump", JUMPS)
@scenario(
    component=OPERATOR,
    fault="its clock jumps {jump} for 12 s, in a timed pause and in one without an end",
    expected="no abort, the timed pause ends no earlier than the user wants, both are promoted",
)
def test_a_clock_that_jumps_promotes_nothing_early(stage: Stage, clock: Clock, jump: str, seen: Sees) -> None:
    stage.template(interval="5s")
    stage.rollout("timed", steps=timed("40s"), wait=False)
    stage.rollout("open", rate=0)
    stage.until(lambda: stage.phase("timed") == "Healthy", "the first deploy")
    stage.operator(through=clock.through)
    since = stage.version("timed")
    stage.release(name="timed")
    stage.release(name="open")
    stage.until(lambda: stage.hold("timed") is Hold.CONFIRMED, "the hold written twice")
    stage.at_pause("open")

    clock.set(JUMPS[jump])
    stage.lab.world.set_rate(stage.namespace, "open", 100)
    stage.throughout(lambda: _is_whole(stage, "timed", "open"), JUMPED_SECONDS, "releases that nobody aborts")
    told = stage.verdict("timed")
    clock.set(0)
    right_again = time.time()

    stage.until(lambda: stage.is_promoted("timed") and stage.is_promoted("open"), "both promotions", timeout=240)
    took = time.time() - right_again
    start = durations.parse_time(first_start(stage, since, "timed"))
    assert left_at(stage, since, name="timed") >= start + 40
    assert [kind for kind, _ in stage.actions("timed")] == ["Hold", "Release"]
    assert stage.actions("open") == [("Promote", "Applied")]
    seen(f"{told[0]} {told[1]} while it was wrong, both promoted {took:.0f} s after it was right again")


@pytest.mark.parametrize("jump", JUMPS)
@scenario(
    component=OPERATOR,
    fault="its clock jumps {jump} for 12 s over a bad canary",
    expected="the bad canary is aborted, once",
    twin=True,
)
def test_a_clock_that_jumps_lets_no_bad_canary_go(stage: Stage, clock: Clock, jump: str, seen: Sees) -> None:
    stage.template(interval="5s")
    stage.rollout(rate=0)
    stage.operator(through=clock.through)
    stage.release(errors=1.0)
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold without traffic")

    clock.set(JUMPS[jump])
    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.throughout(lambda: stage.step() in {0, 1}, JUMPED_SECONDS, "a Rollout that nobody promotes")
    clock.set(0)
    right_again = time.time()

    stage.until(lambda: stage.status().get("abort"), "the abort", timeout=240)
    took = max(0.0, time.time() - right_again)
    stage.until(lambda: stage.actions() == [("Abort", "Applied")], "the record", timeout=20)
    seen(f"aborted {took:.0f} s after it was right again")


def _is_whole(stage: Stage, *names: str) -> bool:
    return not any(stage.status(name).get("abort") for name in names)


# Every write of a log line fails as on a disk that is full.
TO_A_FULL_DISK = ("sh", "-c", 'exec "$@" >/dev/full 2>&1', "sh")


@scenario(
    component=OPERATOR,
    fault="no room for logs: stdout and stderr are /dev/full",
    expected="a good canary is promoted, and it ends in time and well",
)
def test_an_operator_that_cannot_log_promotes(stage: Stage, seen: Sees) -> None:
    stage.template()
    stage.rollout(steps=timed("4s"))
    operator = stage.operator(through=TO_A_FULL_DISK)

    stage.release()

    stage.until(stage.is_promoted, "the promotion")
    stage.until(lambda: stage.actions() == [("Hold", "Applied"), ("Release", "Applied")], "the record", timeout=10)
    assert operator.stop() == 0
    seen("held, released and promoted; it ended with status 0")


@scenario(
    component=OPERATOR,
    fault="no room for logs: stdout and stderr are /dev/full",
    expected="a bad canary is aborted",
    twin=True,
)
def test_an_operator_that_cannot_log_aborts(stage: Stage, seen: Sees) -> None:
    stage.template()
    stage.rollout()
    stage.operator(through=TO_A_FULL_DISK)

    stage.release(errors=1.0)

    stage.until(lambda: stage.status().get("abort"), "the abort")
    stage.until(lambda: stage.actions() == [("Abort", "Applied")], "the record", timeout=10)
    seen("aborted")


def _did(decision: dict[str, Any], kind: str) -> bool:
    action = decision.get("action") or {}
    return (action.get("kind"), action.get("outcome")) == (kind, "Applied")


def _counted(stage: Stage, what: str) -> int:
    evidence = stage.gate().get("evidence") or [{}]
    return int((evidence[0].get("measurements") or {}).get(what, 0))


def _successful(stage: Stage) -> int:
    return _counted(stage, "successful")
