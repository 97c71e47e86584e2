"""What the probes tell: whether only a restart would mend the operator, and whether it has begun to work.

A restart mends what hangs, what has ended and what has gone deaf. It mends no API server and no provider that is away:
an operator that is restarted for those comes back to the same outage, and has forgotten what it was doing.

Law: told what happens, asks nobody. Times are seconds of a monotonic clock that the caller reads.
"""

from collections.abc import Collection
from dataclasses import dataclass

# Three rounds of listing; the requests of one end within some minutes, whatever the API server does.
LISTING_SECONDS = 900.0
# kopf begins anew within some seconds, unless it does not.
DEAF_SECONDS = 60.0
# All that a look waits for is bounded: Prometheus by the provider's timeout, at most 5 minutes, and each of the few
# requests to the API server by one minute.
LOOK_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Signs:
    """How the parts of a running operator are, at one moment.

    Args:

        ended: what runs as long as the operator does, and has ended.

        deaf: kinds that nobody watches.

        longest_look: seconds since the oldest look that is under way began, 0 where none is.
    """

    ended: Collection[str]
    deaf: Collection[str]
    longest_look: float


class Vitals:
    """Remembers since when something is wrong.

    Args:

        now: when the operator was started.
    """

    def __init__(self, now: float) -> None:
        self._tried_at = now
        self._listed_at: float | None = None
        self._deaf_since: dict[str, float] = {}
        self._has_begun = False

    def tried(self, now: float) -> None:
        """A listing of everything has ended, one way or the other."""
        self._tried_at = now

    def listed(self, now: float) -> None:
        """Everything was listed: the API server answers."""
        self._tried_at = self._listed_at = now

    def complaints(self, signs: Signs, now: float) -> list[str]:
        """What only a restart mends, one sentence each; none if all is well or nobody here is to blame."""
        said = [f"the {name} has ended" for name in signs.ended]
        said += [f"nobody has watched {kind} for {now - since:.0f} s" for kind, since in self._deaf(signs, now)]
        if now - self._tried_at > LISTING_SECONDS:
            said.append(f"no listing has ended for {now - self._tried_at:.0f} s")
        if signs.longest_look > LOOK_SECONDS:
            said.append(f"a look has not ended for {signs.longest_look:.0f} s")
        return said

    def is_ready(self, deaf: Collection[str]) -> bool:
        """Whether everything was listed and watched once; from then on it is.

        A provider that is away makes nobody unready: holding is work, too, and who is taken out of a Service because of
        it is neither scraped nor asked any more when it matters.
        """
        self._has_begun = self._has_begun or (self._listed_at is not None and not deaf)
        return self._has_begun

    def _deaf(self, signs: Signs, now: float) -> list[tuple[str, float]]:
        """Kinds that are not watched although the API server answers, and since when."""
        self._deaf_since = {kind: self._deaf_since.get(kind, now) for kind in signs.deaf}
        heard = -float("inf") if self._listed_at is None else self._listed_at
        return [(kind, since) for kind, since in self._deaf_since.items() if heard > since + DEAF_SECONDS]
