"""Mutated conditions: ``python -m tests.fuzz --count 1000000 --seed 1``.

Law: the same seed gives the same texts. Whatever comes out is a bool or a ConditionError, within the bound of time.
"""

import contextlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

from canary_operator.conditions import expression
from canary_operator.conditions.dialects import Dialect
from tests.conditions.generating import case

WORDS = (
    *(
        "result",
        "result[0]",
        "#",
        "#acc",
        "#index",
        ".a",
        "?.",
        "$env",
        "nil",
        "true",
        "not",
        "in",
        "and",
        "or",
        "let x = ",
    ),
    *("+", "-", "**", "%", "..", "1..1000000", "??", "?", ":", "(", ")", "[", "]", "{", "}", ",", ";", "|", "matches"),
    *(
        "all(result,",
        "map(1..9999,",
        "reduce(1..999, #acc + #acc,",
        "filter(",
        "groupBy(",
        "sortBy(",
        "repeat('ab', 9999)",
    ),
    *(
        "toJSON(",
        "fromJSON(",
        '"(a|b)*c{2,}"',
        '"[["',
        "'\\",
        "//",
        "/*",
        "0x",
        "1e",
        "9223372036854775807",
        "\u00e9",
        "\ud800",
    ),
    *("\n", "\x00", "isNaN(", "default(", "findLast(", "string(", "join(", "split(", "get(", "[[[[", "((((", "--"),
)
RESULTS = (1.0, float("nan"), [], [1.0, float("inf")], [float("nan")] * 50, "1.5", True, None, {"a": [1.0, None, "b"]})
# What one text may take of the processor; wall time would be that of everything else that runs.
MAX_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Found:
    """What became of many texts: how many, how many were conditions, and the longest time of one in seconds."""

    count: int
    answered: int
    slowest: float
    slowest_text: str


def texts(seed: int, count: int) -> Iterator[str]:
    """Yield mutated conditions."""
    source = random.Random(f"fuzz/{seed}")
    for number in range(count):
        text = case(seed, number // 4).condition
        for _ in range(source.randrange(6)):
            text = _mutated(source, text)
        yield text


def _mutated(source: random.Random, text: str) -> str:
    place, other = source.randrange(len(text) + 1), source.randrange(len(text) + 1)
    match source.randrange(5):
        case 0:
            return text[:place] + source.choice(WORDS) + text[place:]
        case 1:
            return text[:place] + text[other:]
        case 2:
            return text[:place] + text[other : other + source.randrange(30)] + text[place:]
        case 3:
            return text[:place] + chr(source.randrange(1, 0x250)) + text[place:]
        case _:
            return (text * source.randrange(1, 4))[: source.choice((200, 6000))]


def judge(text: str, result: object, dialect: Dialect) -> bool:
    """Whether the text was a condition for the result; anything but a ConditionError is a crash, and is raised."""
    with contextlib.suppress(expression.ConditionError):
        wanted = expression.type_of_document(result)
        if isinstance(result, list) and all(isinstance(one, float) for one in result):
            wanted = expression.VECTOR
        answer = expression.compile_condition(text, wanted, dialect).evaluate(result)
        assert answer is True or answer is False
        return True
    return False


def run(seed: int, count: int) -> Found:
    """Judge many texts.

    Raises:

        AssertionError: one took too long. Whatever else one raises is a crash.
    """
    answered, slowest, slowest_text = 0, 0.0, ""
    for number, text in enumerate(texts(seed, count)):
        began = time.process_time()
        try:
            answered += judge(text, RESULTS[number % len(RESULTS)], tuple(Dialect)[number // len(RESULTS) % 2])
        except BaseException:
            print(f"seed {seed}, text {number}: {text!r}")
            raise
        took = time.process_time() - began
        assert took < MAX_SECONDS, f"{text!r} took {took:.1f} s"
        if took > slowest:
            slowest, slowest_text = took, text
    return Found(count, answered, slowest, slowest_text)
