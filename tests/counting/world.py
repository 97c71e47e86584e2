"""A world that knows every request: pods, their restarts and deaths, and who scraped them when.

Law: seeded; nothing of the counting is used here. Truth is told from the times of requests, never from counters.
"""

import math
import random
import re
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from canary_operator.counting.tallies import Arm, Pod, Tally
from canary_operator.model.indicator import Selector
from canary_operator.model.samples import Answer, ResultKind, Sample, Series

START = 1_700_000_000.0  # the epoch begins here
HASHES = {Arm.CANARY: "c4n4ry", Arm.STABLE: "st4ble"}
INTERVAL = 15.0
BOUNDS = ("0.1", "0.5", "2.5", "+Inf")
REQUESTS, ERRORS, GOOD, UP = "http_requests_total", "http_errors_total", "http_good_total", "up"
BUCKETS = "http_duration_seconds_bucket"


@dataclass(frozen=True)
class Chaos:
    """What may happen, in numbers."""

    canaries: int = 2
    stables: int = 3
    rate: float = 1.0  # requests a second and pod
    error_ratio: float = 0.02
    bursts: int = 1
    restarts: int = 2
    deaths: int = 1
    scale_ups: int = 1
    target_gaps: int = 1
    outages: int = 1  # of Prometheus, each replica by itself
    prometheus_restarts: int = 0  # after which every target is scraped at other moments
    longest_gap: float = 90.0
    replicas: int = 1
    drained: bool = False  # nothing is asked of a pod around its last scrapes, nor around the epoch's start
    fast_boot: bool = False  # metrics may be served within the second in which Kubernetes says it started
    seconds: float = 420.0


@dataclass
class Life:
    begin: float
    end: float
    ready: float  # metrics are served from here on
    requests: list[tuple[float, str, str, bool]] = field(default_factory=list)  # time, status, route, slow
    prior: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass
class Process:
    arm: Arm
    name: str
    lives: list[Life]
    scrapes: dict[str, list[float]] = field(default_factory=dict)

    def pod(self, *, restarts_known=True):
        restarts = tuple(math.floor(life.begin) for life in self.lives[1:]) if restarts_known else ()
        return Pod(math.floor(self.lives[0].begin), restarts)


