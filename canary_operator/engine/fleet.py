"""The fleet: at most so many releases at once, first come first served, and a brake when several were aborted.

Whose turn it is follows from when each release was first seen, which its gate remembers. So that two gates that begin
at the same time agree, a place counts only once every older one is written down.

Law: pure. Nothing here ever delays an abort.
"""

import math
from collections import Counter
from collections.abc import Iterable

from canary_operator.engine import memory
from canary_operator.engine.delaying import Delay
from canary_operator.model import durations
from canary_operator.model.decision import Snapshot
from canary_operator.model.fleet import Aborted, Brake, Fleet, FleetRules, Peer
from canary_operator.model.rollout import RolloutRef
from canary_operator.model.verdict import Finding, HoldReason

# Longer than writing down a place may take: who is not known by then begins later. Seconds.
SETTLES_SECONDS = 10.0
# Aborts that a brake remembers and names at most, if it counts fewer.
_NAMED = 10


def turns(peers: Iterable[Peer], rules: FleetRules) -> tuple[RolloutRef, ...]:
    """Who may go on: those that began first, as many as the cluster and each namespace may have."""
    begun = sorted((peer.since, peer.ref) for peer in peers if peer.since is not None)
    cluster = math.inf if rules.per_cluster is None else rules.per_cluster
    each = math.inf if rules.per_namespace is None else rules.per_namespace
    running: list[RolloutRef] = []
    by_namespace: Counter[str] = Counter()
    for _, ref in begun:
        if len(running) < cluster and by_namespace[ref.namespace] < each:
            running.append(ref)
            by_namespace[ref.namespace] += 1
    return tuple(running)


def newest(peers: Iterable[Peer], brake: Brake | None) -> tuple[Aborted, ...]:
    """The last aborts, as many as a brake needs to know."""
    if brake is None:
        return ()
    found = sorted((peer.aborted for peer in peers if peer.aborted), key=lambda each: (-each.at, each.ref))
    return tuple(found[: max(_NAMED, brake.aborts)])


def delays(snapshot: Snapshot, now: float) -> tuple[Delay, ...]:
    """What a release delays for because of others."""
    found = (_braked(snapshot.fleet, now), _turn(snapshot, now))
    return tuple(delay for delay in found if delay is not None)


def _braked(fleet: Fleet, now: float) -> Delay | None:
    brake = fleet.rules.brake
    if brake is None:
        return None
    recent = [each for each in fleet.aborted if each.at > now - brake.within]
    if len(recent) < brake.aborts:
        return None
    until = recent[brake.aborts - 1].at + brake.within
    names = ", ".join(f"{each.ref} at {durations.format_time(each.at)} ({each.reason})" for each in recent)
    said = f"aborted within {durations.format_duration(brake.within)}: {names}; "
    said += f"{brake.aborts} such releases hold all others, until {durations.format_time(until)}"
    return Delay(Finding(HoldReason.FLEET_BRAKE, said), until)


def _turn(snapshot: Snapshot, now: float) -> Delay | None:
    fleet, ref = snapshot.fleet, snapshot.rollout.ref
    if not fleet.rules.limits:
        return None
    since = snapshot.status.in_progress_since if ref in fleet.running else None
    if since is None and (ahead := _ahead(fleet, ref)) is not None:
        return Delay(Finding(HoldReason.FLEET_LIMIT, ahead), math.inf)
    if not memory.enforcing(snapshot):
        return None
    return _settling(now if since is None else durations.parse_time(since), now)


def _settling(since: float, now: float) -> Delay | None:
    until = since + SETTLES_SECONDS
    if now >= until:
        return None
    said = f"its place among the releases in progress counts from {durations.format_time(until)}"
    return Delay(Finding(HoldReason.COLLECTING, said), until)


def _ahead(fleet: Fleet, ref: RolloutRef) -> str | None:
    """Who is ahead, and of how many; None where there is room."""
    others = [each for each in fleet.running if each != ref]
    here = [each for each in others if each.namespace == ref.namespace]
    scopes = ((ref.namespace, here, fleet.rules.per_namespace), ("the cluster", others, fleet.rules.per_cluster))
    for scope, running, bound in scopes:
        if bound is not None and len(running) >= bound:
            names = ", ".join(map(str, running))
            return f"{len(running)} of {bound} releases that may be in progress in {scope} began before: {names}"
    return None
