"""The traffic world as a process: follow the cluster, let time pass, answer HTTP.

Law: wiring and the clock; everything else is in its own room.
"""

from __future__ import annotations

import argparse
import threading
import time
from pathlib import Path

from lab.traffic.fleet import fleet
from lab.traffic.following import Connection, Mirror
from lab.traffic.serving import Door
from lab.traffic.shares import HASH_LABEL
from lab.traffic.world import World

_TICK_SECONDS = 0.25
# A process that was frozen must not pour a minute of requests out at once when it continues.
_LONGEST_TICK_SECONDS = 1.0


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    connection = Connection(options.kubeconfig)
    rollouts = Mirror(connection, "/apis/argoproj.io/v1alpha1/rollouts")
    pods = Mirror(connection, f"/api/v1/pods?labelSelector={HASH_LABEL}")
    services = Mirror(connection, "/api/v1/services")
    mirrors = (rollouts, pods, services)
    world = World(options.seed)
    door = Door(options.port, world, lambda: all(mirror.complete.is_set() for mirror in mirrors))
    threading.Thread(target=door.serve_forever, name="door", daemon=True).start()
    run(world, *mirrors)


def run(world: World, rollouts: Mirror, pods: Mirror, services: Mirror) -> None:
    """Let real time pass in the world, for ever."""
    last = time.monotonic()
    while True:
        time.sleep(_TICK_SECONDS)
        now = time.monotonic()
        seconds = min(now - last, _LONGEST_TICK_SECONDS)
        world.tick(fleet(rollouts.objects(), pods.objects(), services.objects()), seconds)
        last = now


if __name__ == "__main__":
    main()
