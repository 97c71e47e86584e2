"""What a tick costs, and what a thousand states weigh.

    python -m bench.decisions.cost

Law: processor time, the least of several, because others use the machine as well.
"""

from __future__ import annotations

import json
import time
import tracemalloc

from bench.decisions.findings import Line
from canary_operator.stats.objective import State, advance, begin
from canary_operator.stats.persisting import dump
from canary_operator.stats.tallying import Rules, Tick

TICKS = 1000
REPEATS = 25
GATES = 1000


def lines() -> list[Line]:
    """Microseconds of a tick, megabytes of a thousand states, bytes of one as JSON."""
    rules = Rules(0.01)
    each = 1e6 * min(_timed(rules) for _ in range(REPEATS)) / TICKS
    state = _ticked(TICKS, rules)
    tracemalloc.start()
    states = [_ticked(20, rules) for _ in range(GATES)]
    size = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    text = len(json.dumps(dump(state)))
    return [
        Line("a tick of one objective: at most 100 µs", f"{each:.0f} µs", each <= 100),
        Line(f"states of {len(states)} gates: under 10 MB", f"{size:.1f} MB", size < 10),
        Line("a state as JSON: under 2 kB", f"{text} bytes", text < 2000),
    ]


def _timed(rules: Rules) -> float:
    begun = time.process_time()
    _ticked(TICKS, rules)
    return time.process_time() - begun


def _ticked(ticks: int, rules: Rules) -> State:
    state = begin(0.0)
    for tick in range(ticks):
        state = advance(state, Tick(10.0 * tick + 10, tick % 3, 100, tick % 20, 900), rules, promotes=True)
    return state


if __name__ == "__main__":
    for each in lines():
        print(f"{each.what}: {each.figure}")
