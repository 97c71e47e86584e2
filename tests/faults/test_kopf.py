"""The traps of kopf: each shown by kopf as it comes, and absent in the operator under the same fault."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kopf
import pytest
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from canary_operator import handlers
from canary_operator.cluster import kinds
from canary_operator.handlers import Watcher
from tests.e2e import apiproxy
from tests.e2e.apiproxy import LEADER_CHANGED, TOO_OLD, ApiProxy, api_proxy
from tests.e2e.stage import ARGO, V3, Stage
from tests.faults.scenarios import Sees, scenario

KOPF = "kopf"
# Its default, 70 s of silence, comes about rarely; a shorter time shows what happens then.
TEMPLATES = kinds.ANALYSIS_TEMPLATES


class Plain:
    """A program with kopf as it comes: it notes what is said about AnalysisTemplates of one namespace."""

    def __init__(self, namespace: str, **watching: float) -> None:
        self.heard: list[tuple[str | None, str]] = []
        self.memories = ResourceMemories()
        self.ended_by: Exception | None = None
        self._namespace, self._stop = namespace, threading.Event()
        self._loop = asyncio.new_event_loop()
        self._settings = kopf.OperatorSettings()
        for name, seconds in watching.items():
            setattr(self._settings.watching, name, seconds)
        self._thread = threading.Thread(target=self._run, name="plain kopf", daemon=True)
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    @property
    def listens(self) -> bool:
        """Whether it has a task that watches."""
        tasks = asyncio.all_tasks(self._loop) if self.runs else ()
        return any(task.get_name().startswith(f"watcher for {TEMPLATES.plural}.") for task in tasks)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(kopf.login_with_kubeconfig)
        kopf.on.event(TEMPLATES.group, TEMPLATES.version, TEMPLATES.plural, registry=registry)(self._changed)
        running = kopf.operator(
            registry=registry,
            settings=self._settings,
            memories=self.memories,
            standalone=True,
            namespaces=[self._namespace],
            stop_flag=self._stop,
        )
        try:
            self._loop.run_until_complete(running)
        except Exception as error:  # noqa: BLE001 - what ends it is what is looked for
            self.ended_by = error
        finally:
            self._loop.close()

    def _changed(self, event: kopf.RawEvent, **_: Any) -> None:
        self.heard.append((event["type"], event["object"]["metadata"]["name"]))


class Ours:
    """The operator's own watcher, of the same kind in the same namespace."""

    def __init__(self, namespace: str) -> None:
        self.heard: list[tuple[str | None, str]] = []
        self.watcher = Watcher([TEMPLATES], [namespace], self._changed)
        self.watcher.start()

    def _changed(self, _: kinds.Resource, kind: str | None, body: Any) -> None:
        self.heard.append((kind, body["metadata"]["name"]))


@pytest.fixture
def administrator(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiProxy]:
    """A proxy before the API server for programs of this process: a plain kopf asks for more rights than ours."""
    folder = tmp_path / "administrator"
    folder.mkdir()
    with api_proxy(stage.lab.kubeconfig, folder, stage.admin.ca) as proxy:
        monkeypatch.setenv("KUBECONFIG", str(proxy.kubeconfig))
        # The official client looks at the environment once, when it is imported.
        ours = functools.partial(handlers.load_credentials, str(proxy.kubeconfig))
        monkeypatch.setattr(handlers, "load_credentials", ours)
        yield proxy


@pytest.fixture
def plain(stage: Stage, administrator: ApiProxy) -> Iterator[Callable[..., Plain]]:
    """Start plain kopfs, and end them."""
    started: list[Plain] = []

    def start(**watching: float) -> Plain:
        started.append(Plain(stage.namespace, **watching))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def ours(stage: Stage, administrator: ApiProxy) -> Iterator[Callable[[], Ours]]:
    """Start our watchers, and end them."""
    started: list[Ours] = []

    def start() -> Ours:
        started.append(Ours(stage.namespace))
        return started[-1]

    yield start
    for each in started:
        each.watcher.stop(10)


def _hears(stage: Stage, listener: Plain | Ours, name: str) -> None:
    """Write a template and wait until it is heard."""
    stage.template(name)
    stage.until(lambda: any(heard == name for _, heard in listener.heard), f"word of {name}")


@scenario(
    component=KOPF,
    fault="exit on watch errors: an ERROR event other than 410",
    expected="plain kopf ends; ours begins to watch anew, and a bad canary is aborted",
)
def test_an_error_event_ends_plain_kopf_and_not_ours(
    stage: Stage, administrator: ApiProxy, api: ApiProxy, plain: Callable[..., Plain], seen: Sees
) -> None:
    theirs = plain()
    stage.template()
    stage.rollout()
    operator = stage.operator(kubeconfig=api.kubeconfig)
    stage.until(lambda: theirs.listens, "plain kopf to watch")

    stage.until(lambda: administrator.say_to_watches(LEADER_CHANGED, plural=TEMPLATES.plural), "open watches")
    stage.until(lambda: api.say_to_watches(LEADER_CHANGED), "open watches")

    stage.until(lambda: not theirs.runs, "the end of plain kopf")
    stage.release(V3, errors=1.0)
    stage.until(lambda: stage.status().get("abort"), "the abort")
    assert operator.process.poll() is None
    seen(f"plain: ended by {type(theirs.ended_by).__name__}; ours: aborted the bad canary")


