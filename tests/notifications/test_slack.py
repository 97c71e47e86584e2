"""What Slack gets: JSON with one text, in which nothing that others wrote is markup."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary_operator.notifications import slack
from canary_operator.settings import Slack
from canary_operator.settings.mounted import UnreadableError
from tests.notifications.looks import some_news

URL = "https://hooks.slack.example/services/T0/B0/s3cret"
LINK = "https://gates.example/shop/guestbook"


@pytest.fixture(scope="module")
def url_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("slack") / "url"
    path.write_text(f"{URL}\n")
    return path


@pytest.fixture(scope="module")
def write(url_file):
    def written(template=None, **words):
        letter = slack.writer(Slack(url_file=url_file), template)(some_news(**words))
        return letter, json.loads(letter.body)["text"]

    return written


def test_a_message_says_verdict_reason_rollout_and_sentence(write):
    _, text = write()

    assert text == (
        "*Abort* ConditionsFailed: shop/guestbook aborted at step 1/4 (25 %): error-rate 0.5 is not &lt; 0.05"
    )


def test_a_message_links_to_the_page_where_there_is_one(write):
    _, text = write(link=LINK)

    assert text.startswith(f"*Abort* ConditionsFailed: <{LINK}|shop/guestbook> aborted")


def test_what_is_only_observed_says_so(write):
    _, text = write(mode="observe", message="would abort at step 1/4")

    assert text == "*Abort* ConditionsFailed: shop/guestbook (only observed) would abort at step 1/4"


def test_a_template_is_the_whole_message_with_its_own_markup(write):
    _, text = write("{% if verdict == 'Abort' %}<!here> {% endif %}{{ message }}", message="<!channel>")

    assert text == "<!here> &lt;!channel&gt;"


def test_slack_is_asked_to_make_no_links_mentions_or_previews(write):
    letter, _ = write()

    body = json.loads(letter.body)
    del body["text"]
    assert body == {"parse": "none", "link_names": False, "unfurl_links": False, "unfurl_media": False}
    assert letter.headers == {"Content-Type": "application/json"}
    assert str(letter.url) == URL


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (
            "<!channel> <@U123> <https://evil.example|click>",
            "&lt;!channel&gt; &lt;@U123&gt; &lt;https://evil.example|click&gt;",
        ),
        ("a & b &lt; c", "a &amp; b &amp;lt; c"),
        ("two\nlines\r\n> quoted", "two lines  &gt; quoted"),
        ("right\u202eto left", "right to left"),
        ("zero\u200bwidth", "zero width"),
        ('"quotes" \\ stay', '"quotes" \\ stay'),
    ],
)
def test_a_text_of_others_is_shown_as_it_is(write, given, shown):
    _, text = write("{{ message }}", message=given)

    assert text == shown


@given(st.dictionaries(st.sampled_from(["rollout", "namespace", "message", "reason", "hash"]), st.text()))
def test_no_value_brings_markup_or_a_line_of_its_own(write, words):
    _, text = write(**{**words, "link": ""})

    assert not set("<>") & set(text)
    assert all(re.match("&(amp|lt|gt);", text[found.start() :]) for found in re.finditer("&", text))
    assert text.isprintable()


@given(st.text())
def test_whatever_a_value_is_the_body_is_json_of_its_own(write, value):
    letter, _ = write(message=value)

    assert set(json.loads(letter.body)) == {"text", "parse", "link_names", "unfurl_links", "unfurl_media"}


def test_a_changed_address_counts_at_once(tmp_path):
    path = tmp_path / "url"
    write = slack.writer(Slack(url_file=path), None)
    addresses = ("https://one.example/a", "https://two.example/b?c=d")

    for address in addresses:
        path.write_text(address)
        assert str(write(some_news()).url) == address


@pytest.mark.parametrize(
    "content", [None, "", "\n", "hooks.slack.com/s3cret", "file:///s3cret", "https://a/s3cret\nb", "https://"]
)
def test_a_file_without_an_address_is_named_and_its_content_is_not(tmp_path, content):
    path = tmp_path / "url"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UnreadableError) as caught:
        slack.writer(Slack(url_file=path), None)(some_news())

    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_letter_does_not_show_its_address(write):
    letter, _ = write()

    assert "s3cret" not in repr(letter)
