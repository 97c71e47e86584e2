"""The arguments of a template: where values come from, and how they get into a metric."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator import errors
from canary_operator.conditions.arguments import render_metric, render_text, resolve_arguments, undeclared

KNOWN = {"namespace": "shop", "canary-hash": "abc"}


def resolved(declared, annotation=None, rollout=None):
    return resolve_arguments(declared, annotation or {}, rollout or {}, KNOWN)


# Columns: declaration, annotation, rollout, value.
ORDER = {
    "an annotation wins": ({"name": "a", "value": "d"}, {"a": "n"}, {"a": "r"}, "n"),
    "then the rollout": ({"name": "a", "value": "d"}, {}, {"a": "r"}, "r"),
    "then the default": ({"name": "namespace", "value": "d"}, {}, {}, "d"),
    "then what is known": ({"name": "namespace"}, {}, {}, "shop"),
    "an empty default is a value": ({"name": "a", "value": ""}, {}, {}, ""),
    "an empty annotation is a value": ({"name": "a", "value": "d"}, {"a": ""}, {}, ""),
    "a hyphen is allowed": ({"name": "canary-hash"}, {}, {}, "abc"),
    "a given value replaces a Secret": (
        {"name": "a", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"a": "n"},
        {},
        "n",
    ),
}


@pytest.mark.parametrize(("declared", "annotation", "rollout", "expected"), ORDER.values(), ids=ORDER.keys())
def test_the_first_place_with_a_value_wins(declared, annotation, rollout, expected):
    assert {declared["name"]: expected} == resolved([declared], annotation, rollout)


def test_values_that_are_not_declared_are_dropped():
    assert resolved([{"name": "a"}], {"a": "1", "b": "2"}, {"c": "3"}) == {"a": "1"}


def test_values_that_no_template_declares_are_found():
    assert undeclared({"d": "", "a": "", "c": "", "b": ""}, [[{"name": "a"}], [{"name": "b"}]]) == ("c", "d")


# Columns: declaration, part of the message.
UNRESOLVED = {
    "no value anywhere": ([{"name": "a"}], "argument 'a' was not supplied"),
    "the places are named": ([{"name": "a"}], "annotation of the Rollout"),
    "a Secret": ([{"name": "a", "valueFrom": {"secretKeyRef": {"name": "s"}}}], "does not read Secrets"),
    "a field of the Rollout": ([{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "x"}}}], "was not supplied"),
    "a number as default": ([{"name": "a", "value": 5}], "a text in quotes"),
    "no name": ([{"value": "x"}], "spec.args[0].name"),
    "two values": ([{"name": "a", "value": "1"}, {"name": "a", "value": "2"}], "declared twice"),
}


@pytest.mark.parametrize(("declared", "message"), UNRESOLVED.values(), ids=UNRESOLVED.keys())
def test_an_argument_without_a_value_is_an_error(declared, message):
    with pytest.raises(errors.ConfigurationError) as caught:
        resolved(declared)

    assert message in str(caught.value)


# Columns: text, values, rendered.
RENDERED = {
    "a name": ("{{args.a}}", {"a": "x"}, "x"),
    "spaces": ("{{ args.a }}-{{args.a  }}", {"a": "x"}, "x-x"),
    "a hyphen": ("{{args.a-b}}", {"a-b": "x"}, "x"),
    "next to text": ("test-{{args.a}}!", {"a": "x"}, "test-x!"),
    "nothing to insert": ("sum(rate(x[5m])) by (pod) }}", {}, "sum(rate(x[5m])) by (pod) }}"),
    "quotes and lines": (
        '"{{args.a}}"',
        {"a": 'double quotes"newline\nand tab\t'},
        '"double quotes"newline\nand tab\t"',
    ),
    "a template in a value": ("{{args.a}}", {"a": "{{args.b}}", "b": "x"}, "{{args.b}}"),
    "braces in a value": ("{{args.a}}{{args.b}}", {"a": "{{", "b": "}}"}, "{{}}"),
    "an empty value": ("a{{args.a}}b", {"a": ""}, "ab"),
    "a backslash": ("{{args.a}}", {"a": r"\1\d\g<0>"}, r"\1\d\g<0>"),
}


@pytest.mark.parametrize(("text", "values", "expected"), RENDERED.values(), ids=RENDERED.keys())
def test_values_are_inserted(text, values, expected):
    assert expected == render_text(text, values, "m.query")


UNRENDERED = {
    "an unknown argument": ("{{args.b}}", {"a": "x"}, "m.query: failed to resolve {{args.b}}"),
    "not an argument": ("{{inputs.a}}", {"a": "x"}, "failed to resolve {{inputs.a}}"),
    "a bare name": ("{{a}}", {"a": "x"}, "failed to resolve {{a}}"),
    "no closing braces": ("test-{{args.a", {"a": "x"}, "failed to resolve {{args.a: the closing }} is missing"),
    "a tab inside": ("{{\targs.a}}", {"a": "x"}, "failed to resolve"),
    "double braces": ("{{{{args.a}}}}", {"a": "x"}, "failed to resolve"),
    "a character JSON cannot carry": ("{{args.a}}", {"a": "\x01"}, "holds the character"),
    "half a surrogate pair": ("{{args.a}}", {"a": "\ud800"}, "holds the character"),
}


@pytest.mark.parametrize(("text", "values", "message"), UNRENDERED.values(), ids=UNRENDERED.keys())
def test_what_cannot_be_inserted_is_an_error(text, values, message):
    with pytest.raises(errors.ConfigurationError) as caught:
        render_text(text, values, "m.query")

    assert message in str(caught.value)


def test_a_metric_is_rendered_everywhere_but_keeps_its_shape():
    metric = {
        "name": "{{args.a}}",
        "count": "{{args.n}}",
        "failureLimit": 2,
        "provider": {"prometheus": {"query": 'x{pod="{{args.a}}"}', "headers": [{"key": "{{args.a}}"}]}},
    }

    found = render_metric(metric, {"a": "p", "n": "3"}, "spec.metrics[0]")

    assert found == {
        "name": "p",
        "count": "3",
        "failureLimit": 2,
        "provider": {"prometheus": {"query": 'x{pod="p"}', "headers": [{"key": "p"}]}},
    }


def test_a_problem_in_a_metric_names_its_place():
    with pytest.raises(errors.ConfigurationError, match=r"^spec.metrics\[0\].provider.prometheus.query: failed"):
        render_metric({"provider": {"prometheus": {"query": "{{args.x}}"}}}, {}, "spec.metrics[0]")


def test_an_endless_nesting_is_refused():
    metric = {"a": "x"}
    for _ in range(100):
        metric = {"a": metric}

    with pytest.raises(errors.ConfigurationError, match="nested"):
        render_metric(metric, {}, "m")


safe = st.text(
    alphabet=st.characters(
        min_codepoint=0x20, max_codepoint=0xFFFF, exclude_categories=["Cs"], exclude_characters="\x7f"
    )
)


@given(safe)
def test_a_value_never_leaves_its_field(value):
    metric = {"name": "n", "provider": {"prometheus": {"query": 'a{b="{{args.v}}"}'}}}

    found = render_metric(metric, {"v": value}, "m")

    assert {"name": "n", "provider": {"prometheus": {"query": f'a{{b="{value}"}}'}}} == json.loads(json.dumps(found))


@given(st.text(alphabet="{}args. v", max_size=20), safe)
def test_any_text_is_rendered_or_refused(text, value):
    with contextlib.suppress(errors.ConfigurationError):
        assert isinstance(render_text(text, {"v": value}, "m"), str)
