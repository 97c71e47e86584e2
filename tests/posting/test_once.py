"""One attempt against real sockets: whatever the other side does is a value, and tells no secret."""

import email.utils
import ssl
import subprocess

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from canary_operator.posting import once
from canary_operator.posting.once import Later, Letter, Refused, Taken
from tests.builders import T0
from tests.posting.receiving import Answers, Dies, Hangs, receiving, status

BODY = b'{"text": "told"}'
ELSEWHERE = "Location: http://127.0.0.1:1/elsewhere"


async def post(url):
    async with once.client() as session:
        return await once.post(session, Letter(URL(url), {"X-Team": "shop"}, BODY), lambda: T0)


async def reply_of(*behaviours):
    async with receiving(*behaviours) as server:
        return await post(server.url)


async def test_a_message_is_posted_with_its_headers_and_nothing_of_the_environment(monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    async with receiving(status(200)) as server:
        assert await post(server.url) == Taken()

    ((head, body),) = server.requests
    assert head.startswith("POST /in HTTP/1.1\r\n")
    assert "X-Team: shop\r\n" in head
    assert "Authorization" not in head
    assert body == BODY


@pytest.mark.parametrize("code", [200, 201, 202, 204])
async def test_what_is_taken_is_delivered(code):
    assert await reply_of(status(code)) == Taken()


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 413])
async def test_a_refusal_would_be_the_same_a_second_time(code):
    assert await reply_of(status(code, body="invalid_token s3cret")) == Refused(f"HTTP {code}")


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again_later(code):
    assert await reply_of(status(code)) == Later(f"HTTP {code}")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(code):
    async with receiving(status(code, ELSEWHERE)) as server:
        assert await post(server.url) == Refused(f"HTTP {code}, a redirect, which is not followed")

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        (email.utils.formatdate(T0 + 90, usegmt=True), 90.0),
        (email.utils.formatdate(T0 - 90, usegmt=True), 0.0),
        ("-1", None),
        ("1.5", None),
        ("٣", None),
        ("soon", None),
        ("", None),
        ("9" * 400, float("inf")),
    ],
)
def test_whoever_asks_for_patience_says_how_much(text, seconds):
    assert once._reply(429, text, T0) == Later("HTTP 429", seconds)


@given(st.integers(100, 999), st.text())
def test_every_answer_has_a_meaning(code, retry_after):
    match once._reply(code, retry_after, T0):
        case Later(_, after):
            assert after is None or after >= 0
        case Taken() | Refused():
            pass


@pytest.mark.parametrize(
    "behaviour",
    [
        Dies(),
        Dies("HTTP/1.1 20"),
        Dies("HTTP/1.1 200 OK\r\nContent-"),
        Answers(""),
        Answers("SSH-2.0-OpenSSH_9.9\r\n\r\n"),
        Answers("HTTP/1.1 999999 What\r\n\r\n"),
        Answers(f"HTTP/1.1 200 OK\r\nX: {'x' * 100_000}\r\n\r\n"),
    ],
    ids=["at once", "in the status", "in the headers", "silence", "another protocol", "no status", "endless header"],
)
async def test_whatever_breaks_may_pass(behaviour):
    reply = await reply_of(behaviour)

    assert isinstance(reply, Later)
    assert "127.0.0.1" not in reply.why


async def test_nobody_there_may_pass():
    async with receiving(status(200)) as server:
        pass

    assert await post(server.url) == Later("no connection, or it broke (ClientConnectorError)")


async def test_whoever_hangs_is_left(monkeypatch):
    monkeypatch.setattr(once, "_TIMEOUT", aiohttp.ClientTimeout(total=0.05))

    assert await reply_of(Hangs()) == Later("no answer within 0.05 s")


async def test_a_long_body_is_not_read():
    long = Answers("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + "x" * 1000)

    assert await reply_of(long) == Taken()


async def test_a_certificate_that_nobody_trusts_is_not_talked_to(tmp_path):
    tls = a_certificate(tmp_path)

    async with receiving(status(200), tls=tls) as server:
        assert await post(server.url) == Later("no trusted TLS connection")

    assert server.requests == []


def a_certificate(folder):
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl program to make a certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
