"""The page over HTTP: what is answered, to whom, with which headers, and that hostile text stays text."""

import contextlib
import re

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from canary_operator.errors import ClusterUnavailable
from canary_operator.model.rollout import RolloutRef
from canary_operator.web import Health, Page
from canary_operator.web.guarding import HEADERS
from canary_operator.web.server import _app
from canary_operator.web.verdict import Door
from tests.web import town as made_up
from tests.web.town import Town, a_record, an_evidence, broken, ended, entry, held, idle, promoting, regressing

HTML = {"Accept": "text/html"}
API = RolloutRef("shop", "api")
GATE = "/gates/shop/api"
HOSTILE = "</td><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202eevil " + "x" * 900


@pytest.fixture
def town():
    town = Town()
    statuses = {"api": held, "web": promoting, "cart": regressing, "search": broken, "mail": ended, "stock": idle}
    for name, status in statuses.items():
        ref = RolloutRef("shop" if name != "mail" else "post", name)
        town.gate(ref, status(ref), rollout=made_up.a_rollout())
    return town


@contextlib.asynccontextmanager
async def client(town, url=None):
    app = _app(Health(alive=list, ready=lambda: True), CollectorRegistry(), Door(None, lambda _: None))
    Page(town.sources, url).add_to(app)
    async with TestClient(TestServer(app)) as opened:
        yield opened


async def get(town, path, *, method="GET", headers=HTML, url=None):
    async with client(town, url) as opened:
        response = await opened.request(method, path, headers=headers, allow_redirects=False)
        return response, await response.text()


def rows(html):
    return re.findall(r'<tr role="row" class="gate" id="gate-([^"]+)"', html)


async def test_all_gates_are_shown_and_what_needs_a_person_comes_first(town):
    response, html = await get(town, "/")

    assert response.status == 200
    assert rows(html) == ["shop/search", "shop/cart", "shop/api", "shop/web", "post/mail", "shop/stock"]


async def test_the_verdicts_are_counted(town):
    _, html = await get(town, "/")

    found = re.findall(r'>(All|Abort|Hold|Promote|No verdict) <span class="count">(\d+)', html)
    assert found == [("All", "6"), ("Abort", "1"), ("Hold", "2"), ("Promote", "2"), ("No verdict", "1")]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("?verdict=Hold", ["shop/search", "shop/api"]),
        ("?namespace=post", ["post/mail"]),
        ("?q=stock", ["shop/stock"]),
        ("?q=NODATA", ["shop/search"]),
        ("?verdict=None&q=stock", ["shop/stock"]),
        ("?q=nobody", []),
    ],
)
async def test_without_a_script_an_address_filters(town, query, shown):
    _, html = await get(town, f"/{query}")

    assert rows(html) == shown


@pytest.mark.parametrize("query", ["?verdict=hold", f"?q={'x' * 201}", f"?namespace={'x' * 201}"])
async def test_a_filter_that_cannot_be_meant_is_told(town, query):
    response, html = await get(town, f"/{query}")

    assert response.status == 400
    assert "should" in html


async def test_one_gate_shows_what_it_knows(town):
    response, html = await get(town, GATE)

    assert response.status == 200
    for told in (
        "availability needs 1,200 more requests",
        "Towards promote 62 %, towards abort 4 %",
        '<td class="number">4,210</td>',
        "maxHold at the latest",
        "pause of 10 min",
        "EvidenceSufficient",
        "kubectl argo rollouts promote api -n shop",
        "Applied",
    ):
        assert told in html
    assert "<button" not in html


async def test_a_gate_whose_rollout_is_gone_is_shown_with_a_sentence(town):
    town.gate(RolloutRef("shop", "orphan"), held(API))

    response, html = await get(town, "/gates/shop/orphan")

    assert response.status == 200
    assert "the Rollout is gone" in html


