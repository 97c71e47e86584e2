"""Questions of many Rollouts become few requests, and the answers are shared out again.

Law: pure. Whoever asks gets what asking alone would have got: a series reaches exactly the questions whose identity
it carries, cut to the question's own window (left-open, as Prometheus 3 has it).
"""

import functools
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar, assert_never

from canary_operator.counting import matching
from canary_operator.counting.tallies import milliseconds
from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.promql import escape_regex, write_selector
from canary_operator.model.samples import (
    Absent,
    Answer,
    NativeSample,
    NativeSeries,
    Query,
    Question,
    RawQuery,
    Sample,
    Series,
)
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.decoding import NATIVE_REFUSED, is_encodable

# Of one selector: a hundred Rollouts with a canary and a stable version each. More make the server's regular
# expression and the answer long, and are hardly fewer requests.
IDENTITIES = 200
NAMESPACE = "namespace"

# Without the last character where that may be absent or repeated.
_PLAIN = re.compile(r"[A-Za-z0-9-]+(?![*+?{])")

_ByIdentity = dict[tuple[Matcher, ...], list[RawQuery]]
AnySample = TypeVar("AnySample", Sample, NativeSample)


@dataclass(frozen=True, slots=True)
class United:
    """One request.

    Args:

        query: what is sent.

        questions: what it answers; one free query, or raw ones that differ in identity and window only.
    """

    query: Query
    questions: tuple[Question, ...]


def unite(questions: Iterable[Question], *, by_namespace: bool = False) -> tuple[United, ...]:
    """Put questions together that one request can answer; equal ones are asked once.

    Raw questions go together if they are of one provider, selector and time, their identities look at the same
    labels, and their windows differ less than four times: a long window is not paid for by all.

    Args:

        by_namespace: never ask for two namespaces in one request.
    """
    free: list[Query] = []
    groups: dict[Hashable, _ByIdentity] = defaultdict(dict)
    for question in dict.fromkeys(questions):
        match question:
            case Query():
                free.append(question)
            case RawQuery():
                groups[_group(question, by_namespace)].setdefault(question.identity, []).append(question)
            case never:
                assert_never(never)
    chunks = (chunk for group in groups.values() for chunk in _chunks(group, IDENTITIES))
    return (*(United(query, (query,)) for query in free), *map(_together, chunks))


def refusal(question: Question) -> Absent | None:
    """Why a raw question cannot be written as PromQL; None where it can, and for what is written already."""
    if isinstance(question, Query):
        return None
    matchers = (*question.selector.matchers, *question.identity)
    text = (question.selector.metric, *(part for matcher in matchers for part in (matcher.label, matcher.value)))
    if is_encodable("".join(text)):
        return None
    return Absent(HoldReason.CONFIGURATION_ERROR, "the selector holds text that no encoding can carry")


