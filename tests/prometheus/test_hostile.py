"""Servers that do harm, by intent or not: always the right reason, in time, in little memory, and nothing leaks."""

import gzip
import json
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.samples import Absent, Answer, Query, RawQuery
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.client import PrometheusClient
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Provider

from .conftest import serving

UNAVAILABLE = HoldReason.TELEMETRY_UNAVAILABLE
MISCONFIGURED = HoldReason.CONFIGURATION_ERROR
FREE = Query("default", "requests_total[1m]", 100.0)
RAW = RawQuery("default", Selector("requests_total"), (Matcher("namespace", MatchKind.EQUAL, "shop"),), 60, 100.0)
TIMEOUT = 0.4
CAP = 200_000
UNREADABLE = "the answer cannot be read: "


def body(kind, result, **extra):
    return json.dumps({"status": "success", **extra, "data": {"resultType": kind, "result": result}}).encode()


def matrix(*samples, **extra):
    return body("matrix", [{"metric": {"namespace": "shop"}, "values": samples}], **extra)


def hang_after_the_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n")
    handler.hang()


def hang_within_the_body(handler):
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"status":"succ')
    handler.hang()


def drip(handler):
    handler.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b" " * 999)


def flood(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    for _ in range(100 * 16):
        handler.wfile.write(b" " * 65536)
    handler.close_connection = True


BOMB = gzip.compress(b" " * 100_000_000)


def bomb(handler):
    handler.say(200, BOMB, Content_Encoding="gzip")


def saying(status, content=b"", content_type="application/json", **headers):
    return lambda handler: handler.say(status, content, content_type, **headers)


def raw(data):
    return lambda handler: handler.raw(data)


GOOD = matrix([90, "1"])
LATE = "no complete answer within 0.4 s"
LARGE = f"the answer is larger than {CAP} bytes"
BROKEN = "no connection, or it broke"
TWICE = [{"metric": {"a": "b"}, "values": [[90, "1"]]}] * 2

HOSTILE = {
    "hangs before the headers": (lambda handler: handler.hang(), UNAVAILABLE, LATE),
    "hangs after the headers": (hang_after_the_headers, UNAVAILABLE, LATE),
    "hangs within the body": (hang_within_the_body, UNAVAILABLE, LATE),
    "drips": (drip, UNAVAILABLE, LATE),
    "sends 100 MB": (flood, UNAVAILABLE, LARGE),
    "sends a gzip bomb": (bomb, UNAVAILABLE, LARGE),
    "shows a login page": (
        saying(200, b"<html>", "text/html"),
        UNAVAILABLE,
        "HTTP 200 with an HTML page: a proxy or a login page answered, not Prometheus",
    ),
    "shows a login page as JSON": (saying(200, b"<html>"), UNAVAILABLE, UNREADABLE + "not JSON"),
    "redirects": (
        saying(302, Location="http://127.0.0.1:1/api/v1/query"),
        UNAVAILABLE,
        "a redirect, which is not followed (HTTP 302)",
    ),
    "wants an hour of patience": (
        saying(503, Retry_After="3600"),
        UNAVAILABLE,
        "no answer (HTTP 503)",
    ),
    "refuses by rate": (saying(429, Retry_After="1"), UNAVAILABLE, "too many requests (HTTP 429)"),
    "says less than it announced": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + GOOD),
        UNAVAILABLE,
        BROKEN,
    ),
    "says more than it announced": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + GOOD),
        UNAVAILABLE,
        UNREADABLE + "not JSON",
    ),
    "announces a length that is none": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + GOOD[:50]),
        UNAVAILABLE,
        UNREADABLE + "not JSON",
    ),
    "writes numbers as numbers": (saying(200, matrix([90, 1])), UNAVAILABLE, "a sample is not a time and a value"),
    "writes words as numbers": (saying(200, matrix([90, "many"])), UNAVAILABLE, "a value is not a number"),
    "writes words as times": (saying(200, matrix(["90", "1"])), UNAVAILABLE, "a sample is not a time and a value"),
    "writes NaN as a time": (saying(200, matrix([float("nan"), "1"])), UNAVAILABLE, "a time is not finite"),
    "goes back in time": (
        saying(200, matrix([90, "1"], [80, "1"])),
        UNAVAILABLE,
        "the times of a series do not grow",
    ),
    "says a series twice": (saying(200, body("matrix", TWICE)), UNAVAILABLE, "two series have the same labels"),
    "warns": (saying(200, matrix([90, "1"], warnings=["store gone"])), UNAVAILABLE, "1 warning(s)"),
    "is partial": (saying(200, matrix([90, "1"], isPartial=True)), UNAVAILABLE, "the answer is partial"),
    "answers with text": (saying(200, body("string", [1, "x"])), MISCONFIGURED, "the query returns a string"),
    "refuses the query": (
        saying(400, b'{"status":"error","errorType":"bad_data","error":"x"}'),
        MISCONFIGURED,
        "the query is refused: bad_data (HTTP 400)",
    ),
    "has no room for the question": (saying(413), UNAVAILABLE, "the question is too long for it (HTTP 413)"),
    "is something else": (saying(404, b"404 page not found", "text/plain"), UNAVAILABLE, "no answer (HTTP 404)"),
}


def a_provider(url, **fields):
    fields = {"timeout": f"{round(TIMEOUT * 1000)}ms", "maxResponseBytes": CAP, **fields}
    return Provider.model_validate({"name": "default", "url": url, **fields})


