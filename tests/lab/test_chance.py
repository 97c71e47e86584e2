"""Traffic's random numbers have the distribution that they claim."""

import math
import random
import statistics

import pytest

from lab.traffic.chance import BUCKETS, Latency, poisson


@pytest.mark.parametrize("mean", [0.02, 0.7, 5.0, 29.9, 30.1, 200.0, 20_000.0])
def test_a_poisson_number_has_its_mean_as_mean_and_as_variance(mean):
    generator = random.Random(1)
    draws = [poisson(generator, mean) for _ in range(20_000)]

    # Five standard errors, of the mean and (for a Poisson number) of the variance.
    error = math.sqrt(mean / len(draws))
    assert statistics.fmean(draws) == pytest.approx(mean, abs=5 * error)
    spread = math.sqrt((mean + 2 * mean**2) / len(draws))
    assert statistics.variance(draws) == pytest.approx(mean, abs=5 * spread)


@pytest.mark.parametrize("mean", [3.0, 40.0])
def test_a_poisson_number_has_the_probabilities_of_the_textbook(mean):
    generator = random.Random(2)
    draws = 50_000
    seen = [0] * 400
    for _ in range(draws):
        seen[poisson(generator, mean)] += 1

    for count in range(int(mean) - 3, int(mean) + 4):
        expected = draws * math.exp(count * math.log(mean) - mean - math.lgamma(count + 1))
        assert seen[count] == pytest.approx(expected, abs=5 * math.sqrt(expected))


@pytest.mark.parametrize("mean", [0.0, -1.0])
def test_nothing_expected_is_nothing_drawn(mean):
    assert poisson(random.Random(3), mean) == 0


def test_half_of_the_latencies_are_below_the_median():
    shares = Latency(median_seconds=0.1, sigma=0.7).shares()

    assert sum(shares) == pytest.approx(1.0)
    assert sum(shares[: BUCKETS.index(0.1) + 1]) == pytest.approx(0.5)


def test_a_latency_without_spread_falls_into_one_bucket():
    latency = Latency(median_seconds=0.2, sigma=0.0)

    assert latency.shares()[BUCKETS.index(0.25)] == 1.0
    assert latency.draw(random.Random(4)) == (BUCKETS.index(0.25), 0.2)


def test_drawn_latencies_fall_into_buckets_as_their_shares_say():
    latency, generator = Latency(0.03, 1.0), random.Random(5)
    draws = 20_000
    seen = [0] * (len(BUCKETS) + 1)
    for _ in range(draws):
        seen[latency.draw(generator)[0]] += 1

    for count, share in zip(seen, latency.shares(), strict=True):
        assert count / draws == pytest.approx(share, abs=0.02)
