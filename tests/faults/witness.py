"""Everything that the API server ever said of the Rollouts of a namespace, in its order.

Law: sees every version; judges none.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import requests

from tests.e2e.stage import ARGO, Stage


@dataclass(frozen=True, slots=True)
class Version:
    """What one version of a Rollout says about its release."""

    image: str
    pod_hash: str
    step_hash: str
    index: int
    is_paused: bool
    is_over: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """A pause that a release has left for the next step, and whether it was ever seen to pause there."""

    name: str
    image: str
    pod_hash: str
    index: int
    was_paused: bool


class Witness:
    """Watches, in a thread of its own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._path = f"{ARGO}/namespaces/{stage.namespace}/rollouts"
        self._newest: dict[str, str] = {}
        self.versions: dict[str, list[Version]] = {}
        listing = stage.admin.get(self._path) or {}
        self._answer = self._watch(listing["metadata"]["resourceVersion"])
        threading.Thread(target=self._look, name="witness", daemon=True).start()

    def settle(self) -> None:
        """Wait until everything that is so now was seen."""
        now = {body["metadata"]["name"]: body["metadata"]["resourceVersion"] for body in self._bodies()}
        self._stage.until(
            lambda: all(int(self._newest.get(name, 0)) >= int(version) for name, version in now.items()),
            "the witness to have seen everything",
        )

    def close(self) -> None:
        """Look away."""
        self._answer.close()

    def passes(self, pauses: Sequence[int]) -> Iterator[Pass]:
        """Every pause that was left for the next step, of releases that were not over by a full promotion or an abort.

        Args:

            pauses: the indices of the steps that are pauses.
        """
        for name, versions in self.versions.items():
            yield from _passes(name, versions, pauses)

    def _bodies(self) -> list[dict[str, Any]]:
        return list((self._stage.admin.get(self._path) or {}).get("items") or ())

    def _watch(self, since: str) -> requests.Response:
        admin = self._stage.admin
        url = f"{admin.server}{self._path}?watch=1&resourceVersion={since}"
        headers = {"Authorization": f"Bearer {admin.token}"}
        answer = requests.get(url, headers=headers, verify=str(admin.ca), stream=True, timeout=(5, 600))
        answer.raise_for_status()
        return answer

    def _look(self) -> None:
        # The stream is closed under its reader at the end.
        with contextlib.suppress(requests.RequestException, AttributeError, ValueError, OSError):
            for line in self._answer.iter_lines(chunk_size=None):
                self._note(json.loads(line)["object"])

    def _note(self, body: dict[str, Any]) -> None:
        name, status = body["metadata"]["name"], body.get("status") or {}
        self._newest[name] = body["metadata"]["resourceVersion"]
        pod_hash = str(status.get("currentPodHash"))
        version = Version(
            image=body["spec"]["template"]["spec"]["containers"][0]["image"],
            pod_hash=pod_hash,
            step_hash=str(status.get("currentStepHash")),
            index=int(status.get("currentStepIndex") or 0),
            is_paused=bool(status.get("pauseConditions")),
            is_over=bool(status.get("abort") or status.get("promoteFull")) or status.get("stableRS") == pod_hash,
        )
        self.versions.setdefault(name, []).append(version)


def _passes(name: str, versions: Sequence[Version], pauses: Sequence[int]) -> Iterator[Pass]:
    paused: set[tuple[str, str, int]] = set()
    full = ""
    for before, after in pairwise(versions):
        at = (before.pod_hash, before.step_hash, before.index)
        if before.is_paused:
            paused.add(at)
        if before.is_over:
            full = before.pod_hash
        same = (before.pod_hash, before.step_hash) == (after.pod_hash, after.step_hash)
        if same and after.index > before.index and before.index in pauses and before.pod_hash != full:
            yield Pass(name, before.image, before.pod_hash, before.index, at in paused)
        if after.index < before.index or not same:
            paused, full = set(), "" if not same or not after.is_over else full


@contextlib.contextmanager
def watching(stage: Stage) -> Iterator[Witness]:
    """A witness that looks away at the end of the block."""
    witness = Witness(stage)
    try:
        yield witness
    finally:
        witness.close()
