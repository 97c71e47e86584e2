import copy
import json

import pytest

from canary_operator.counting import persisting
from canary_operator.counting.tallies import Counted, Cursor, State, Tally, Target
from canary_operator.errors import ConfigurationError

STATE = State(
    start_ms=1_700_000_000_123,
    watermark_ms=1_700_000_040_000,
    asked_ms=(1_699_999_700_000, 1_700_000_050_000),
    interval_ms=15_000,
    cursors={"abcdefghijkl": Cursor(1_699_999_999_000, 7, 2), "b": Cursor(1_700_000_030_000, 0, 0)},
    targets={"t": Target(1_699_999_999_000, 1_700_000_030_000, "prometheus-0", 1_700_000_000_000)},
    canary=Counted(Tally(2, 7), 1_700_000_040_000),
    unbased=1,
)


@pytest.mark.parametrize("state", [STATE, State(5)])
def test_what_is_written_reads_back_equal(state):
    assert persisting.load(json.loads(json.dumps(persisting.dump(state)))) == state


def test_a_series_costs_little():
    cursors = {f"{n:012d}": Cursor(1_700_000_100_000, 1_000_000, 1_000) for n in range(1000)}
    written = json.dumps(persisting.dump(State(1_700_000_000_000, cursors=cursors)), separators=(",", ":"))

    assert len(written) < 45_000


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("start", None),
        ("start", True),
        ("watermark", 1.5),
        ("asked", [1]),
        ("canary", [3, 2, None]),
        ("stable", None),
        ("series", {"a": [1, 1, 2]}),
        ("series", {"a": ["1", 1, 1]}),
        ("series", []),
        ("targets", {"t": [1, 2, 3, 4]}),
    ],
)
def test_what_does_not_read_is_refused_whole(key, value):
    broken = copy.deepcopy(persisting.dump(STATE))
    broken[key] = value

    with pytest.raises(ConfigurationError, match="stored counts"):
        persisting.load(broken)
