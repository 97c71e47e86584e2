import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.samples import (
    Absent,
    Answer,
    NativeSample,
    NativeSeries,
    Query,
    RawQuery,
    ResultKind,
    Sample,
    Series,
)
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.planning import IDENTITIES, halves, refusal, share, unite

from .evaluator import evaluate

REQUESTS = Selector("http_requests_total")


def is_(label, value):
    return Matcher(label, MatchKind.EQUAL, value)


def like(label, value):
    return Matcher(label, MatchKind.REGEX, value)


def is_not(label, value):
    return Matcher(label, MatchKind.NOT_EQUAL, value)


def a_question(*identity, selector=REQUESTS, window=60, at=1000.0, provider="default"):
    return RawQuery(provider, selector, identity, window, at)


def of_hash(value, namespace="shop", **fields):
    return a_question(is_("namespace", namespace), is_("hash", value), **fields)


def promql(*questions, **how):
    return [united.query.promql for united in unite(questions, **how)]


def a_series(*samples, **labels):
    labels = {"__name__": "http_requests_total", **labels}
    return Series(tuple(sorted(labels.items())), tuple(Sample(float(at), 1.0) for at in samples))


def a_matrix(*series, native=()):
    return Answer(ResultKind.MATRIX, series, native)


def test_one_question_is_asked_as_it_is():
    assert promql(of_hash("abc")) == ['http_requests_total{hash="abc",namespace="shop"}[60s]']


def test_the_canary_and_the_stable_version_of_a_rollout_are_one_request():
    assert promql(of_hash("new"), of_hash("old")) == ['http_requests_total{hash=~"new|old",namespace="shop"}[60s]']


def test_rollouts_of_many_namespaces_are_one_request():
    asked = promql(of_hash("x", "a.b"), of_hash("y", "c"))

    assert asked == [r'http_requests_total{hash=~"x|y",namespace=~"a\\.b|c"}[60s]']


def test_patterns_stand_beside_escaped_names_and_cannot_reach_over_their_bounds():
    asked = promql(
        a_question(is_("namespace", "shop"), like("pod", "api-abc-[a-z0-9]+")),
        a_question(is_("namespace", "shop"), like("pod", "a|b")),
        a_question(is_("namespace", "shop"), is_("pod", "c.d")),
    )

    assert asked == [
        r'http_requests_total{namespace="shop",pod=~"c\\.d|(?:api-abc-[a-z0-9]+)|(?:a|b)"}[60s]',
    ]


def test_a_selectors_own_matchers_stay_in_front():
    selector = Selector("up", (is_("job", "api"),))

    assert promql(of_hash("x", selector=selector)) == ['up{job="api",hash="x",namespace="shop"}[60s]']


@pytest.mark.parametrize(
    "other",
    [
        of_hash("x", selector=Selector("other")),
        of_hash("x", provider="other"),
        of_hash("x", at=1015.0),
        of_hash("x", window=3600),
        a_question(is_("namespace", "shop"), is_("pod", "x")),
        a_question(is_("namespace", "shop"), is_not("hash", "x")),
        a_question(is_("namespace", "shop"), is_("hash", "x"), is_not("canary", "")),
        a_question(is_("namespace", "shop"), like("hash", "x(")),
        a_question(is_("namespace", "shop"), is_("hash", "x"), like("hash", "y.*")),
    ],
    ids=str,
)
def test_what_differs_in_more_than_whose_it_is_is_asked_apart(other):
    assert len(unite([of_hash("abc"), other])) == 2


def test_a_pattern_that_cannot_be_looked_at_here_is_asked_alone_and_its_answer_is_not_looked_at():
    odd = a_question(is_("namespace", "shop"), like("hash", "x{1,2}[[:alpha:]]"))
    (united,) = unite([odd])

    shared = share(united, a_matrix(a_series(990, namespace="shop", hash="whatever")))

    assert [len(united.questions) for united in unite([odd, of_hash("y")])] == [1, 1]
    assert len(shared[odd].series) == 1


