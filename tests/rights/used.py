"""Rights as the API servers of the labs saw them used: their audit logs.

Law: only what the operator's own clients asked for counts; what a test asks for under the operator's name does not.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lab.cluster import Lab
from lab.starting import find
from tests.rights.granted import ACCOUNT, Mode, Right

# The official client's, and kopf's.
_CLIENTS = ("OpenAPI-Generator/", "kopf/")


def keep(lab: Lab) -> None:
    """Put the logs of a test's own lab beside those of the lab that the tests share, where there is one."""
    if name := os.environ.get("LAB_NAME"):
        shutil.copytree(lab.audit_logs, find(name).audit_logs / lab.folder.name)


def used(folder: Path, mode: Mode) -> frozenset[Right]:
    """The rights that the account of a mode has used, in all logs of a folder and of those within."""
    user = f"system:serviceaccount:{mode.namespace}:{ACCOUNT}"
    return frozenset(_right(event) for event in _events(folder) if _is_of(event, user))


def has_logs(folder: Path) -> bool:
    """Whether anything was written down at all."""
    return any(file.stat().st_size for file in _logs(folder))


def _logs(folder: Path) -> Iterator[Path]:
    # The API server renames a log of 100 MB.
    return folder.rglob("requests*.log")


def _events(folder: Path) -> Iterator[Mapping[str, Any]]:
    for log in _logs(folder):
        with log.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _is_of(event: Mapping[str, Any], user: str) -> bool:
    allowed = event["annotations"].get("authorization.k8s.io/decision") == "allow"
    ours = event.get("userAgent", "").startswith(_CLIENTS)
    return allowed and ours and event["user"]["username"] == user and "resource" in event.get("objectRef", {})


def _right(event: Mapping[str, Any]) -> Right:
    about = event["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    return Right(about.get("apiGroup", ""), resource, event["verb"])
