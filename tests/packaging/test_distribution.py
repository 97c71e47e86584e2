"""Plan: the wheel has all that the package has, the sdist builds the same wheel, an index would take both."""

import email
import os
import pathlib
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message

import pytest

import canary_operator

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = pathlib.Path(canary_operator.__file__).parent
VERSION = canary_operator.__version__


def build(source: pathlib.Path, into: pathlib.Path, *targets: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(into)]
    for target in targets:
        command += ["--target", target]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    subprocess.run(command, cwd=source, env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture(scope="module")
def wheel(built: pathlib.Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(built / f"canary_operator-{VERSION}-py3-none-any.whl")


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return email.message_from_bytes(wheel.read(f"canary_operator-{VERSION}.dist-info/METADATA"))


def test_the_wheel_has_every_file_of_the_package(wheel: zipfile.ZipFile) -> None:
    files = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    inside = {name for name in wheel.namelist() if name.startswith("canary_operator/")}
    assert inside == {str(path.relative_to(PACKAGE.parent)) for path in files}
    assert "canary_operator/py.typed" in inside


def test_it_is_called_as_a_program_and_as_a_plugin_of_kubectl(wheel: zipfile.ZipFile) -> None:
    text = wheel.read(f"canary_operator-{VERSION}.dist-info/entry_points.txt").decode()

    assert text.split() == [
        "[console_scripts]",
        *("canary-operator", "=", "canary_operator.cli:main"),
        *("kubectl-canary_gate", "=", "canary_operator.cli:main"),
    ]


def test_its_metadata_say_what_an_index_shows(metadata: Message) -> None:
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0 AND 0BSD AND MIT"
    vendored = sorted(PACKAGE.glob("web/static/vendor/LICENSE-*.txt"))
    assert metadata.get_all("License-File") == ["LICENSE", *(str(path.relative_to(ROOT)) for path in vendored)]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_source_distribution_builds_the_same_wheel(built: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with tarfile.open(built / f"canary_operator-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    build(tmp_path / f"canary_operator-{VERSION}", tmp_path / "again", "wheel")

    (again,) = (tmp_path / "again").iterdir()
    assert again.read_bytes() == (built / again.name).read_bytes()


def test_an_index_would_take_both(built: pathlib.Path) -> None:
    command = [sys.executable, "-m", "twine", "--no-color", "check", "--strict", *map(str, sorted(built.iterdir()))]
    answer = subprocess.run(command, check=False, capture_output=True, text=True)

    assert answer.returncode == 0, answer.stdout
    assert answer.stdout.count("PASSED") == 2
