"""The records that a command is about: those of the cluster, or of a file with one GateDecision on each line.

Law: reads. Gates are read before their records, so that what is written meanwhile is more than a gate says, never less.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canary_operator.cluster import kinds
from canary_operator.cluster.api import Api
from canary_operator.cluster.credentials import load_credentials
from canary_operator.errors import ConfigurationError
from canary_operator.journal.chain import Stored
from canary_operator.model.gate import GateStatus, parse_gate_status
from canary_operator.model.rollout import RolloutRef


@dataclass(frozen=True, slots=True)
class Trail:
    """The records of one Rollout, oldest first, and what its gate remembers; None where no gate remembers any."""

    ref: RolloutRef
    uid: str
    records: tuple[Stored, ...]
    gate: GateStatus | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: of these namespaces (empty for all), of one Rollout (empty for all), of a file or the cluster."""

    namespaces: tuple[str, ...] = ()
    rollout: str = ""
    file: Path | None = None


async def trails(wanted: Wanted) -> tuple[Trail, ...]:
    """All chains that are wanted.

    Raises:

        ConfigurationError: the file cannot be read.

        ClusterError: the cluster cannot be asked.
    """
    if wanted.file is not None:
        return _trails(wanted, _lines(wanted.file), {})
    api = Api(load_credentials())
    try:
        return await _of_cluster(api, wanted)
    finally:
        await api.close()


async def _of_cluster(api: Api, wanted: Wanted) -> tuple[Trail, ...]:
    places: list[str | None] = [*wanted.namespaces] or [None]
    gates: dict[tuple[RolloutRef, str], GateStatus] = {}
    for place in places:
        for body in (await api.list_watched(kinds.CANARY_GATES, place)).items:
            status = parse_gate_status(body)
            if status.rollout is not None and status.sequence > 0:
                gates[RolloutRef(body["metadata"]["namespace"], body["metadata"]["name"]), status.rollout.uid] = status
    bodies = [body for place in places for body in await api.list_decisions(place)]
    return _trails(wanted, bodies, gates)


def _trails(
    wanted: Wanted, bodies: Iterable[Mapping[str, Any]], gates: Mapping[tuple[RolloutRef, str], GateStatus]
) -> tuple[Trail, ...]:
    found: dict[tuple[RolloutRef, str], list[Stored]] = {key: [] for key in gates}
    for body in bodies:
        meta, spec = body["metadata"], body["spec"]
        ref = RolloutRef(meta["namespace"], str(spec.get("rolloutName")))
        stored = Stored(ref, meta["name"], spec)
        chain = found.setdefault((ref, str(spec["rollout"]["uid"])), [])
        # A record may be handed on twice.
        if wanted.file is None or stored not in chain:
            chain.append(stored)
    return tuple(
        Trail(ref, uid, _in_order(chain), gates.get((ref, uid)))
        for (ref, uid), chain in sorted(found.items())
        if wanted.rollout in ("", ref.name) and (not wanted.namespaces or ref.namespace in wanted.namespaces)
    )


def _in_order(chain: Sequence[Stored]) -> tuple[Stored, ...]:
    return tuple(sorted(chain, key=lambda each: int(each.spec["sequence"])))


def _lines(file: Path) -> Iterable[Mapping[str, Any]]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file}: cannot be read: {error}") from error
    return [_line(line, f"{file}:{at}") for at, line in enumerate(text.splitlines(), 1) if line.strip()]


def _line(text: str, place: str) -> Mapping[str, Any]:
    try:
        body = json.loads(text)
        known = (body["metadata"]["name"], body["metadata"]["namespace"], body["spec"]["rollout"]["uid"])
        assert all(isinstance(each, str) for each in known)
        int(body["spec"]["sequence"])
    except (ValueError, TypeError, KeyError, AssertionError) as error:
        raise ConfigurationError(f"{place}: is no GateDecision as JSON: {error!r:.100}") from error
    return dict(body)
