"""Durations and times as Kubernetes and Go write them.

Law: text in, seconds out, and back. No clock.
"""

import datetime
import re

from canary_operator.errors import ConfigurationError

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_TERM = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"[+-]?(?:{_TERM.pattern})+")


def parse_duration(text: str) -> float:
    """Seconds of a Go duration such as ``1m30s``, ``500ms`` or ``0``.

    Raises:

        ConfigurationError: if the text is no Go duration.
    """
    if text in {"0", "+0", "-0"}:
        return 0.0
    if not _DURATION.fullmatch(text):
        raise ConfigurationError(f'"{text}" is not a duration such as "30s" or "1m30s"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _TERM.findall(text))
    return -seconds if text.startswith("-") else seconds


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
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(seconds: float) -> str:
    """An RFC 3339 time in UTC with microseconds, as ``metav1.MicroTime`` is written."""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _utc(seconds: float) -> datetime.datetime:
    # The epoch plus a delta, not fromtimestamp: held pauses lie more than a century ahead.
    return datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=seconds)
