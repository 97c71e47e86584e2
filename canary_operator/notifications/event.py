"""Messages for programs: CloudEvents 1.0 as structured JSON, signed as Standard Webhooks says.

Law: the type names the fields of ``data``; a field that goes or changes its meaning needs a new type.
"""

import binascii
import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook as Signer
from yarl import URL

from canary_operator.model.news import News
from canary_operator.notifications.posting import Letter, UnreadableError, read_line, read_url
from canary_operator.settings import Webhook
from canary_operator.settings.sentences import sentence

TYPE = "io.canary-operator.decision.v1"
SENTENCE = "{{ verdict }} {{ reason }}: {{ namespace }}/{{ rollout }} {{ message }}"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with


def writer(webhook: Webhook, template: str | None, now: Callable[[], float]) -> Callable[[News], Letter]:
    """What writes the message that is posted to one webhook; each attempt is signed anew."""
    say = sentence(template or SENTENCE, str)

    def write(news: News) -> Letter:
        message = to_structured_event(_event(news, say(news.words)))
        headers = {**webhook.headers, **message.headers}
        if webhook.secret_file is not None:
            headers |= _signature(webhook.secret_file, news.id, int(now()), message.body)
        return Letter(_address(webhook), headers, message.body)

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


def _signature(path: Path, message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    signed = _signer(path).sign(message_id, moment, body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signed}


def _signer(path: Path) -> Signer:
    secret = read_line(path)
    try:
        # What is no base64 would be decoded all the same, into another secret than the one that was meant.
        key = binascii.a2b_base64(secret.removeprefix(_SECRET_PREFIX), strict_mode=True)
    except ValueError:
        key = b""
    if not key or not secret.startswith(_SECRET_PREFIX):
        raise UnreadableError(f"{path} should hold {_SECRET_PREFIX} and a secret in base64")
    return Signer(key)


def _address(webhook: Webhook) -> URL:
    if webhook.url_file is not None:
        return read_url(webhook.url_file)
    assert webhook.url is not None
    return URL(webhook.url)
