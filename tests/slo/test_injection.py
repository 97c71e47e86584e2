"""Matchers in every selector: what is refused, what tenants must have, and what never changes."""

import contextlib
import string
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.promql import any_of, written_matchers
from canary_operator.slo import injection, syntax, variables

SHOP = Matcher("namespace", MatchKind.EQUAL, "shop")

# Labels and metrics named as keywords, and values made of PromQL, are what breaks a rewriter.
WORDS = st.sampled_from(
    [
        *("hits_total", "up", "job:errors:rate5m", "rate", "start", "end"),
        *("sum", "by", "without", "on", "offset", "and", "or", "unless", "bool", "group_left"),
    ]
)
LABELS = st.sampled_from(["job", "code", "by", "on", "offset", "le", "sum", "bool", "or", "and", "namespace"])
VALUES = st.text(st.one_of(st.sampled_from("{}[]()\"'`\\,=~#\n\r\t"), st.characters(codec="utf-8")), max_size=12)
KINDS = st.sampled_from((MatchKind.EQUAL, MatchKind.NOT_EQUAL))
MATCHERS = st.builds(Matcher, LABELS, KINDS, VALUES)


@st.composite
def written_selectors(draw):
    name = draw(WORDS.filter(lambda word: word not in ("on", "bool", "group_left")))
    inside = draw(st.lists(MATCHERS, max_size=3))
    braces = "{" + written_matchers(inside) + draw(st.sampled_from(["", ","] if inside else [""])) + "}"
    return name + (braces if inside or draw(st.booleans()) else "")


def combined(inner):
    return st.one_of(
        st.builds("sum by (job, on) ({})".format, inner),
        st.builds("sum({}) without (by)".format, inner),
        st.builds("({})".format, inner),
        st.builds('-({}) # by {{a="b"}}\n'.format, inner),
        st.builds("abs({})".format, inner),
        st.builds("max_over_time(({})[30m:1m] offset -5m)".format, inner),
        st.builds('label_replace({}, "a", "$1", "b", "{{c}}")'.format, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(OPERATORS), inner),
    )


OPERATORS = ["+", "/ on(a) group_left(b)", "and", "or", "unless ignoring(on)", "> bool", "^", "* on() group_right"]
RANGES = st.builds("rate({}[5m] {})".format, written_selectors(), st.sampled_from(["", "offset 1h", "@ 5", "@ end()"]))
EXPRESSIONS = st.recursive(st.one_of(written_selectors(), RANGES, st.just("1e-3 * 0x1F"), st.just("Inf")), combined)


def parses(promql):
    try:
        syntax.parse(promql)
    except ConfigurationError:
        return False
    return True


PARSEABLE = EXPRESSIONS.filter(parses)


@given(PARSEABLE, st.lists(MATCHERS, min_size=1, max_size=3))
def test_every_selector_gets_the_matchers_and_none_comes_or_goes(promql, matchers):
    before = injection.selectors(promql)

    after = injection.selectors(injection.inject(promql, matchers))

    assert [each.metric for each in before] == [each.metric for each in after]
    for old, new in zip(before, after, strict=True):
        assert {*old.matchers, *matchers} == set(new.matchers)


@given(PARSEABLE, st.lists(MATCHERS, min_size=1, max_size=3))
def test_injecting_twice_is_injecting_once(promql, matchers):
    once = injection.inject(promql, matchers)

    assert once == injection.inject(once, matchers)


@given(PARSEABLE)
def test_injecting_nothing_changes_nothing(promql):
    assert syntax.parse(promql) == syntax.parse(injection.inject(promql, []))


@given(VALUES)
@example('"} or up{a="')
@example("\\")
@example("\ufffd\x00\u2028")
@settings(max_examples=120)
def test_any_value_comes_back_from_the_parser_as_it_was(value):
    (found,) = injection.selectors(injection.inject("up", [Matcher("a", MatchKind.EQUAL, value)]))

    assert Selector("up", (Matcher("a", MatchKind.EQUAL, value),)) == found


