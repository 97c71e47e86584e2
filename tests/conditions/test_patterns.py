"""Regular expressions: what they find, what is none, and that none takes long."""

import pytest

from canary_operator.conditions import patterns
from canary_operator.conditions.problems import OperandError

# Columns: pattern, text, whether it is found; all of them were compared with Go.
FOUND = {
    "characters anywhere": ("b", "abc", True),
    "both ends": ("^abc$", "abc", True),
    "the end is the very end": ("abc$", "abc\n", False),
    "the end of a line": ("(?m)^abc$", "x\nabc\ny", True),
    "a point is no line break": ("a.c", "a\nc", False),
    "a point is everything": ("(?s)a.c", "a\nc", True),
    "alternatives": ("^(a|bc)+$", "abca", True),
    "a count": ("^a{2,3}$", "aaaa", False),
    "a count without end": ("^a{2,}$", "aaaa", True),
    "no count after all": ("a{,3}", "a{,3}", True),
    "a class": ("^[a-c\\d]+$", "b2", True),
    "a negated class": ("^[^a-c]$", "d", True),
    "a named class": ("^[[:alpha:]]$", "\u00e9", False),
    "a class of Unicode": ("^\\pL$", "\u00e9", True),
    "words are ASCII": ("^\\w$", "\u00e9", False),
    "a border of a word": ("\\bab\\b", "x ab y", True),
    "both cases": ("(?i)^\u212a$", "k", True),
    "both cases in a group only": ("^(?i:a)b$", "AB", False),
    "a folded class before it is negated": ("(?i)\\p{^Ll}", "ab", False),
    "quoted": ("\\Qa.b\\E", "axb", False),
    "nothing": ("", "", True),
}


@pytest.mark.parametrize(("pattern", "text", "expected"), FOUND.values(), ids=FOUND.keys())
def test_a_pattern_is_found(pattern, text, expected):
    assert patterns.found(pattern, text) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[",
        "[]",
        "[z-a]",
        "*",
        "a**",
        "a{2}{3}",
        "a{1001}",
        "(?<",
        "(?P<a>x)(?P<a>y)",
        "\\1",
        "\\Z",
        "\\C",
        "(?=a)",
    ],
)
def test_what_go_refuses_is_refused(pattern):
    with pytest.raises(OperandError):
        patterns.compiled(pattern)


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|a)*$", "(a*)*b", "(.*a){20}"])
def test_what_ruins_backtracking_costs_what_was_told_before(pattern):
    found = patterns.compiled(pattern)

    assert found.cost("a" * 200) <= 201 * len(found.states)
    assert found.found("a" * 200 + "!") is (pattern == "(.*a){20}")


def test_a_pattern_has_a_bound():
    with pytest.raises(OperandError, match="too large"):
        patterns.compiled("((a{100}){100}){100}")
    with pytest.raises(OperandError, match="nested"):
        patterns.compiled("(" * 100)
    with pytest.raises(OperandError, match="more than 1000"):
        patterns.compiled("a" * 2000)
