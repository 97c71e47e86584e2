"""The shipped ServiceAccount may do what the operator does, and nothing else."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from canary_operator.cluster.calls import required_rights
from tests.e2e.stage import ARGO, MERGE, OURS, Objects, Stage

Rights = dict[tuple[str, str], set[str]]


@pytest.fixture
def operator(stage: Stage, tmp_path: Path) -> Objects:
    """The API server under the token of the shipped ServiceAccount."""
    return Objects(stage.identity, tmp_path)


def rights(identity: Objects, namespace: str) -> Rights:
    """What an identity may do in a namespace, as the API server says."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = identity.post("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)["status"]
    assert not status["incomplete"]
    found: Rights = defaultdict(set)
    for rule in status["resourceRules"]:
        # A right to single objects is none to all of them.
        names = [f"#{name}" for name in rule.get("resourceNames") or ()] or [""]
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in names:
                    found[group, resource + name] |= set(rule["verbs"])
    return found


def test_the_rights_are_exactly_those_that_follow_from_the_calls(stage: Stage, operator: Objects) -> None:
    nobody = Objects(stage.lab.service_account_kubeconfig(stage.namespace, "nobody"), stage.folder)
    everybodys = rights(nobody, stage.namespace)

    found = rights(operator, stage.namespace)

    own = {place: verbs - everybodys.get(place, set()) for place, verbs in found.items()}
    assert {place: verbs for place, verbs in own.items() if verbs} == {
        place: set(verbs) for place, verbs in required_rights().items()
    }


FORBIDDEN = [
    ("PATCH", "{argo}/rollouts/web"),
    ("PUT", "{argo}/rollouts/web/status"),
    ("DELETE", "{argo}/rollouts/web"),
    ("PATCH", "{argo}/rollouts/web/scale"),
    ("PATCH", "{argo}/analysistemplates/errors"),
    ("GET", "{core}/secrets"),
    ("GET", "{core}/secrets/token"),
    ("GET", "{core}/configmaps"),
    ("GET", "{core}/pods/web"),
    ("GET", "{core}/pods/web/log"),
    ("POST", "{core}/pods/web/exec"),
    ("POST", "{core}/serviceaccounts/default/token"),
    ("PATCH", "{ours}/canarygates/web"),
    ("PATCH", "{ours}/gatedecisions/one"),
    ("PATCH", "{ours}/slopolicies/policy"),
    ("PATCH", "{apps}/replicasets/web"),
    ("PATCH", "{apps}/deployments/web"),
]


def test_the_operator_may_not_read_secrets_or_change_what_people_write(stage: Stage, operator: Objects) -> None:
    inside = f"namespaces/{stage.namespace}"
    places = {
        "argo": f"{ARGO}/{inside}",
        "ours": f"{OURS}/{inside}",
        "core": f"/api/v1/{inside}",
        "apps": f"/apis/apps/v1/{inside}",
    }
    allowed = []
    for method, path in FORBIDDEN:
        body = None if method in {"GET", "DELETE"} else {}
        kind = MERGE if method == "PATCH" else "application/json"
        answer = operator.ask(method, path.format(**places), body, kind)
        if answer.status_code != 403:
            allowed.append((method, path, answer.status_code))
    assert allowed == []


def test_the_operator_may_write_the_status_of_a_rollout_and_nothing_else_of_it(stage: Stage, operator: Objects) -> None:
    stage.rollout(gate=None)

    written = operator.ask(
        "PATCH", f"{stage.path()}/status", {"spec": {"replicas": 5}, "status": {"message": "looked at"}}, MERGE
    )

    assert written.status_code == 200
    assert stage.get()["spec"]["replicas"] == 2
