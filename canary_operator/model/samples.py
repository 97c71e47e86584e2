"""What the operator asks Prometheus, and what comes back.

Law: nouns only. Absent data is a value with a reason, never None, 0 or NaN.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from canary_operator.model.indicator import Matcher, Selector
from canary_operator.model.verdict import HoldReason


@dataclass(frozen=True, slots=True)
class Query:
    """One instant query.

    Args:

        provider: the name of a provider of the operator's configuration.

        promql: the rendered expression.

        at: the evaluation time, Unix seconds.

        timeout: seconds the asker is ready to wait, None for the provider's own bound.
    """

    provider: str
    promql: str
    at: float
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class RawQuery:
    """Raw samples of a selector: an instant query of a range selector.

    Args:

        provider: the name of a provider of the operator's configuration.

        selector: the series that are meant, without what tells a version from another.

        identity: matchers that tell whose series are meant; the namespace is always one of them. Questions that
            differ in nothing else may be asked together.

        window: whole seconds back from ``at``.

        at: the evaluation time, Unix seconds.
    """

    provider: str
    selector: Selector
    identity: tuple[Matcher, ...]
    window: int
    at: float
    # On its way to the answer a question is looked up some twenty times, and it is made of many parts.
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = (self.provider, self.selector, self.identity, self.window, self.at)
        object.__setattr__(self, "_hash", hash(parts))

    def __hash__(self) -> int:
        return self._hash


Question = Query | RawQuery


class ResultKind(enum.Enum):
    """The ``resultType`` of an answer of Prometheus."""

    SCALAR = "scalar"
    VECTOR = "vector"
    MATRIX = "matrix"
    STRING = "string"


# An answer has samples by the ten thousand, and a frozen dataclass takes three times as long to make as a tuple.
class Sample(NamedTuple):
    """A value at a time (Unix seconds). The value may be NaN or infinite, as Prometheus said."""

    at: float
    value: float


class Series(NamedTuple):
    """Samples of one label set; an instant vector or a scalar carries exactly one sample."""

    labels: tuple[tuple[str, str], ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class NativeBucket:
    """A bucket of a native histogram with at least one observation, from ``lower`` to and with ``upper``."""

    lower: float
    upper: float
    count: float


@dataclass(frozen=True, slots=True)
class NativeSample:
    """A native histogram at a time (Unix seconds)."""

    at: float
    count: float
    buckets: tuple[NativeBucket, ...]


@dataclass(frozen=True, slots=True)
class NativeSeries:
    """Samples of one native histogram, with exponential or custom buckets."""

    labels: tuple[tuple[str, str], ...]
    samples: tuple[NativeSample, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: no warnings and nothing partial. ``series`` keeps the server's order.

    ``native`` holds the native histograms of an answer of raw samples.
    """

    kind: ResultKind
    series: tuple[Series, ...]
    native: tuple[NativeSeries, ...] = ()


@dataclass(frozen=True, slots=True)
class Absent:
    """There is no answer, why (a hold reason), and one sentence for a person.

    ``partial`` is true where something came, and the server itself says that it is not all.
    """

    reason: HoldReason
    message: str
    partial: bool = False


Samples = Mapping[Question, Answer | Absent]
