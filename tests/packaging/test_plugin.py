"""Plan: the real kubectl finds the plugin that pip installed, by the name that people type."""

import os
import subprocess
import sysconfig

import pytest

import canary_operator
from lab.programs import cache

pytestmark = pytest.mark.packaging


def kubectl(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = cache.install(only={"kubectl"}).programs["kubectl"]
    environment = os.environ | {"PATH": sysconfig.get_path("scripts")}
    return subprocess.run([program, *arguments], env=environment, check=False, capture_output=True, text=True)


def test_kubectl_runs_it_under_the_name_with_a_dash() -> None:
    answer = kubectl("canary-gate", "version")

    assert (answer.stdout, answer.returncode) == (f"{canary_operator.__version__}\n", 0)


def test_its_usage_is_what_was_typed() -> None:
    assert "Usage: kubectl canary-gate " in kubectl("canary-gate", "--help").stdout


def test_kubectl_lists_it_and_has_nothing_to_warn_of() -> None:
    answer = kubectl("plugin", "list")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "/kubectl-canary_gate\n" in answer.stdout
