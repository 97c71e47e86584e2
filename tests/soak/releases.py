"""What is released, and how it must end: drawn from a seed.

Law: pure. Nothing here knows what the operator says.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never


class Shape(enum.StrEnum):
    """How a Rollout goes on, and what it is judged by."""

    CONDITIONS = "conditions"
    OBJECTIVES = "objectives"
    BOTH = "both"
    PREVIEW = "preview"
    TIMED_PREVIEW = "timed preview"

    def gated_steps(self) -> tuple[int | None, ...]:
        """Argo's indices of the pauses; None is blue/green's."""
        return (None,) if self in {Shape.PREVIEW, Shape.TIMED_PREVIEW} else (1, 3)


class Truth(enum.StrEnum):
    """What the new version is like."""

    GOOD = "good"
    BAD = "bad"
    SILENT = "no data"


class Ending(enum.StrEnum):
    """How a release ends that nobody can judge: its data come, or a person ends it. Others end by themselves."""

    BY_ITSELF = "by itself"
    DATA_COME = "data come"
    PERSON_ABORTS = "a person aborts"
    PERSON_PROMOTES = "a person promotes in full"
    OVERRIDE_ABORTS = "an override aborts"


class End(enum.StrEnum):
    """Where a release has ended, and by whom."""

    PROMOTED_BY_GATE = "promoted by the gate"
    ABORTED_BY_GATE = "aborted by the gate"
    PROMOTED_BY_PERSON = "promoted by a person"
    ABORTED_BY_PERSON = "aborted by a person"
    OTHER = "otherwise"
    NONE = "not at all"


@dataclass(frozen=True, slots=True)
class Release:
    """One release of one Rollout; its image is used once."""

    rollout: str
    number: int
    truth: Truth
    ending: Ending

    @property
    def image(self) -> str:
        """The image that is released."""
        return f"shop.example.com/{self.rollout}:{self.number}"

    def end(self) -> End:
        """How it must end."""
        match self.ending:
            case Ending.BY_ITSELF:
                return End.ABORTED_BY_GATE if self.truth is Truth.BAD else End.PROMOTED_BY_GATE
            case Ending.DATA_COME:
                return End.PROMOTED_BY_GATE
            case Ending.PERSON_ABORTS:
                return End.ABORTED_BY_PERSON
            case Ending.PERSON_PROMOTES:
                return End.PROMOTED_BY_PERSON
            case Ending.OVERRIDE_ABORTS:
                return End.ABORTED_BY_GATE
            case _:
                assert_never(self.ending)


_TRUTHS = {Truth.GOOD: 2, Truth.BAD: 1, Truth.SILENT: 1}
_ENDINGS = tuple(ending for ending in Ending if ending is not Ending.BY_ITSELF)


def drawn(rollout: str, seed: int) -> Iterator[Release]:
    """The releases of a Rollout, without end; the same for the same seed."""
    chance = random.Random(f"{seed}/{rollout}")
    number = 2
    while True:
        truth = chance.choices(list(_TRUTHS), weights=list(_TRUTHS.values()))[0]
        ending = chance.choice(_ENDINGS) if truth is Truth.SILENT else Ending.BY_ITSELF
        yield Release(rollout, number, truth, ending)
        number += 1
