"""What a sentence may say, and that a value in it is never more than a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from canary_operator.model.news import FIELDS
from canary_operator.notifications import event, slack
from canary_operator.settings.sentences import Sentence, sentence
from tests.notifications.looks import some_news

checked = TypeAdapter(Sentence).validate_python


def said(text, **words):
    return sentence(checked(text), str)(some_news(**words).words)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("no field at all", "no field at all"),
        ("{{ rollout }} is at {{ step }}", "guestbook is at 1/4"),
        ("{% if verdict == 'Abort' %}<!here> {% endif %}{{ rollout }}", "<!here> guestbook"),
        ("{% if verdict == 'Hold' %}a{% elif link %}b{% else %}c{% endif %}", "c"),
        ("{{ link or 'no page' }}, {{ 'observed' if mode == 'observe' else mode }}", "no page, enforce"),
        ("{% if reason in 'NoData NoTraffic' or not weight %}a{% endif %}b", "b"),
        ("{{ 1 }}{{ weight == '25' }}", "1True"),
    ],
)
def test_a_sentence_is_text_fields_and_conditions(text, what):
    assert said(text) == what


@pytest.mark.parametrize("text", [slack.SENTENCE, event.SENTENCE])
def test_the_sentences_that_are_used_without_a_template_are_such(text):
    assert said(text).endswith("error-rate 0.5 is not < 0.05")


@pytest.mark.parametrize(
    "text",
    [
        "{% for x in message %}{{ x }}{% endfor %}",
        "{{ message * 1000000 }}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ message.__class__ }}",
        "{{ message['x'] }}",
        "{{ message.format(1) }}",
        "{{ range(10) }}",
        "{{ message | upper }}",
        "{% set x = message %}",
        "{% include 'x' %}",
        "{% macro x() %}{% endmacro %}",
        "{% filter upper %}{% endfilter %}",
        "{{ [message, message] }}",
        "{{ message ~ message }}",
        "{{ self }}",
        "{{ weather }}",
        "{{ message",
        "{% if message %}",
    ],
)
def test_whatever_could_take_long_or_reach_further_is_refused(text):
    with pytest.raises(ValidationError):
        checked(text)


@pytest.mark.parametrize("field", FIELDS)
def test_every_field_can_be_said(field):
    assert said(f"{{{{ {field} }}}}", **{field: "the text"}) == "the text"


@given(st.text())
def test_a_value_is_no_template(value):
    assert said("{{ message }}", message=value) == value


@given(st.text(), st.text())
def test_every_value_is_escaped_wherever_it_stands(value, other):
    say = sentence("{{ message }}|{{ link if rollout else '' }}|{{ reason or link }}", slack.escape)

    words = some_news(message=value, link=other, reason="").words

    assert say(words) == f"{slack.escape(value)}|{slack.escape(other)}|{slack.escape(other)}"
