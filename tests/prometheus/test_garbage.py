import gc
from contextlib import ExitStack

import pytest

from canary_operator.prometheus import garbage


@pytest.fixture(autouse=True)
def _as_it_was():
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def test_nothing_is_collected_inside_and_everything_after_it():
    with garbage.kept():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_collecting_goes_on_after_an_exception():
    with pytest.raises(RuntimeError), garbage.kept():
        raise RuntimeError

    assert gc.isenabled()


@pytest.mark.parametrize("first_out", [0, 1])
def test_nothing_is_collected_until_all_are_out_in_whatever_order(first_out):
    inside = [ExitStack(), ExitStack()]
    for each in inside:
        each.enter_context(garbage.kept())

    inside.pop(first_out).close()
    assert not gc.isenabled()
    inside.pop().close()

    assert gc.isenabled()


def test_who_collects_nothing_at_all_is_left_so():
    gc.disable()

    with garbage.kept():
        pass

    assert not gc.isenabled()


def test_what_is_loaded_is_never_looked_through_and_what_comes_is_seldom():
    loaded = [[]]

    garbage.seldom()

    assert not any(each is loaded for each in gc.get_objects())
    assert gc.get_threshold()[0] == garbage.SELDOM
    assert gc.isenabled()