@scenario(
    component=KOPF,
    fault="a login that fails once, as when a token is just being replaced",
    expected="plain kopf is deaf for a minute; ours tries again after a second",
)
def test_a_login_that_fails_once_costs_ours_a_second(
    stage: Stage,
    plain: Callable[..., Plain],
    ours: Callable[[], Ours],
    monkeypatch: pytest.MonkeyPatch,
    seen: Sees,
) -> None:
    monkeypatch.setattr(kopf, "login_with_kubeconfig", _failing_once(kopf.login_with_kubeconfig))
    monkeypatch.setattr(handlers, "load_credentials", _failing_once(handlers.load_credentials))
    begun = time.monotonic()
    theirs = plain()

    mine = ours()
    _hears(stage, mine, "first")
    took = time.monotonic() - begun
    stage.throughout(lambda: not theirs.heard, 40 - took, "deafness")

    assert theirs.runs
    seen(f"plain: deaf after 40 s; ours: heard after {took:.0f} s")


def _failing_once(login: Callable[..., Any]) -> Callable[..., Any]:
    failed: list[bool] = []

    def fail(**known: Any) -> Any:
        if failed:
            return login(**known)
        failed.append(True)
        raise RuntimeError("the token cannot be read now")

    return fail


def _delete_unseen(stage: Stage, api: ApiProxy, names: list[str]) -> None:
    """Delete templates while nobody watches, and let the API server have forgotten it."""
    deaf = api.on("GET", apiproxy.WATCH, apiproxy.refuse(503), times=None)
    api.cut_watches()
    for name in names:
        stage.admin.delete(f"{ARGO}/namespaces/{stage.namespace}/analysistemplates/{name}")
    too_old = apiproxy.watch_that_says(TOO_OLD)
    told = api.on("GET", rf"/{TEMPLATES.plural}.*watch=true", too_old, times=1)
    deaf.end()
    stage.until(lambda: told.left == 0, "a watch that is told to list again")


@scenario(
    component=KOPF,
    fault="missed deletes: 410 after a template was deleted in the gap",
    expected="plain kopf never hears of it; our gate holds with ConfigurationError, and is promoted once it is back",
)
def test_a_delete_in_a_gap_is_missed_by_plain_kopf_and_not_by_ours(
    stage: Stage, administrator: ApiProxy, api: ApiProxy, plain: Callable[..., Plain], seen: Sees
) -> None:
    theirs = plain()
    _hears(stage, theirs, "errors")
    stage.rollout(rate=0)
    stage.operator(kubeconfig=api.kubeconfig)
    stage.release()
    stage.until(lambda: stage.verdict() == ("Hold", "NoData"), "the hold")

    _delete_unseen(stage, administrator, ["errors"])
    _delete_unseen(stage, api, [])

    stage.until(lambda: stage.verdict() == ("Hold", "ConfigurationError"), "the hold without a template")
    _hears(stage, theirs, "another")
    assert ("DELETED", "errors") not in theirs.heard
    stage.lab.world.set_rate(stage.namespace, "web", 100)
    stage.template()
    stage.until(stage.is_promoted, "the promotion")
    seen("plain: no DELETED; ours: Hold ConfigurationError, then promoted")


MANY = 50


def _remembered(stage: Stage, api: ApiProxy, listener: Plain | Ours) -> int:
    """How many more objects are remembered after many were created, and deleted in a gap."""
    before = _memories()
    names = [f"passing-{index}" for index in range(MANY)]
    for name in names:
        stage.template(name)
    stage.until(lambda: set(names) <= {name for _, name in listener.heard}, "word of all")
    _delete_unseen(stage, api, names)
    _hears(stage, listener, "afterwards")
    return _memories() - before


def _memories() -> int:
    gc.collect()
    return sum(isinstance(each, ResourceMemory) for each in gc.get_objects())


@scenario(
    component=KOPF,
    fault="growth of memory: 50 objects are created, and deleted in a gap",
    expected="plain kopf remembers them for ever; ours none",
)
def test_plain_kopf_remembers_what_is_gone_and_ours_does_not(
    stage: Stage,
    administrator: ApiProxy,
    plain: Callable[..., Plain],
    ours: Callable[[], Ours],
    seen: Sees,
) -> None:
    theirs = plain()
    stage.until(lambda: theirs.listens, "plain kopf to watch")
    kept = _remembered(stage, administrator, theirs)
    theirs.stop()

    mine = ours()
    _hears(stage, mine, "first")
    kept_by_ours = _remembered(stage, administrator, mine)

    assert kept >= MANY
    assert kept_by_ours <= 1
    seen(f"plain: {kept} remembered; ours: {kept_by_ours}")
