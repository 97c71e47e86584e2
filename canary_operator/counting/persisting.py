"""The state as JSON, small enough for the status of a CanaryGate.

Law: what is written reads back equal, and what does not read is refused whole: half a state would count twice.
"""

from collections.abc import Mapping

from canary_operator.counting.tallies import Counted, Cursor, State, Tally, Target
from canary_operator.errors import ConfigurationError

FORMAT = 1

Json = Mapping[str, object]


class _UnreadableError(Exception):
    """A part is not what it should be; the text names it."""


def dump(state: State) -> dict[str, object]:
    """Write the state; times of series are milliseconds after the start, negative before it."""
    start = state.start_ms
    return {
        "format": FORMAT,
        "start": start,
        "watermark": state.watermark_ms,
        "asked": list(state.asked_ms) if state.asked_ms else None,
        "interval": state.interval_ms,
        "canary": _dump_counted(state.canary),
        "stable": _dump_counted(state.stable),
        "unbased": state.unbased,
        "series": {key: [each.at_ms - start, each.total, each.bad] for key, each in sorted(state.cursors.items())},
        "targets": {
            key: [each.first_ms - start, each.last_ms - start, each.since_ms - start, each.replica]
            for key, each in sorted(state.targets.items())
        },
    }


def _dump_counted(counted: Counted) -> list[int | None]:
    return [counted.tally.bad, counted.tally.total, counted.grew_ms]


def load(document: object) -> State:
    """Read what ``dump`` wrote.

    Raises:

        ConfigurationError: if it is something else; the epoch must then be counted anew.
    """
    try:
        return _load(document)
    except _UnreadableError as error:
        raise ConfigurationError(f"the stored counts cannot be read: {error}") from None


def _load(document: object) -> State:
    stored = _mapping(document, "the state")
    if stored.get("format") != FORMAT:
        raise _UnreadableError(f"the format is not {FORMAT}")
    start = _integer(stored.get("start"), "start")
    asked = stored.get("asked")
    return State(
        start_ms=start,
        watermark_ms=_optional(stored.get("watermark"), "watermark"),
        asked_ms=None if asked is None else _asked(asked),
        interval_ms=_optional(stored.get("interval"), "interval"),
        cursors={key: _cursor(each, start) for key, each in _mapping(stored.get("series"), "series").items()},
        targets={key: _target(each, start) for key, each in _mapping(stored.get("targets"), "targets").items()},
        canary=_counted(stored.get("canary"), "canary"),
        stable=_counted(stored.get("stable"), "stable"),
        unbased=_integer(stored.get("unbased"), "unbased"),
    )


def _asked(value: object) -> tuple[int, int]:
    since, until = _list(value, 2, "asked")
    return _integer(since, "asked"), _integer(until, "asked")


def _cursor(value: object, start: int) -> Cursor:
    at, total, bad = (_integer(each, "series") for each in _list(value, 3, "series"))
    if not 0 <= bad <= total:
        raise _UnreadableError("a series has more bad requests than requests")
    return Cursor(at + start, total, bad)


def _target(value: object, start: int) -> Target:
    *times, replica = _list(value, 4, "targets")
    first, last, since = (_integer(each, "targets") + start for each in times)
    if not isinstance(replica, str):
        raise _UnreadableError("a replica is not text")
    return Target(first, last, replica, since)


def _counted(value: object, what: str) -> Counted:
    bad, total, grew = _list(value, 3, what)
    tally = Tally(_integer(bad, what), _integer(total, what))
    if not 0 <= tally.bad <= tally.total:
        raise _UnreadableError(f"{what} has more bad requests than requests")
    return Counted(tally, _optional(grew, what))


def _mapping(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise _UnreadableError(f"{what} is not an object")
    return value


def _list(value: object, length: int, what: str) -> list[object]:
    if not isinstance(value, list) or len(value) != length:
        raise _UnreadableError(f"{what} is not a list of {length}")
    return value


def _optional(value: object, what: str) -> int | None:
    return None if value is None else _integer(value, what)


def _integer(value: object, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _UnreadableError(f"{what} has no whole number")
    return value
