"""Figures that others have published, from the formulas that this room is built of.

What the room does not need at run time stands here: Poisson's maximised test, Dirichlet and beta mixtures.
"""

import math

import pytest

from canary_operator.stats.likelihood import per_request
from canary_operator.stats.planning import divergence

# Kulldorff et al. 2011, events against a known expectation, watched until so many are expected.
CRITICAL = [
    (1, 0.05, 2.853937),
    (1, 0.01, 4.670428),
    (1, 0.001, 7.172614),
    (2, 0.05, 3.046977),
    (5, 0.01, 5.091907),
    (10, 0.05, 3.467952),
    (10, 0.01, 5.260513),
    (10, 0.001, 7.724863),
    (20, 0.05, 3.628123),
    (20, 0.01, 5.414770),
    (50, 0.05, 3.819903),
    (100, 0.05, 3.952321),
    (100, 0.01, 5.738974),
]
POWER = [
    (10, 2, 3.467952, 0.6850634, 4.130985, 5.979353),
    (10, 3, 3.467952, 0.989, 2.45, 2.53),
    (20, 1.5, 3.628123, 0.450, 8.68, 14.91),
    (20, 2, 3.628123, 0.921, 6.96, 8.00),
    (50, 2, 3.819903, 0.9996, 8.94, 8.96),
]


@pytest.mark.parametrize(("until", "risk", "critical"), CRITICAL)
def test_the_critical_values_of_poissons_maximised_test(until, risk, critical):
    assert signals(until, critical - 1e-6).chance > risk > signals(until, critical + 1e-6).chance


@pytest.mark.parametrize(("until", "ratio", "critical", "power", "signalled", "watched"), POWER)
def test_the_power_of_poissons_maximised_test(until, ratio, critical, power, signalled, watched):
    found = signals(until, critical, ratio)
    assert found.chance == pytest.approx(power, abs=0.0005)
    assert found.time / found.chance == pytest.approx(signalled, abs=0.006)
    assert found.time + until * (1 - found.chance) == pytest.approx(watched, abs=0.006)


class Signals:
    """How probable a signal is, and the sum of its times over the paths that signal."""

    def __init__(self):
        self.chance, self.time = 0.0, 0.0


def signals(until: float, critical: float, ratio: float = 1.0) -> Signals:
    """Follow the number of events from one boundary to the next; ``paths[k]``: k events and no signal yet."""
    found, paths, at, events = Signals(), [1.0], 0.0, 0
    while at < until:
        events += 1
        reached = min(boundary(events, critical), until)
        paths = moved(found, paths, (at, reached), events, ratio)
        at = reached
    return found


def moved(found: Signals, paths: list[float], times: tuple[float, float], events: int, ratio: float) -> list[float]:
    start, mean = times[0], ratio * (times[1] - times[0])
    mass = [math.exp(-mean)]
    for k in range(1, events + 2):
        mass.append(mass[-1] * mean / k)
    below = [0.0]
    for each in mass:
        below.append(below[-1] + each)
    after = [0.0] * events
    for k, path in enumerate(paths):
        for to in range(k, events):
            after[to] += path * mass[to - k]
        left = events - k
        found.chance += path * (1 - below[left])
        found.time += path * (start * (1 - below[left]) + left / ratio * (1 - below[left + 1]))
    return after


def boundary(events: int, critical: float) -> float:
    """The latest expectation at which so many events are a signal."""
    low, high = 0.0, float(events)
    for _ in range(80):
        middle = (low + high) / 2
        over = middle - events + events * math.log(events / middle) >= critical
        low, high = (middle, high) if over else (low, middle)
    return low


def test_the_canary_example_of_savvi():
    prior, counts = (80.0, 20.0), (148, 62)
    assert math.exp(-dirichlet(prior, counts, (0.8, 0.2))) == pytest.approx(0.045579631759249686, abs=1e-12)


def test_the_interval_of_savvi_where_it_excludes_no_difference():
    """Its other end is the least of all looks before, which two counts cannot give."""

    def excluded(shift: float) -> bool:
        odds = math.exp(shift) * 0.2 / 0.8
        return dirichlet((80.0, 20.0), (148, 62), (1 / (1 + odds), odds / (1 + odds))) > math.log(20)

    assert edge(excluded, -1.0, 0.4) == pytest.approx(0.00464625, abs=1e-8)


