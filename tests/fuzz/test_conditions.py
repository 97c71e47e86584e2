"""A small run of the fuzzer."""

from tests.fuzz.conditions import run, texts


def test_mutated_conditions_neither_crash_nor_hang():
    found = run(seed=1, count=2000)

    # Some must still be conditions, or nothing behind the parser was tried.
    assert found.answered > 100


def test_the_same_seed_gives_the_same_texts():
    assert list(texts(3, 50)) == list(texts(3, 50))
