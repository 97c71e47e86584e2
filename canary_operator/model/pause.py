"""A pause of a Rollout, and how a hold is written into it.

A hold moves the pause's start time exactly 36,500 days ahead, and a second write moves it to 40,000 days.
The written time therefore says by itself whether it is held, by which write, and what the user's start was.

Law: nouns and arithmetic; now is an argument.
"""

import enum
from dataclasses import dataclass

DAY_SECONDS = 86_400
FIRST_SHIFT_SECONDS = 36_500 * DAY_SECONDS
SECOND_SHIFT_SECONDS = 40_000 * DAY_SECONDS

# Half way to the first shift, and between both: no pause lasts or is planned for half a century.
_HELD_SECONDS = 18_000 * DAY_SECONDS
_CONFIRMED_SECONDS = 38_000 * DAY_SECONDS


class Hold(enum.Enum):
    """How far ahead the start of a pause was moved."""

    NONE = "none"
    WRITTEN = "written"
    CONFIRMED = "confirmed"


class PauseReason(enum.Enum):
    """The reasons that Argo Rollouts writes into ``status.pauseConditions``."""

    CANARY_STEP = "CanaryPauseStep"
    BLUE_GREEN = "BlueGreenPause"
    INCONCLUSIVE_ANALYSIS = "InconclusiveAnalysisRun"
    INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pause:
    """One entry of ``status.pauseConditions``; ``written_start`` is Unix seconds as found in the object."""

    reason: PauseReason
    written_start: float

    def hold(self, now: float) -> Hold:
        """Whether the pause is held by a time shift, seen from ``now``."""
        ahead = self.written_start - now
        if ahead > _CONFIRMED_SECONDS:
            return Hold.CONFIRMED
        return Hold.WRITTEN if ahead > _HELD_SECONDS else Hold.NONE

    def user_start(self, now: float) -> float:
        """When Argo began the pause, whatever was written since."""
        match self.hold(now):
            case Hold.NONE:
                return self.written_start
            case Hold.WRITTEN:
                return self.written_start - FIRST_SHIFT_SECONDS
            case Hold.CONFIRMED:
                return self.written_start - SECOND_SHIFT_SECONDS
