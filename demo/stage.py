"""The stage: a lab with the operator in it and the example applied, and the levers of the demo.

Law: does what a user would do with kubectl; every wait has an end.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

import lab
from demo import releases
from demo.pace import Pace
from demo.sight import Sight, parse_sight
from lab import loopback
from lab.plane.startup import Start
from lab.traffic.client import Tally

_SOURCE = Path(__file__).parent.parent
MANIFESTS = _SOURCE / "manifests"
EXAMPLE = _SOURCE / "examples" / "api-service"
# The address that examples/api-service/analysis-template.yaml names.
PROMETHEUS_ADDRESS = "http://prometheus.monitoring:9090"

_OPERATOR = "canary-operator"
_WATCHED = ("rollouts.argoproj.io", "canarygates.canary-operator.io", "replicasets.apps")

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stage:
    """A running lab, and the example's objects as they were applied."""

    lab: lab.Lab
    pace: Pace
    example: tuple[Body, ...]

    @property
    def rollout(self) -> Body:
        """The Rollout as it was applied."""
        return next(body for body in self.example if body["kind"] == "Rollout")

    @property
    def repository(self) -> str:
        """The example's image without its digest."""
        image: str = self.rollout["spec"]["template"]["spec"]["containers"][0]["image"]
        return image.partition("@")[0]

    def look(self) -> Sight | None:
        """Return what the cluster shows now; None while Argo has not seen the latest change."""
        text = self.lab.kubectl("get", ",".join(_WATCHED), "--output=json", namespace=releases.NAMESPACE)
        return parse_sight(json.loads(text)["items"])

    def release(self, image: str, error_ratio: float) -> None:
        """Say how `image` will answer, then release it."""
        self.lab.world.set_behaviour(releases.NAMESPACE, releases.ROLLOUT, image, error_ratio=error_ratio)
        change = f"{releases.CONTAINER}={image}"
        self.lab.argo("set", "image", releases.ROLLOUT, change, namespace=releases.NAMESPACE)

    def describe(self, *, colours: bool) -> str:
        """Return what Argo's plugin of kubectl shows of the Rollout."""
        options = () if colours else ("--no-color",)
        return self.lab.argo("get", "rollout", releases.ROLLOUT, *options, namespace=releases.NAMESPACE).rstrip()

    def served(self, version: str) -> Tally:
        """Return how many requests a version (a pod template hash) has answered really."""
        return self.lab.world.totals(releases.NAMESPACE, releases.ROLLOUT).get(version, Tally(0, 0))

    def gates(self) -> str:
        """Return what `kubectl get cg -A` prints."""
        return self.lab.kubectl("get", "cg", "-A").rstrip()


def set_up(home: lab.Lab, pace: Pace) -> Stage:
    """Install the operator's kinds and rights, start it, apply the example. Raises LabError."""
    _refuse_strangers(home)
    _install(home)
    _start_operator(home, pace)
    return Stage(home, pace, _apply_example(home, pace))


def await_first_deploy(stage: Stage) -> Sight:
    """Wait until the first version serves everybody and Prometheus has seen requests. Raises LabError."""
    stage.lab.world.set_rate(releases.NAMESPACE, releases.ROLLOUT, releases.REQUESTS_PER_SECOND)
    stable = lab.until(lambda: _settled(stage.look()), "the first deploy", timeout=90, every=0.3)
    stage.lab.prometheus.await_value(f'sum(rate(http_requests_total{{namespace="{releases.NAMESPACE}"}}[5s]))')
    return stable


def _settled(sight: Sight | None) -> Sight | None:
    return sight if sight is not None and sight.is_stable and sight.settled and sight.message else None


def _refuse_strangers(home: lab.Lab) -> None:
    """With LAB=external the cluster may be somebody's: nothing of theirs is overwritten."""
    kind = "rollouts.argoproj.io"
    found = home.kubectl("get", kind, releases.ROLLOUT, "--ignore-not-found", namespace=releases.NAMESPACE)
    if found.strip():
        raise lab.LabError(f"{releases.NAMESPACE}/{releases.ROLLOUT} exists already; the demo would overwrite it")


def _install(home: lab.Lab) -> None:
    """Apply kinds and manifests. The Deployment stays out: its pod would only be pretended in the lab."""
    bodies = [body for body in _rendered(home, MANIFESTS) if body["kind"] != "Deployment"]
    home.kubectl("apply", "--server-side", "--filename=-", stdin=yaml.safe_dump_all(bodies))
    home.kubectl("wait", "--for=condition=Established", "crd/canarygates.canary-operator.io", "--timeout=30s")


def _apply_example(home: lab.Lab, pace: Pace) -> tuple[Body, ...]:
    bodies = tuple(pace.applied_to(body) for body in _rendered(home, EXAMPLE))
    home.apply(yaml.safe_dump_all(bodies))
    return bodies


def _rendered(home: lab.Lab, folder: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(home.kubectl("kustomize", str(folder))))


def _start_operator(home: lab.Lab, pace: Pace) -> None:
    """Start `canary-operator run` under its ServiceAccount, owned by the lab: it ends with it."""
    port = _free_port()
    config = home.folder / f"{_OPERATOR}.yaml"
    config.write_text(yaml.safe_dump(operator_config(pace, home.prometheus_url, port), sort_keys=False))
    identity = home.service_account_kubeconfig(_OPERATOR, _OPERATOR)
    home.supervision.start(
        _OPERATOR,
        [str(Path(sys.executable).parent / _OPERATOR), "run", f"--config={config}"],
        KUBECONFIG=str(identity),
        # Inside of a pod the operator would prefer the pod's own cluster.
        KUBERNETES_SERVICE_HOST="",
        PYTHONUNBUFFERED="1",
    )
    ready = f"http://127.0.0.1:{port}/readyz"
    Start(home.plane, home.supervision, home.kubectl).await_ready(_OPERATOR, lambda: loopback.answers(ready))


def operator_config(pace: Pace, prometheus_url: str, port: int) -> dict[str, Any]:
    """Return the operator's configuration: the address in the example means the lab's Prometheus."""
    provider = {"name": "default", "url": prometheus_url, "addresses": [PROMETHEUS_ADDRESS]}
    return {
        "evaluationInterval": pace.evaluation_interval,
        "providers": [provider],
        "web": {"host": "127.0.0.1", "port": port},
    }


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
