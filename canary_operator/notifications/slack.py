"""Messages for an incoming webhook of Slack's.

Law: what the operator was given by anybody else is text in Slack, never a mention, a link or a line of its own.
"""

import json
from collections.abc import Callable

from canary_operator.model.news import News
from canary_operator.posting.once import Letter
from canary_operator.posting.sealing import read_url
from canary_operator.settings import Slack
from canary_operator.settings.sentences import sentence

SENTENCE = (
    "*{{ verdict }}* {{ reason }}: "
    "{% if link %}<{{ link }}|{{ namespace }}/{{ rollout }}>{% else %}{{ namespace }}/{{ rollout }}{% endif %}"
    ' {% if mode == "observe" %}(only observed) {% endif %}{{ message }}'
)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_HEADERS = {"Content-Type": "application/json"}


def writer(slack: Slack, template: str | None) -> Callable[[News], Letter]:
    """What writes the message that is posted to one channel."""
    say = sentence(template or SENTENCE, escape)

    def write(news: News) -> Letter:
        # With parse none Slack makes no links of what looks like an address, with link_names off no mentions of @names.
        text = {"text": say(news.words), "parse": "none", "link_names": False}
        shown = {"unfurl_links": False, "unfurl_media": False}
        return Letter(read_url(slack.url_file), _HEADERS, json.dumps(text | shown).encode())

    return write


def escape(text: str) -> str:
    """A text that Slack shows as it is, on one line."""
    # What does not print could turn the direction of writing or hide a part of the text.
    printable = "".join(character if character.isprintable() else " " for character in text)
    return printable.translate(_ENTITIES)
