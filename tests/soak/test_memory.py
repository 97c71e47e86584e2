"""Growth of memory is found, and warm-up and noise are none."""

import pytest

from tests.soak.memory import Sample, growth, series

MB = 1_000_000


def samples(*megabytes: float) -> list[Sample]:
    return [Sample(10.0 * index, int(value * MB)) for index, value in enumerate(megabytes)]


@pytest.mark.parametrize(
    ("megabytes", "is_flat"),
    [
        pytest.param([100.0] * 40, True, id="what never changes is flat"),
        pytest.param([60.0] * 8 + [100.0] * 32, True, id="a warm-up is no growth"),
        pytest.param([100.0 + index % 5 * 3 for index in range(40)], True, id="noise is no growth"),
        pytest.param([100.0] * 20 + [300.0] + [100.0] * 19, True, id="a peak that ends is no growth"),
        pytest.param([100.0 + index for index in range(40)], False, id="a steady leak is growth"),
        pytest.param([100.0] * 30 + [120.0] * 10, False, id="a step at the end is growth"),
        pytest.param([200.0 - index for index in range(40)], True, id="less is not more"),
    ],
)
def test_memory_is_flat_or_not(megabytes, is_flat):
    found = growth(samples(*megabytes))
    assert found is not None
    assert found.is_flat() is is_flat


def test_too_few_samples_say_nothing():
    assert growth(samples(*[100.0] * 10)) is None


def test_a_few_samples_stand_for_a_long_series():
    found = series(samples(*range(100)), points=5)
    assert [each.seconds for each in found] == [0, 250, 500, 740, 990]