@pytest.mark.parametrize(
    "path",
    [
        "/gates/shop/nobody",
        "/gates/nowhere/api",
        "/gates/shop/..%2F..%2Fetc",
        "/gates/shop/%3Cscript%3E",
        "/gates/shop/API",
        f"/gates/shop/{'a' * 254}",
        "/gates/shop",
        "/gates/shop/api/",
        "/static/nothing.js",
        "/static/../server.py",
        "/static/vendor/%2e%2e/%2e%2e/board.py",
        "/nope",
    ],
)
async def test_what_is_not_there_is_a_page_with_a_sentence(town, path):
    response, html = await get(town, path)

    assert (response.status, response.content_type) == (404, "text/html")
    assert "there is no such" in html.lower()
    assert "<script>" not in html


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", GATE, f"{GATE}/decisions", "/live", "/static/page.css"])
async def test_nothing_but_reading_is_answered(town, method, path):
    response, html = await get(town, path, method=method)

    assert response.status == 405
    assert "GET" in response.headers["Allow"]
    assert "The page only shows" in html


@pytest.mark.parametrize("path", ["/", GATE, f"{GATE}/decisions", "/static/page.css"])
async def test_head_has_the_headers_of_get_and_no_body(town, path):
    response, body = await get(town, path, method="HEAD")

    assert (response.status, body) == (200, "")
    assert response.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/", GATE, f"{GATE}/decisions", "/static/page.css", "/nope", "/?verdict=x"])
async def test_every_answer_has_the_headers_that_keep_others_out(town, path):
    response, _ = await get(town, path)

    for name, value in HEADERS.items():
        assert response.headers[name] == value


def test_the_policy_allows_what_is_ours_and_nothing_else():
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["Content-Security-Policy"].split(";"))

    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("path", ["/", GATE, f"{GATE}/decisions"])
async def test_no_page_has_a_script_or_a_style_in_it_or_refers_to_another_host(town, path):
    _, html = await get(town, path)

    assert re.findall(r"<script(?![^>]* src=)", html) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", html) == []
    assert re.findall(r'(?:src|href|hx-get)="(?:https?:)?//', html) == []


@pytest.mark.parametrize("accept", [None, "application/json"])
async def test_who_does_not_ask_for_a_page_gets_none_since_argo_takes_it_for_a_success(town, accept):
    async with client(town) as opened:
        headers = {} if accept is None else {"Accept": accept}
        response = await opened.get("/", headers=headers, skip_auto_headers=["Accept"])

        assert (response.status, response.content_type) == (406, "application/json")
        assert (await response.json())["verdict"] == "wait"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("[::1]:8080", 200),
        ("localhost:18080", 200),
        ("canary-operator", 200),
        ("canary-operator.canary-operator.svc:8080", 200),
        ("canary-operator.canary-operator.svc.cluster.local", 200),
        ("gates.example.com", 200),
        ("evil.example.com", 421),
        ("127.0.0.1.evil.example", 421),
        ("[", 421),
    ],
)
async def test_a_name_that_is_not_ours_is_not_answered(town, host, status):
    response, _ = await get(town, "/", headers={**HTML, "Host": host}, url="https://gates.example.com/canary")

    assert response.status == status


async def test_a_static_file_is_kept_for_ever_under_its_hash_and_asked_about_without(town):
    _, html = await get(town, "/")
    named = re.search(r'href="\./(static/page\.css\?v=[0-9a-f]+)"', html)[1]

    kept, _ = await get(town, f"/{named}")
    plain, _ = await get(town, "/static/page.css")
    again, body = await get(town, "/static/page.css", headers={"If-None-Match": plain.headers["ETag"], **HTML})

    assert "immutable" in kept.headers["Cache-Control"]
    assert plain.headers["Cache-Control"] == "no-cache"
    assert (again.status, body) == (304, "")


async def test_pages_are_not_kept(town):
    response, _ = await get(town, GATE)

    assert response.headers["Cache-Control"] == "no-store"


async def test_all_addresses_are_relative_so_that_a_proxy_may_serve_the_page_under_a_path(town):
    for path in ("/", GATE, f"{GATE}/decisions", "/some/where/deep"):
        _, html = await get(town, path)
        assert re.findall(r'(?:src|href|hx-get)="/', html) == []


