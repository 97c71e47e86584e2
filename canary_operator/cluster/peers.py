"""What all gates have told that concerns others, and what one gate makes of it.

Law: memory only. Whose turn it is, is worked out once for each change of who is in progress, not for each look: most
changes of a gate's status change nothing here.
"""

from collections.abc import Callable

from canary_operator.engine import fleet
from canary_operator.model.fleet import Aborted, Fleet, FleetRules, Peer
from canary_operator.model.look import Look
from canary_operator.model.rollout import RolloutRef


class Peers:
    """The gates that have a release in progress or have aborted one. ``rules`` are the configuration's."""

    def __init__(self, rules: FleetRules) -> None:
        self._rules = rules
        self._peers: dict[RolloutRef, Peer] = {}
        self._running: tuple[RolloutRef, ...] = ()
        self._aborted: tuple[Aborted, ...] = ()

    def put(self, peer: Peer) -> None:
        """Take what a gate says now; one that says nothing is forgotten."""
        known = self._peers.pop(peer.ref, Peer(peer.ref))
        if peer != Peer(peer.ref):
            self._peers[peer.ref] = peer
        if peer != known:
            self._running = fleet.turns(self._peers.values(), self._rules)
            self._aborted = fleet.newest(self._peers.values(), self._rules.brake)

    @property
    def running(self) -> tuple[RolloutRef, ...]:
        """Whose turn it is; the same object until that may have changed."""
        return self._running

    def around(self, ref: RolloutRef) -> Fleet:
        """The others, as far as the gate of this Rollout looks at them."""
        running = self._running
        if self._rules.per_cluster is None:
            # Without a bound for the cluster everybody else in it may be running.
            running = tuple(each for each in running if each.namespace == ref.namespace)
        return Fleet(self._rules, running if self._rules.limits else (), self._aborted)


class Turns:
    """Wakes the releases whose turn has come; the others go on waiting.

    Args:

        running: whose turn it is; the same object until that may have changed.

        wake: makes a Rollout be looked at soon.
    """

    def __init__(self, running: Callable[[], tuple[RolloutRef, ...]], wake: Callable[[RolloutRef], None]) -> None:
        self._running = running
        self._wake = wake
        self._known = running()

    def looked(self, _look: Look) -> None:
        """Hear of a look: it may have ended a release, or begun one."""
        self._compare()

    def forget(self, _ref: RolloutRef) -> None:
        """Hear that a Rollout is gone."""
        self._compare()

    def _compare(self) -> None:
        known, running = self._known, self._running()
        if running is known:
            return
        self._known = running
        for ref in set(running).difference(known):
            self._wake(ref)
