"""The bounds of a range query, as templates write them: ``now() - duration("5m")``.

Law: pure; the time is an argument. Of Argo's expressions the forms that give a time are read, everything else is a
mistake with its place.
"""

import datetime
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.errors import ConfigurationError
from canary_operator.model.durations import parse_duration

# Prometheus answers no more points than this for each series.
MOST_POINTS = 11_000

_TERM = re.compile(r'\s*(?:now\(\s*\)|date\(\s*"([^"\\]*)"\s*\))\s*')
_SHIFT = re.compile(r'([+-])\s*duration\(\s*"([^"\\]*)"\s*\)\s*')
_KNOWN = 'now() or date("2026-01-31T12:00:00Z"), and + or - duration("5m")'


@dataclass(frozen=True, slots=True)
class Bound:
    """A time: a fixed one, Unix seconds, or the time of asking where that is None; and seconds after it."""

    fixed: float | None
    shift: float

    def at(self, now: float) -> float:
        """The time that is meant when it is asked for at ``now``, Unix seconds."""
        return (now if self.fixed is None else self.fixed) + self.shift


@dataclass(frozen=True, slots=True)
class Range:
    """A range query. ``step`` in seconds."""

    start: Bound
    end: Bound
    step: float

    def promql(self, query: str, now: float) -> str:
        """The query over this range, to be evaluated at its end. Samples lie at multiples of the step.

        Raises:

            ConfigurationError: it ends before it starts, or has too many points.
        """
        length = self.end.at(now) - self.start.at(now)
        if length < 0:
            raise ConfigurationError("it ends before it starts")
        if length / self.step >= MOST_POINTS:
            raise ConfigurationError(f"more than {MOST_POINTS} points; allowed is a longer step")
        # One moment is no range, and both have one value.
        return f"({query})[{math.ceil(length * 1000)}ms:{math.ceil(self.step * 1000)}ms]" if length else query


def parse_range(raw: Mapping[str, Any], path: str) -> Range:
    """Read ``rangeQuery``.

    Args:

        path: where it is, for messages.

    Raises:

        ConfigurationError: a part of it cannot be read; the text names the place.
    """
    for name in raw:
        if name not in ("start", "end", "step"):
            raise ConfigurationError(f"{path}.{name}: not supported, allowed are end, start, step")
    found = Range(_bound(raw.get("start"), f"{path}.start"), _bound(raw.get("end"), f"{path}.end"), _step(raw, path))
    try:
        found.promql("", 0.0)
    except ConfigurationError as error:
        # Bounds of which only one moves say more at the time of asking.
        if (found.start.fixed is None) == (found.end.fixed is None):
            raise ConfigurationError(f"{path}: {error}") from error
    return found


def _step(raw: Mapping[str, Any], path: str) -> float:
    try:
        step = parse_duration(str(raw.get("step")))
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}.step: {error}") from error
    if step < 0.001:
        raise ConfigurationError(f"{path}.step: {raw.get('step')!r}, allowed is a duration above 0s")
    return step


def _bound(text: object, path: str) -> Bound:
    match = _TERM.match(text) if isinstance(text, str) else None
    if match is None or not isinstance(text, str):
        raise ConfigurationError(f"{path}: {text!r}, allowed is {_KNOWN}")
    at, shift = match.end(), 0.0
    while at < len(text):
        more = _SHIFT.match(text, at)
        if more is None:
            raise ConfigurationError(f"{path}: {text!r} from column {at + 1} on, allowed is {_KNOWN}")
        shift += _signed(more, path)
        at = more.end()
    return Bound(None if match[1] is None else _date(match[1], path), shift)


def _signed(match: re.Match[str], path: str) -> float:
    try:
        seconds = parse_duration(match[2])
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    return seconds if match[1] == "+" else -seconds


def _date(text: str, path: str) -> float:
    """Unix seconds of a date, with or without a time; without a zone it is UTC, as in Go."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{path}: {text!r} is no date, such as 2026-01-31T12:00:00Z") from error
    return (found if found.tzinfo else found.replace(tzinfo=datetime.UTC)).timestamp()
