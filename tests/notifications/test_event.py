"""What a webhook gets: CloudEvents that other people's libraries read and verify."""

import base64
import datetime
import json

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from canary_operator.model.news import FIELDS
from canary_operator.notifications import event
from canary_operator.settings import Webhook
from canary_operator.settings.mounted import UnreadableError
from tests.builders import T0
from tests.notifications.looks import some_news

URL = "https://audit.example/in"
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


def now():
    return datetime.datetime.now(datetime.UTC).timestamp()


def written(news=None, template=None, **webhook):
    return event.writer(Webhook.model_validate({"url": URL, **webhook}), template, now)(news or some_news())


def read(letter):
    return from_http_event(HTTPMessage(dict(letter.headers), letter.body))


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


def test_a_cloudevent_says_which_gate_decided_what_and_when():
    letter = written()

    told = read(letter)
    assert str(letter.url) == URL
    assert letter.headers["content-type"] == "application/cloudevents+json"
    assert told.get_attributes() == {
        "specversion": "1.0",
        "id": "4f5c",
        "source": "/apis/canary-operator.io/v1alpha1/namespaces/shop/canarygates/guestbook",
        "type": "io.canary-operator.decision.v1",
        "subject": "shop/guestbook",
        "time": datetime.datetime.fromtimestamp(T0, datetime.UTC),
        "datacontenttype": "application/json",
    }


def test_its_data_are_the_fields_and_a_text():
    data = read(written()).get_data()

    assert set(data) == {*FIELDS, "text"}
    assert (data["verdict"], data["reason"], data["step"]) == ("Abort", "ConditionsFailed", "1/4")
    assert data["text"] == f"Abort ConditionsFailed: shop/guestbook {data['message']}"


def test_a_template_is_its_text_without_escapes():
    letter = written(some_news(message='0.5 < "1" & more'), "{{ rollout }}: {{ message }}")

    assert read(letter).get_data()["text"] == 'guestbook: 0.5 < "1" & more'


def test_headers_are_sent_besides_what_is_ours():
    assert written(headers={"X-Team": "shop"}).headers["X-Team"] == "shop"


def test_without_a_secret_nothing_is_signed():
    assert not any(name.lower().startswith("webhook-") for name in written().headers)


def test_with_a_secret_anybody_who_has_it_can_verify_the_body(secret_file):
    letter = written(secretFile=secret_file)

    told = Verifier(SECRET).verify(letter.body, dict(letter.headers))

    assert told["id"] == letter.headers["webhook-id"] == "4f5c"


@pytest.mark.parametrize("what", ["body", "webhook-id", "webhook-timestamp", "webhook-signature", "secret"])
def test_whatever_is_forged_is_noticed(secret_file, what):
    letter = written(secretFile=secret_file)
    headers, body, secret = dict(letter.headers), letter.body, SECRET
    match what:
        case "body":
            body = body.replace(b"Abort", b"Promote")
        case "secret":
            secret = "whsec_" + base64.b64encode(b"another").decode()
        case "webhook-signature":
            headers[what] = "v1," + base64.b64encode(bytes(32)).decode()
        case "webhook-timestamp":
            headers[what] = str(int(headers[what]) - 1)
        case _:
            headers[what] += "0"

    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(body, headers)


def test_every_attempt_is_signed_with_its_own_time_and_the_secret_of_that_time(secret_file):
    times = iter([T0, T0 + 30])
    write = event.writer(Webhook(url=URL, secret_file=secret_file), None, lambda: next(times))

    first = write(some_news()).headers
    secret_file.write_text("whsec_" + base64.b64encode(b"rotated").decode())
    second = write(some_news()).headers

    assert (first["webhook-timestamp"], second["webhook-timestamp"]) == (str(int(T0)), str(int(T0) + 30))
    assert first["webhook-id"] == second["webhook-id"]
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize(
    "content", [None, "", "whsec_", "s3cret", "whsec_s3cret!", "whsec_c2VjcmV0!", base64.b64encode(KEY).decode()]
)
def test_a_file_without_a_secret_is_named_and_its_content_is_not(tmp_path, content):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)

    with pytest.raises(UnreadableError) as caught:
        written(secretFile=path)

    assert str(path) in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_an_address_may_be_a_file(tmp_path):
    path = tmp_path / "url"
    path.write_text("https://audit.example/in?token=1")

    assert str(written(url=None, urlFile=path).url) == "https://audit.example/in?token=1"


@given(st.fixed_dictionaries({name: st.text() for name in ("message", "reason", "link", "mode")}))
def test_whatever_the_values_are_they_are_read_as_they_were(words):
    letter = written(some_news(**words))

    data = json.loads(letter.body)["data"]
    assert {name: data[name] for name in words} == words
