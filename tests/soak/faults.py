"""What goes wrong around the operators in a long run, one thing after the other, drawn from a seed.

Law: every fault ends by itself, and the cluster is as before. What may not be hit is the operator whose memory is
watched.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

from lab.cluster import Lab
from lab.plane import commands
from tests.e2e.apiproxy import Exchange
from tests.e2e.stage import OURS, V2, Stage
from tests.soak.operators import Program
from tests.soak.tap import Tap

_SHORT = 8.0
_LONG = 20.0


class Mortal:
    """The operator that is killed and stopped; its namespace is its own."""

    def __init__(self, program: Program) -> None:
        self.process: BaseProcess = program.start_and_wait()
        self._program = program

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()

    def kill_and_start(self) -> None:
        """SIGKILL, and at once started again."""
        self.kill()
        self.process = self._program.start()

    def restart(self) -> None:
        """SIGTERM, and started again when it has ended."""
        self.process.terminate()
        self.process.join()
        self.process = self._program.start()

    def signal(self, number: int) -> None:
        """Send it a signal that it survives."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@dataclass
class Faults:
    """Draws a fault, waits until it is over and a while longer, and draws the next; `happened` counts them."""

    lab: Lab
    tap: Tap
    mortal: Mortal
    tenant: Stage
    chance: random.Random
    rest: float
    happened: Counter[str] = field(default_factory=Counter)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Go on until `stop`."""
        faults = self.all()
        while not self._stop.wait(self.chance.uniform(0.5, 1.5) * self.rest):
            name = self.chance.choice(list(faults))
            faults[name]()
            self.happened[name] += 1

    def stop(self) -> None:
        """Begin no other fault."""
        self._stop.set()

    def all(self) -> Mapping[str, Callable[[], None]]:
        """Every fault by what it is called."""
        return {
            "an operator is killed": self.mortal.kill_and_start,
            "an operator is stopped and started": self.mortal.restart,
            "an operator is frozen for 20 s": self._operator_freezes,
            "Argo is killed": lambda: self.lab.restart_controller(grace=0),
            "Argo is frozen for 8 s": self._argo_freezes,
            "Prometheus is away for 20 s": self._prometheus_is_away,
            "Prometheus hangs for 20 s": self._prometheus_hangs,
            "Prometheus begins with nothing": self._prometheus_forgets,
            "the API server is frozen for 8 s": self._api_server_freezes,
            "the API server is restarted": self._api_server_restarts,
            "all watches are cut": lambda: self.tap.cut_watches() and None,
            "a third of all requests gets 503 for 20 s": lambda: self._through(_refused(self.chance, 503), _LONG),
            "a third of all requests gets 429 for 20 s": lambda: self._through(_refused(self.chance, 429), _LONG),
            "a tenth of all replies is lost for 20 s": lambda: self._through(_unanswered(self.chance), _LONG),
            "requests take up to 2 s for 20 s": lambda: self._through(_late(self.chance), _LONG),
            "a tenant writes rubbish for 20 s": self._tenant_writes_rubbish,
        }

    def _operator_freezes(self) -> None:
        self.mortal.signal(signal.SIGSTOP)
        time.sleep(_LONG)
        self.mortal.signal(signal.SIGCONT)

    def _argo_freezes(self) -> None:
        self.lab.pause_controller()
        time.sleep(_SHORT)
        self.lab.resume_controller()

    def _prometheus_is_away(self) -> None:
        self.lab.prometheus.stop()
        time.sleep(_LONG)
        self.lab.prometheus.start()

    def _prometheus_hangs(self) -> None:
        self.lab.prometheus.pause()
        time.sleep(_LONG)
        self.lab.prometheus.resume()

    def _prometheus_forgets(self) -> None:
        data = self.lab.plane.layout.data("prometheus")
        self.lab.prometheus.stop()
        shutil.rmtree(data)
        data.mkdir(mode=0o700)
        self.lab.prometheus.start()

    def _api_server_freezes(self) -> None:
        self.lab.pause_api_server()
        time.sleep(_SHORT)
        self.lab.resume_api_server()

    def _api_server_restarts(self) -> None:
        self.lab.supervision.stop("kube-apiserver")
        self.lab.supervision.start("kube-apiserver", commands.api_server(self.lab.plane))
        while not self._stop.wait(0.5):
            with suppress(Exception):
                if self.tenant.admin.ask("GET", "/readyz").ok:
                    return

    def _through(self, act: Callable[[Tap, Exchange], None], seconds: float) -> None:
        self.tap.act = act
        time.sleep(seconds)
        self.tap.act = Tap.pass_on

    def _tenant_writes_rubbish(self) -> None:
        end = time.monotonic() + _LONG
        while time.monotonic() < end and not self._stop.is_set():
            with suppress(Exception):
                _write_rubbish(self.tenant, self.chance)
            time.sleep(0.3)


RUBBISH = "rubbish"
_KEYS = ("gate", "slo-policy", "analysis-templates", "analysis-args", "unheard-of")


def _write_rubbish(stage: Stage, chance: random.Random) -> None:
    """Change the annotations of the tenant's own Rollout to something that nobody can use, and its policy as well."""
    text = "".join(chance.choices('abc{}[]"\\$\n\u2028é%/.,:', k=chance.choice([3, 300, 30_000])))
    key = chance.choice(_KEYS)
    keys = {**dict.fromkeys(_KEYS), "gate": "enforce", key: text}
    annotations = {f"canary-operator.io/{name}": each for name, each in keys.items()}
    # It stands at a pause without an end, so that all of it is looked at.
    containers = [{"name": "main", "image": V2}]
    spec = {"template": {"spec": {"containers": containers}}}
    stage.patch({"metadata": {"annotations": annotations}, "spec": spec}, RUBBISH)
    objective = {"name": RUBBISH, "objective": "99", "indicator": {"ratio": {"bad": text, "total": "x"}}}
    path = f"{OURS}/namespaces/{stage.namespace}/slopolicies/{RUBBISH}"
    stage.admin.patch(path, {"spec": {"objectives": [objective]}})


def _refused(chance: random.Random, status: int) -> Callable[[Tap, Exchange], None]:
    def act(tap: Tap, exchange: Exchange) -> None:
        if chance.random() < 1 / 3:
            exchange.answer(status, retry_after="1")
        else:
            tap.pass_on(exchange)

    return act


def _unanswered(chance: random.Random) -> Callable[[Tap, Exchange], None]:
    def act(tap: Tap, exchange: Exchange) -> None:
        tap.pass_on(exchange)
        if chance.random() < 0.1:
            exchange.drop()

    return act


def _late(chance: random.Random) -> Callable[[Tap, Exchange], None]:
    def act(tap: Tap, exchange: Exchange) -> None:
        tap.closing.wait(chance.uniform(0, 2))
        tap.pass_on(exchange)

    return act
