import asyncio
import json
import re
import threading
import time
import urllib.parse

import pytest

from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.samples import Absent, Answer, Query, RawQuery
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus.breaker import OPENS_AFTER
from canary_operator.prometheus.providers import Providers, provider_addresses
from canary_operator.settings import Provider


def a_provider(url, name="default", **fields):
    return Provider.model_validate({"name": name, "url": url, "timeout": "5s", **fields})


@pytest.fixture
def providers_of():
    made = []

    def make(*providers, **keywords):
        made.append(Providers(providers, **keywords))
        return made[-1]

    yield make
    for providers in made:
        providers.close()


EMPTY_MATRIX = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'


def raw(value, namespace="shop", provider="default"):
    identity = (Matcher("namespace", MatchKind.EQUAL, namespace), Matcher("hash", MatchKind.EQUAL, value))
    return RawQuery(provider, Selector("requests_total"), identity, 60, 10.0)


def asked_for(received):
    (promql,) = urllib.parse.parse_qs(received.body)["query"]
    (values,) = re.findall(r'hash=~?"([^"]*)"', promql)
    return values.split("|")


def one_series_each(handler):
    """Answer with one series for each hash that is asked for."""
    series = [
        {"metric": {"namespace": "shop", "hash": value}, "values": [[9, "1"]]}
        for value in asked_for(handler.server.received[-1])
    ]
    body = {"status": "success", "data": {"resultType": "matrix", "result": series}}
    handler.say(200, json.dumps(body).encode())


def hashes(answer):
    return [dict(series.labels)["hash"] for series in answer.series]


def queries(count, provider="default"):
    return [Query(provider, f"up{number}", 10.0) for number in range(count)]


async def test_every_query_gets_its_own_entry(serve, providers_of):
    providers = providers_of(a_provider(serve().url), a_provider(serve(lambda h: h.say(500, b"")).url, "broken"))
    good, bad, unknown = Query("default", "up", 1.0), Query("broken", "up", 1.0), Query("nowhere", "up", 1.0)

    answers = await providers.fetch([good, bad, unknown])

    assert isinstance(answers[good], Answer)
    assert answers[bad] == Absent(HoldReason.TELEMETRY_UNAVAILABLE, "provider 'broken': no answer (HTTP 500)")
    assert answers[unknown] == Absent(
        HoldReason.CONFIGURATION_ERROR, "provider 'nowhere' is not configured; providers: default, broken"
    )


async def test_no_queries_need_no_provider(providers_of):
    assert await providers_of().fetch([]) == {}


async def test_equal_queries_of_concurrent_callers_are_asked_once(serve, providers_of):
    both_wait = threading.Event()

    def reply(handler):
        both_wait.wait(5)
        handler.say(500, b"")

    server = serve(reply)
    providers = providers_of(a_provider(server.url))
    query = Query("default", "up", 1.0)

    callers = [asyncio.create_task(providers.fetch([query, query])) for _ in range(3)]
    await asyncio.sleep(0)
    both_wait.set()
    answers = await asyncio.gather(*callers)

    assert answers[0] == answers[1] == answers[2]
    assert len(server.received) == 1


async def test_a_query_is_asked_again_once_its_answer_has_arrived(serve, providers_of):
    server = serve()
    providers = providers_of(a_provider(server.url))

    for _ in range(2):
        await providers.fetch(queries(1))

    assert len(server.received) == 2


async def test_a_caller_that_gives_up_takes_the_answer_from_nobody(serve, providers_of):
    one_left = threading.Event()

    def reply(handler):
        one_left.wait(5)
        handler.say(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}')

    server = serve(reply)
    providers = providers_of(a_provider(server.url))
    impatient = asyncio.create_task(providers.fetch(queries(1)))
    patient = asyncio.create_task(providers.fetch(queries(1)))
    await asyncio.sleep(0)
    impatient.cancel()
    one_left.set()

    answers = await patient

    assert isinstance(answers[queries(1)[0]], Answer)
    assert len(server.received) == 1


async def test_no_more_requests_at_a_time_than_configured(serve, providers_of):
    lock, now, most = threading.Lock(), 0, 0

    def reply(handler):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        handler.server.ended.wait(0.02)
        with lock:
            now -= 1
        handler.say(200, b'{"status":"success","data":{"resultType":"vector","result":[]}}')

    providers = providers_of(a_provider(serve(reply).url, maxConcurrency=2))

    answers = await providers.fetch(queries(8))

    assert all(isinstance(answer, Answer) for answer in answers.values())
    assert most == 2


async def test_a_hanging_provider_costs_one_timeout_however_many_queries_wait_and_delays_no_other(serve, providers_of):
    hanging = a_provider(serve(lambda h: h.hang()).url, "hanging", timeout="300ms", maxConcurrency=2)
    providers = providers_of(hanging, a_provider(serve().url))
    start = time.monotonic()

    slow = asyncio.create_task(providers.fetch(queries(20, "hanging")))
    fast = await providers.fetch(queries(1))
    fast_seconds = time.monotonic() - start
    answers = await slow

    assert isinstance(fast[queries(1)[0]], Answer)
    assert fast_seconds < 0.25
    assert {answer.reason for answer in answers.values()} == {HoldReason.TELEMETRY_UNAVAILABLE}
    assert time.monotonic() - start < 1.5


