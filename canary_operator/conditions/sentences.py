"""Numbers and measurements in words that a person reads in a status or an event.

Law: text only; nothing is decided here. Value texts are exact, sentences are rounded.
"""

import math
from collections.abc import Sequence

from canary_operator.conditions.expression import Comparison, Condition
from canary_operator.conditions.texts import plain_decimal

MAX_VALUES = 5
MAX_CONDITION = 160


def value_text(values: Sequence[float], *, scalar: bool) -> str:
    """Write a result as Argo keeps it in a measurement: ``10`` or ``[10,11]``."""
    if scalar:
        return plain_decimal(values[0])
    return "[" + ",".join(plain_decimal(value) for value in values) + "]"


def rounded(value: float) -> str:
    """Write a number with three significant digits, and never with an exponent from 0.0001 to 10**15."""
    if not math.isfinite(value):
        return plain_decimal(value)
    if 1000 <= abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.3g}"


def outcome(condition: Condition, values: Sequence[float], *, holds: bool) -> str:
    """Say what a condition found.

    Returns:

        ``0.031 is not < 0.02`` for a plain comparison, else ``[0.031,0.2] does not satisfy "..."``.
    """
    comparison = condition.comparison()
    if comparison is not None and values:
        return _compared(comparison, values[0], holds=holds)
    verb = "satisfies" if holds else "does not satisfy"
    return f'{_listed(values)} {verb} "{_shortened(condition.text)}"'


def _compared(comparison: Comparison, value: float, *, holds: bool) -> str:
    shown, bound = rounded(value), plain_decimal(comparison.bound)
    # "0.02 is not < 0.02" would look like a mistake when the value is 0.0200001.
    if value != comparison.bound and shown in (bound, rounded(comparison.bound)):
        shown = plain_decimal(value)
    return f"{shown} is {'' if holds else 'not '}{comparison.operator} {bound}"


def _listed(values: Sequence[float]) -> str:
    shown = ",".join(rounded(value) for value in values[:MAX_VALUES])
    more = f",... {len(values)} values" if len(values) > MAX_VALUES else ""
    return f"[{shown}{more}]"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_CONDITION else line[:MAX_CONDITION] + "..."
