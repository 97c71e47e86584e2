"""The lab itself, really: a control plane, Argo's controller, Prometheus and traffic."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lab
from lab.processes import client

# One worker, one lab: these tests stop what other tests need, so they share no lab with them.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("lab")]

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web}
spec:
  replicas: 10
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
  strategy:
    canary:
      canaryService: web-canary
      stableService: web-stable
      trafficRouting: {alb: {ingress: web, servicePort: 80}}
      steps: [{setWeight: 20}, {pause: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web-canary}
spec: {ports: [{port: 80}], selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: web-stable}
spec: {ports: [{port: 80}], selector: {app: web}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, annotations: {kubernetes.io/ingress.class: alb}}
spec:
  rules:
  - http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: web-stable, port: {name: use-annotation}}}
"""

NEW_IMAGE = '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "web:2"}]'

OWNER = """
import signal, sys, time, lab
# A shell starts its background jobs with SIGINT ignored, and what is ignored is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
started = lab.start()
print(started.folder, *(p.pid for p in started.supervision.processes().values()), flush=True)
time.sleep(1000)
"""


def status(cluster, namespace):
    return cluster.get("rollout", "web", namespace=namespace).get("status", {})


def test_a_canary_moves_and_its_traffic_is_what_argo_set(cluster, namespace):
    cluster.world.set_rate(namespace, "web", 400)
    cluster.world.set_behaviour(namespace, "web", "web:2", error_ratio=0.2)
    cluster.apply(ROLLOUT, namespace=namespace)
    lab.until(lambda: status(cluster, namespace).get("phase") == "Healthy", "a healthy Rollout", every=0.3)
    stable = status(cluster, namespace)["stableRS"]
    cluster.kubectl("patch", "rollout", "web", "--type=json", f"--patch={NEW_IMAGE}", namespace=namespace)
    lab.until(lambda: status(cluster, namespace).get("pauseConditions"), "the pause", every=0.3)
    canary = status(cluster, namespace)["currentPodHash"]

    mine = f'http_requests_total{{namespace="{namespace}"'
    cluster.prometheus.await_value(f'sum(increase({mine},rollouts_pod_template_hash="{canary}"}}[10s])) > 400')
    share = cluster.prometheus.value(
        f'sum(rate({mine},rollouts_pod_template_hash="{canary}"}}[3s])) / sum(rate({mine}}}[3s]))'
    )
    assert share == pytest.approx(0.2, abs=0.06)
    totals = cluster.world.totals(namespace, "web")
    assert totals[canary].bad / totals[canary].total == pytest.approx(0.2, abs=0.1)
    assert totals[stable].bad / totals[stable].total < 0.02
    ingress = cluster.get("ingress", "web", namespace=namespace)
    assert '"Weight":20' in str(ingress["metadata"]["annotations"])


def test_a_service_account_is_nobody_but_itself(cluster, namespace):
    kubectl = cluster.kubectl_as(cluster.service_account_kubeconfig(namespace, "operator"))

    assert f"system:serviceaccount:{namespace}:operator" in kubectl("auth", "whoami")
    with pytest.raises(lab.CommandError, match="forbidden"):
        kubectl("get", "pods")


def test_prometheus_can_be_stopped_frozen_and_brought_back_with_its_past(cluster):
    prometheus = cluster.prometheus
    prometheus.await_value('up{job="traffic",pod=""}')
    url = cluster.prometheus_url
    prometheus.stop()
    with pytest.raises(lab.CommandError, match="refused"):
        prometheus.query("up")

    prometheus.start()
    assert cluster.prometheus_url == url
    assert prometheus.await_value('count_over_time(up{job="traffic",pod=""}[5m])') > 0
    prometheus.pause()
    with pytest.raises(lab.CommandError, match="timed out"):
        lab.loopback.call(f"{url}/api/v1/query?query=up", timeout=0.5)
    prometheus.resume()
    assert prometheus.query("vector(1)")


def test_prometheus_takes_another_job_while_it_runs(cluster):
    own = f"127.0.0.1:{cluster.state.ports.prometheus}"
    cluster.prometheus.add_job("itself", own)

    assert cluster.prometheus.await_value('up{job="itself"}') == 1.0
    cluster.prometheus.remove_job("itself")


