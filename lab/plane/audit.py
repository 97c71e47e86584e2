"""What the API server writes down about requests: of ServiceAccounts outside of kube-system, who asked for what.

Law: names and verbs only, no bodies. The administrator, Argo and the traffic world are not ServiceAccounts here.
"""

from __future__ import annotations

import yaml

_RULES = [
    # The controllers of Kubernetes itself have accounts of their own.
    {"level": "None", "userGroups": ["system:serviceaccounts:kube-system"]},
    {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
    {"level": "None"},
]


def policy() -> str:
    """Return the API server's audit policy. A watch is written down when it begins, as it may never end."""
    return yaml.safe_dump(
        {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"], "rules": _RULES}
    )
