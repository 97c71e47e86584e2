"""Messages for programs: CloudEvents 1.0 as structured JSON, signed as Standard Webhooks says.

Law: the type names the fields of ``data``; a field that goes or changes its meaning needs a new type.
"""

import datetime
from collections.abc import Callable

from cloudevents.core.v1.event import CloudEvent

from canary_operator.model.news import News
from canary_operator.posting.once import Letter
from canary_operator.posting.sealing import sealed
from canary_operator.settings import Webhook
from canary_operator.settings.sentences import sentence

TYPE = "io.canary-operator.decision.v1"
SENTENCE = "{{ verdict }} {{ reason }}: {{ namespace }}/{{ rollout }} {{ message }}"


def writer(webhook: Webhook, template: str | None, now: Callable[[], float]) -> Callable[[News], Letter]:
    """What writes the message that is posted to one webhook; each attempt is signed anew."""
    say = sentence(template or SENTENCE, str)

    def write(news: News) -> Letter:
        return sealed(webhook, _event(news, say(news.words)), int(now()))

    return write


def _event(news: News, text: str) -> CloudEvent:
    namespace, name = news.ref.namespace, news.ref.name
    attributes = {
        "id": news.id,
        "source": f"/apis/canary-operator.io/v1alpha1/namespaces/{namespace}/canarygates/{name}",
        "type": TYPE,
        "subject": str(news.ref),
        "time": datetime.datetime.fromtimestamp(news.at, datetime.UTC),
        "datacontenttype": "application/json",
    }
    return CloudEvent(attributes, {**news.words, "text": text})