def test_argo_comes_back_after_a_kill(cluster, namespace):
    cluster.stop_controller(grace=0)
    assert not cluster.supervision.is_running("rollouts-controller")
    cluster.start_controller()

    cluster.apply(ROLLOUT, namespace=namespace)
    lab.until(lambda: status(cluster, namespace).get("phase") == "Healthy", "a healthy Rollout", every=0.3)


def test_a_lab_over_a_cluster_that_is_there_owns_only_prometheus_and_traffic(cluster, namespace, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    with lab.start(lab.Wish(flavour="external")) as guest:
        assert sorted(guest.supervision.processes()) == ["prometheus", "traffic"]
        assert namespace in guest.kubectl("get", "namespaces")
        assert guest.prometheus.await_value('up{job="traffic",pod=""}')
        with pytest.raises(lab.CommandError, match="only a local lab"):
            guest.stop_controller()

    assert cluster.supervision.is_running("kube-apiserver")


def start_in_another_process():
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, start_new_session=True)
    folder, *pids = owner.stdout.readline().split()
    owner.stdout.close()
    return owner, Path(folder), [int(pid) for pid in pids]


def test_nothing_is_left_when_the_parent_is_killed():
    owner, folder, pids = start_in_another_process()
    assert len(pids) == 8
    owner.kill()
    owner.wait()

    lab.until(lambda: not any(map(client.exists, pids)), "the programs' end", timeout=10)
    lab.until(lambda: not folder.exists(), "the folder's removal", timeout=10)


def test_nothing_is_left_after_an_interrupt_in_the_middle_of_a_start(tmp_path):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], env=environment, start_new_session=True, stderr=subprocess.DEVNULL
    )
    folder = lab.until(lambda: next(tmp_path.glob("canary-lab-*/logs/kube-apiserver.log"), None), "a start", timeout=60)
    pids = [process.pid for process in client.Supervision(folder.parent.parent).processes().values()]
    # What a terminal does on Ctrl-C: the whole process group gets it.
    os.killpg(owner.pid, signal.SIGINT)
    owner.wait(20)

    assert pids
    assert not any(map(client.exists, pids))
    lab.until(lambda: not list(tmp_path.glob("canary-lab-*")), "the folder's removal")


def test_two_labs_start_at_once_and_know_nothing_of_each_other():
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: lab.start(), range(2))
    with first, second:
        first.kubectl("create", "namespace", "only-here")

        assert "only-here" in first.kubectl("get", "namespaces")
        assert "only-here" not in second.kubectl("get", "namespaces")


def test_a_program_that_dies_ends_the_start_with_its_last_words(monkeypatch):
    monkeypatch.setattr(lab.plane.commands, "scheduler", lambda _: ["/bin/sh", "-c", "echo my last words; exit 3"])

    with pytest.raises(lab.StartError, match="kube-scheduler died:\nmy last words"):
        lab.start()


def command_line(*arguments, home):
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        check=False,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_named_lab_outlives_its_command_and_a_dead_one_is_cleaned_up(tmp_path):
    (tmp_path / "canary-operator-lab").mkdir()
    for built in lab.locations.cache_root().iterdir():
        if built.name != "run":
            (tmp_path / "canary-operator-lab" / built.name).symlink_to(built)
    folder = tmp_path / "canary-operator-lab" / "run" / "here"

    assert "export KUBECONFIG=" in command_line("up", "--name=here", home=tmp_path).stdout
    alive = lab.attach(folder)
    pids = [process.pid for process in alive.supervision.processes().values()]
    assert "kwok" in command_line("status", "--name=here", home=tmp_path).stdout
    os.kill(alive.state.supervisor, signal.SIGKILL)
    lab.until(lambda: not any(map(client.exists, pids)), "the programs' end", timeout=10)

    assert "here" not in command_line("list", home=tmp_path).stdout
    assert "is up" in command_line("up", "--name=here", home=tmp_path).stdout
    pids = [process.pid for process in lab.attach(folder).supervision.processes().values()]
    assert "is down" in command_line("down", "--name=here", home=tmp_path).stdout
    assert not any(map(client.exists, pids))
    assert not folder.exists()
