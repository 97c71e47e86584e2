"""Plan: a commit gives the same files wherever it is built; what is not a commit, or is out already, gives none."""

import hashlib
import io
import os
import pathlib
import subprocess
import sys
import tarfile

import pytest

import canary_operator
from lab.programs import cache
from release import building, changelog, chart, numbering
from release.errors import ReleaseError

ROOT = pathlib.Path(__file__).parents[2]
VERSION = canary_operator.__version__
DAY = 86_400
FIRST = "## 0.1.0 (2026-01-01)\n\n### Added\n\n- That.\n"
SECOND = "## 0.2.0 (2026-02-02)\n\n### Fixed\n\n- This.\n"


def a_tgz(files: dict[str, bytes], mtime: int) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), mtime
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def test_a_package_depends_on_its_files_alone() -> None:
    one = chart.repacked(a_tgz({"c/Chart.yaml": b"name: c\n", "c/a.yaml": b"a"}, mtime=1), 10 * DAY)
    other = chart.repacked(a_tgz({"c/a.yaml": b"a", "c/Chart.yaml": b"name: c\n"}, mtime=2), 10 * DAY)
    changed = chart.repacked(a_tgz({"c/a.yaml": b"b", "c/Chart.yaml": b"name: c\n"}, mtime=2), 10 * DAY)

    assert one == other != changed
    with tarfile.open(fileobj=io.BytesIO(one)) as archive:
        assert [(member.name, member.mtime) for member in archive] == [
            ("c/Chart.yaml", 10 * DAY),
            ("c/a.yaml", 10 * DAY),
        ]


@pytest.fixture
def checkout(tmp_path: pathlib.Path) -> pathlib.Path:
    return clone(tmp_path / "checkout")


def clone(into: pathlib.Path) -> pathlib.Path:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(into)], check=True)
    return into


def test_a_tree_that_is_not_its_commit_is_refused(checkout: pathlib.Path) -> None:
    (checkout / "left-behind.txt").write_text("")

    with pytest.raises(ReleaseError, match=r"commit first, 1 files differ from the last commit: left-behind\.txt"):
        building.build(checkout, None)
    assert not (checkout / "dist").exists()


def test_another_version_than_the_trees_is_refused(checkout: pathlib.Path) -> None:
    with pytest.raises(ReleaseError, match=r"make version VERSION=17\.4\.12"):
        building.build(checkout, "17.4.12")


def write_changelog(root: pathlib.Path, *waiting: str) -> None:
    (root / "changes").mkdir()
    for name in waiting:
        (root / "changes" / name).write_text("Something new.\n")
    (root / "CHANGELOG.md").write_text(f"# Changelog\n\n{SECOND}\n{FIRST}")


@pytest.mark.parametrize(
    ("version", "section"),
    [
        ("0.2.0", SECOND),
        ("0.1.0", FIRST),
    ],
)
def test_what_changed_in_a_version_is_its_section(tmp_path: pathlib.Path, version: str, section: str) -> None:
    write_changelog(tmp_path)

    assert changelog.section(tmp_path, version, 0) == section


def test_a_version_that_is_out_is_not_made_of_something_else(tmp_path: pathlib.Path) -> None:
    write_changelog(tmp_path, "+more.added.md")

    with pytest.raises(ReleaseError, match=r"0\.2\.0 is out already"):
        changelog.section(tmp_path, "0.2.0", 0)


def release(checkout: pathlib.Path, umask: int, zone: str) -> dict[str, str]:
    """Build as a person with these habits would; name and hash of every file."""
    command = [sys.executable, "-m", "release", "build"]
    environment = os.environ | {"TZ": zone}
    subprocess.run(command, cwd=checkout, env=environment, umask=umask, check=True)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (checkout / "dist").iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, dict[str, str]]:
    checkout = clone(tmp_path_factory.mktemp("one"))
    return checkout / "dist", release(checkout, 0o022, "UTC")


@pytest.mark.packaging
def test_a_release_has_all_that_is_published(built: tuple[pathlib.Path, dict[str, str]]) -> None:
    assert sorted(built[1]) == [
        "CHANGES.md",
        "SHA256SUMS",
        f"canary-operator-{VERSION}.tgz",
        f"canary_operator-{VERSION}-py3-none-any.whl",
        f"canary_operator-{VERSION}.tar.gz",
        "install.yaml",
        "namespace-install.yaml",
        "observe.yaml",
    ]


@pytest.mark.packaging
def test_two_builds_in_two_folders_are_the_same(
    built: tuple[pathlib.Path, dict[str, str]], tmp_path: pathlib.Path
) -> None:
    elsewhere = clone(tmp_path / "a folder" / "further down")

    assert release(elsewhere, 0o077, "Asia/Kathmandu") == built[1]


@pytest.mark.packaging
def test_the_checksums_are_those_of_the_files(built: tuple[pathlib.Path, dict[str, str]]) -> None:
    folder, hashes = built
    lines = (folder / "SHA256SUMS").read_text().splitlines()

    assert dict(reversed(line.split("  ")) for line in lines) == {
        name: digest for name, digest in hashes.items() if name != "SHA256SUMS"
    }
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)


@pytest.mark.packaging
def test_helm_reads_the_package_as_it_reads_the_folder(built: tuple[pathlib.Path, dict[str, str]]) -> None:
    helm = cache.install(only={"helm"}).programs["helm"]

    def rendered(source: pathlib.Path) -> str:
        command = [helm, "template", "canary-operator", source, "--namespace=canary-operator"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert rendered(built[0] / f"canary-operator-{VERSION}.tgz") == rendered(ROOT / "charts/canary-operator")


@pytest.mark.packaging
def test_a_new_version_is_set_committed_and_built(checkout: pathlib.Path) -> None:
    def run(*command: str) -> None:
        subprocess.run(command, cwd=checkout, check=True, capture_output=True)

    run(sys.executable, "-m", "release", "version", "17.4.12")
    author = ["-c", "user.name=maintainer", "-c", "user.email=maintainer@example.org"]
    run("git", *author, "commit", "--quiet", "--all", "--message", "Release 17.4.12")
    run(sys.executable, "-m", "release", "build", "17.4.12")

    dist = checkout / "dist"
    assert {path.name for path in dist.glob("*17.4.12*")} == {
        "canary-operator-17.4.12.tgz",
        "canary_operator-17.4.12-py3-none-any.whl",
        "canary_operator-17.4.12.tar.gz",
    }
    assert (dist / "CHANGES.md").read_text().startswith("## 17.4.12 (")
    assert not numbering.waiting(checkout)
    for name in building.MANIFESTS:
        text = (dist / name).read_text()
        assert ("canary-operator:17.4.12" in text, f"canary-operator:{VERSION}" in text) == (True, False)