async def test_a_name_server_that_hangs_does_not_hold_up_the_caller(providers_of, monkeypatch):
    resolved = threading.Event()

    def getaddrinfo(*_args, **_keywords):
        resolved.wait(10)
        raise OSError("too late")

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    providers = providers_of(a_provider("http://prometheus.example", timeout="100ms"))
    start = time.monotonic()

    answers = await providers.fetch(queries(1))
    seconds = time.monotonic() - start
    resolved.set()

    assert answers[queries(1)[0]].reason is HoldReason.TELEMETRY_UNAVAILABLE
    assert seconds < 3


async def test_every_request_is_observed_with_its_outcome(serve, providers_of):
    seen = []
    broken = a_provider(serve(lambda h: h.say(500, b"")).url, "broken")
    providers = providers_of(a_provider(serve().url), broken, observe=seen.append)

    await providers.fetch([*queries(1), *queries(1, "broken")])

    assert sorted((exchange.provider, exchange.outcome, exchange.questions) for exchange in seen) == [
        ("broken", "TelemetryUnavailable", 1),
        ("default", "Answered", 1),
    ]
    assert all(0 <= exchange.seconds < 5 for exchange in seen)


def test_a_providers_addresses_are_its_url_and_what_is_listed():
    provider = a_provider("HTTP://Prometheus.Monitoring:80/", addresses=["http://prometheus:9090/"])

    addresses = provider_addresses([provider])

    assert addresses.by_name == {"default": ("http://prometheus.monitoring", "http://prometheus:9090")}


# --- raw questions


async def test_raw_questions_of_many_callers_are_one_request_and_each_gets_its_own(serve, providers_of):
    server = serve(one_series_each)
    providers = providers_of(a_provider(server.url))

    answers = await asyncio.gather(*(providers.fetch([raw(f"c{each}"), raw(f"s{each}")]) for each in range(20)))

    assert len(server.received) == 1
    for each, answer in enumerate(answers):
        assert hashes(answer[raw(f"c{each}")]) == [f"c{each}"]
        assert hashes(answer[raw(f"s{each}")]) == [f"s{each}"]


async def test_however_many_ask_nobody_waits_for_ever_for_a_quiet_moment(serve, providers_of, monkeypatch):
    monkeypatch.setattr("canary_operator.prometheus.providers.QUIET_SECONDS", 60)
    providers = providers_of(a_provider(serve(one_series_each).url))

    answers = await providers.fetch([raw("x")])

    assert hashes(answers[raw("x")]) == ["x"]


async def test_a_raw_question_on_its_way_is_not_asked_again(serve, providers_of):
    asked, both_wait = threading.Event(), threading.Event()

    def reply(handler):
        asked.set()
        both_wait.wait(5)
        handler.say(200, EMPTY_MATRIX)

    server = serve(reply)
    providers = providers_of(a_provider(server.url))

    first = asyncio.create_task(providers.fetch([raw("x")]))
    await asyncio.to_thread(asked.wait, 5)
    second = asyncio.create_task(providers.fetch([raw("x")]))
    await asyncio.sleep(0)
    both_wait.set()

    assert await first == await second
    assert len(server.received) == 1


async def test_a_provider_of_tenants_is_asked_for_one_namespace_at_a_time(serve, providers_of):
    server = serve(lambda handler: handler.say(200, EMPTY_MATRIX))
    providers = providers_of(a_provider(server.url, tenancy="namespace"))

    await providers.fetch([raw(value, namespace) for namespace in ("a", "b") for value in ("x", "y")])

    assert sorted(asked_for(received) for received in server.received) == [["x", "y"], ["x", "y"]]


async def test_one_bad_neighbour_does_not_hold_the_others(serve, providers_of):
    bad = json.dumps({"status": "error", "errorType": "execution"}).encode()

    def reply(handler):
        if "13" in asked_for(handler.server.received[-1]):
            handler.say(422, bad)
        else:
            one_series_each(handler)

    server = serve(reply)
    providers = providers_of(a_provider(server.url, maxConcurrency=1))

    answers = await providers.fetch([raw(str(number)) for number in range(200)])

    assert answers.pop(raw("13")).reason is HoldReason.CONFIGURATION_ERROR
    assert all(isinstance(answer, Answer) and len(answer.series) == 1 for answer in answers.values())
    assert len(server.received) <= 17


async def test_an_answer_that_is_too_large_for_all_is_asked_for_in_parts(serve, providers_of):
    server = serve(one_series_each)
    providers = providers_of(a_provider(server.url, maxResponseBytes=1024))

    answers = await providers.fetch([raw(f"hash-{number}") for number in range(40)])

    assert all(hashes(answers[raw(f"hash-{number}")]) == [f"hash-{number}"] for number in range(40))