def halves(united: United) -> tuple[United, ...]:
    """The same questions in two requests; nothing where there is only one identity to ask for."""
    raw = [question for question in united.questions if isinstance(question, RawQuery)]
    by_identity: _ByIdentity = {}
    for question in raw:
        by_identity.setdefault(question.identity, []).append(question)
    identities = len(by_identity)
    return tuple(map(_together, _chunks(by_identity, (identities + 1) // 2))) if identities > 1 else ()


def share(united: United, answer: Answer | Absent) -> dict[Question, Answer | Absent]:
    """What each question gets of the answer to their request."""
    if isinstance(answer, Absent):
        return dict.fromkeys(united.questions, answer)
    raw = [question for question in united.questions if isinstance(question, RawQuery)]
    if not raw:
        return dict.fromkeys(united.questions, _of_free_query(answer))
    return _Sharing(raw).out(answer)


def _of_free_query(answer: Answer) -> Answer | Absent:
    if not answer.native:
        return answer
    return Absent(HoldReason.CONFIGURATION_ERROR, NATIVE_REFUSED)


def _group(question: RawQuery, by_namespace: bool) -> Hashable:
    labels = [matcher.label for matcher in question.identity]
    varying, fixed = [], []
    for matcher in question.identity:
        # Only what can be told apart in the answer can be asked for beside other values.
        alone = labels.count(matcher.label) == 1 and not (by_namespace and matcher.label == NAMESPACE)
        told = matcher.kind is MatchKind.EQUAL or (matcher.kind is MatchKind.REGEX and _readable(matcher))
        if alone and told:
            varying.append(matcher.label)
        else:
            fixed.append(matcher)
    # Two bits of the window are one class: from one power of four to the next.
    size = question.window.bit_length() // 2
    return question.provider, question.selector, question.at, size, frozenset(varying), frozenset(fixed)


def _readable(matcher: Matcher) -> bool:
    # Also what keeps a pattern such as "a)|(b" from meaning something else among other alternatives.
    try:
        matching.holds(matcher, "")
    except ConfigurationError:
        return False
    return True


def _chunks(group: _ByIdentity, size: int) -> Iterator[list[RawQuery]]:
    """The questions in the order they were asked, so that both versions of a Rollout mostly stay together."""
    by_identity = list(group.values())
    for first in range(0, len(by_identity), size):
        yield [*chain.from_iterable(by_identity[first : first + size])]


def _together(questions: Sequence[RawQuery]) -> United:
    first = questions[0]
    by_label: dict[str, dict[Matcher, None]] = defaultdict(dict)
    for question in questions:
        for matcher in question.identity:
            by_label[matcher.label][matcher] = None
    own = first.selector.matchers
    identity = [matcher for label in sorted(by_label) for matcher in _alternatives(tuple(by_label[label]), first)]
    selector = Selector(first.selector.metric, (*own, *identity))
    window = max(question.window for question in questions)
    query = Query(first.provider, f"{write_selector(selector)}[{window}s]", first.at)
    return United(query, tuple(questions))


def _alternatives(matchers: tuple[Matcher, ...], of: RawQuery) -> tuple[Matcher, ...]:
    """One matcher that holds where any of these does; those that are the same in all questions stay as they are."""
    if all(matcher in of.identity for matcher in matchers):
        return matchers
    values = sorted(matcher.value for matcher in matchers if matcher.kind is MatchKind.EQUAL)
    patterns = sorted(matcher.value for matcher in matchers if matcher.kind is MatchKind.REGEX)
    alternatives = [*map(escape_regex, values), *(f"(?:{pattern})" for pattern in patterns)]
    return (Matcher(matchers[0].label, MatchKind.REGEX, "|".join(alternatives)),)


class _Sharing:
    """Finds the questions that a series belongs to. Questions are known by their place."""

    def __init__(self, questions: Sequence[RawQuery]) -> None:
        self._questions = questions
        self._labels = frozenset(matcher.label for question in questions for matcher in question.identity)
        values = [_exact_values(question) for question in questions]
        self._exact = [label for label in self._labels if all(label in each for each in values)]
        self._by_exact: dict[tuple[str, ...], list[tuple[int, tuple[Matcher, ...]]]] = defaultdict(list)
        for place, question in enumerate(questions):
            exact = tuple([values[place][label] for label in self._exact])
            others = (each for each in question.identity if each.label not in self._exact and _readable(each))
            self._by_exact[exact].append((place, tuple(others)))
        self._bounds = [_bounds(question) for question in questions]
        self._known: dict[tuple[tuple[str, str], ...], list[int]] = {}
        self._refused: dict[int, Absent] = {}

    def out(self, answer: Answer) -> dict[Question, Answer | Absent]:
        series: list[list[Series]] = [[] for _ in self._questions]
        native: list[list[NativeSeries]] = [[] for _ in self._questions]
        begin, end = max(begin for begin, _ in self._bounds), min(end for _, end in self._bounds)
        for one in answer.series:
            labels, samples = one
            # Most samples are within every window, and are looked at once for all of them.
            is_whole = bool(samples) and begin < samples[0].at and samples[-1].at <= end
            for place in self._owners(labels):
                if is_whole:
                    series[place].append(one)
                elif kept := _within(samples, *self._bounds[place]):
                    series[place].append(Series(labels, kept))
        for histogram in answer.native:
            for place in self._owners(histogram.labels):
                if left := _within(histogram.samples, *self._bounds[place]):
                    native[place].append(NativeSeries(histogram.labels, left))
        return {
            question: self._refused.get(place) or Answer(answer.kind, tuple(series[place]), tuple(native[place]))
            for place, question in enumerate(self._questions)
        }

    def _owners(self, labels: Iterable[tuple[str, str]]) -> list[int]:
        # Pods of a version, and codes of a pod, have the same owners.
        told = tuple([label for label in labels if label[0] in self._labels])
        owners = self._known.get(told)
        if owners is None:
            by_name = dict(told)
            candidates = self._by_exact.get(tuple(by_name.get(label, "") for label in self._exact), [])
            owners = [place for place, others in candidates if self._owns(place, others, by_name)]
            self._known[told] = owners
        return owners

    def _owns(self, place: int, matchers: Iterable[Matcher], labels: Mapping[str, str]) -> bool:
        try:
            return all(_holds(matcher, labels.get(matcher.label, "")) for matcher in matchers)
        except ConfigurationError as error:
            self._refused[place] = Absent(HoldReason.CONFIGURATION_ERROR, str(error))
            return False


def _holds(matcher: Matcher, value: str) -> bool:
    # Most patterns begin with a Rollout's name: a pod of another one needs no regular expression.
    begins = matcher.kind is not MatchKind.REGEX or value.startswith(_beginning(matcher.value))
    return begins and matching.holds(matcher, value)


@functools.lru_cache(maxsize=1024)
def _beginning(pattern: str) -> str:
    """What every text that the pattern matches begins with."""
    plain = _PLAIN.match(pattern)
    return plain[0] if plain is not None and "|" not in pattern else ""


def _exact_values(question: RawQuery) -> dict[str, str]:
    """The labels that must have one value, and of which nothing more is to be looked at."""
    labels = [matcher.label for matcher in question.identity]
    equal = (matcher for matcher in question.identity if matcher.kind is MatchKind.EQUAL)
    return {matcher.label: matcher.value for matcher in equal if labels.count(matcher.label) == 1}


def _bounds(question: RawQuery) -> tuple[float, float]:
    """The window in Unix seconds, after the first and up to the second; rounded as the times of samples are."""
    end = milliseconds(question.at)
    return (end - question.window * 1000) / 1000, end / 1000


def _within(samples: tuple[AnySample, ...], begin: float, end: float) -> tuple[AnySample, ...]:
    return tuple(sample for sample in samples if begin < sample.at <= end)
