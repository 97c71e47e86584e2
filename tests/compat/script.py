"""What happens to the pods: a script of which every count is known beforehand.

Law: pure. Times are seconds since the release began, and the script is a function of them. Requests come in bursts with
silence around every moment at which a gate looks, so that what it should know then does not depend on when a server
scrapes.
"""

import functools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.counting.tallies import Tally
from tests.builders import CANARY, NAME, STABLE

TICK = 15
# The last tick with requests, and the last look, which knows of all of them.
LAST, END = 90, 105
# Seconds of each tick in which requests come.
BURST = range(3, 11)
THRESHOLD = "1"

HEALTHY, FAILING, CONVERTED = "healthy", "failing", "converted"
NAMESPACES = (HEALTHY, FAILING, CONVERTED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests by what came of them. Slow ones are among the good."""

    good: int = 0
    bad: int = 0
    slow: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.good + other.good, self.bad + other.bad, self.slow + other.slow)

    @property
    def total(self) -> int:
        return self.good + self.bad


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod.

    Args:

        rate: requests a second while they come.

        errors: which share of them fails in each tick.

        restarted: when its process was started again, if ever; it does not answer for a second then.

        before: what it had counted when the release began.
    """

    namespace: str
    name: str
    version: str
    rate: float
    errors: tuple[float, ...]
    born: float = -math.inf
    gone: float = math.inf
    restarted: float = math.inf
    before: Counts = Counts()

    def lives(self, at: float) -> bool:
        return self.born <= at < self.gone

    def answers(self, at: float) -> bool:
        return self.lives(at) and not self.restarted <= at < self.restarted + 1.2

    def shown(self, at: float) -> Counts:
        """What its process shows: what it has counted since it was started."""
        if at >= self.restarted:
            return self.served(self.restarted, at)
        return self.before + self.served(-math.inf, at)

    def served(self, begin: float, end: float) -> Counts:
        """What happened after one time, up to another."""
        return sum((counts for second, counts in _busy(self) if begin < second <= end), Counts())

    def draw(self, chance: random.Random, errors: float) -> Counts:
        """What happens in a second."""
        number = max(0, round(chance.gauss(self.rate, self.rate**0.5)))
        bad = sum(chance.random() < errors for _ in range(number))
        slow = sum(chance.random() < 0.01 for _ in range(number - bad))
        return Counts(number - bad, bad, slow)


@functools.cache
def _busy(pod: Pod) -> tuple[tuple[int, Counts], ...]:
    """The ends of a pod's busy seconds, with what happened in them."""
    chance = random.Random(f"{pod.namespace}/{pod.name}")
    seconds = (each for each in range(LAST) if each % TICK in BURST and pod.born <= each < pod.gone)
    return tuple((each + 1, pod.draw(chance, pod.errors[each // TICK])) for each in seconds)


def _pods(namespace: str, *, canary: tuple[float, ...], stable: tuple[float, ...]) -> tuple[Pod, ...]:
    """A quarter of the requests goes to the canary, whatever number of pods serves them."""
    old = Counts(good=5000, bad=7, slow=50)
    return (
        # One that is there all the time, one that is restarted, one that goes and one that comes instead.
        Pod(namespace, f"{NAME}-{STABLE}-aaaaa", STABLE, 50, before=old, errors=stable),
        Pod(namespace, f"{NAME}-{STABLE}-bbbbb", STABLE, 50, restarted=43, before=old, errors=stable),
        Pod(namespace, f"{NAME}-{STABLE}-ccccc", STABLE, 50, gone=59, before=old, errors=stable),
        Pod(namespace, f"{NAME}-{STABLE}-ddddd", STABLE, 50, born=60, errors=stable),
        Pod(namespace, f"{NAME}-{CANARY}-aaaaa", CANARY, 25, born=0, restarted=58, errors=canary),
        Pod(namespace, f"{NAME}-{CANARY}-bbbbb", CANARY, 25, born=0, gone=74, errors=canary),
        Pod(namespace, f"{NAME}-{CANARY}-ccccc", CANARY, 25, born=74, errors=canary),
    )


# What share of the requests fails in each tick: for a short while of both versions; from the second tick on of one.
_QUIET, _BURST, _FAULT = (0.001,) * 6, (0.0, 0.01, *(0.001,) * 4), (0.0, *(0.25,) * 5)

PODS = (
    *_pods(HEALTHY, canary=_BURST, stable=_BURST),
    *_pods(CONVERTED, canary=_BURST, stable=_BURST),
    *_pods(FAILING, canary=_FAULT, stable=_QUIET),
)


def truth(namespace: str, version: str, until: float) -> Tally:
    """Requests of a version since the release began, and the bad ones."""
    counts = _whole(namespace, version, until)
    return Tally(counts.bad, counts.total)


def slow(namespace: str, version: str, until: float) -> Tally:
    """Requests of a version since the release began, and the slow ones."""
    counts = _whole(namespace, version, until)
    return Tally(counts.slow, counts.total)


def _whole(namespace: str, version: str, until: float) -> Counts:
    own = [pod for pod in PODS if (pod.namespace, pod.version) == (namespace, version)]
    return sum((pod.served(0, until) for pod in own), Counts())


def exposition(pod: Pod, at: float) -> str:
    """What a pod shows at a time, in Prometheus' text format; a series is born at its first request."""
    counts = pod.shown(at)
    return "\n".join([*_requests(counts, at), *_durations(counts), ""])


def _requests(counts: Counts, at: float) -> Iterator[str]:
    yield "# TYPE http_requests_total counter"
    # A kubelet asks all the time.
    yield f'http_requests_total{{path="/healthz",status="200"}} {10_000 + int(at)}'
    for status, count in (("200", counts.good), ("500", counts.bad)):
        if count:
            yield f'http_requests_total{{path="/",status="{status}"}} {count}'


def _durations(counts: Counts) -> Iterator[str]:
    if not counts.total:
        return
    name, fast = "http_request_duration_seconds", counts.total - counts.slow
    yield f"# TYPE {name} histogram"
    for bound, count in (
        ("0.1", fast),
        ("0.5", fast),
        (THRESHOLD, fast),
        ("2.5", counts.total),
        ("+Inf", counts.total),
    ):
        yield f'{name}_bucket{{le="{bound}"}} {count}'
    yield f"{name}_sum {fast * 0.05 + counts.slow * 1.5:.3f}"
    yield f"{name}_count {counts.total}"
