"""The course of an evidence: bounded, thinned, and never without its first and its newest point."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.model.gate import Side
from canary_operator.web.series import MOST_POINTS, Point, Series


def points(count, start=1000.0, every=15.0):
    return [Point(start + every * number, 0.25, 0.5) for number in range(count)]


def series_of(given_points):
    series = Series()
    for point in given_points:
        series.add(point)
    return series


def test_what_is_added_is_told_in_its_order():
    added = [Point(1.0, 0.25, 0.5, Side(bad=1, total=10), Side(bad=0, total=30)), Point(2.0, 0.0, 1.0)]

    assert list(series_of(added)) == added


def test_a_side_that_does_not_count_is_no_side_and_one_without_requests_is_one():
    series = series_of([Point(1.0, 0, 0), Point(2.0, 0, 0, Side(bad=0, total=0))])

    assert [point.canary for point in series] == [None, Side(bad=0, total=0)]


@pytest.mark.parametrize("late", [2.0, 1.0])
def test_a_point_that_is_no_newer_than_the_last_is_dropped(late):
    series = series_of([Point(1.0, 0, 0), Point(2.0, 0, 0)])

    series.add(Point(late, 1, 1))

    assert [point.at for point in series] == [1.0, 2.0]


@given(st.integers(min_value=1, max_value=2000))
def test_however_long_a_release_is_its_course_is_bounded_and_whole(count):
    added = points(count)

    kept = [point.at for point in series_of(added)]

    assert len(kept) <= MOST_POINTS
    assert (kept[0], kept[-1]) == (added[0].at, added[-1].at)
    assert kept == sorted(kept)


def test_a_long_course_keeps_points_of_all_its_parts():
    kept = [point.at for point in series_of(points(4000))]

    gaps = [later - earlier for earlier, later in itertools.pairwise(kept[:-1])]
    assert len(kept) > MOST_POINTS / 4
    assert max(gaps) < 60_000 / (MOST_POINTS / 4)


def test_what_is_known_of_the_time_before_is_put_in_front():
    series = series_of(points(3, start=1000))

    series.seed([*points(2, start=900), *points(1, start=1015)])

    assert [point.at for point in series] == [900, 915, 1000, 1015, 1030]


def test_an_empty_course_is_seeded_with_all_that_is_known():
    series = Series()

    series.seed(reversed(points(3)))

    assert list(series) == points(3)
