import gzip
import json
import math
import ssl
import subprocess
import time
import urllib.parse
from pathlib import Path

import pytest

from canary_operator.model.samples import Absent, Answer, Query, ResultKind, Sample, Series
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.client import PrometheusClient
from canary_operator.prometheus.replies import Fault, Reply
from canary_operator.settings import Provider

ANSWER = Answer(ResultKind.VECTOR, (Series((("a", "b"),), (Sample(10.5, 3.0),)),))
UNAVAILABLE = HoldReason.TELEMETRY_UNAVAILABLE
MISCONFIGURED = HoldReason.CONFIGURATION_ERROR
SECRET = "s3cret-in-the-body"


@pytest.fixture
def client_of():
    clients = []

    def make(url, **fields):
        fields = {"name": "default", "url": url, "timeout": "5s", **fields}
        clients.append(PrometheusClient(Provider.model_validate(fields)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def a_query(promql="up", at=1700000000.25, timeout=None):
    return Query("default", promql, at, timeout)


def error_body(error_type):
    return json.dumps({"status": "error", "errorType": error_type, "error": SECRET}).encode()


def test_the_query_travels_in_the_body_with_its_time_and_a_timeout_below_ours(serve, client_of):
    server = serve()

    answer = client_of(server.url + "/prefix/").ask(a_query('up{a="é"}')).answer

    form = urllib.parse.parse_qs(server.received[0].body)
    assert answer == ANSWER
    assert server.received[0].method == "POST"
    assert server.received[0].path == "/prefix/api/v1/query"
    assert form["query"] == ['up{a="é"}']
    assert form["time"] == ["1700000000.250"]
    assert 3000 < int(form["timeout"][0].removesuffix("ms")) <= 4500


@pytest.mark.parametrize(
    ("flavour", "added"),
    [
        ("prometheus", {}),
        ("thanos", {"partial_response": ["false"], "max_source_resolution": ["0s"]}),
        ("victoriametrics", {"deny_partial_response": ["1"]}),
    ],
)
def test_a_server_of_several_stores_is_asked_for_whole_answers(serve, client_of, flavour, added):
    server = serve()

    client_of(server.url, flavour=flavour).ask(a_query())

    form = urllib.parse.parse_qs(server.received[0].body)
    assert {name: form[name] for name in form.keys() - {"query", "time", "timeout"}} == added


@pytest.mark.parametrize("status", [403, 405, 501])
def test_where_post_is_refused_get_is_used_and_remembered(serve, client_of, status):
    vector = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
    server = serve(lambda handler: handler.say(status if handler.command == "POST" else 200, vector))
    client = client_of(server.url)

    answers = [client.ask(a_query()).answer, client.ask(a_query()).answer]

    assert answers == [Answer(ResultKind.VECTOR, ())] * 2
    assert [received.method for received in server.received] == ["POST", "GET", "GET"]
    assert "query=up" in server.received[1].path
    assert server.received[1].body == ""


def test_a_403_to_both_methods_is_not_a_matter_of_the_method(serve, client_of):
    server = serve(lambda handler: handler.say(403, b"{}"))
    client = client_of(server.url)

    answers = [client.ask(a_query()).answer, client.ask(a_query()).answer]

    assert answers == [Absent(UNAVAILABLE, "the credentials are refused (HTTP 403)")] * 2
    assert [received.method for received in server.received] == ["POST", "GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("status", "body", "reason", "message"),
    [
        (400, error_body("bad_data"), MISCONFIGURED, "the query is refused: bad_data (HTTP 400)"),
        (422, error_body("execution"), MISCONFIGURED, "the query is refused: execution (HTTP 422)"),
        (400, SECRET.encode(), UNAVAILABLE, "no answer (HTTP 400)"),
        (400, error_body(f"a sentence with {SECRET}"), UNAVAILABLE, "no answer (HTTP 400)"),
        (401, b"", UNAVAILABLE, "the credentials are refused (HTTP 401)"),
        (404, b"404 page not found", UNAVAILABLE, "no answer (HTTP 404)"),
        (500, error_body("internal"), UNAVAILABLE, "internal (HTTP 500)"),
        (503, error_body("timeout"), UNAVAILABLE, "timeout (HTTP 503)"),
        (204, b"", UNAVAILABLE, "no answer (HTTP 204)"),
        (200, SECRET.encode(), UNAVAILABLE, "the answer cannot be read: not JSON"),
        (200, b"", UNAVAILABLE, "the answer cannot be read: not JSON"),
    ],
)
def test_each_refusal_has_its_reason_and_shows_nothing_of_the_body(serve, client_of, status, body, reason, message):
    server = serve(lambda handler: handler.say(status, body))

    answer = client_of(server.url).ask(a_query()).answer

    assert answer == Absent(reason, message)
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [200, 400, 502])
def test_an_html_page_is_not_prometheus(serve, client_of, status):
    server = serve(lambda handler: handler.say(status, b"<html>login</html>", "text/html; charset=utf-8"))

    answer = client_of(server.url).ask(a_query()).answer

    page = f"HTTP {status} with an HTML page: a proxy or a login page answered, not Prometheus"
    assert answer == Absent(UNAVAILABLE, page)


@pytest.mark.parametrize("status", [413, 414, 431])
def test_a_question_that_is_too_long_is_told_from_a_server_that_fails(serve, client_of, status):
    server = serve(lambda handler: handler.say(status, b""))

    read = client_of(server.url).ask(a_query())

    message = f"the question is too long for it (HTTP {status})"
    assert read == Reply(Absent(UNAVAILABLE, message), Fault.SIZE)


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "3600", 3600.0),
        (503, "7", 7.0),
        (503, "Wed, 21 Oct 2026 07:28:00 GMT", None),
        (503, "-1", None),
        (503, "9" * 400, None),
        (500, "7", None),
    ],
)
def test_a_retry_after_is_not_waited_for_but_told_and_nothing_is_sent_twice(serve, client_of, status, header, seconds):
    server = serve(lambda handler: handler.say(status, b"", Retry_After=header))

    read = client_of(server.url).ask(a_query())

    assert (read.fault, read.retry_after) == (Fault.SERVER, seconds)
    assert len(server.received) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(serve, client_of, status):
    target = serve()
    server = serve(lambda handler: handler.say(status, b"", Location=target.url + "/api/v1/query"))

    answer = client_of(server.url).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, f"a redirect, which is not followed (HTTP {status})")
    assert target.received == []