async def test_where_everything_is_refused_not_everything_is_tried(serve, providers_of):
    server = serve(lambda handler: handler.say(400, b'{"status":"error","errorType":"bad_data"}'))
    providers = providers_of(a_provider(server.url))

    answers = await providers.fetch([raw(str(number)) for number in range(200)])

    assert {answer.reason for answer in answers.values()} == {HoldReason.CONFIGURATION_ERROR}
    assert len(server.received) == 17


async def test_what_no_server_answers_is_not_asked_for_in_parts(serve, providers_of):
    server = serve(lambda handler: handler.say(503, b""))
    providers = providers_of(a_provider(server.url))

    answers = await providers.fetch([raw("x"), raw("y")])

    assert {answer.reason for answer in answers.values()} == {HoldReason.TELEMETRY_UNAVAILABLE}
    assert len(server.received) == 1


async def test_a_raw_question_that_cannot_be_written_is_refused_and_holds_no_other(serve, providers_of):
    providers = providers_of(a_provider(serve(one_series_each).url))

    answers = await providers.fetch([raw("\ud800"), raw("x")])

    assert answers[raw("\ud800")].reason is HoldReason.CONFIGURATION_ERROR
    assert hashes(answers[raw("x")]) == ["x"]


def test_the_providers_of_tenants_are_known_by_name():
    shared, tenants = a_provider("http://a"), a_provider("http://b", "tenants", tenancy="namespace")

    assert provider_addresses([shared, tenants]).by_namespace == {"tenants"}


# --- a provider that does not answer


async def test_a_provider_that_fails_again_and_again_is_left_alone_and_that_is_observed(serve, providers_of):
    server, seen = serve(lambda handler: handler.say(503, b"")), []
    providers = providers_of(a_provider(server.url), observe=seen.append, clock=lambda: 100.0)
    for query in queries(OPENS_AFTER):
        await providers.fetch([query])

    answers = await providers.fetch([*queries(1), raw("x"), raw("y")])

    assert {answer.reason for answer in answers.values()} == {HoldReason.TELEMETRY_UNAVAILABLE}
    message = "provider 'default': not asked: the last 5 requests failed, next try in 1 s"
    assert {answer.message for answer in answers.values()} == {message}
    assert len(server.received) == OPENS_AFTER
    assert [(exchange.seconds, exchange.questions) for exchange in seen[OPENS_AFTER:]] == [(None, 1), (None, 2)]
    assert [exchange.is_open for exchange in seen] == [False] * 4 + [True] * 3


async def test_a_provider_that_works_again_is_found_by_one_request(serve, providers_of):
    works, now = False, 100.0
    server = serve(lambda handler: handler.say(200, EMPTY_MATRIX) if works else handler.say(503, b""))
    providers = providers_of(a_provider(server.url), clock=lambda: now)
    for query in queries(OPENS_AFTER):
        await providers.fetch([query])
    works, now = True, 102.0

    first = await providers.fetch(queries(3))
    second = await providers.fetch(queries(3))

    assert [isinstance(answer, Answer) for answer in first.values()] == [True, False, False]
    assert all(isinstance(answer, Answer) for answer in second.values())


async def test_a_server_that_asks_for_patience_is_left_alone(serve, providers_of):
    server = serve(lambda handler: handler.say(429, b"", Retry_After="3600"))
    providers = providers_of(a_provider(server.url), clock=lambda: 100.0)

    for query in queries(3):
        answers = await providers.fetch([query])

    assert len(server.received) == 1
    assert answers[query].message == "provider 'default': not asked: the last request failed, next try in 60 s"


async def test_who_waits_for_others_when_all_is_closed_is_let_go(serve, providers_of):
    providers = providers_of(a_provider(serve().url))
    waiting = asyncio.create_task(providers.fetch([raw("x")]))
    for _ in range(5):
        await asyncio.sleep(0)

    providers.close()

    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda handler: handler.say(400, b'{"status":"error","errorType":"bad_data"}'), id="bad query"),
        pytest.param(lambda handler: handler.say(200, b'{"status":"success","warnings":["w"]}'), id="warnings"),
        pytest.param(lambda handler: handler.say(200, b" " * 5000), id="too large"),
    ],
)
async def test_a_server_that_answers_what_does_not_help_is_asked_all_the_same(serve, providers_of, reply):
    server = serve(reply)
    providers = providers_of(a_provider(server.url, maxResponseBytes=1024))

    for query in queries(2 * OPENS_AFTER):
        await providers.fetch([query])

    assert len(server.received) == 2 * OPENS_AFTER


async def test_an_impatient_template_does_not_make_a_provider_left_alone(serve, providers_of):
    server = serve(lambda handler: handler.hang())
    providers = providers_of(a_provider(server.url, maxConcurrency=20))

    await providers.fetch([Query("default", f"up{number}", 1.0, 0.05) for number in range(2 * OPENS_AFTER)])
    answers = await providers.fetch([Query("default", "up", 1.0, 0.05)])

    (answer,) = answers.values()
    assert answer.message == "provider 'default': no complete answer within 0.05 s"