def dirichlet(prior: tuple[float, ...], counts: tuple[int, ...], shares: tuple[float, ...]) -> float:
    whole = sum(prior)
    parts = zip(prior, counts, shares, strict=True)
    return (
        math.lgamma(whole)
        - math.lgamma(whole + sum(counts))
        + sum(math.lgamma(a + n) - math.lgamma(a) - n * math.log(p) for a, n, p in parts)
    )


@pytest.mark.parametrize(
    ("successes", "trials", "tuned", "published"),
    [
        (700, 1000, 100, (0.651629, 0.745949)),
        (15, 50, 50, (0.129556, 0.511896)),
        (5, 50, 50, (0.013021, 0.269264)),
        (1, 50, 50, (0.0, 0.13489)),
        (100, 200, 1, (0.328923, 0.671076)),
    ],
)
def test_the_confidence_sequences_of_confseq(successes, trials, tuned, published):
    scale = 2 * math.log(20) + math.log(1 + 2 * math.log(20))
    prior = max(tuned / scale - 1, 1e-3)

    def excluded(p: float) -> bool:
        after = log_beta(p * prior + successes, (1 - p) * prior + trials - successes)
        seen = successes * math.log(p) + (trials - successes) * math.log1p(-p)
        return after - log_beta(p * prior, (1 - p) * prior) - seen > math.log(20)

    middle = successes / trials
    low = edge(excluded, 1e-12, middle) if excluded(1e-12) else 0.0
    assert (low, edge(excluded, 1 - 1e-12, middle)) == pytest.approx(published, abs=1e-5)


def log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def edge(excluded, outside: float, inside: float) -> float:
    for _ in range(100):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside


def test_walds_item_by_item_plan_from_our_likelihood_ratios():
    bad, good = per_request(0.10, 0.01)
    slope = bad - good
    reject, accept = math.log((1 - 0.10) / 0.05), math.log((1 - 0.05) / 0.10)
    plan = (slope / math.log(10), accept / slope, reject / slope, -good / slope)
    assert plan == pytest.approx((1.0414, 0.9389, 1.2054, 0.0397), abs=6e-5)


@pytest.mark.parametrize(("looks", "published"), [(1, 5.0), (2, 8.3), (5, 14.2), (10, 19.3), (20, 24.8), (50, 32.0)])
def test_what_peeking_at_a_five_percent_test_costs(looks, published):
    assert 100 * peeking(looks) == pytest.approx(published, abs=0.08)


def peeking(looks: int, step: float = 0.1) -> float:
    """The chance that a sum of standard normals ever leaves 1.96 of its deviations (Armitage et al. 1969)."""
    kernel = [math.exp(-((k * step) ** 2) / 2) / math.sqrt(2 * math.pi) for k in range(-60, 61)]
    density = {0: 1 / step}
    for look in range(1, looks + 1):
        limit = 1.959964 * math.sqrt(look)
        density = convolved(density, kernel, step, limit)
    return 1 - sum(density.values()) * step


def convolved(density: dict[int, float], kernel: list[float], step: float, limit: float) -> dict[int, float]:
    """One look more; the cells at the limit count by the part that is within it."""
    last = int(limit / step + 0.5)
    part = limit / step + 0.5 - last
    after = {}
    for to in range(-last, last + 1):
        mass = sum(density.get(to - k, 0.0) * kernel[k + 60] for k in range(-60, 61)) * step
        after[to] = mass * (part if abs(to) == last else 1.0)
    return after


@pytest.mark.parametrize(
    ("ratio", "times", "published"),
    [(0.01, 2, 1177), (0.01, 3, 350), (0.01, 5, 112), (0.01, 10, 32), (0.001, 2, 11906), (0.001, 10, 328)],
)
def test_the_least_requests_that_an_abort_takes(ratio, times, published):
    assert math.log(100) / divergence(times * ratio, ratio) == pytest.approx(published, rel=0.005)
