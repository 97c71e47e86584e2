"""Plan: the policies believe the account of the installation, whatever it is called, and come only where they can."""

import pathlib
import subprocess
from typing import Any

import pytest
import yaml

from lab.programs import cache

# Helm is built from a Go module.
pytestmark = pytest.mark.e2e

CHART = pathlib.Path(__file__).parents[2] / "charts" / "canary-operator"
KINDS = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def policies(*options: str, release: str = "canary-operator") -> dict[tuple[str, str], dict[str, Any]]:
    """The policies and bindings of a rendering, by kind and name."""
    helm = cache.install(only={"helm"}).programs["helm"]
    command = [str(helm), "template", release, str(CHART), "--namespace=gates", *options]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    bodies = [body for body in yaml.safe_load_all(text) if body and body["kind"] in KINDS]
    return {(body["kind"], body["metadata"]["name"]): body["spec"] for body in bodies}


@pytest.mark.parametrize(
    ("options", "account"),
    [
        ((), "system:serviceaccount:gates:shop-canary-operator"),
        (("--set=serviceAccount.name=keeper",), "system:serviceaccount:gates:keeper"),
        (
            ("--set=serviceAccount.create=false", "--set=serviceAccount.name=given"),
            "system:serviceaccount:gates:given",
        ),
    ],
)
def test_the_account_of_the_installation_is_the_one_that_may_write(options: tuple[str, ...], account: str) -> None:
    found = policies(*options, release="shop")

    (condition,) = found["ValidatingAdmissionPolicy", "shop-canary-operator-records"]["matchConditions"]
    assert condition["expression"] == f"request.userInfo.username != '{account}'"


def test_whoever_may_delete_the_policy_itself_is_an_administrator() -> None:
    found = policies(release="shop")

    rules = [
        each["expression"] for each in found["ValidatingAdmissionPolicy", "shop-canary-operator-records"]["validations"]
    ]
    assert ".name('shop-canary-operator-records')" in rules[-1]


def test_every_policy_is_bound_and_denies() -> None:
    found = policies()

    names = {name for kind, name in found if kind == "ValidatingAdmissionPolicy"}
    assert names == {f"canary-operator-{each}" for each in ("annotations", "records", "overrides")}
    for name in names:
        binding = found["ValidatingAdmissionPolicyBinding", name]
        assert binding == {"policyName": name, "validationActions": ["Deny"]}


@pytest.mark.parametrize(
    "option",
    ["--set=admissionPolicies.enabled=false", "--set=namespaces={shop}", "--kube-version=1.29.0"],
)
def test_there_are_none_where_they_are_not_wanted_or_cannot_be(option: str) -> None:
    assert policies(option) == {}