@pytest.mark.parametrize("question", [FREE, RAW], ids=["free", "raw"])
@pytest.mark.parametrize("case", HOSTILE)
async def test_a_server_that_does_harm_is_an_absence_with_its_reason_in_time(case, question):
    reply, reason, message = HOSTILE[case]
    with serving(reply) as server:
        providers = Providers([a_provider(server.url)])
        start = time.monotonic()
        answer = (await providers.fetch([question]))[question]
        seconds = time.monotonic() - start
        providers.close()

    assert isinstance(answer, Absent)
    assert answer.reason is reason
    assert message in answer.message
    assert seconds < TIMEOUT + 1


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(matrix([90, "NaN"], [91, "+Inf"]), id="NaN and infinities"),
        pytest.param(matrix([90, "1"], infos=["not a counter"]), id="infos"),
    ],
)
async def test_what_only_looks_harmful_is_an_answer(content):
    with serving(saying(200, content)) as server:
        providers = Providers([a_provider(server.url)])
        answers = await providers.fetch([FREE, RAW])
        providers.close()

    assert all(isinstance(answer, Answer) and len(answer.series) == 1 for answer in answers.values())


def peak_of(reply, cap):
    """Bytes that asking once takes at most."""
    with serving(reply) as server:
        client = PrometheusClient(a_provider(server.url, maxResponseBytes=cap, timeout="60s"))
        tracemalloc.start()
        try:
            read = client.ask(FREE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            client.close()
    return read.answer, peak


@pytest.mark.parametrize("reply", [flood, bomb], ids=["100 MB", "a gzip bomb"])
def test_what_is_beyond_the_cap_takes_little_more_memory_than_the_cap(reply):
    cap = 2_000_000

    answer, peak = peak_of(reply, cap)

    assert answer == Absent(UNAVAILABLE, f"the answer is larger than {cap} bytes")
    assert peak < 2 * cap


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(matrix(*([number, "1"] for number in range(60_000))), id="samples"),
        pytest.param(b"[" + b"[]," * 300_000 + b"[]]", id="empty lists"),
        pytest.param(b'{"":' * 200_000, id="nesting"),
        pytest.param(b"[" + b"{}," * 300_000 + b"{}]", id="empty objects"),
    ],
)
def test_what_is_within_the_cap_takes_memory_in_proportion(content):
    cap = 1_000_000
    assert 0.7 * cap < len(content) <= cap

    _, peak = peak_of(saying(200, content), cap)

    assert peak < 30 * cap


SECRET = "Hunter2-s3cret"
words = st.sampled_from([SECRET, f"x {SECRET}", "success", "error", "matrix", "vector", "1", "NaN", 1, None, True, ""])
keys = st.sampled_from(
    [
        *("status", "errorType", "error", "warnings", "infos", "isPartial", "data", "resultType", "result"),
        *("metric", "value", "values", "histograms", SECRET),
    ]
)
replies = st.recursive(
    words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)
statuses = st.sampled_from([200, 204, 301, 400, 401, 403, 404, 413, 422, 429, 500, 502, 503])
types = st.sampled_from(["application/json", "text/html", SECRET])


@pytest.fixture
def credentials(tmp_path):
    token = tmp_path / "token"
    token.write_text(SECRET)
    return {"bearerTokenFile": str(token), "headers": {"X-Scope-OrgID": SECRET}}


def test_no_body_header_or_credential_is_in_a_message(credentials, serve):
    server = serve()
    client = PrometheusClient(a_provider(server.url, timeout="5s", **credentials))

    @settings(deadline=None, max_examples=80, suppress_health_check=list(HealthCheck))
    @example(400, {"status": "error", "errorType": SECRET, "error": SECRET}, "application/json")
    @example(500, {"status": "error", "errorType": SECRET}, "application/json")
    @example(200, {"status": "success", "warnings": [SECRET], "data": SECRET}, "application/json")
    @example(200, {"status": "success", "data": {"resultType": SECRET, "result": []}}, "application/json")
    @example(200, {"status": "success", "data": {"resultType": "scalar", "result": [1, SECRET]}}, "application/json")
    @given(statuses, replies, types)
    def ask(status, content, content_type):
        server.reply = saying(status, json.dumps(content).encode(), content_type, Retry_After=SECRET, X_Secret=SECRET)

        read = client.ask(FREE)

        assert isinstance(read.answer, Absent)
        assert SECRET not in repr(read)

    ask()
    client.close()
    assert server.received[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "data",
    [
        f"HTTP/1.1 {SECRET}\r\n\r\n",
        f"{SECRET}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Length: {SECRET}\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{SECRET}\r\n",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {SECRET}\r\nContent-Length: 1\r\n\r\nx",
        f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(SECRET)}\r\n\r\n{SECRET}",
        f"HTTP/1.1 302 Found\r\nLocation: http://{SECRET}:x\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm={SECRET}\r\nContent-Length: 0\r\n\r\n",
        f"HTTP/1.1 200 OK\r\nSet-Cookie: {SECRET}={SECRET}\r\n{SECRET}\r\n\r\n",
    ],
)
def test_broken_http_shows_nothing_either(credentials, serve, data):
    client = PrometheusClient(a_provider(serve(raw(data.encode())).url, **credentials))

    read = client.ask(FREE)
    client.close()

    assert isinstance(read.answer, Absent)
    assert SECRET not in repr(read)


@pytest.mark.parametrize("content", [f"{SECRET}\nmore", f"{SECRET}\x00", ""])
def test_a_credential_that_cannot_be_sent_is_not_shown(tmp_path, serve, content):
    token = tmp_path / "token"
    token.write_text(content)
    client = PrometheusClient(a_provider(serve().url, bearerTokenFile=str(token)))

    read = client.ask(FREE)
    client.close()

    assert isinstance(read.answer, Absent)
    assert SECRET not in repr(read)
