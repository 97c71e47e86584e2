"""Prometheus goes away in a pause and comes back.

Law: it watches the release and pulls one lever twice; whether that went well is judged in outcome.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from demo import releases
from demo.outcome import Blindness
from demo.pace import pause_seconds
from demo.sight import Sight
from demo.stage import Stage
from demo.timeline import Timeline


@dataclass(slots=True)
class Outage:
    """One outage: planned, then going on, then over."""

    stage: Stage
    timeline: Timeline
    blindness: Blindness | None = None
    _began: float | None = None
    _sights: list[Sight] = field(default_factory=list)

    def follow(self, sight: Sight) -> None:
        """Begin or end the outage when it is time; otherwise remember what is seen during it."""
        if self._began is None:
            # Argo is at the step a moment before the pause begins; the gate's own words say that it holds it.
            if sight.message.startswith(f"held at step {releases.OUTAGE_PLACE}"):
                self._begin()
        elif self.blindness is None:
            self._sights.append(sight)
            if time.monotonic() - self._began >= self.stage.pace.outage_seconds(self._pause):
                self._end(time.monotonic() - self._began)

    @property
    def _pause(self) -> float:
        return pause_seconds(self.stage.rollout, releases.OUTAGE_STEP)

    def _begin(self) -> None:
        self.stage.lab.prometheus.stop()
        self._began = time.monotonic()
        length = self.stage.pace.outage_seconds(self._pause)
        self.timeline.note(f"Prometheus is stopped for {length:.0f} s, in a pause of {self._pause:.0f} s")

    def _end(self, seconds: float) -> None:
        self.blindness = Blindness(
            seconds=seconds,
            pause_seconds=self._pause,
            steps=tuple(dict.fromkeys(sight.step for sight in self._sights)),
            reasons=tuple(dict.fromkeys(sight.reason for sight in self._sights)),
        )
        self.stage.lab.prometheus.start()
        self.timeline.note("Prometheus runs again")
