"""A Prometheus in memory that knows range selectors: the part of PromQL that raw questions are made of."""

import re

from canary_operator.model.indicator import MatchKind
from canary_operator.model.samples import Answer, ResultKind, Series
from canary_operator.slo.injection import selectors


def evaluate(query, stored):
    """The raw samples of ``stored`` series that ``query`` asks for, within its left-open window."""
    text, window = re.fullmatch(r"(.*)\[(\d+)s\]", query.promql, re.DOTALL).groups()
    (selector,) = selectors(text)
    found = []
    for series in stored:
        labels = dict(series.labels)
        named = selector.metric in ("", labels.get("__name__", ""))
        if named and all(_holds(matcher, labels.get(matcher.label, "")) for matcher in selector.matchers):
            samples = tuple(s for s in series.samples if query.at - int(window) < s.at <= query.at)
            found += [Series(series.labels, samples)] if samples else []
    return Answer(ResultKind.MATRIX, tuple(found))


def _holds(matcher, value):
    match matcher.kind:
        case MatchKind.EQUAL:
            return value == matcher.value
        case MatchKind.NOT_EQUAL:
            return value != matcher.value
        case MatchKind.REGEX:
            return re.fullmatch(matcher.value, value, re.DOTALL) is not None
        case MatchKind.NOT_REGEX:
            return re.fullmatch(matcher.value, value, re.DOTALL) is None
