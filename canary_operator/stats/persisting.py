"""States as JSON, to the bit: Python writes a float with as many digits as tell it from every other.

Law: what is written reads back equal, and what does not read is refused whole.
"""

import math
from collections.abc import Mapping
from typing import cast

from canary_operator.errors import ConfigurationError
from canary_operator.stats import likelihood
from canary_operator.stats.mixture import Logs
from canary_operator.stats.objective import Comparison, Opening, Promoting, State
from canary_operator.stats.staking import Traffic
from canary_operator.stats.tallying import Count

FORMAT = 3


def dump(state: State) -> dict[str, object]:
    """Write the state of one objective; less than 2 kB as JSON."""
    comparison, promoting, traffic = state.comparison, state.promoting, state.traffic
    first = comparison.opening
    return {
        "format": FORMAT,
        "times": [state.began, state.last, comparison.last],
        "worse": list(comparison.logs),
        "above": list(state.above),
        "stableAbove": list(state.stable_above),
        "promoting": list(promoting.logs),
        "promotingTimes": [] if promoting.first is None else [promoting.first, promoting.last],
        "counts": [
            number
            for count in (state.canary, state.stable, promoting.canary, comparison.canary, comparison.stable)
            for number in (count.bad, count.total)
        ],
        "excess": [comparison.excess, comparison.variance, *comparison.stood],
        "opening": [] if first is None else [first.end, first.canary, first.stable],
        "traffic": [] if traffic is None else [traffic.requests, traffic.share, traffic.ratio],
    }


def load(document: object) -> State:
    """Read what ``dump`` wrote.

    Raises:

        ConfigurationError: if it is something else; the release must then be judged anew.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ConfigurationError(f"the stored evidence cannot be read: the format is not {FORMAT}")
    try:
        return _load(document)
    except (KeyError, ValueError, TypeError) as error:
        raise ConfigurationError(f"the stored evidence cannot be read: {error}") from None


def _load(stored: Mapping[str, object]) -> State:
    began, last, compared = _numbers(stored["times"], 3)
    excess, variance, older, newer = _numbers(stored["excess"], 4)
    canary, stable, promoted, waiting, stable_waiting = _counts(stored["counts"])
    times = _numbers(stored["promotingTimes"], 2) if stored["promotingTimes"] else (None, None)
    logs = _numbers(stored["worse"], likelihood.WORSE)
    return State(
        began=began,
        last=last,
        comparison=Comparison(
            compared, logs, waiting, stable_waiting, excess, variance, _opening(stored["opening"]), (older, newer)
        ),
        above=_numbers(stored["above"], likelihood.ABOVE),
        stable_above=_numbers(stored["stableAbove"], likelihood.ABOVE),
        promoting=Promoting(_numbers(stored["promoting"], len(likelihood.BELOW)), promoted, *times),
        canary=canary,
        stable=stable,
        traffic=Traffic(*_numbers(stored["traffic"], 3)) if stored["traffic"] else None,
    )


def _opening(value: object) -> Opening | None:
    if not value:
        return None
    end, canary, stable = _numbers(value, 3)
    return Opening(end, int(canary), int(stable))


def _numbers(value: object, length: int) -> Logs:
    """Finite numbers. A whole number stays one: it is equal, and is written as it was."""
    if not isinstance(value, list) or len(value) != length:
        raise ValueError(f"a list of {length} numbers is meant")
    if any(isinstance(each, bool) or not isinstance(each, int | float) or not math.isfinite(each) for each in value):
        raise ValueError("a number is not finite")
    return tuple(cast("list[float]", value))


def _counts(value: object) -> list[Count]:
    numbers = _numbers(value, 10)
    counts = [Count(int(bad), int(whole)) for bad, whole in zip(numbers[::2], numbers[1::2], strict=True)]
    if any(not 0 <= each.bad <= each.total for each in counts) or any(each != int(each) for each in numbers):
        raise ValueError("counts are whole numbers, never more bad than total")
    return counts
