"""What is posted to a configured webhook: a CloudEvent, its address, and its signature as Standard Webhooks says.

Law: made anew for each attempt, since a signature has its time, and files may have changed.
"""

import binascii
import contextlib
import datetime
from collections.abc import Mapping
from pathlib import Path

from cloudevents.core.bindings.http import to_structured_event
from cloudevents.core.v1.event import CloudEvent
from standardwebhooks import Webhook as Signer
from yarl import URL

from canary_operator.posting.once import Letter
from canary_operator.settings import Webhook
from canary_operator.settings.mounted import UnreadableError, read_line

_SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with


def sealed(webhook: Webhook, event: CloudEvent, at: int) -> Letter:
    """The letter of an event.

    Args:

        at: the time of the signature, Unix seconds.

    Raises:

        UnreadableError: a file of the webhook cannot be used.
    """
    message = to_structured_event(event)
    headers = {**webhook.headers, **message.headers}
    if webhook.secret_file is not None:
        headers |= _signature(webhook.secret_file, event.get_id(), at, message.body)
    return Letter(_address(webhook), headers, message.body)


def read_url(path: Path) -> URL:
    """The address in a mounted file.

    Raises:

        UnreadableError: there is no such file, or it holds no http(s) address.
    """
    line = read_line(path)
    with contextlib.suppress(ValueError):
        url = URL(line)
        if url.scheme in {"http", "https"} and url.host:
            return url
    raise UnreadableError(f"{path} holds no http(s) address")


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
