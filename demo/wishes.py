"""What the caller wants, from the environment.

Law: the only place of the demo that reads the environment; a mistake is a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from demo.pace import FASTEST, Pace

_DEFAULT_SPEED = "6"
_NO = frozenset({"", "0", "false", "no", "off"})


class WishError(Exception):
    """A variable holds something that cannot be meant."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How fast the demo runs, and whether everything stays up afterwards."""

    pace: Pace
    keep: bool


def read_wishes(environment: Mapping[str, str]) -> Wishes:
    """Return what SPEED and KEEP ask for. Raises WishError naming the variable and what is allowed."""
    text = environment.get("SPEED") or _DEFAULT_SPEED
    try:
        speed = float(text)
    except ValueError as error:
        raise WishError(_refusal(text)) from error
    if not 1 <= speed <= FASTEST:
        raise WishError(_refusal(text))
    return Wishes(Pace(speed), keep=environment.get("KEEP", "").strip().lower() not in _NO)


def _refusal(text: str) -> str:
    return f'SPEED="{text}": should be a number from 1 (the times of examples/api-service) to {FASTEST:g}'
