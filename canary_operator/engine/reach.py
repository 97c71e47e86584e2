"""Which pods of the canary Prometheus reaches, as far as ``up`` tells of pods at all.

Law: pure. A pod that nobody scrapes may fail as it likes: what the others show is not evidence about the version.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.counting.tallies import Selection, milliseconds
from canary_operator.model.pods import PodFacts, VersionPods
from canary_operator.model.samples import Absent, Answer
from canary_operator.model.verdict import HoldReason

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Reach:
    """What is known of the canary's targets.

    Args:

        canary: what was counted of it, and when its processes were scraped.

        up: the answer about the canary's ``up``.

        since: Unix seconds; what is older is no sign of life.
    """

    canary: Selection
    up: Answer
    since: float

    @property
    def any(self) -> bool:
        """Whether a process of the canary was scraped of late."""
        since_ms = milliseconds(self.since)
        return any(scrape.at_ms > since_ms for seen in self.canary.scrapes.values() for scrape in seen)

    def gap(self, pods: VersionPods | Absent) -> Absent | None:
        """Why what is counted is not the whole version: pods that have long been ready, and are not scraped."""
        if isinstance(pods, Absent):
            return None
        ready = [each.name for each in pods.canary if not each.terminating and _since(each) < self.since]
        missing = sorted(set(ready) - set(self._names()))
        if not missing:
            return None
        names = ", ".join(missing[:_SHOWN]) + (", …" if len(missing) > _SHOWN else "")
        return Absent(
            HoldReason.NO_DATA, f"{len(missing)} of {len(ready)} ready pods of the canary are not scraped: {names}"
        )

    def _names(self) -> Iterator[str]:
        since_ms = milliseconds(self.since)
        for counter in self.canary.counters:
            if counter.points[-1].at_ms > since_ms:
                yield counter.pod
        for series in self.up.series:
            if any(sample.value == 1 and sample.at > self.since for sample in series.samples):
                yield dict(series.labels).get("pod", "")


def _since(pod: PodFacts) -> float:
    return math.inf if pod.ready_since is None else pod.ready_since
