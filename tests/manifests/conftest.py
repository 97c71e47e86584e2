"""The committed CRDs and manifests, and the generator, which is a script and no part of the package."""

import importlib.util
import pathlib
import sys
from types import ModuleType
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="session")
def crds() -> pathlib.Path:
    return ROOT / "crds"


@pytest.fixture(scope="session")
def generate(crds: pathlib.Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location("crds_generate", crds / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    # dataclasses look their module up.
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def manifests() -> dict[tuple[str, str], dict[str, Any]]:
    """All objects that kustomization.yaml names, by kind and name."""
    folder = ROOT / "manifests"
    found = {}
    for name in yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]:
        paths = sorted((folder / name).glob("*s.yaml")) if (folder / name).is_dir() else [folder / name]
        for path in paths:
            for body in yaml.safe_load_all(path.read_text()):
                found[body["kind"], body["metadata"]["name"]] = body
    return found
