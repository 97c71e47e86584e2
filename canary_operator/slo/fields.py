"""Reading fields of mappings that people wrote.

Law: nothing untyped leaves; every refusal names the place, the value and what is allowed.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from canary_operator.errors import ConfigurationError

_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_WINDOW = re.compile(
    r"(?:([0-9]{1,6})y)?(?:([0-9]{1,6})w)?(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?"
)
_SECONDS = (31_536_000, 604_800, 86_400, 3_600, 60, 1)


def wrong(place: str, value: object, allowed: str) -> ConfigurationError:
    """The error of a value that is not allowed."""
    return ConfigurationError(f"{place}: {value!r:.120}; allowed is {allowed}")


def mapping(raw: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    """A mapping that must be there."""
    value = raw.get(key)
    if not isinstance(value, Mapping):
        raise wrong(f"{place}.{key}", value, "a mapping")
    return value


def text(raw: Mapping[str, Any], key: str, place: str) -> str:
    """A text that must be there and not be empty."""
    value = raw.get(key)
    if not isinstance(value, str) or not value.strip():
        raise wrong(f"{place}.{key}", value, "a text that is not empty")
    return value


def optional_text(raw: Mapping[str, Any], key: str, place: str) -> str:
    """A text, "" where it is missing."""
    return text(raw, key, place) if raw.get(key) not in (None, "") else ""


def items(raw: Mapping[str, Any], key: str, place: str) -> Sequence[Mapping[str, Any]]:
    """A list of mappings with at least one entry."""
    value = raw.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(each, Mapping) for each in value):
        raise wrong(f"{place}.{key}", value, "a list of at least one mapping")
    return value


def names(raw: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    """A list of texts, empty where it is missing."""
    value = raw.get(key) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise wrong(f"{place}.{key}", value, "a list of label names")
    return tuple(value)


def exactly_one(raw: Mapping[str, Any], keys: Collection[str], place: str) -> str:
    """The one of the keys that has a value."""
    found = [key for key in keys if raw.get(key) is not None]
    if len(found) != 1:
        raise wrong(place, found or "none", f"exactly one of {', '.join(keys)}")
    return found[0]


def only(raw: Mapping[str, Any], known: Collection[str], place: str) -> None:
    """Refuse keys that nobody reads: a typing mistake must not turn into a default."""
    for key in raw:
        if key not in known:
            raise wrong(place, key, f"one of {', '.join(known)}")


def allowed_by_percent(raw: Mapping[str, Any], key: str, place: str) -> Fraction:
    """The allowed bad share of an objective in percent, such as 99.5 or "99.5"."""
    return 1 - _between(raw.get(key), f"{place}.{key}", 100) / 100


def allowed_by_share(raw: Mapping[str, Any], key: str, place: str) -> Fraction:
    """The allowed bad share of an objective as a share, such as 0.995."""
    return 1 - _between(raw.get(key), f"{place}.{key}", 1)


def _between(value: object, place: str, most: int) -> Fraction:
    number = decimal(value, place)
    if not 0 < number < most:
        # An objective of 100 % leaves no budget; no number of good requests shows that there was never a bad one.
        raise wrong(place, value, f"more than 0 and less than {most}")
    return Fraction(number)


def decimal(value: object, place: str) -> Decimal:
    """A number that is not negative, written as text or as a number."""
    if isinstance(value, str):
        written = value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**9:
        written = f"{Decimal(repr(value)):f}"
    else:
        written = ""
    if not _DECIMAL.fullmatch(written):
        raise wrong(place, value, 'a number such as "99.5"')
    return Decimal(written)


def window_seconds(value: str, place: str) -> float:
    """Seconds of a Prometheus duration such as 28d, 4w or 1h30m."""
    found = _WINDOW.fullmatch(value)
    if found is None or not any(found.groups()):
        raise wrong(place, value, "a duration such as 28d or 4w")
    return float(sum(int(count or 0) * seconds for count, seconds in zip(found.groups(), _SECONDS, strict=True)))
