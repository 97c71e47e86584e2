"""Arguments get into the JSON of a metric as Argo's do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.conditions import arguments, templating
from canary_operator.errors import ConfigurationError

# Columns: value, as Go quotes it.
QUOTED = {
    "plain": ("abc", "abc"),
    "quotes": ('a"b', r"a\"b"),
    "a backslash": ("a\\b", r"a\\b"),
    "lines and tabs": ("a\n\t\r", r"a\n\t\r"),
    "a bell": ("\a\v", r"\a\v"),
    "a control character": ("\x01\x7f", r"\x01\x7f"),
    "another alphabet": ("é", "é"),
    "a line separator": ("\u2028", r"\u2028"),
    "a space that is none": ("\u00a0", r"\u00a0"),
    "far away": ("\U000e0001", r"\U000e0001"),
    "half a character": ("\ud800", r"\ufffd"),
}


@pytest.mark.parametrize(("value", "quoted"), QUOTED.values(), ids=QUOTED.keys())
def test_a_value_is_quoted_as_by_go(value, quoted):
    assert quoted == templating.go_quote(value)


def metric(query, **fields):
    return {"name": "m", "provider": {"prometheus": {"query": query}}, **fields}


def rendered(query, **values):
    found = templating.render(metric(query), [{"name": name, "value": value} for name, value in values.items()])
    return found["provider"]["prometheus"]["query"]


# Columns: query, values, rendered.
RENDERED = {
    "a value": ("{{args.a}}", {"a": "x"}, "x"),
    "spaces": ("{{ args.a  }}", {"a": "x"}, "x"),
    "quotes": ("{{args.a}}", {"a": 'x"y'}, 'x"y'),
    "a template in a value": ("{{args.a}}", {"a": "{{args.a}}"}, "{{args.a}}"),
    "braces in a value": ("{{args.a}}{{args.b}}", {"a": "{{", "b": "}}"}, "{{}}"),
}


@pytest.mark.parametrize(("query", "values", "expected"), RENDERED.values(), ids=RENDERED.keys())
def test_values_are_inserted_once(query, values, expected):
    assert expected == rendered(query, **values)


# Columns: query, values, Argo's words.
UNRENDERED = {
    "no such argument": ("{{args.b}}", {"a": "x"}, "failed to resolve {{args.b}}"),
    "of several the last": ("{{args.b}}{{c}}", {"a": "x"}, "failed to resolve {{c}}"),
    "a tab, which is none in JSON": ("{{\targs.a}}", {"a": "x"}, r"failed to resolve {{\targs.a}}"),
    "a sign that JSON of Go escapes": ("{{args.<a>}}", {"a": "x"}, r"failed to resolve {{args.\u003ca\u003e}}"),
    "a bell is no JSON": ("{{args.a}}", {"a": "\a"}, "invalid character 'a' in string escape code"),
    "nor a delete": ("{{args.a}}", {"a": "\x7f"}, "invalid character 'x' in string escape code"),
    "nor a long escape": ("{{args.a}}", {"a": "\U000e0001"}, "invalid character 'U' in string escape code"),
}


@pytest.mark.parametrize(("query", "values", "said"), UNRENDERED.values(), ids=UNRENDERED.keys())
def test_what_cannot_be_inserted_is_told_in_argos_words(query, values, said):
    with pytest.raises(ConfigurationError) as caught:
        rendered(query, **values)

    assert said == str(caught.value)


def test_a_metric_is_written_as_gos_types_are():
    raw = metric("a < b", successCondition="", count=0, failureLimit=0, interval="1s")
    raw["provider"]["prometheus"] |= {"timeout": 0, "insecure": False, "rangeQuery": {"step": "1m", "start": "now()"}}

    assert templating.go_json(raw) == (
        '{"name":"m","interval":"1s","count":0,"failureLimit":0,"provider":{"prometheus":{"query":"a \\u003c b",'
        '"authentication":{"sigv4":{},"oauth2":{}},"timeout":0,"rangeQuery":{"start":"now()","step":"1m"}}}}'
    )


printable = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]), max_size=9
)


@given(st.lists(st.sampled_from(["{{args.a}}", "{{ args.b }}", "x", '"', "{", "}"]), max_size=6), printable, printable)
def test_what_both_renderings_render_they_render_alike(parts, a, b):
    query, values = "".join(parts) or "x", {"a": a, "b": b}
    try:
        ours = arguments.render_metric(metric(query), values, "m")
    except ConfigurationError:
        return

    assert json.loads(json.dumps(ours))["provider"]["prometheus"]["query"] == rendered(query, **values)