def test_the_longest_window_is_asked_and_each_gets_its_own():
    short, long = of_hash("x", window=60), of_hash("x", window=32)
    (united,) = unite([short, long])

    shared = share(united, a_matrix(a_series(940, 941, 968, 969, 1000, namespace="shop", hash="x")))

    assert united.query.promql.endswith("[60s]")
    assert [sample.at for sample in shared[short].series[0].samples] == [941, 968, 969, 1000]
    assert [sample.at for sample in shared[long].series[0].samples] == [969, 1000]


def test_a_series_without_samples_in_the_window_is_none():
    question = of_hash("x")
    (united,) = unite([question])

    assert share(united, a_matrix(a_series(940, namespace="shop", hash="x"))) == {question: a_matrix()}


def test_equal_hashes_in_two_namespaces_are_told_apart():
    here, there = of_hash("x", "here"), of_hash("x", "there")
    (united,) = unite([here, there])
    mine = a_series(990, namespace="here", hash="x")
    theirs = a_series(990, namespace="there", hash="x")
    nobodys = a_series(990, namespace="elsewhere", hash="x")

    shared = share(united, a_matrix(mine, theirs, nobodys))

    assert shared == {here: a_matrix(mine), there: a_matrix(theirs)}


def test_native_histograms_are_shared_out_too():
    mine, other = of_hash("x"), of_hash("y")
    (united,) = unite([mine, other])
    histogram = NativeSeries(
        (("hash", "x"), ("namespace", "shop")), (NativeSample(940.0, 1.0, ()), NativeSample(950.0, 2.0, ()))
    )

    shared = share(united, a_matrix(native=(histogram,)))

    assert shared[mine].native == (NativeSeries(histogram.labels, histogram.samples[1:]),)
    assert shared[other].native == ()


def test_a_free_query_goes_alone_and_gets_the_whole_answer():
    query = Query("default", "sum(up)", 1000.0)
    united = unite([query, of_hash("x"), query])
    answer = a_matrix(a_series(990))

    assert [each.questions for each in united] == [(query,), (of_hash("x"),)]
    assert united[0].query is query
    assert share(united[0], answer) == {query: answer}


def test_native_histograms_are_not_what_a_free_query_can_be_judged_by():
    query = Query("default", "latency[1m]", 1000.0)
    (united,) = unite([query])

    answer = share(united, a_matrix(native=(NativeSeries((), (NativeSample(1.0, 1.0, ()),)),)))[query]

    assert answer.reason is HoldReason.CONFIGURATION_ERROR
    assert "histogram_quantile" in answer.message


def test_no_answer_is_no_answer_for_every_question():
    absent = Absent(HoldReason.TELEMETRY_UNAVAILABLE, "gone")
    questions = (of_hash("x"), of_hash("y"))
    (united,) = unite(questions)

    assert share(united, absent) == {questions[0]: absent, questions[1]: absent}


def test_a_value_too_long_to_be_looked_at_holds_only_those_it_could_belong_to():
    here, there = (a_question(is_("namespace", name), like("pod", "a-.+")) for name in ("here", "there"))
    (united,) = unite([here, there])

    shared = share(united, a_matrix(a_series(990, namespace="here", pod="a-" * 1000)))

    assert shared[here].reason is HoldReason.CONFIGURATION_ERROR
    assert shared[there] == a_matrix()


def test_at_most_a_hundred_rollouts_share_a_request_and_both_versions_stay_together():
    questions = [of_hash(f"{rollout}-{arm}") for rollout in range(150) for arm in ("canary", "stable")]

    united = unite(questions)

    assert [len(each.questions) for each in united] == [IDENTITIES, 100]
    assert united[0].questions[-2:] == (of_hash("99-canary"), of_hash("99-stable"))


