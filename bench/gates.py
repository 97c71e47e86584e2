"""What many gated Rollouts cost: CPU and memory of the operator, requests to Prometheus and to the API server.

Every Rollout stands at an indefinite pause and is judged all the time: its policy wants more measurements than it will
get. Start-up and the releases themselves are not measured.

Law: prints versions, machine and parameters beside every figure; judges nothing.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import psutil
import requests
import typer
import yaml
from rich.console import Console
from rich.table import Table

import canary_operator
from lab.cluster import Lab
from lab.starting import start

NAMESPACE = "bench"
PORT_RANGE = (18200, 18900)
IMAGES = ("shop.example.com/web:1", "shop.example.com/web:2")


def main(
    rollouts: Annotated[int, typer.Option(help="Gated Rollouts, two pods each.")] = 200,
    seconds: Annotated[int, typer.Option(help="How long to measure.")] = 180,
    interval: Annotated[int, typer.Option(help="Seconds between two looks at a metric.")] = 15,
) -> None:
    """Measure the operator beside a lab of its own."""
    with start() as lab, tempfile.TemporaryDirectory() as folder:
        operator, web = _begin(lab, Path(folder), interval)
        try:
            _release_all(lab, rollouts, interval)
            _until_judging(lab, rollouts)
            _show(_measure(operator.pid, web, seconds), rollouts, seconds, interval, lab)
        finally:
            operator.kill()


def _begin(lab: Lab, folder: Path, interval: int) -> tuple[subprocess.Popen[bytes], str]:
    lab.kubectl("apply", "--server-side", "-k", "manifests")
    lab.kubectl("scale", "deployment/canary-operator", "--replicas=0", namespace="canary-operator")
    lab.kubectl("create", "namespace", NAMESPACE)
    identity = lab.service_account_kubeconfig("canary-operator", "canary-operator")
    port = PORT_RANGE[0] + os.getpid() % (PORT_RANGE[1] - PORT_RANGE[0])
    config = {
        "evaluationInterval": f"{interval}s",
        "providers": [{"name": "default", "url": lab.prometheus_url}],
        "web": {"host": "127.0.0.1", "port": port},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    program = Path(sys.executable).with_name("canary-operator")
    with (folder / "operator.log").open("wb") as log:
        operator = subprocess.Popen(
            [str(program), "run", f"--config={folder / 'config.yaml'}"],
            env={**os.environ, "KUBECONFIG": str(identity)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    return operator, f"http://127.0.0.1:{port}"


def _release_all(lab: Lab, number: int, interval: int) -> None:
    _say(f"creating {number} Rollouts")
    lab.apply(yaml.safe_dump_all([_policy(), _template(interval)]))
    for chunk in _chunks(number, 50):
        lab.apply(yaml.safe_dump_all([_rollout(index, IMAGES[0]) for index in chunk]))
    _until(lambda: _count(lab, "rollouts", "{.items[*].status.phase}", "Healthy") == number, "the first deploys", 600)
    _say("releasing")
    for chunk in _chunks(number, 50):
        lab.apply(yaml.safe_dump_all([_rollout(index, IMAGES[1]) for index in chunk]))


def _until_judging(lab: Lab, number: int) -> None:
    def all_measured() -> bool:
        counted = lab.kubectl(
            "get",
            "canarygates",
            "-o",
            "jsonpath={.items[*].status.evidence[*].measurements.successful}",
            namespace=NAMESPACE,
        )
        return sum(int(each) > 0 for each in counted.split()) == number

    _until(all_measured, "every gate to have measured", 600)


def _measure(pid: int, web: str, seconds: int) -> dict[str, float]:
    _say(f"measuring for {seconds} s")
    process = psutil.Process(pid)
    before, cpu, began = _counters(web), process.cpu_times(), time.monotonic()
    peak = 0
    while time.monotonic() - began < seconds:
        peak = max(peak, process.memory_info().rss)
        time.sleep(1)
    after, cpu_after, took = _counters(web), process.cpu_times(), time.monotonic() - began
    figures = {name: (after[name] - before.get(name, 0)) / took * 60 for name in after}
    used = cpu_after.user + cpu_after.system - cpu.user - cpu.system
    return {**figures, "CPU, cores": used / took, "memory, MB (peak RSS)": peak / 1e6}


def _counters(web: str) -> dict[str, float]:
    text = requests.get(f"{web}/metrics", timeout=10).text
    names = {
        "looks at Rollouts a minute": "canary_operator_reconcile_total",
        "requests to Prometheus a minute": "canary_operator_prometheus_requests_total",
    }
    counted = {told: _sum(text, name) for told, name in names.items()}
    for verb, resource in re.findall(
        r'canary_operator_api_requests_total\{resource="([^"]*)"[^}]*verb="([^"]*)"', text
    ):
        name = f"requests to the API server a minute: {resource} {verb}"
        selector = f'resource="{verb}",status="[^"]*",verb="{resource}"'
        counted[name] = _sum(text, "canary_operator_api_requests_total", selector)
    counted["requests to the API server a minute, all"] = _sum(text, "canary_operator_api_requests_total")
    return counted


def _sum(text: str, name: str, selector: str = "[^}]*") -> float:
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{{selector}\}})? (\S+)$", text, re.MULTILINE))


def _show(figures: dict[str, float], rollouts: int, seconds: int, interval: int, lab: Lab) -> None:
    table = Table(title=f"{rollouts} gated Rollouts, one metric each, looked at every {interval} s, over {seconds} s")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for name, value in figures.items():
        if value >= 0.005:
            table.add_row(name, f"{value:,.2f}" if value < 100 else f"{value:,.0f}")
    console = Console(width=110)
    console.print(table)
    prometheus = requests.get(f"{lab.prometheus_url}/api/v1/status/buildinfo", timeout=10).json()["data"]["version"]
    console.print(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, "
        f"Argo Rollouts 1.9.1, Prometheus {prometheus}, {_kubernetes(lab)}"
    )
    console.print(f"{os.cpu_count()} cores shared with the whole lab, {platform.platform()}, {_processor()}; seed 0")


def _kubernetes(lab: Lab) -> str:
    found = yaml.safe_load(lab.kubectl("version", "-o", "yaml"))["serverVersion"]["gitVersion"]
    return f"Kubernetes {found}"


def _processor() -> str:
    found = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    )
    return found.group(1) if found else platform.processor()


def _policy() -> dict[str, object]:
    return {
        "apiVersion": "canary-operator.io/v1alpha1",
        "kind": "SLOPolicy",
        "metadata": {"name": "patient", "namespace": NAMESPACE},
        "spec": {"timing": {"minMeasurements": 1000}},
    }


def _template(interval: int) -> dict[str, object]:
    selector = 'namespace="{{args.namespace}}",rollouts_pod_template_hash="{{args.canary-hash}}"'
    total = f"sum(rate(http_requests_total{{{selector}}}[1m]))"
    bad = f'(sum(rate(http_requests_total{{{selector},status=~"5.."}}[1m])) or 0 * {total})'
    metric = {
        "name": "error-rate",
        "interval": f"{interval}s",
        "failureLimit": 900,
        "successCondition": "result[0] < 0.5",
        "provider": {"prometheus": {"query": f"{bad} / {total}"}},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "errors", "namespace": NAMESPACE},
        "spec": {"args": [{"name": "namespace"}, {"name": "canary-hash"}], "metrics": [metric]},
    }


def _rollout(index: int, image: str) -> dict[str, object]:
    name = f"web-{index:04d}"
    annotations = {"gate": "enforce", "slo-policy": "patient", "analysis-templates": "errors"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "annotations": {f"canary-operator.io/{key}": value for key, value in annotations.items()},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def _chunks(number: int, size: int) -> Iterator[range]:
    return (range(first, min(first + size, number)) for first in range(0, number, size))


def _count(lab: Lab, kind: str, path: str, word: str) -> int:
    return lab.kubectl("get", kind, "-o", f"jsonpath={path}", namespace=NAMESPACE).split().count(word)


def _until(true: Callable[[], bool], what: str, timeout: float) -> None:
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"waited {timeout:g} s for {what}")
        time.sleep(2)


def _say(what: str) -> None:
    print(f"bench: {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    typer.run(main)
