"""Plan: one source of the version; whatever repeats it is on the list, says the same, and is written by one command."""

import pathlib
import re
import shutil

import pytest

import canary_operator
from release import numbering
from release.errors import ReleaseError

ROOT = pathlib.Path(__file__).parents[2]
VERSION = canary_operator.__version__
# Rendered from the chart; what is rendered is compared with the chart by tests/manifests.
RENDERED = sorted([*ROOT.glob("manifests/*install*.yaml"), ROOT / "manifests/observe.yaml"])


@pytest.fixture
def tree(tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of the places that repeat the version."""
    for place, _ in numbering.repeated(ROOT):
        path = place.split(":")[0]
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_every_place_says_the_version_of_the_package() -> None:
    places = dict(numbering.repeated(ROOT))

    assert {place: version for place, version in places.items() if version != VERSION} == {}
    files = {place.split(":")[0] for place in places}
    assert {"README.md", numbering.SOURCE, "charts/canary-operator/Chart.yaml"} <= files


@pytest.mark.parametrize("path", RENDERED, ids=lambda path: path.name)
def test_rendered_manifests_run_the_image_of_the_version(path: pathlib.Path) -> None:
    images = re.findall(r"^\s+image: \"?(.+?)\"?$", path.read_text(), re.MULTILINE)

    assert images == [f"canary-operator:{VERSION}"]


def test_a_new_version_is_written_everywhere_and_changes_nothing_else(tree: pathlib.Path) -> None:
    before = list(numbering.repeated(tree))

    numbering.write(tree, "17.4.12")

    after = list(numbering.repeated(tree))
    assert [place for place, _ in after] == [place for place, _ in before]
    assert {version for _, version in after} == {"17.4.12"}
    for path in {place.split(":")[0] for place, _ in before}:
        assert (tree / path).read_text().replace("17.4.12", VERSION) == (ROOT / path).read_text()


@pytest.mark.parametrize("version", ["", "1.2", "v1.2.3", "1.2.3rc1", "1.2.3-rc.1", "1.2.3\n"])
def test_a_version_that_python_helm_and_image_tags_read_differently_is_refused(
    tmp_path: pathlib.Path, version: str
) -> None:
    with pytest.raises(ReleaseError, match=r"should be X\.Y\.Z"):
        numbering.set_version(tmp_path, version)


def test_a_version_without_a_change_is_refused(tree: pathlib.Path) -> None:
    with pytest.raises(ReleaseError, match="changes/ is empty"):
        numbering.set_version(tree, "17.4.12")

    assert {version for _, version in numbering.repeated(tree)} == {VERSION}
