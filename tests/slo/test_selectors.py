"""Selectors: written as they were read, and the labels that one adds to another."""

import pytest

from canary_operator.model.indicator import Latency
from canary_operator.model.promql import write_selector
from canary_operator.slo import selectors


def read(promql):
    return selectors.parse_selector(promql, "here")


@pytest.mark.parametrize(
    "promql", ["up", 'up{a="b",c=~"d\\\\.\\"e"}', '{"a.b"}', '{"a.b","c.d"="e"}', 'up{"c.d"!="e"}', 'x:y{a=""}']
)
def test_a_selector_is_written_as_it_was_read(promql):
    assert promql == write_selector(read(promql))


@pytest.mark.parametrize(
    ("part", "total", "added"),
    [
        (['hits{status=~"5..",job="a"}'], ['hits{job="a"}'], {"status"}),
        (['hits{job="a"}'], ['hits{job="b"}'], set()),
        (["failed"], ['hits{job="a"}'], set()),
        (['a{x="1"}', 'b{y="1"}'], ['c{x="1"}', "d"], {"y"}),
    ],
)
def test_the_labels_that_the_part_adds_are_named(part, total, added):
    assert added == selectors.label_names_added(map(read, part), map(read, total))


def test_a_bucket_and_another_count_are_no_latency():
    assert selectors.latency_of(read('a_bucket{le="1"}'), read("b_count")) is None
    assert selectors.latency_of(read('a_bucket{le="1",x="y"}'), read("a_count")) is None
    assert isinstance(selectors.latency_of(read('a_bucket{le="1"}'), read("a_count")), Latency)
