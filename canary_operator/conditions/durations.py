"""Go's durations: ``30s``, ``1m30s``, ``1.5h``.

Law: exactly what Go's time.ParseDuration reads. A bare number has no unit and is refused, except for 0.
"""

import re
from fractions import Fraction

from canary_operator import errors

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
# Go keeps 64 bits of nanoseconds, some 292 years.
LARGEST = 2**63 - 1
MAX_CHARACTERS = 64

_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")


def parse_duration(text: str) -> float:
    """Read a duration.

    Returns:

        Seconds, negative when the text begins with a minus.

    Raises:

        ConfigurationError: the text is no duration.
    """
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":
        return 0.0
    nanoseconds = _nanoseconds(unsigned) if len(text) <= MAX_CHARACTERS else None
    if nanoseconds is None or nanoseconds > LARGEST:
        raise errors.ConfigurationError(f'{text[:MAX_CHARACTERS]!r} is not a duration such as "30s", "1m30s" or "1h"')
    return sign * nanoseconds / NANOSECONDS["s"]


def _nanoseconds(text: str) -> int | None:
    """Sum all parts, cut to whole nanoseconds; None when something else is between them."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        return None
    return sum(int(Fraction(_digits(part[1])) * NANOSECONDS[part[2]]) for part in parts)


def _digits(number: str) -> str:
    whole, _, fraction = number.partition(".")
    return f"{whole or 0}.{fraction or 0}"