@given(st.lists(st.text(string.printable, min_size=1, max_size=10), min_size=1, max_size=4))
def test_escaped_texts_are_a_regular_expression_of_themselves(texts):
    matcher = Matcher("a", MatchKind.REGEX, any_of(texts))

    (found,) = injection.selectors(injection.inject("up", [matcher]))

    assert (matcher,) == found.matchers


PIECES = st.sampled_from(
    [
        *"(){}[],+-*/%^=<>!~@#:;.'\"`\\ \n\r\t0189aeux_$|&",
        *("sum", "by", "rate(", "[5m", "offset", "{a=", '"b"', "up", "1e", "99999999999y", "@ 1e300", "start()"),
        *("bool", "on(", "inf", "nan", "or", "\\xff", "\ufeff", "\ud800", "{{args.a}}", "info(", "é", "\x00"),
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=30).map("".join)))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_and_nothing_else(promql):
    for use in (
        lambda: injection.inject(promql, [SHOP]),
        lambda: injection.selectors(promql),
        lambda: injection.require_matcher(promql, "namespace", "shop"),
        lambda: variables.fill(promql, {"args.a": "x"}),
    ):
        with contextlib.suppress(ConfigurationError):
            use()


@pytest.mark.parametrize(
    "promql",
    [
        "(" * 5_000,
        "(" * 400 + "up" + ")" * 400,
        "+".join(["up"] * 499),
        "-" * 999 + "up",
        "sum(" * 300 + "up" + ")" * 300,
        "up" + "[5m:1m]" * 100,
        '{a="' + "x" * 9_900 + '"}',
        'up{a=~"' + "(a{90}){90}" * 800 + '"}',
        "{" + ",".join([f'a{at}=~"a{{900}}"' for at in range(200)]) + "}",
        "#" * 20_000,
    ],
)
def test_large_and_deep_expressions_end_in_time(promql):
    started = time.process_time()
    with contextlib.suppress(ConfigurationError):
        injection.inject(promql, [SHOP])

    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("promql", "expected"),
    [
        ("up", 'up{namespace="shop"}'),
        ('up{namespace="other"}', 'up{namespace="other",namespace="shop"}'),
        ('up{namespace="shop"}', 'up{namespace="shop"}'),
        ('up{namespace=~"shop"}', 'up{namespace=~"shop",namespace="shop"}'),
        ("up {\n  code = '5'\n}", 'up {\n  code = "5",namespace="shop"\n}'),
    ],
)
def test_a_matcher_that_is_there_is_kept(promql, expected):
    assert expected == injection.inject(promql, [SHOP])


@pytest.mark.parametrize("label", ["", "a b", 'a="x"} or up{b', "__name__", "9a", "a-b", "é"])
def test_a_label_that_is_no_plain_name_is_refused(label):
    with pytest.raises(ConfigurationError, match="not a label name"):
        injection.inject("up", [Matcher(label, MatchKind.EQUAL, "x")])


def test_a_value_that_is_no_regular_expression_is_refused():
    with pytest.raises(ConfigurationError, match="illegal regex"):
        injection.inject("up", [Matcher("a", MatchKind.REGEX, "(")])


@pytest.mark.parametrize(
    "promql", ["up", 'up{namespace="other"}', 'up{namespace=~"shop"}', 'up{namespace!="shop"}', 'up{x="namespace"}']
)
def test_a_tenant_needs_the_namespace_in_every_selector(promql):
    whole = f'sum(hits_total{{namespace="shop"}}) / {promql}'

    with pytest.raises(ConfigurationError, match=r'column 37: the selector up needs namespace="shop"'):
        injection.require_matcher(whole, "namespace", "shop")


def test_a_tenant_cannot_read_series_that_no_selector_names():
    with pytest.raises(ConfigurationError, match=r"info\(\)"):
        injection.require_matcher('info(up{namespace="shop"})', "namespace", "shop")


def test_a_tenant_with_the_namespace_everywhere_may_ask():
    injection.require_matcher('up{namespace="shop"} / {namespace="shop",a="b"} + vector(1)', "namespace", "shop")
