"""When two states are the same: times count from now, long ago is long ago, names of decisions are their order.

Law: pure. What no code of the protocol reads (sentences, histories, hashes) is left out.
"""

import functools
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from canary_operator.model import durations
from canary_operator.model.pause import FIRST_SHIFT_SECONDS, SECOND_SHIFT_SECONDS
from tests.builders import T0
from tests.protocol.nouns import Cycle, Replica, State
from tests.protocol.scopes import PAUSE

# Older than every time that anything waits for; the order of what is older still tells equal from different.
OLD = PAUSE + 8.0

_SPECIAL = re.compile(r'"(\d{4}-\d\d-\d\dT[\d:.]+Z)"|\b([0-9a-f]{16})\b|"sequence":(\d+)')
_UNREAD = frozenset(
    [
        "history",
        "conditions",
        "message",
        "recordHash",
        "value",
        "towardsAbort",
        "towardsPromote",
        "digest",
        "error",
        "consecutiveError",
        "analysisRun",
        "observedGeneration",
        "hash",
        "previousHash",
        "operatorVersion",
        "source",
        "recent",
    ]
)


@dataclass(frozen=True, slots=True)
class Taken:
    """A text taken apart: what stays, its times, its decisions, and its place in the chain."""

    rest: str
    times: tuple[float, ...] = ()
    decisions: tuple[str, ...] = ()
    places: tuple[int, ...] = ()


def key_of(state: State) -> bytes:
    """What is equal for states that go on in the same way."""
    parts = [*_parts(state)]
    head = len(state.cluster.records)
    ages = _ages({at for part in parts for at in part.times}, state.now)
    names: dict[str, int] = {}
    text = [
        "\x1f".join(
            (
                part.rest,
                *(ages[at] for at in part.times),
                *(str(names.setdefault(each, len(names))) for each in part.decisions),
                *(str(place - head) for place in part.places),
            )
        )
        for part in parts
    ]
    return hashlib.blake2b("\x1e".join(text).encode(), digest_size=16).digest()


def _ages(times: set[float], now: float) -> dict[float, str]:
    """Names of times: milliseconds from now, and their order where they are the same or long ago."""
    names: dict[float, str] = {}
    last, order = "", 0
    for at in sorted(times):
        age = "old" if at < now - OLD else f"{at - now:.3f}"
        order = order + 1 if age == last else 0
        names[at], last = f"{age} {order}", age
    return names


def _parts(state: State) -> Iterable[Taken]:
    cluster, argo = state.cluster, state.argo
    texts = (cluster.objects.rollout, cluster.objects.gate, cluster.objects.wish, *cluster.records[-3:])
    yield from map(taken, (*texts, argo.cache, argo.heard, argo.in_hand))
    for replica in state.replicas:
        yield from _replica(replica, cluster.lease.version)
    yield from _truth(state)
    yield Taken(f"{cluster.lease.holder} {argo.due} {state.faults} {state.acts}")


def _truth(state: State) -> Iterable[Taken]:
    truth, spot = state.truth, state.truth.spot
    if spot is not None:
        yield Taken(f"{spot.pod_hash} {spot.step}", (spot.start,))
    flags = (truth.licence.name, truth.good, truth.attended, *sorted(truth.bad), *sorted(truth.meddled), truth.wrong)
    known = (*truth.applied, *truth.recorded)
    told = f"{len(truth.applied)} {' '.join(each for _, each in known)}"
    yield Taken(f"{flags} {told}", decisions=tuple(each for each, _ in known))


def _replica(replica: Replica, version: int) -> Iterable[Taken]:
    flags = (replica.alive, replica.frozen.name, replica.deaf, replica.news, replica.lease_version == version)
    # No look is due for ever, and a fence that is closed does not say since when.
    yield Taken(f"{flags}", (replica.next_look, replica.fence, replica.lease_since))
    yield from map(taken, (replica.objects.rollout, replica.objects.gate, replica.objects.wish))
    if replica.cycle is not None:
        yield from _cycle(replica.cycle)


def _cycle(cycle: Cycle) -> Iterable[Taken]:
    yield Taken(cycle.answer, (cycle.at,))
    yield from map(taken, (cycle.objects.rollout, cycle.objects.gate, cycle.objects.wish))
    for reply in cycle.replies:
        yield Taken(str(reply.answered))
        yield taken(reply.text)


@functools.lru_cache(200_000)
def taken(text: str) -> Taken:
    """A text of an object, taken apart; what is only told to people is left out."""
    read = _read(text) if text.startswith(("{", "[")) else text
    times: list[float] = []
    decisions: list[str] = []
    places: list[int] = []

    def take(found: re.Match[str]) -> str:
        time, decision, place = found.groups()
        if time:
            shift, at = _unshifted(durations.parse_time(time))
            times.append(at)
            return f"time {shift}"
        decisions.append(decision) if decision else places.append(int(place))
        return "decision" if decision else "place"

    rest = _SPECIAL.sub(take, read)
    return Taken(rest, tuple(times), tuple(decisions), tuple(places))


def _unshifted(at: float) -> tuple[str, float]:
    for name, shift in (("second", SECOND_SHIFT_SECONDS), ("first", FIRST_SHIFT_SECONDS)):
        if at > T0 + shift - 1e9:
            return name, at - shift
    return "", at


def _read(text: str) -> str:
    found = json.loads(text)
    is_rollout = isinstance(found, dict) and found.get("kind") == "Rollout"
    return text if is_rollout else json.dumps(_stripped(found), sort_keys=True, separators=(",", ":"))


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        return {key: _stripped(each) for key, each in value.items() if key not in _UNREAD}
    return [_stripped(each) for each in value] if isinstance(value, list) else value
