"""Arguments stay values: they never become PromQL."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.errors import ConfigurationError
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.slo import injection, variables

HOSTILE = ['"', '"} or up{a="', "\\", '\\"} or up #', "a\nb", "{{args.b}}", "`", "'", "#", "\ue000"]


@pytest.mark.parametrize("quote", ['"', "'", "`"])
@pytest.mark.parametrize("value", HOSTILE)
def test_a_value_inside_of_quotes_is_only_a_value(quote, value):
    text = variables.fill(f"up{{a={quote}x-{{{{ args.a }}}}-y{quote}}}", {"args.a": value, "args.b": "z"})

    assert (Selector("up", (Matcher("a", MatchKind.EQUAL, f"x-{value}-y"),)),) == injection.selectors(text)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_no_value_changes_the_selectors(value):
    text = variables.fill('sum(rate(up{a="{{args.a}}",b!="c"}[5m]))', {"args.a": value})

    (found,) = injection.selectors(text)
    assert {("a", value), ("b", "c")} == {(each.label, each.value) for each in found.matchers}


@pytest.mark.parametrize("value", [*HOSTILE, "", "a b", "a{", "5m]) or up #", "a,b", "-1", "é"])
@pytest.mark.parametrize("template", ["rate(up[{{args.a}}])", "x_{{args.a}}_total", "up > {{args.a}}"])
def test_a_value_outside_of_quotes_must_be_a_part_of_a_word(value, template):
    with pytest.raises(ConfigurationError):
        variables.fill(template, {"args.a": value, "args.b": ""})


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("rate(up[{{args.a}}])", "5m", "rate(up[5m])"),
        ("max_over_time(up[{{args.a}}:1m])", "5m", "max_over_time(up[5m:1m])"),
        ("x_{{args.a}}_total", "shop", "x_shop_total"),
        ("{{args.a}}:hits:rate5m", "job", "job:hits:rate5m"),
        ("up > {{args.a}}", "0.5", "up > 0.5"),
        ("up # {{args.a}}", "shop", "up"),
    ],
)
def test_a_word_outside_of_quotes_is_filled_in(template, value, expected):
    assert expected == variables.fill(template, {"args.a": value})


def test_a_variable_without_a_value_is_named():
    with pytest.raises(ConfigurationError, match=r"'args\.b'"):
        variables.fill('up{a="{{args.b}}"}', {"args.a": "x"})
