"""Rights as the rendered manifests grant them, by mode.

Law: read from the files that people apply, and from nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.cluster import Lab

MANIFESTS = Path(__file__).parents[2] / "manifests"
ACCOUNT = "canary-operator"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource; a subresource is written as ``rollouts/status``."""

    group: str
    resource: str
    verb: str

    @property
    def writes(self) -> bool:
        """Whether something is changed by it."""
        return self.verb in _WRITES

    def __str__(self) -> str:
        """As people say it: ``patch rollouts.argoproj.io/status``."""
        plural, _, subresource = self.resource.partition("/")
        return f"{self.verb} " + ".".join(filter(None, (plural, self.group))) + (subresource and f"/{subresource}")


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to install the operator, and the namespace whose account has its rights in the tests."""

    name: str
    manifest: str
    namespace: str

    def documents(self) -> list[dict[str, Any]]:
        """All objects of the manifest, with this mode's namespace wherever they name one."""
        text = (
            (MANIFESTS / self.manifest)
            .read_text()
            .replace("namespace: canary-operator", f"namespace: {self.namespace}")
        )
        return list(yaml.safe_load_all(text))

    def granted(self) -> frozenset[Right]:
        """The rights of the operator's account."""
        return _granted(self)


@functools.cache
def _granted(mode: Mode) -> frozenset[Right]:
    roles = [body for body in mode.documents() if body["kind"] in {"Role", "ClusterRole"}]
    return frozenset(right for body in roles if body["metadata"]["name"] == ACCOUNT for right in _rights(body))


CLUSTER = Mode("cluster", "install.yaml", "canary-operator")
OBSERVE = Mode("observe", "observe.yaml", "observing-operator")
NAMESPACED = Mode("namespaced", "namespace-install.yaml", "namespaced-operator")
MODES = (CLUSTER, OBSERVE, NAMESPACED)

# Two installations would each keep the other from writing, and the tests share labs.
_LEFT_OUT = frozenset({"Deployment", "Service", "ValidatingAdmissionPolicyBinding"})


def install(mode: Mode, lab: Lab) -> Path:
    """Grant the rights of a mode in a lab, without the pod and the policies. Returns a kubeconfig of the account."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": mode.namespace}}
    lab.apply(yaml.safe_dump(namespace))
    wanted = [body for body in mode.documents() if body["kind"] not in {*_LEFT_OUT, "Namespace"}]
    lab.kubectl.apply(yaml.safe_dump_all(wanted), namespace=mode.namespace)
    return lab.service_account_kubeconfig(mode.namespace, ACCOUNT)


def _rights(role: Mapping[str, Any]) -> Iterator[Right]:
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from (Right(group, resource, verb) for verb in rule["verbs"])
