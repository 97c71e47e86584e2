"""Durations and times as Kubernetes and Go write them.

Law: text in, seconds out, and back. Durations are exactly what Go's time.ParseDuration reads. No clock.
"""

import datetime
import re
from fractions import Fraction

from canary_operator.errors import ConfigurationError

_NANOSECONDS = {
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
_LARGEST = 2**63 - 1
_MAX_CHARACTERS = 64

_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_FIRST_SECOND = datetime.datetime.min.replace(tzinfo=datetime.UTC)
_LAST_SECOND = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as ``1m30s``, ``500ms`` or ``0``; negative when the text begins with a minus.

    Raises:

        ConfigurationError: if the text is no duration; a bare number has no unit and is refused, except for 0.
    """
    sign, unsigned = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if unsigned == "0":
        return 0.0
    nanoseconds = _nanoseconds(unsigned) if len(text) <= _MAX_CHARACTERS else None
    if nanoseconds is None or nanoseconds > _LARGEST:
        raise ConfigurationError(f'{text[:_MAX_CHARACTERS]!r} is not a duration such as "30s", "1m30s" or "1h"')
    return sign * nanoseconds / _NANOSECONDS["s"]


def _nanoseconds(text: str) -> int | None:
    """Sum all parts, cut to whole nanoseconds; None when something else is between them."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text:
        return None
    return sum(int(Fraction(_digits(part[1])) * _NANOSECONDS[part[2]]) for part in parts)


def _digits(number: str) -> str:
    whole, _, fraction = number.partition(".")
    return f"{whole or 0}.{fraction or 0}"


def write_duration(seconds: float) -> str:
    """A Go duration that ``parse_duration`` reads back to the same number, such as ``3600s`` or ``0.5s``."""
    whole, nanoseconds = divmod(round(Fraction(seconds) * _NANOSECONDS["s"]), _NANOSECONDS["s"])
    return f"{whole}.{nanoseconds:09d}".rstrip("0").rstrip(".") + "s"


def format_duration(seconds: float) -> str:
    """A duration for a person, in whole seconds: ``45 s``, ``2 min 5 s``, ``1 h 10 min``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def parse_time(text: str) -> float:
    """Unix seconds of an RFC 3339 time.

    Raises:

        ConfigurationError: if the text is no such time or has no zone.
    """
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f'"{text}" is not an RFC 3339 time') from error
    if moment.tzinfo is None:
        raise ConfigurationError(f'"{text}" has no time zone')
    return moment.timestamp()


def format_time(seconds: float) -> str:
    """An RFC 3339 time in UTC and whole seconds, as ``metav1.Time`` is written."""
    return _utc(seconds).isoformat(timespec="seconds").replace("+00:00", "Z")


def format_micro_time(seconds: float) -> str:
    """An RFC 3339 time in UTC with microseconds, as ``metav1.MicroTime`` is written."""
    return _utc(seconds).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _utc(seconds: float) -> datetime.datetime:
    # The epoch plus a delta, not fromtimestamp: held pauses lie more than a century ahead. What no calendar
    # holds, such as the end of a pause of a million years, is told as the last second there is.
    first, last = ((end - _EPOCH).total_seconds() for end in (_FIRST_SECOND, _LAST_SECOND))
    return _EPOCH + datetime.timedelta(seconds=min(max(seconds, first), last))
