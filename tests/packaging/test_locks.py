"""Plan: every lock has what it is made for, with hashes, and names no place where packages come from."""

import pathlib
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
IMAGE = PROJECT["project"]["dependencies"] + EXTRAS["otel"]
SBOM = [line for line in (ROOT / "requirements/sbom.in").read_text().splitlines() if not line.startswith("#")]


def locked(path: pathlib.Path) -> dict[str, str]:
    """Name and version of every package."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)(?:\[.*\])?==(\S+)", path.read_text(), re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_no_address(lock: pathlib.Path) -> None:
    entries = re.split(r"\n(?=\w)", lock.read_text())

    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in lock.read_text()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("run", IMAGE),
        ("dev", IMAGE + EXTRAS["dev"]),
        ("build", PROJECT["build-system"]["requires"]),
        ("sbom", SBOM),
        ("go", EXTRAS["go"]),
    ],
)
def test_a_lock_has_what_is_asked_for_in_a_version_that_is_allowed(name: str, wanted: list[str]) -> None:
    versions = locked(ROOT / f"requirements/{name}.lock")
    requirements = [Requirement(text) for text in wanted]

    missing = [
        str(requirement)
        for requirement in requirements
        if not requirement.specifier.contains(versions.get(canonicalize_name(requirement.name), "0.dev0"))
    ]
    assert missing == [], "run: make lock"


def test_developers_have_the_versions_of_the_image() -> None:
    image, developers = locked(ROOT / "requirements/run.lock"), locked(ROOT / "requirements/dev.lock")

    assert {name: developers.get(name) for name in image} == image
