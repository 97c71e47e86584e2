"""What an SLO means, whatever format it was written in: counts of requests and the share of bad ones allowed.

Law: nouns only; they hold parsed selectors, never PromQL that somebody still has to read. What cannot be counted
is Opaque, with the reason.
"""

import enum
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


class MatchKind(enum.Enum):
    """How a matcher compares; the values are PromQL's operators."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher. ``value`` is the value itself, not as it is quoted in PromQL."""

    label: str
    kind: MatchKind
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """A bare vector selector.

    Args:

        metric: the metric's name, "" where only matchers say which series are meant.

        matchers: sorted, each once; without the name where ``metric`` says it.
    """

    metric: str
    matchers: tuple[Matcher, ...] = ()

    @property
    def labels(self) -> frozenset[str]:
        """The names of the labels it looks at."""
        return frozenset(matcher.label for matcher in self.matchers)


class Events(enum.Enum):
    """Which requests the part of a ratio counts."""

    BAD = "bad"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Requests of a kind among all requests; each side is the sum of its counters.

    Args:

        events: what the part counts; where it counts the good ones, bad = total - good.

        part: the counters of the part, at least one.

        total: the counters of all requests, at least one.
    """

    events: Events
    part: tuple[Selector, ...]
    total: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Latency:
    """Requests slower than a threshold, by the buckets of a classic histogram.

    Args:

        histogram: the base name, without ``_bucket`` and ``_count``, and matchers without ``le``.

        threshold: the ``le`` of a bucket, in the unit of the histogram; bad = count - bucket.
    """

    histogram: Selector
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class SLORef:
    """Where an SLO is defined.

    Args:

        kind: such as ``ServiceLevelObjective``, or ``SLOPolicy`` for an inline one.

        namespace: "" for a cluster's own object.

        name: of the object.

        entry: the SLO, metric or objective within the object, "" where there is only one.
    """

    kind: str
    namespace: str
    name: str
    entry: str = ""

    def __str__(self) -> str:
        """As people write it: ``ServiceLevelObjective/api``, ``PrometheusServiceLevel/api:availability``."""
        return f"{self.kind}/{self.name}" + (f":{self.entry}" if self.entry else "")


@dataclass(frozen=True, slots=True)
class Source:
    """Where an indicator came from, and the sha256 of what it means: a new description is no new digest."""

    reference: SLORef
    digest: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """An SLO whose requests can be counted.

    Args:

        measure: what is counted.

        allowed: the share of bad requests that the objective allows, more than 0 and less than 1.

        window_seconds: of the objective, None where the source names none or a calendar's.

        grouping: labels for each of whose values the source wants its own objective; the counts here are whole.
    """

    measure: Ratio | Latency
    allowed: Fraction
    source: Source
    window_seconds: float | None = None
    grouping: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Opaque:
    """An SLO that is one number and no counts: it can be compared with a limit, and no statistics apply.

    Args:

        reason: why it cannot be split, one clause for a person.

        query: PromQL that parses, with all variables filled in.

        allowed: the bad ratio that the query's value may have; None where the template's own conditions judge.
    """

    reason: str
    query: str
    source: Source
    allowed: Fraction | None = None
    window_seconds: float | None = None