def test_with_tenants_no_request_asks_for_two_namespaces():
    questions = [of_hash(value, namespace) for namespace in ("a", "b") for value in ("x", "y")]

    assert promql(*questions, by_namespace=True) == [
        'http_requests_total{hash=~"x|y",namespace="a"}[60s]',
        'http_requests_total{hash=~"x|y",namespace="b"}[60s]',
    ]


def test_halves_ask_for_half_of_the_identities_each():
    questions = [of_hash(str(number), window=window) for number in range(5) for window in (60, 40)]
    (united,) = unite(questions)

    parts = halves(united)

    assert [len(part.questions) for part in parts] == [6, 4]
    assert halves(parts[1])[1].query.promql == 'http_requests_total{hash="4",namespace="shop"}[60s]'


def test_what_asks_for_one_identity_cannot_be_halved():
    (one,) = unite([of_hash("x", window=60), of_hash("x", window=40)])
    (free,) = unite([Query("default", "up", 1000.0)])

    assert halves(one) == halves(free) == ()


def test_a_question_that_no_encoding_can_carry_is_refused():
    assert refusal(of_hash("\ud800")).reason is HoldReason.CONFIGURATION_ERROR
    assert refusal(of_hash("x")) is None


names = st.sampled_from(["a", "b", "a.b", "axb", "", "ab", "abb-1"])
patterns = st.sampled_from(
    ["a", "a.*", "a|b", "[ab]", "(?:a|b)?", "a\\.b", "x{1,2}", "(a", "ab*", "ab+-.", "ab?", "a|abb-1", "a{2}|ab"]
)
matchers = st.builds(is_, st.sampled_from(["pod", "hash"]), names) | st.builds(
    Matcher, st.sampled_from(["pod", "hash"]), st.sampled_from(list(MatchKind)[2:]), patterns
)
identities = st.tuples(st.builds(is_, st.just("namespace"), st.sampled_from(["n", "m"])), matchers) | st.tuples(
    st.builds(is_, st.just("namespace"), st.sampled_from(["n", "m"])), matchers, matchers
)
questions = st.builds(
    RawQuery,
    st.just("default"),
    st.sampled_from([REQUESTS, Selector("http_requests_total", (is_("job", "j"),)), Selector("", (is_("job", "j"),))]),
    identities,
    st.sampled_from([20, 30, 60, 90]),
    st.just(1000.0),
)
stored_series = st.lists(
    st.builds(
        lambda labels, ages: a_series(*sorted(1000 - age for age in ages), **labels),
        st.fixed_dictionaries({"namespace": st.sampled_from(["n", "m"]), "pod": names, "hash": names, "job": names}),
        st.sets(st.sampled_from([-5, 0, 5, 20, 25, 30, 59, 60, 61, 89, 90]), min_size=1),
    ),
    max_size=12,
    unique_by=lambda series: series.labels,
)


def parses(question):
    try:
        for matcher in question.identity:
            re.compile(matcher.value if matcher.kind in (MatchKind.REGEX, MatchKind.NOT_REGEX) else "")
    except re.error:
        return False
    return True


@settings(deadline=None, max_examples=150)
@given(st.lists(questions.filter(parses), max_size=8), stored_series, st.booleans())
def test_asking_together_and_asking_alone_give_the_same(asked, stored, by_namespace):
    together = {}
    for united in unite(asked, by_namespace=by_namespace):
        together |= share(united, evaluate(united.query, stored))

    alone = {question: evaluate(unite([question])[0].query, stored) for question in asked}
    assert together == alone


@settings(deadline=None, max_examples=50)
@given(st.lists(questions | st.builds(Query, st.just("default"), names, st.just(1000.0)), max_size=8))
def test_every_question_is_in_exactly_one_request(asked):
    spread = [question for united in unite(asked) for question in united.questions]

    assert len(spread) == len(set(asked))
    assert set(spread) == set(asked)