class World:
    def __init__(self, seed: int, chaos: Chaos, namespace: str = "shop") -> None:
        self.namespace = namespace
        self.chance = random.Random(seed)
        self.chaos = chaos
        self.end = START + chaos.seconds
        self.processes = self._processes()
        self._serve()
        self._scrape()
        self._samples = self._expose()

    # --- what happens

    def _processes(self):
        chaos, chance = self.chaos, self.chance
        made = [
            Process(Arm.CANARY, f"web-c-{n}", self._lives(START - chance.uniform(12, 45)))
            for n in range(chaos.canaries)
        ]
        made += [Process(Arm.STABLE, f"web-s-{n}", self._lives(START - 90_000)) for n in range(chaos.stables)]
        for n in range(chaos.scale_ups):
            arm = chance.choice(list(Arm))
            made.append(Process(arm, f"web-new-{n}", self._lives(START + chance.uniform(-30, chaos.seconds * 0.6))))
        for _ in range(chaos.restarts):
            self._restart(chance.choice(made))
        # The first of each arm stays: without any process of an arm the watermark waits.
        mortal = [process for process in made if not process.name.endswith(("c-0", "s-0"))]
        for process in chance.sample(mortal, min(chaos.deaths, len(mortal))):
            last = process.lives[-1]
            low = max(last.begin + 20, START + 30)
            if low < self.end - 200:
                last.end = chance.uniform(low, self.end - 200)
        return made

    def _lives(self, begin):
        return [Life(begin, math.inf, begin + self._boot())]

    def _boot(self):
        return self.chance.uniform(0.0, 1.0) if self.chaos.fast_boot else self.chance.uniform(2.0, 6.0)

    def _restart(self, process):
        last = process.lives[-1]
        low = max(last.begin + 10, START - 20)
        high = min(last.end, self.end - 150)
        if low + 5 > high:
            return
        last.end = self.chance.uniform(low, high)
        down = self.chance.uniform(0.1, 1.0) if self.chaos.fast_boot else self.chance.uniform(2.1, 40)
        begin = last.end + down
        process.lives.append(Life(begin, math.inf, begin + self._boot()))

    def _serve(self):
        chaos, chance = self.chaos, self.chance
        bursts = [(at := chance.uniform(START, self.end), at + 20) for _ in range(chaos.bursts)]
        for process in self.processes:
            rate = chaos.rate * chance.choice([0.1, 1.0, 3.0])
            for life in process.lives:
                if life.begin < START - 1000:
                    life.prior = {("200", "/"): 50_000 + chance.randrange(1000), ("500", "/"): 30}
                at = max(life.ready, START - 400)
                stop = min(life.end, self.end - 60)
                while (at := at + chance.expovariate(rate)) < stop:
                    if not (chaos.drained and self._quiet(at, life)):
                        ratio = 0.5 if any(low < at < high for low, high in bursts) else chaos.error_ratio
                        status = chance.choice(["500", "503"]) if chance.random() < ratio else "200"
                        life.requests.append((at, status, chance.choice(["/", "/a", "/b"]), chance.random() < 0.1))

    def _quiet(self, at, life):
        around = self.chaos.longest_gap + 4 * INTERVAL
        return START - around < at < START or life.end - around < at

    # --- who looks

    def _scrape(self):
        chaos, chance = self.chaos, self.chance
        replicas = [f"prometheus-{n}" for n in range(chaos.replicas)] if chaos.replicas > 1 else [""]
        outages = {replica: [self._gap() for _ in range(chaos.outages)] for replica in replicas}
        restarts = {replica: sorted(self._gap() for _ in range(chaos.prometheus_restarts)) for replica in replicas}
        for process in self.processes:
            for replica in replicas:
                gaps = [self._gap() for _ in range(chaos.target_gaps) if chance.random() < 0.5]
                gaps += outages[replica] + restarts[replica]
                process.scrapes[replica] = [
                    at
                    for at in self._moments([low for low, _ in restarts[replica]])
                    if any(life.ready <= at < life.end for life in process.lives)
                    and not any(low <= at <= high for low, high in gaps)
                ]

    def _moments(self, restarts):
        """When a target would be scraped, if nothing were in the way."""
        edges = [START - 400, *restarts, self.end]
        for low, high in pairwise(edges):
            at = low + self.chance.uniform(0, INTERVAL)
            while at < high:
                yield round(at + self.chance.uniform(-0.05, 0.05), 3)
                at += INTERVAL

    def _gap(self):
        # Every long-lived process is scraped at least once in the five minutes before the epoch.
        low = self.chance.uniform(START - 200, self.end - 200)
        return low, low + self.chance.uniform(INTERVAL, self.chaos.longest_gap)

    def _expose(self):
        """Series: arm and labels -> samples."""
        made = defaultdict(list)
        for process in self.processes:
            for replica, times in process.scrapes.items():
                for at in times:
                    life = next(life for life in process.lives if life.ready <= at < life.end)
                    for metric, extra, value in self._page(life, at):
                        labels = self._labels(process, replica, {"__name__": metric, **extra})
                        made[process.arm, labels].append(Sample(at, float(value)))
        return dict(made)

    @staticmethod
    def _page(life, at):
        counts = defaultdict(int, life.prior)
        fast = slow = 0
        for when, status, route, late in life.requests:
            if when > at:
                break
            counts[status, route] += 1
            slow, fast = slow + late, fast + (not late)
        yield UP, {}, 1
        errors = sum(count for (status, _), count in counts.items() if status[0] == "5")
        yield ERRORS, {}, errors
        yield GOOD, {}, sum(counts.values()) - errors
        for (status, route), count in counts.items():
            yield REQUESTS, {"status": status, "route": route}, count
        if fast or slow or life.prior:
            before = sum(life.prior.values())
            for bound, count in zip(BOUNDS, (0, fast + before, *2 * [fast + slow + before]), strict=True):
                yield BUCKETS, {"le": bound}, count

    def _labels(self, process, replica, extra):
        labels = {
            "namespace": self.namespace,
            "job": "web",
            "instance": f"{process.name}:8080",
            "pod": process.name,
            "rollouts_pod_template_hash": HASHES[process.arm],
            **extra,
        }
        if replica:
            labels["prometheus_replica"] = replica
        return tuple(sorted(labels.items()))

    # --- what is told

    def answer(self, arm: Arm, selector: Selector, since: float, until: float, *, shuffled: bool = False) -> Answer:
        """What Prometheus 3 answers: samples after `since`, up to `until`."""
        series = []
        for (of, labels), samples in self._samples.items():
            if of is not arm or not _is_meant(dict(labels), selector):
                continue
            low, high = (bisect_right(samples, end, key=lambda sample: sample.at) for end in (since, until))
            part = samples[low:high]
            if part:
                if shuffled:
                    part = self.chance.sample(part, len(part)) + part[:1]
                series.append(Series(labels, tuple(part)))
        if shuffled:
            self.chance.shuffle(series)
        return Answer(ResultKind.MATRIX, tuple(series))

    def exposition(self):
        """All samples: labels, seconds and value."""
        for (_, labels), samples in self._samples.items():
            for sample in samples:
                yield labels, sample.at, sample.value

    def pods(self, until, *, restarts_known=True):
        known = {}
        for process in self.processes:
            lives = [life for life in process.lives if life.begin <= until]
            if lives:
                known[process.name] = Process(process.arm, process.name, lives).pod(restarts_known=restarts_known)
        return known

    # --- the truth

    def scraped(
        self, arm: Arm, until: float, *, slow: bool = False, start: float = START, at_most: bool = False
    ) -> Tally:
        """Requests between a life's last scrape up to the epoch (none: its begin) and its last one up to `until`.

        Of several replicas the latest base, or the earliest for what it can be `at_most`.
        """
        tally = Tally()
        for process in self.processes:
            for life, low, high in self._seen(process, until, start, at_most=at_most):
                if process.arm is arm:
                    tally += self._between(life, low, high, slow=slow)
        return tally

    def scraped_of(self, process: Process, route: str, until: float) -> Tally:
        """The same of one process' requests to a route."""
        seen = self._seen(process, until, START)
        return sum((self._between(*each, route=route) for each in seen), Tally())

    @staticmethod
    def _seen(process, until, start, *, at_most=False):
        """Of each life that was scraped the time whose requests the scrapes tell."""
        for life in process.lives:
            mine = [
                [at for at in times if life.ready <= at < life.end and at <= until]
                for times in process.scrapes.values()
            ]
            bases = [max(at for at in times if at <= start) for times in mine if times and times[0] <= start]
            if any(mine):
                base = (min if at_most else max)(bases, default=-math.inf)
                yield life, base, max(times[-1] for times in mine if times)

    def served(self, arm: Arm, since: float, until: float = math.inf, *, slow: bool = False) -> Tally:
        """All requests of a time, whether anybody could have seen them or not."""
        lives = [life for process in self.processes if process.arm is arm for life in process.lives]
        return sum((self._between(life, since, until, slow=slow) for life in lives), Tally())

    @staticmethod
    def _between(life: Life, low: float, high: float, *, slow: bool = False, route: str = "") -> Tally:
        mine = [(status, late) for at, status, to, late in life.requests if low < at <= high and route in {"", to}]
        return Tally(sum(late if slow else status[0] == "5" for status, late in mine), len(mine))


def _is_meant(labels, selector):
    return labels["__name__"] == selector.metric and all(
        re.fullmatch(each.value, labels.get(each.label, "")) for each in selector.matchers if each.label == "le"
    )
