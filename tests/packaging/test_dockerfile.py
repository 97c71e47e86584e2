"""Plan: what can be said of the image without an engine: a linter, and what Kubernetes and plain docker ask of it."""

import pathlib
import re
import subprocess
import sysconfig

import pytest

from tests.packaging import stages

ROOT = stages.ROOT
STAGES = stages.read(ROOT / "Dockerfile")
IMAGE = STAGES[-1]


def test_the_linter_has_nothing_to_say() -> None:
    hadolint = pathlib.Path(sysconfig.get_path("scripts")) / "hadolint"
    answer = subprocess.run([hadolint, "--no-color", ROOT / "Dockerfile"], check=False, capture_output=True, text=True)

    assert (answer.returncode, answer.stdout) == (0, "")


def test_plain_docker_and_buildkit_read_the_same() -> None:
    text = (ROOT / "Dockerfile").read_text()

    assert not re.findall(r"^#\s*syntax=|--mount|--chmod|--link|--parents|<<", text, flags=re.MULTILINE)


def test_it_runs_as_a_number_that_is_not_root_so_that_kubernetes_can_tell() -> None:
    assert IMAGE.all("USER") == ["65532:65532"]


def test_it_starts_without_a_shell_and_without_writing_bytecode() -> None:
    assert (IMAGE.argv("ENTRYPOINT"), IMAGE.argv("CMD")) == (["canary-operator"], ["run"])
    assert "PYTHONDONTWRITEBYTECODE=1" in IMAGE.all("ENV")[0]


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("title", "canary-operator"),
        ("licenses", "Apache-2.0"),
        ("version", "$VERSION"),
        ("revision", "$REVISION"),
        ("created", "$CREATED"),
    ],
)
def test_its_labels_are_those_of_opencontainers(label: str, value: str) -> None:
    assert f'org.opencontainers.image.{label}="{value}"' in IMAGE.all("LABEL")[0]
    assert value[0] != "$" or value[1:] in IMAGE.all("ARG")


def test_only_the_environment_comes_from_the_stage_that_builds() -> None:
    assert IMAGE.all("COPY") == ["--from=build /opt/canary-operator /opt/canary-operator"]


@pytest.mark.parametrize(
    "command",
    [
        command
        for stage in STAGES
        for run in stage.all("RUN")
        for command in run.split("&&")
        if re.search(r"\bpip\b.*\binstall\b", command)
    ],
)
def test_what_is_installed_is_locked_by_hashes_or_lies_there(command: str) -> None:
    assert "--no-deps" in command
    assert "--require-hashes" in command or "--no-index" in command


def test_what_is_sent_to_the_engine_is_what_the_dockerfile_copies() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    copied = [
        source
        for stage in STAGES
        for value in stage.all("COPY")
        if "--from" not in value
        for source in value.split()[:-1]
    ]

    assert sorted(line[1:] for line in ignored if line.startswith("!")) == sorted(copied)
    assert ignored.index("*") < ignored.index("!canary_operator") < ignored.index("**/__pycache__")
