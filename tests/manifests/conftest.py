"""The committed CRDs and manifests, and the generator, which is a script and no part of the package."""

import pathlib
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests import scripts

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def crds() -> pathlib.Path:
    return ROOT / "crds"


@pytest.fixture(scope="session")
def generate(crds: pathlib.Path) -> ModuleType:
    return scripts.load(crds / "generate.py")


def objects(path: str) -> dict[tuple[str, str], dict[str, Any]]:
    """All objects of a file, by kind and name."""
    bodies = yaml.safe_load_all((ROOT / path).read_text())
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


@pytest.fixture(scope="session")
def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """What `kubectl apply -k manifests/` applies."""
    (only,) = yaml.safe_load((ROOT / "manifests" / "kustomization.yaml").read_text())["resources"]
    return objects(f"manifests/{only}")


@pytest.fixture(scope="session")
def observing() -> dict[tuple[str, str], dict[str, Any]]:
    return objects("manifests/observe.yaml")


@pytest.fixture(scope="session")
def of_a_namespace() -> dict[tuple[str, str], dict[str, Any]]:
    return objects("manifests/namespace-install.yaml")


@pytest.fixture(scope="session")
def asked_by_argo() -> dict[tuple[str, str], dict[str, Any]]:
    """The operator of the example for Argo's own analysis."""
    return objects("examples/native-analysis/operator.yaml")