def test_the_body_of_a_redirect_is_not_read_beyond_the_limit(serve, client_of):
    def endless(handler):
        handler.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")
        while not handler.server.ended.is_set():
            handler.wfile.write(b"x" * 65536)

    server = serve(endless)

    answer = client_of(server.url, maxResponseBytes=100_000).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "the answer is larger than 100000 bytes")


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ('"warnings":["store gone"]', "the answer came with 1 warning(s), so it may be partial"),
        ('"isPartial":true', "the answer is partial"),
    ],
)
def test_an_answer_that_may_be_partial_is_no_answer(serve, client_of, extra, message):
    body = f'{{"status":"success",{extra},"data":{{"resultType":"vector","result":[]}}}}'.encode()
    server = serve(lambda handler: handler.say(200, body))

    answer = client_of(server.url).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, message, partial=True)


@pytest.mark.parametrize(
    ("flavour", "status", "error_type", "reason"),
    [
        ("thanos", 422, "execution", UNAVAILABLE),
        ("thanos", 400, "bad_data", HoldReason.CONFIGURATION_ERROR),
        ("prometheus", 422, "execution", HoldReason.CONFIGURATION_ERROR),
    ],
)
def test_a_store_that_thanos_misses_is_not_the_querys_fault(serve, client_of, flavour, status, error_type, reason):
    body = f'{{"status":"error","errorType":"{error_type}","error":"fetch series: rpc error"}}'.encode()
    server = serve(lambda handler: handler.say(status, body))

    reply = client_of(server.url, flavour=flavour).ask(a_query())

    assert isinstance(reply.answer, Absent)
    assert reply.answer.reason is reason
    assert (reply.fault is Fault.PARTIAL) is (reason is UNAVAILABLE)