@pytest.mark.parametrize("path", ["/", f"/?q={HOSTILE[:30]}", GATE, f"{GATE}/decisions"])
async def test_what_tenants_write_stays_text_wherever_it_is_shown(town, path):
    hostile = {
        "message": HOSTILE,
        "reason": HOSTILE,
        "mode": HOSTILE,
        "evidence": [
            an_evidence(HOSTILE, source=HOSTILE, message=HOSTILE, value=HOSTILE, attribution=HOSTILE, leftOut=HOSTILE)
            | {"queries": [HOSTILE]}
        ],
        "history": [entry(made_up.builders.T0, HOSTILE, 5, HOSTILE, HOSTILE, HOSTILE)],
        "lastAction": {"action": HOSTILE, "decisionId": HOSTILE, "at": "2026-09-14T10:00:00Z", "outcome": "Applied"},
        "rollout": made_up.judged(API, podHash=HOSTILE, stableHash=HOSTILE),
        "verdict": HOSTILE,
    }
    town.gate(API, held(API, **hostile))
    record = a_record(API, 1, 0.5, 0, podHash=HOSTILE).model_copy(update={"message": HOSTILE, "reason": HOSTILE})
    town.records.bodies = [{"spec": record.model_dump(mode="json", by_alias=True, exclude_none=True)}]

    response, html = await get(town, path)

    assert response.status == 200
    assert "<script>" not in html
    assert "<img" not in html
    assert "\u202e" not in html
    assert "&lt;script&gt;alert(1)" in html


async def test_the_recorded_decisions_come_in_pages_newest_first(town):
    specs = [a_record(API, n, 0.1, n).model_dump(mode="json", by_alias=True, exclude_none=True) for n in range(1, 121)]
    town.records.bodies = [{"spec": spec} for spec in specs]

    _, first = await get(town, f"{GATE}/decisions")
    _, last = await get(town, f"{GATE}/decisions?before=21")

    assert re.findall(r'<li value="(\d+)"', first) == [str(number) for number in range(120, 70, -1)]
    assert "decisions?before=71" in first
    assert re.findall(r'<li value="(\d+)"', last) == [str(number) for number in range(20, 0, -1)]
    assert "before=" not in last


@pytest.mark.parametrize("before", ["x", "-1", "1" * 10, "٣"])
async def test_a_place_in_the_records_is_a_number(town, before):
    response, _ = await get(town, f"{GATE}/decisions?before={before}")

    assert response.status == 400


async def test_records_that_cannot_be_listed_are_told_with_a_sentence(town):
    town.records.error = ClusterUnavailable("no answer")

    response, html = await get(town, f"{GATE}/decisions")

    assert response.status == 502
    assert "The API server does not tell the decisions" in html


async def test_a_mistake_of_ours_is_a_page_that_tells_nothing_of_it(town):
    town.records.error = RuntimeError("secret")

    response, html = await get(town, f"{GATE}/decisions")

    assert (response.status, response.content_type) == (500, "text/html")
    assert "secret" not in html


async def test_there_is_a_sentence_where_there_is_no_gate_yet():
    _, html = await get(Town(), "/")

    assert "canary-operator.io/gate" in html


async def test_probes_and_the_verdict_are_what_they_are_without_the_page(town):
    live, _ = await get(town, "/livez", headers={})
    verdict, said = await get(town, "/v1/verdict", headers={})

    assert live.status == 200
    assert (verdict.status, verdict.content_type) == (404, "application/json")
    assert '"wait"' in said


async def test_a_gate_that_another_version_has_written_is_shown_with_a_bounded_sentence(town):
    town.gate(API, {"phase": "Dreaming", "message": "x" * 5000}, rollout=made_up.a_rollout())

    response, html = await get(town, GATE)

    assert response.status == 200
    assert "CanaryGate: status" in html
    assert "x" * 600 not in html
