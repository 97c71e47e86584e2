"""How large records are: `python -m bench.records` plays releases and prints bytes of their GateDecisions.

Law: the records are those that the engine's own scenarios make, as the API server stores them, in JSON.
"""

import statistics
from collections.abc import Sequence

from canary_operator.model.record import GateDecisionSpec
from tests.builders import GOOD, a_rollout, pause, set_weight
from tests.scenarios.test_objectives import a_world
from tests.scenarios.world import World

STEPS = (set_weight(25), pause("60s"), set_weight(50), pause("60s"))


def sizes(records: Sequence[GateDecisionSpec]) -> list[int]:
    """Bytes of each record, smallest first."""
    return sorted(len(record.model_dump_json(by_alias=True, exclude_none=True)) for record in records)


def main() -> None:
    """Print a line for each kind of gate."""
    played = {
        "one condition": World(a_rollout(STEPS), prometheus=lambda _: GOOD).release().until(600),
        "one objective, 4 pods": a_world().release().until(900),
    }
    for name, world in played.items():
        found = sizes(world.records)
        print(f"{name}: {len(found)} records, p50 {statistics.median(found):.0f} bytes, max {found[-1]} bytes")


if __name__ == "__main__":
    main()
