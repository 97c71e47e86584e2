"""Times at which nothing is promoted: by a calendar that comes again, or once.

Law: pydantic at the border, and what a calendar says about one moment; now is an argument.
"""

import datetime
import math
import zoneinfo
from typing import Annotated, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from canary_operator.errors import ConfigurationError
from canary_operator.model import durations
from canary_operator.model.document import Document, Duration, rules

_FIELDS = 5
_SHORTEST, _LONGEST = 60.0, 31 * 86_400.0
# What the API server refuses at the door.
_BY_SCHEDULE, _ONCE = "has(self.schedule) == has(self.duration)", "has(self.from) == has(self.until)"
_NOT_TOO_SHORT = "duration(self.duration) >= duration('1m')"
_NOT_TOO_LONG = "duration(self.duration) <= duration('744h')"
# A clock that is set back repeats at most so much of the day: what began in it may seem to lie ahead.
_SET_BACK = 2 * 3_600.0
# A leap year: the schedule of a 29 February is one.
_ANY_DAY = datetime.datetime(2024, 1, 1)  # noqa: DTZ001 - only whether the schedule ever comes


def _require_schedule(text: str) -> str:
    fields = "minute, hour, day of month, month, day of week"
    if len(text.split()) != _FIELDS:
        raise ValueError(f"should be five fields as in cron ({fields})")
    try:
        next(CronSim(text, _ANY_DAY))
    except StopIteration as error:
        raise ValueError("should name a time that comes; there is no such day") from error
    except CronSimError as error:
        raise ValueError(f"should be five fields as in cron ({fields}): {error}") from error
    return text


def _require_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError("should be a time zone of the IANA database such as Europe/Berlin") from error
    return name


def _require_length(seconds: float) -> float:
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ValueError("should be between 1m and 744h")
    return seconds


def _require_time(text: str) -> str:
    try:
        durations.parse_time(text)
    except ConfigurationError as error:
        raise ValueError(f'{error}; allowed is one such as "2026-12-24T00:00:00Z"') from error
    return text


Moment = Annotated[str, AfterValidator(_require_time), Field(max_length=64, json_schema_extra={"format": "date-time"})]


class FreezeWindow(Document):
    """One time in which nothing is promoted: a schedule with a duration, or from a time until another."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"{_BY_SCHEDULE} && {_ONCE} && has(self.schedule) != has(self.from)",
                "should have either schedule and duration, or from and until",
            ),
            ("!has(self.from) || !has(self.until) || self.from < self.until", "from should be before until"),
            (
                f"!has(self.duration) || ({_NOT_TOO_SHORT} && {_NOT_TOO_LONG})",
                "duration should be between 1m and 744h",
            ),
        )
    )

    schedule: Annotated[str, AfterValidator(_require_schedule)] | None = Field(
        default=None,
        min_length=9,
        max_length=128,
        description="When the window opens, as five fields of cron: minute, hour, day of month, month, day of week, "
        "such as `0 16 * * 5`. Needs duration.",
    )
    duration: Annotated[Duration, AfterValidator(_require_length)] | None = Field(
        default=None,
        description="How long a window of the schedule stays open, between 1m and 744h, such as 64h. Time that passes: "
        "over a change of the clocks it ends an hour earlier or later by the clock on the wall.",
    )
    time_zone: Annotated[str, AfterValidator(_require_zone)] = Field(
        default="UTC",
        max_length=64,
        description="Time zone of the schedule, such as Europe/Berlin. Default UTC: what the operator's own times are.",
    )
    begins: Moment | None = Field(
        default=None, alias="from", description="RFC 3339 time at which a window opens that comes once. Needs until."
    )
    until: Moment | None = Field(default=None, description="RFC 3339 time at which it closes.")
    reason: str = Field(default="", max_length=256, description="Why, for whoever waits.")

    @model_validator(mode="after")
    def _one_shape(self) -> Self:
        given = tuple(each is not None for each in (self.schedule, self.duration, self.begins, self.until))
        if given not in {(True, True, False, False), (False, False, True, True)}:
            raise ValueError("should have either schedule and duration, or from and until")
        if self.begins is not None and self._opens >= self._closes:
            raise ValueError(f"from should be before until, found {self.begins} and {self.until}")
        return self

    @property
    def _opens(self) -> float:
        return durations.parse_time(self.begins) if self.begins is not None else -math.inf

    @property
    def _closes(self) -> float:
        return durations.parse_time(self.until) if self.until is not None else -math.inf

    def open_until(self, now: float) -> float | None:
        """When the window that is open at ``now`` closes, Unix seconds; None where none is open."""
        if self.schedule is None or self.duration is None:
            return self._closes if self._opens <= now < self._closes else None
        end = _last_start(self.schedule, zoneinfo.ZoneInfo(self.time_zone), now) + self.duration
        return end if now < end else None

    def __str__(self) -> str:
        if self.schedule is None:
            return f"from {self.begins} until {self.until}"
        return f'schedule "{self.schedule}" ({self.time_zone})'


def _last_start(schedule: str, zone: zoneinfo.ZoneInfo, now: float) -> float:
    """When the schedule last came, Unix seconds; minus infinity if it never has."""
    ahead = datetime.datetime.fromtimestamp(math.floor(now + _SET_BACK), zone)
    starts = (start.timestamp() for start in CronSim(schedule, ahead, reverse=True))
    return next((start for start in starts if start <= now), -math.inf)
