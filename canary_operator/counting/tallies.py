"""What counting is about: two arms, their tallies per tick, and what must be remembered in between.

Law: nouns only. Requests are integers; times are integer milliseconds, as Prometheus keeps them, except where
a person or another room gives them: those are Unix seconds.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Arm(enum.Enum):
    """The two versions that are compared."""

    CANARY = "canary"
    STABLE = "stable"


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests, and how many of them were bad. Never more bad than total."""

    bad: int = 0
    total: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.bad + other.bad, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Cell:
    """The part of a tick that one pod of an arm brought in one stratum.

    Args:

        pod: its name, "" where the series name none, as those of a router.

        stratum: as of ``Counter``.
    """

    arm: Arm
    pod: str
    stratum: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Tick:
    """What the scrapes of one interval of the grid added; handed out once, when both arms are known up to its end.

    Args:

        end: the end of the interval, Unix seconds; the interval is open on the left.

        cells: the same by arm, pod and stratum, in this order; those without a request are left out.
    """

    end: float
    canary: Tally
    stable: Tally
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Pod:
    """What Kubernetes knows about a pod's process. Its times are cut to whole seconds.

    Args:

        started: when the pod was started, Unix seconds.

        restarts: when its container was started again, Unix seconds; as many as are known. Each must have begun all
            of the pod's counters anew: a pod with several containers has none here, because nobody knows whose
            counters they are (a proxy may serve the application's), and a restart that was none would count twice.
    """

    started: float
    restarts: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Epoch:
    """The time for which evidence is collected.

    Args:

        start: when the weight was in force and had settled, Unix seconds.

        canary_born: the time before which no series of the canary can have counted anything, Unix seconds; None
            where series outlive a version, as those of a router do.

        stable_born: the same of the stable version.
    """

    start: float
    canary_born: float | None = None
    stable_born: float | None = None

    def born(self, arm: Arm) -> float | None:
        """The birth of one arm's version."""
        return self.canary_born if arm is Arm.CANARY else self.stable_born


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of counting.

    Args:

        tick_seconds: the grid of the ticks. At least the scrape interval, so that both arms have scrapes in a tick.

        max_series: series of both arms together that are remembered; more are refused, because the state lives in an
            object of Kubernetes (some 40 bytes each).

        clock_skew_seconds: by how much the clocks of a node and of Prometheus may differ.

        replica_labels: labels that tell the replicas of one Prometheus apart. Not ``replica``, which applications use
            as well: a replica that is none would lose its requests.

        stratify_by: labels by whose values a tick is parted, besides by pods.
    """

    tick_seconds: float = 15.0
    max_series: int = 2000
    clock_skew_seconds: float = 1.0
    replica_labels: tuple[str, ...] = ("prometheus_replica", "__replica__")
    stratify_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A counter at one scrape. ``bad`` never exceeds ``total``."""

    at_ms: int
    total: int
    bad: int
    replica: str = ""


@dataclass(frozen=True, slots=True)
class Scrape:
    """A target was scraped, by which replica."""

    at_ms: int
    replica: str = ""


class Counts(enum.Enum):
    """What a counter counts.

    ``SORTED``: requests, and its points say which are bad. The others are counted with all such counters of their
    process, because bad requests have a metric of their own: ``ALL`` requests and the ``BAD`` ones among them, or
    requests that are bad ``UNLESS_GOOD`` and the ``GOOD`` ones.
    """

    SORTED = "sorted"
    ALL = "all"
    BAD = "bad"
    UNLESS_GOOD = "unless good"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of one process, over all replicas; its points by time.

    Args:

        counts: what it counts; the points of all but ``SORTED`` have no bad requests.

        stratum: the values of the labels to stratify by, "" where there are none.
    """

    key: str
    target: str
    pod: str
    points: tuple[Point, ...]
    counts: Counts = Counts.SORTED
    stratum: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was not counted because it is no user's request.

    Args:

        labels: labels that name a path and exist; without any, or of two metrics, probes are counted.

        values: the values that were left out, sorted, such as ``path="/healthz"``.
    """

    labels: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    def sentence(self) -> str:
        """One sentence for the status."""
        if not self.labels:
            return "probes and scrapes are counted as requests: no label tells them apart"
        if not self.values:
            return f"no probes or scrapes among the requests (looked at {', '.join(self.labels)})"
        return f"left out: {', '.join(self.values)}"


@dataclass(frozen=True, slots=True)
class Selection:
    """What one answer holds of one arm: counters by key, and when each target was scraped."""

    counters: tuple[Counter, ...]
    scrapes: Mapping[str, tuple[Scrape, ...]]
    left_out: LeftOut = LeftOut()


@dataclass(frozen=True, slots=True)
class Reading:
    """Everything of one look.

    Args:

        arms: what was selected for each arm that is compared; an arm that is not meant is not a key.

        since: the answers are complete from here on, Unix seconds.

        until: the time at which Prometheus was asked to evaluate, Unix seconds.

        pods: pods by name.
    """

    arms: Mapping[Arm, Selection]
    since: float
    until: float
    pods: Mapping[str, Pod] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last point of a counter that was taken."""

    at_ms: int
    total: int
    bad: int


@dataclass(frozen=True, slots=True)
class Target:
    """A process as it was scraped: first and last scrape taken, the replica followed, and since when."""

    first_ms: int
    last_ms: int
    replica: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Counted:
    """One arm so far, and the end of the last tick in which it grew (None: never)."""

    tally: Tally = Tally()
    grew_ms: int | None = None


@dataclass(frozen=True, slots=True)
class State:
    """What is remembered between two looks.

    Args:

        start_ms: the start of the epoch.

        watermark_ms: both arms are counted up to here, a tick's end; None until both are known.

        asked_ms: the time that all answers together cover without a hole.

        interval_ms: the scrape interval, the shortest that was measured.

        cursors: by key of the counter.

        targets: by target.

        canary: the canary so far.

        stable: the stable version so far.

        unbased: counters whose first value was not counted, because part of it may be older than the epoch.
    """

    start_ms: int
    watermark_ms: int | None = None
    asked_ms: tuple[int, int] | None = None
    interval_ms: int | None = None
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    canary: Counted = Counted()
    stable: Counted = Counted()
    unbased: int = 0


@dataclass(frozen=True, slots=True)
class Folded:
    """The state after a look, and the ticks it closed, in order; ticks in which nothing grew are not among them."""

    state: State
    ticks: tuple[Tick, ...]


def milliseconds(seconds: float) -> int:
    """Unix seconds in Prometheus' resolution."""
    return round(seconds * 1000)