def test_nan_arrives_as_nan(serve, client_of):
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1,"NaN"]}}'
    server = serve(lambda handler: handler.say(200, body))

    answer = client_of(server.url).ask(a_query()).answer

    assert isinstance(answer, Answer)
    assert math.isnan(answer.series[0].samples[0].value)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda handler: handler.hang(), id="hangs before the headers"),
        pytest.param(lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 90), id="drips headers"),
        pytest.param(
            lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n" + b" " * 999),
            id="drips the body",
        ),
        pytest.param(
            lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 99),
            id="drips chunks",
        ),
        pytest.param(lambda handler: handler.drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 99), id="continues for ever"),
    ],
)
def test_the_deadline_holds_however_slowly_the_server_speaks(serve, client_of, reply):
    server = serve(reply)
    client = client_of(server.url, timeout="300ms")
    start = time.monotonic()

    answer = client.ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "no complete answer within 0.3 s")
    assert 0.2 < time.monotonic() - start < 1.5


def test_a_get_after_a_slow_refusal_of_post_has_only_the_time_that_is_left(serve, client_of):
    def reply(handler):
        if handler.command == "POST":
            handler.server.ended.wait(0.2)
            handler.say(405, b"")
        else:
            handler.hang()

    client = client_of(serve(reply).url, timeout="300ms")
    start = time.monotonic()

    answer = client.ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "no complete answer within 0.3 s")
    assert time.monotonic() - start < 1.5


def test_the_querys_own_timeout_shortens_the_providers_and_never_lengthens_it(serve, client_of):
    server = serve(lambda handler: handler.hang())

    shorter = client_of(server.url).ask(a_query(timeout=0.1)).answer
    longer = client_of(server.url, timeout="200ms").ask(a_query(timeout=60)).answer

    assert shorter == Absent(UNAVAILABLE, "no complete answer within 0.1 s")
    assert longer == Absent(UNAVAILABLE, "no complete answer within 0.2 s")


def test_time_spent_waiting_for_a_turn_counts_and_a_late_question_is_not_sent(serve, client_of):
    server = serve()

    answer = client_of(server.url).ask(a_query(), asked_at=time.monotonic() - 6).answer

    assert answer == Absent(UNAVAILABLE, "no complete answer within 5 s")
    assert server.received == []


def test_a_connection_is_used_again_after_an_answer(serve, client_of):
    ports = set()

    def reply(handler):
        ports.add(handler.client_address[1])
        handler.say(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}')

    client = client_of(serve(reply).url)

    for _ in range(3):
        assert client.ask(a_query()).answer == Answer(ResultKind.VECTOR, ())
    assert len(ports) == 1


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_beyond_the_limit_is_dropped(serve, client_of, chunked):
    def reply(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked") if chunked else handler.send_header(
            "Content-Length", "99999999"
        )
        handler.end_headers()
        while not handler.server.ended.is_set():
            handler.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")

    answer = client_of(serve(reply).url, maxResponseBytes=200_000).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "the answer is larger than 200000 bytes")


def test_a_small_body_that_unpacks_to_a_large_one_is_dropped(serve, client_of):
    packed = gzip.compress(b" " * 5_000_000)
    server = serve(lambda handler: handler.say(200, packed, Content_Encoding="gzip"))

    answer = client_of(server.url, maxResponseBytes=200_000).ask(a_query()).answer

    assert len(packed) < 200_000
    assert answer == Absent(UNAVAILABLE, "the answer is larger than 200000 bytes")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\xff garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip,gzip,gzip,gzip,gzip,gzip,gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        b"HTTP/9.9 99999 ?\r\n\r\n",
    ],
)
def test_broken_http_is_an_absence_and_no_exception(serve, client_of, data):
    server = serve(lambda handler: handler.raw(data))

    answer = client_of(server.url, timeout="2s").ask(a_query()).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE


def test_a_closed_port_is_no_connection(serve, client_of):
    server = serve()
    server.shutdown()
    server.server_close()

    answer = client_of(server.url).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "no connection, or it broke")


def test_a_query_that_cannot_be_encoded_is_no_exception(serve, client_of):
    answer = client_of(serve().url).ask(a_query("up\ud800")).answer

    assert answer == Absent(MISCONFIGURED, "the query is not text that can be sent")


