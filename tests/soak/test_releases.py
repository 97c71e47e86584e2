"""What is drawn: the same for the same seed, every kind of it, and how each must end."""

from collections import Counter
from itertools import islice

import pytest

from tests.soak.kills import Moment, points
from tests.soak.releases import End, Ending, Release, Truth, drawn


def test_the_same_seed_draws_the_same_releases():
    assert list(islice(drawn("web", 1), 20)) == list(islice(drawn("web", 1), 20))
    assert list(islice(drawn("web", 1), 20)) != list(islice(drawn("web", 2), 20))


def test_every_truth_and_every_ending_is_drawn():
    found = Counter((each.truth, each.ending) for each in islice(drawn("web", 1), 200))
    by_itself = {(Truth.GOOD, Ending.BY_ITSELF), (Truth.BAD, Ending.BY_ITSELF)}
    assert set(found) == by_itself | {(Truth.SILENT, ending) for ending in Ending if ending is not Ending.BY_ITSELF}


def test_every_moment_of_a_death_is_drawn():
    assert {each.moment for each in islice(points(1), 100)} == set(Moment)
    assert list(islice(points(1), 100)) == list(islice(points(1), 100))


@pytest.mark.parametrize(
    ("truth", "ending", "end"),
    [
        (Truth.GOOD, Ending.BY_ITSELF, End.PROMOTED_BY_GATE),
        (Truth.BAD, Ending.BY_ITSELF, End.ABORTED_BY_GATE),
        (Truth.SILENT, Ending.DATA_COME, End.PROMOTED_BY_GATE),
        (Truth.SILENT, Ending.PERSON_ABORTS, End.ABORTED_BY_PERSON),
        (Truth.SILENT, Ending.PERSON_PROMOTES, End.PROMOTED_BY_PERSON),
        (Truth.SILENT, Ending.OVERRIDE_ABORTS, End.ABORTED_BY_GATE),
    ],
)
def test_a_release_ends_as_its_truth_demands(truth, ending, end):
    assert Release("web", 2, truth, ending).end() is end
