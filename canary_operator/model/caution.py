"""What people should know of a release although nothing is held for it.

Law: nouns only. Each matter is a condition of the CanaryGate, true while there is nothing to say.
"""

import enum
from dataclasses import dataclass


class Matter(enum.Enum):
    """What a caution is about: the type of the condition that it makes false."""

    IMAGES_FIXED = "ImagesFixed"
    PODS_KNOWN = "PodsKnown"


@dataclass(frozen=True, slots=True)
class Caution:
    """One sentence about one matter."""

    about: Matter
    message: str