def test_proxies_and_credentials_of_the_environment_are_ignored(serve, client_of, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login someone password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = serve()

    answer = client_of(server.url).ask(a_query()).answer

    assert answer == ANSWER
    assert "authorization" not in server.received[0].headers


def test_configured_headers_are_sent(serve, client_of):
    server = serve()

    client_of(server.url, headers={"X-Scope-OrgID": "team-a"}).ask(a_query())

    assert server.received[0].headers["x-scope-orgid"] == "team-a"


def test_a_rotated_bearer_token_is_used_at_once(serve, client_of, tmp_path):
    server = serve()
    token = tmp_path / "token"
    client = client_of(server.url, bearerTokenFile=str(token))

    for text in ("one\n", "two\n"):
        token.write_text(text)
        client.ask(a_query())

    assert [received.headers["authorization"] for received in server.received] == ["Bearer one", "Bearer two"]


def test_a_rotated_password_is_used_at_once(serve, client_of, tmp_path):
    server = serve()
    password = tmp_path / "password"
    client = client_of(server.url, basicAuth={"username": "u", "passwordFile": str(password)})

    for text in ("one\n", "two\n"):
        password.write_text(text)
        client.ask(a_query())

    assert [received.headers["authorization"] for received in server.received] == ["Basic dTpvbmU=", "Basic dTp0d28="]


@pytest.mark.parametrize("content", [None, b"", b"\n", f"{SECRET}\nX: y".encode(), SECRET.encode() + b"\xff"])
def test_unusable_credentials_send_nothing_and_show_only_their_file(serve, client_of, tmp_path, content):
    server = serve()
    token = tmp_path / "token"
    if content is not None:
        token.write_bytes(content)

    answer = client_of(server.url, bearerTokenFile=str(token)).ask(a_query()).answer

    assert isinstance(answer, Absent)
    assert answer.reason is UNAVAILABLE
    assert str(token) in answer.message
    assert SECRET not in answer.message
    assert server.received == []


def test_a_token_that_no_header_can_carry_is_no_exception_and_is_not_shown(serve, client_of, tmp_path):
    (tmp_path / "token").write_text(f"{SECRET}☃")

    answer = client_of(serve().url, bearerTokenFile=str(tmp_path / "token")).ask(a_query()).answer

    assert isinstance(answer, Absent)
    assert SECRET not in answer.message


def test_a_missing_ca_file_is_no_exception(serve, client_of):
    url = serve().url.replace("http:", "https:")

    answer = client_of(url, tls={"caFile": "/nowhere/ca.pem"}).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "a file named under tls cannot be read")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]
    names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    try:
        subprocess.run([*command, *names], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl program to make a certificate")
    return cert, key


def a_tls_server(serve, certificate, *, mutual=False):
    server = serve()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate[0])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    return server.url.replace("http:", "https:"), server


def test_tls_works_with_the_configured_authority_and_not_without(serve, client_of, certificate):
    url, _ = a_tls_server(serve, certificate)

    trusted = client_of(url, tls={"caFile": str(certificate[0])}).ask(a_query()).answer
    untrusted = client_of(url).ask(a_query()).answer

    assert trusted == ANSWER
    assert untrusted == Absent(UNAVAILABLE, "no trusted TLS connection")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_an_untrusted_certificate_is_accepted_only_when_told_so(serve, client_of, certificate):
    url, _ = a_tls_server(serve, certificate)

    assert client_of(url, tls={"insecureSkipVerify": True}).ask(a_query()).answer == ANSWER


def test_mutual_tls_presents_the_client_certificate(serve, client_of, certificate):
    url, _ = a_tls_server(serve, certificate, mutual=True)
    cert, key = map(str, certificate)

    known = client_of(url, tls={"caFile": cert, "certFile": cert, "keyFile": key}).ask(a_query()).answer
    unknown = client_of(url, tls={"caFile": cert}, timeout="2s").ask(a_query()).answer

    assert known == ANSWER
    assert isinstance(unknown, Absent)


def test_a_server_that_drips_over_tls_is_cut_off_too(serve, client_of, certificate):
    url, server = a_tls_server(serve, certificate)
    server.reply = lambda handler: handler.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 90)
    start = time.monotonic()

    answer = client_of(url, timeout="400ms", tls={"caFile": str(certificate[0])}).ask(a_query()).answer

    assert answer == Absent(UNAVAILABLE, "no complete answer within 0.4 s")
    assert time.monotonic() - start < 1.5
