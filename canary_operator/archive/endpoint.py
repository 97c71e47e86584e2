"""Records for a program: CloudEvents 1.0 as structured JSON, signed as Standard Webhooks says.

Law: ``id`` is the record's hash, so that whoever receives one twice can tell; the type names the fields of ``data``.
"""

import datetime
import json
from collections.abc import Callable

import aiohttp
from cloudevents.core.v1.event import CloudEvent

from canary_operator.archive.entry import Entry
from canary_operator.model import durations
from canary_operator.posting import once
from canary_operator.posting.once import Later, Reply
from canary_operator.posting.sealing import sealed
from canary_operator.settings import Webhook
from canary_operator.settings.mounted import UnreadableError

TYPE = "io.canary-operator.gatedecision.v1"


class Endpoint:
    """A webhook that takes records.

    Args:

        now: the present, Unix seconds.
    """

    def __init__(self, webhook: Webhook, now: Callable[[], float]) -> None:
        self._webhook = webhook
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def hand_on(self, entry: Entry) -> Reply:
        """Post the record once."""
        self._session = self._session or once.client()
        try:
            letter = sealed(self._webhook, event_of(entry), int(self._now()))
        except UnreadableError as error:
            return Later(str(error))
        return await once.post(self._session, letter, self._now)

    async def close(self) -> None:
        """Let the connections go."""
        if self._session is not None:
            await self._session.close()


def event_of(entry: Entry) -> CloudEvent:
    """The event of a record; ``sequence`` and ``partitionkey`` are CloudEvents' own extensions."""
    document = json.loads(entry.line)
    namespace, name = entry.ref.namespace, entry.ref.name
    attributes = {
        "id": document["spec"]["hash"],
        "source": f"/apis/canary-operator.io/v1alpha1/namespaces/{namespace}/canarygates/{name}",
        "type": TYPE,
        "subject": str(entry.ref),
        "time": datetime.datetime.fromtimestamp(durations.parse_time(document["spec"]["at"]), datetime.UTC),
        "datacontenttype": "application/json",
        "partitionkey": entry.uid,
        "sequence": f"{entry.sequence:09d}",
    }
    return CloudEvent(attributes, document)
