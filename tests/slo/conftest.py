"""The identity that the tables put into every selector."""

import pytest

from canary_operator.model.indicator import Matcher, MatchKind


@pytest.fixture
def identity():
    return (Matcher("namespace", MatchKind.EQUAL, "shop"), Matcher("hash", MatchKind.REGEX, "c1|s1"))
