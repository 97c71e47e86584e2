"""Plan: the Dockerfile's own steps, done in a folder, give an operator that runs where nothing may be written.

Not tested here, because no engine is there: the base image itself, layers, and what the engine makes of labels.
"""

import json
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import pytest
import yaml

import canary_operator
from tests.packaging import stages

# The first test waits for some 90 packages, and shares the machine.
pytestmark = [pytest.mark.packaging, pytest.mark.timeout(1800)]

BUILD, INVENTORY, _, IMAGE = stages.read(stages.ROOT / "Dockerfile")
NOBODY = 65532

Start = Callable[..., subprocess.CompletedProcess[str]]


def an_open_folder() -> pathlib.Path:
    """Not one of pytest's, which are closed to other users."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="canary-operator-image-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def ground() -> Iterator[stages.Ground]:
    folder = an_open_folder()
    yield stages.Ground(folder)
    subprocess.run(["chmod", "-R", "u+w", folder], check=True)
    shutil.rmtree(folder)


@pytest.fixture
def mounted() -> Iterator[pathlib.Path]:
    """The folder that stands for a mounted ConfigMap."""
    folder = an_open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def inventory(ground: stages.Ground) -> dict[str, str]:
    """Name and version of every component that the SBOM lists."""
    ground.begin(stages.interpreter(BUILD.base))
    ground.perform(BUILD)
    ground.perform(INVENTORY)
    bill = json.loads((ground.folder / "src/sbom.cdx.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    return {component["name"].lower(): component["version"] for component in bill["components"]}


@pytest.fixture(scope="module")
def image(ground: stages.Ground, inventory: dict[str, str]) -> stages.Ground:
    """The last stage, after its sources are gone, and without a right to write for anybody."""
    shutil.rmtree(ground.folder / "src")
    ground.begin(stages.interpreter(IMAGE.base))
    ground.perform(IMAGE)
    subprocess.run(["chmod", "-R", "a-w", ground.folder], check=True)
    return ground


@pytest.fixture(scope="module")
def confined() -> list[str]:
    """What to put before a command so that it runs as the image's user below a read-only root; nothing if one may not.

    The right to search folders is kept, since the Python that stands for the base image may lie in a closed home.
    """
    user = f"--reuid={NOBODY} --regid={NOBODY} --clear-groups"
    rights = "--inh-caps=+dac_read_search --ambient-caps=+dac_read_search"
    script = f'mount -o remount,bind,ro / && exec setpriv {user} {rights} "$@"'
    prefix = ["unshare", "--mount", "sh", "-c", script, "sh"]
    allowed = shutil.which("unshare") and subprocess.run([*prefix, "true"], check=False, capture_output=True)
    return prefix if allowed and allowed.returncode == 0 else []


@pytest.fixture
def start(image: stages.Ground, confined: list[str]) -> Start:
    """Run the entry point with arguments, without a cluster, where nothing can be written."""
    program = image.folder / "opt/canary-operator/bin" / IMAGE.argv("ENTRYPOINT")[0]
    variables = image.variables | {"HOME": "/", "KUBECONFIG": str(image.folder / "none"), "TMPDIR": str(image.folder)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*confined, str(program), *arguments]
        return subprocess.run(command, env=variables, cwd="/", capture_output=True, text=True, check=False, timeout=120)

    return run


def test_it_knows_its_version(start: Start) -> None:
    answer = start("version")

    assert (answer.stdout, answer.stderr, answer.returncode) == (f"{canary_operator.__version__}\n", "", 0)


def test_without_a_cluster_it_says_so_in_a_sentence(start: Start) -> None:
    answer = start("run", "--once")

    assert answer.returncode == 3
    assert answer.stderr.startswith("canary-operator: ")
    assert "Traceback" not in answer.stdout + answer.stderr


@pytest.mark.parametrize("manifest", ["install.yaml", "namespace-install.yaml", "observe.yaml"])
def test_the_command_of_a_manifest_runs_up_to_the_missing_cluster(
    start: Start, mounted: pathlib.Path, manifest: str
) -> None:
    bodies = {body["kind"]: body for body in yaml.safe_load_all((stages.ROOT / "manifests" / manifest).read_text())}
    (container,) = bodies["Deployment"]["spec"]["template"]["spec"]["containers"]
    (mount,) = (mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "config")
    for name, text in bodies["ConfigMap"]["data"].items():
        (mounted / name).write_text(text)

    answer = start(*(argument.replace(mount, str(mounted)) for argument in container["args"]))

    assert "command" not in container
    assert answer.returncode == 3
    assert answer.stderr.startswith("canary-operator: no credentials for the API server: ")


def test_everything_is_compiled_and_everybody_may_read_it(image: stages.Ground) -> None:
    environment = image.folder / "opt/canary-operator"
    sources = list(environment.glob("lib/**/*.py"))

    assert len(sources) > 1000
    for source in sources:
        compiled = list((source.parent / "__pycache__").glob(f"{source.stem}.cpython-*.pyc"))
        # The second word is 1 where a file is known by a hash that nobody compares (PEP 552).
        assert [path.read_bytes()[4:8] for path in compiled] == [b"\x01\x00\x00\x00"], source
        assert all(path.stat().st_mode & 0o444 == 0o444 for path in (source, *compiled)), source


def test_it_holds_what_the_lock_names_and_nothing_else(image: stages.Ground, inventory: dict[str, str]) -> None:
    lines = (stages.ROOT / "requirements/run.lock").read_text().splitlines()
    locked = dict(line.split(" ")[0].split("==") for line in lines if line[:1].isalnum())
    listed = {name.replace("_", "-"): version for name, version in inventory.items()}

    assert listed == {name.split("[")[0]: version for name, version in locked.items()} | {
        "canary-operator": canary_operator.__version__
    }


def test_nothing_installs_into_it_later(image: stages.Ground) -> None:
    assert not list(image.folder.glob("usr/local/bin/pip*"))
    assert not list(image.folder.glob("opt/canary-operator/bin/pip*"))
