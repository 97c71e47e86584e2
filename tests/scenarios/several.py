"""Several gates in one world of values: each knows of the others what their gates have written down.

Time goes on by seconds, and in each of them everybody whose time has come looks.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from canary_operator.cluster.peers import Peers
from canary_operator.model.decision import Snapshot
from canary_operator.model.fleet import FleetRules, parse_peer
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef
from tests.builders import ONE_INDEFINITE, T0, a_rollout
from tests.scenarios.world import World


class Neighbour(World):
    """A world whose gate hears of others and is heard by them."""

    def __init__(self, peers: Peers, ref: RolloutRef, steps: Sequence[Any], **world: Any) -> None:
        body = a_rollout(steps)
        body["metadata"] |= {"namespace": ref.namespace, "name": ref.name, "uid": f"uid of {ref}"}
        super().__init__(body, **world)
        self.ref = ref
        self._peers = peers

    def snapshot(self) -> Snapshot:
        return dataclasses.replace(super().snapshot(), fleet=self._peers.around(self.ref))

    def _remember(self, status: GateStatus) -> None:
        super()._remember(status)
        self._peers.put(parse_peer(self.ref, json.loads(self.memory or "{}")))


class Town:
    """All of them. ``order`` says in which order those look whose time has come in the same second."""

    def __init__(self, **rules: Any) -> None:
        self.peers = Peers(FleetRules(**rules))
        self.worlds: dict[str, Neighbour] = {}
        self.seconds = 0

    def rollout(self, name: str, steps: Sequence[Any] = ONE_INDEFINITE, **world: Any) -> Neighbour:
        """A Rollout that runs its stable version; the name is ``namespace/name``."""
        self.worlds[name] = Neighbour(self.peers, RolloutRef(*name.split("/")), steps, **world)
        self.worlds[name].now = T0 + self.seconds
        return self.worlds[name]

    def until(self, seconds: int) -> "Town":
        while self.seconds < seconds:
            self.seconds += 1
            for world in self.order():
                world.until(self.seconds)
        return self

    def order(self) -> list[Neighbour]:
        return list(self.worlds.values())

    def promoted(self) -> list[str]:
        return [name for name, world in self.worlds.items() if world.is_promoted]
