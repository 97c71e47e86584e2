"""Plan: rights are read from the manifests; only the operator's own requests count; a write that is not used fails."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from canary_operator.cluster.calls import required_rights, required_rights_at_home
from tests.rights.__main__ import compare
from tests.rights.granted import CLUSTER, MODES, NAMESPACED, OBSERVE, Mode, Right

HOLD = Right("argoproj.io", "rollouts/status", "patch")
CLIENT = "OpenAPI-Generator/37.0.2/python"


def an_event(mode: Mode, right: Right, *, client: str = CLIENT, decision: str = "allow") -> str:
    resource, _, subresource = right.resource.partition("/")
    about = {"resource": resource, "subresource": subresource, "apiGroup": right.group, "namespace": "shop"}
    return json.dumps(
        {
            "verb": right.verb,
            "user": {"username": f"system:serviceaccount:{mode.namespace}:canary-operator"},
            "userAgent": client,
            "objectRef": {key: value for key, value in about.items() if value},
            "annotations": {"authorization.k8s.io/decision": decision},
        }
    )


@pytest.fixture
def everything() -> dict[tuple[str, Right], str]:
    return {(mode.name, right): an_event(mode, right) for mode in MODES for right in mode.granted()}


def written(folder: Path, events: Iterable[str]) -> Path:
    """A folder of logs, half of them of another lab."""
    events = list(events)
    (folder / "own-lab").mkdir()
    (folder / "requests.log").write_text("".join(f"{event}\n" for event in events[::2]))
    (folder / "own-lab" / "requests-1.log").write_text("".join(f"{event}\n" for event in events[1::2]))
    return folder


def test_the_rights_of_the_cluster_mode_are_those_that_follow_from_the_calls() -> None:
    rights = {**required_rights(), **required_rights_at_home()}
    required = {Right(group, place, verb) for (group, place), verbs in rights.items() for verb in verbs}

    assert CLUSTER.granted() == required


def test_an_observer_has_the_same_rights_but_that_to_write_to_rollouts() -> None:
    assert CLUSTER.granted() - OBSERVE.granted() == {HOLD}
    assert OBSERVE.granted() - CLUSTER.granted() == frozenset()


def test_the_namespaced_mode_has_the_same_rights_but_for_what_is_of_the_cluster() -> None:
    missing = CLUSTER.granted() - NAMESPACED.granted()

    assert {right.resource for right in missing} == {"clusteranalysistemplates"}
    assert NAMESPACED.granted() - CLUSTER.granted() == frozenset()


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_no_mode_may_read_secrets_or_grant_itself_anything(mode: Mode) -> None:
    for right in mode.granted():
        assert "*" not in {right.verb, right.group, right.resource}
        assert right.group != "rbac.authorization.k8s.io"
        assert right.resource.partition("/")[0] not in {"secrets", "serviceaccounts", "pods/exec"}


def test_rights_that_are_all_used_are_fine(tmp_path: Path, everything: dict[tuple[str, Right], str], capsys) -> None:
    assert compare(written(tmp_path, everything.values())) == 0
    assert capsys.readouterr().out == ""


def test_a_right_to_write_that_no_test_used_fails(tmp_path: Path, everything, capsys) -> None:
    del everything["namespaced", HOLD]

    assert compare(written(tmp_path, everything.values())) == 1
    said = "namespaced: granted and not used by any test: patch rollouts.argoproj.io/status (it can write)\n"
    assert capsys.readouterr().out == said


def test_a_right_to_read_that_no_test_used_is_told(tmp_path: Path, everything, capsys) -> None:
    del everything["cluster", Right("", "configmaps", "get")]

    assert compare(written(tmp_path, everything.values())) == 0
    assert capsys.readouterr().out == "cluster: granted and not used by any test: get configmaps\n"


@pytest.mark.parametrize(
    "another", [{"client": "python-requests/2.34"}, {"client": "kubectl/v1.34.1"}, {"decision": "forbid"}]
)
def test_what_a_test_asks_for_itself_or_is_refused_is_no_use(tmp_path: Path, everything, another) -> None:
    everything["cluster", HOLD] = an_event(CLUSTER, HOLD, **another)

    assert compare(written(tmp_path, everything.values())) == 1


def test_without_a_log_nothing_is_proved(tmp_path: Path, capsys) -> None:
    assert compare(tmp_path) == 1
    (tmp_path / "requests.log").touch()
    assert compare(tmp_path) == 1
    assert "no audit log" in capsys.readouterr().err
