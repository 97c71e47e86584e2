"""Records for a program: CloudEvents that other people's libraries read and verify."""

import base64
import datetime
import time

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from standardwebhooks import Webhook as Verifier

from canary_operator.archive.endpoint import Endpoint, event_of
from canary_operator.archive.entry import stored_entry, written_entry
from canary_operator.model.record import GateDecisionSpec
from canary_operator.posting.once import Later, Refused, Taken
from canary_operator.settings import Webhook
from tests.archive.trail import REF, Records, a_record, an_entry
from tests.builders import T0, UID
from tests.posting.receiving import receiving, status

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


async def test_a_record_is_posted_as_a_signed_event_that_anybody_can_verify(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    async with receiving(status(202)) as server:
        endpoint = Endpoint(Webhook(url=server.url, secret_file=secret), time.time)
        reply = await endpoint.hand_on(an_entry(3))
        await endpoint.close()

    ((head, body),) = server.requests
    headers = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
    assert reply == Taken()
    Verifier(SECRET).verify(body, {name.lower(): value for name, value in headers.items()})
    told = from_http_event(HTTPMessage(headers, body))
    assert GateDecisionSpec.model_validate(told.get_data()["spec"]) == a_record(3)
    assert told.get_data()["metadata"] == {"name": "guestbook-" + UID[:8] + "-000003", "namespace": "shop"}


def test_the_event_says_which_record_of_which_chain_it_is():
    assert event_of(an_entry(3)).get_attributes() == {
        "specversion": "1.0",
        "id": f"{3:064x}",
        "source": "/apis/canary-operator.io/v1alpha1/namespaces/shop/canarygates/guestbook",
        "type": "io.canary-operator.gatedecision.v1",
        "subject": "shop/guestbook",
        "time": datetime.datetime.fromtimestamp(T0, datetime.UTC),
        "datacontenttype": "application/json",
        "partitionkey": UID,
        "sequence": "000000003",
    }


async def test_a_redirect_is_not_followed():
    async with receiving(status(307, "Location: http://127.0.0.1:1/elsewhere")) as server:
        endpoint = Endpoint(Webhook(url=server.url), time.time)
        reply = await endpoint.hand_on(an_entry())
        await endpoint.close()

    assert reply == Refused("HTTP 307, a redirect, which is not followed")


async def test_a_secret_that_is_missing_is_waited_for(tmp_path):
    endpoint = Endpoint(Webhook(url="http://127.0.0.1:1", secret_file=tmp_path / "secret"), time.time)

    assert await endpoint.hand_on(an_entry()) == Later(f"{tmp_path}/secret cannot be read")
    await endpoint.close()


def test_what_is_read_back_is_the_same_line_as_what_was_written():
    records = Records()
    record = records.write(a_record(7))

    assert stored_entry(records.bodies[UID, 7]) == written_entry(REF, record)
