"""One lab for the session, or the one that LAB_NAME says; the operator installed as it is shipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster import Lab
from lab.starting import find, start
from tests.e2e.apiproxy import ApiProxy, api_proxy
from tests.e2e.stage import Stage, stage_in
from tests.e2e.telemetryproxy import TelemetryProxy, telemetry_proxy

ROOT = Path(__file__).parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


def install(lab: Lab) -> Path:
    """Install the shipped kinds and rights, and return a kubeconfig of the shipped ServiceAccount."""
    lab.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "manifests"))
    # Pods do not run here: the operators are processes of the tests.
    lab.kubectl("scale", "deployment/canary-operator", "--replicas=0", namespace="canary-operator")
    return lab.service_account_kubeconfig("canary-operator", "canary-operator")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Lab]:
    """The lab that the tests share: they keep to their namespaces and leave the control plane alone."""
    name = os.environ.get("LAB_NAME")
    if name:
        yield find(name)
        return
    with start() as lab:
        yield lab


@pytest.fixture(scope="session")
def identity(cluster: Lab) -> Path:
    """The operator's own identity, with the shipped rights."""
    return install(cluster)


@pytest.fixture
def stage(cluster: Lab, identity: Path, tmp_path: Path) -> Iterator[Stage]:
    """A fresh namespace of the shared lab."""
    with stage_in(cluster, identity, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Lab]:
    """A lab of this module's own, whose control plane and Prometheus may be stopped."""
    with start() as lab:
        yield lab


@pytest.fixture(scope="module")
def own_identity(own_cluster: Lab) -> Path:
    return install(own_cluster)


@pytest.fixture
def own_stage(own_cluster: Lab, own_identity: Path, tmp_path: Path) -> Iterator[Stage]:
    """A fresh namespace of the module's own lab."""
    with stage_in(own_cluster, own_identity, tmp_path) as opened:
        yield opened


@pytest.fixture
def api(stage: Stage, tmp_path: Path) -> Iterator[ApiProxy]:
    """A proxy between the test's operators and the API server: `stage.operator(kubeconfig=api.kubeconfig)`."""
    with api_proxy(stage.identity, tmp_path, stage.admin.ca) as proxy:
        yield proxy


@pytest.fixture
def telemetry(stage: Stage) -> Iterator[TelemetryProxy]:
    """A proxy before the lab's Prometheus: `stage.operator(prometheus=telemetry.url)`."""
    with telemetry_proxy(stage.lab.prometheus_url) as proxy:
        yield proxy
