"""Plan: what goes over the wire (method, path, query, content type, token), and what each answer becomes.

The other side is a real HTTP server on loopback that says what a test has prepared, as kube-apiserver words it.
"""

import asyncio
import contextlib
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import Configuration

from canary_operator.cluster import calls, kinds
from canary_operator.cluster.api import Api, Lack, gate_body
from canary_operator.cluster.transport import Limits, Turnstile
from canary_operator.errors import ClusterRefused, ClusterUnavailable
from canary_operator.model.decision import Applied, Outcome
from canary_operator.model.gate import GateStatus
from canary_operator.model.rollout import RolloutRef

REF = RolloutRef("shop", "guestbook")
A_GATE = {"metadata": {"uid": "g", "resourceVersion": "7"}}
PATCH = [{"op": "test", "path": "/metadata/uid", "value": "u"}]

FAILED_TEST = {"kind": "Status", "message": "the server rejected our request", "reason": "Invalid", "details": {}}
BAD_FIELD = {
    "kind": "Status",
    "message": "phase: Unsupported value",
    "details": {"causes": [{"field": "status.phase"}]},
}
NOT_FOUND = {"kind": "Status", "message": "rollouts not found", "details": {"name": "guestbook", "kind": "rollouts"}}
CONFLICT = {"kind": "Status", "message": "already exists", "reason": "AlreadyExists", "details": {"name": "guestbook"}}


@dataclass
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Says the prepared answers one after another, the last one for ever."""

    answers: list[tuple[int, Any]] = field(default_factory=lambda: [(200, {"kind": "Rollout"})])
    asked: list[Asked] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    dripping: bool = False
    drips_for: float = 20.0
    port: int = 0

    def next(self, asked: Asked) -> tuple[int, bytes]:
        self.asked.append(asked)
        time.sleep(self.delay)
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return status, answer if isinstance(answer, bytes) else json.dumps(answer).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(
                self.command, parts.path, parse_qs(parts.query), dict(self.headers), json.loads(content or b"null")
            )
            status, body = state.next(asked)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body) + state.dripping * round(state.drips_for / 0.1)))
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if state.dripping:
                for _ in range(round(state.drips_for / 0.1)):
                    self.wfile.write(b" ")
                    time.sleep(0.1)
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - named so by http.server

        def log_message(self, *_: Any) -> None:
            pass

    class Loopback(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: Any) -> None:
            pass

    with Loopback(("127.0.0.1", 0), Handler) as running:
        state.port = running.server_address[1]
        threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield state
        running.shutdown()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    client = Api(_configuration(server.port), Limits(threads=2, connect=0.5, read=0.5, total=2.0))
    yield client
    await client.close()


def _configuration(port: int) -> Configuration:
    configuration = Configuration(host=f"http://127.0.0.1:{port}")
    configuration.api_key["BearerToken"] = "Bearer secret"
    return configuration


async def test_a_guarded_patch_goes_to_the_status_as_a_json_patch(api: Api, server: Server) -> None:
    assert await api.patch_rollout_status(REF, PATCH) == Applied(Outcome.APPLIED, code=200)

    asked = server.asked[0]
    assert asked.method == "PATCH"
    assert asked.path == "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/guestbook/status"
    assert asked.headers["Content-Type"] == "application/json-patch+json"
    assert asked.headers["authorization"] == "Bearer secret"
    assert asked.body == PATCH


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (422, FAILED_TEST, Outcome.STALE),
        (409, {"kind": "Status", "message": "too many changes meanwhile"}, Outcome.STALE),
        (404, NOT_FOUND, Outcome.GONE),
        (404, b"404 page not found", Outcome.REFUSED),
        (422, BAD_FIELD, Outcome.REFUSED),
        (403, {"kind": "Status", "message": "may not"}, Outcome.REFUSED),
        (401, {"kind": "Status", "message": "Unauthorized"}, Outcome.REFUSED),
        (400, {"kind": "Status", "message": "bad " * 1000}, Outcome.REFUSED),
    ],
)
async def test_what_the_api_server_says_to_a_patch_is_an_outcome(
    api: Api, server: Server, status: int, answer: Any, outcome: Outcome
) -> None:
    server.answers = [(status, answer)]

    applied = await api.patch_rollout_status(REF, PATCH)

    assert applied.outcome is outcome
    assert str(status) in applied.message
    assert len(applied.message) < 320
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 302])
async def test_an_answer_that_leaves_the_outcome_open_is_an_exception_and_is_not_repeated(
    api: Api, server: Server, status: int
) -> None:
    server.answers = [(status, {"kind": "Status", "message": "etcdserver: leader changed"})]
    server.headers = {"Retry-After": "0", "Location": "/elsewhere"}

    with pytest.raises(ClusterUnavailable, match=f"patch rollouts status: {status}"):
        await api.patch_rollout_status(REF, PATCH)
    assert len(server.asked) == 1


async def test_a_read_that_is_not_answered_is_not_repeated(api: Api, server: Server) -> None:
    server.answers = [(503, b"<html>")]
    server.headers = {"Retry-After": "0"}

    with pytest.raises(ClusterUnavailable):
        await api.get_rollout(REF)
    assert len(server.asked) == 1


def a_turnstile(seconds: float) -> Turnstile:
    """A term that ends in so many seconds; reads as long as they like."""
    return lambda call: contextlib.nullcontext(seconds if call.verb.writes else math.inf)


def fenced(server: Server, seconds: float) -> Api:
    return Api(_configuration(server.port), turnstile=a_turnstile(seconds))


async def test_a_write_outside_of_a_term_is_not_sent_and_a_read_is(server: Server) -> None:
    api = fenced(server, 0.0)

    with pytest.raises(ClusterUnavailable, match="patch rollouts status: not sent, another replica may be writing"):
        await api.patch_rollout_status(REF, PATCH)
    await api.get_rollout(REF)

    assert [asked.method for asked in server.asked] == ["GET"]
    await api.close()


async def test_the_api_server_gives_up_a_write_before_the_term_ends(server: Server) -> None:
    """It counts from when it has received the request; a third of the time is left for that, and one for sending it."""
    api = fenced(server, 9.0)

    await api.patch_rollout_status(REF, PATCH)
    await api.create_decision("shop", {"metadata": {}})
    await api.get_rollout(REF)

    asked = [each.query for each in server.asked]
    assert asked == [{"timeout": ["3000ms"]}, {"fieldValidation": ["Strict"], "timeout": ["3000ms"]}, {}]
    await api.close()


async def test_a_write_is_given_up_by_the_end_of_the_term_however_slowly_the_reply_drips(server: Server) -> None:
    server.dripping = True
    api = fenced(server, 0.5)
    start = time.monotonic()

    with pytest.raises(ClusterUnavailable, match="patch rollouts status"):
        await api.patch_rollout_status(REF, PATCH)

    assert time.monotonic() - start < server.drips_for / 2
    await api.close()


async def test_a_slow_api_server_is_a_timeout_of_unknown_outcome(api: Api, server: Server) -> None:
    server.delay = 1.0

    with pytest.raises(ClusterUnavailable, match="patch rollouts status"):
        await api.patch_rollout_status(REF, PATCH)
    assert len(server.asked) == 1


async def test_waiting_for_a_thread_counts_too(server: Server) -> None:
    server.delay = 0.4
    api = Api(_configuration(server.port), Limits(threads=1, connect=1, read=1, total=0.5))

    results = await asyncio.gather(*(api.get_rollout(REF) for _ in range(3)), return_exceptions=True)

    assert any(isinstance(result, ClusterUnavailable) for result in results)
    assert not all(isinstance(result, ClusterUnavailable) for result in results)
    await api.close()


async def test_a_refused_connection_is_unavailable() -> None:
    api = Api(_configuration(1), Limits(connect=0.5))

    with pytest.raises(ClusterUnavailable, match="get rollouts"):
        await api.get_rollout(REF)
    await api.close()


async def test_an_answer_that_is_no_json_is_unavailable(api: Api, server: Server) -> None:
    server.answers = [(200, b"<html>a proxy</html>")]

    with pytest.raises(ClusterUnavailable, match="no JSON"):
        await api.get_rollout(REF)


async def test_a_rollout_is_read_or_gone_or_refused(api: Api, server: Server) -> None:
    server.answers = [(200, {"kind": "Rollout"}), (404, NOT_FOUND), (404, b"404 page not found"), (403, {})]

    assert await api.get_rollout(REF) == {"kind": "Rollout"}
    assert await api.get_rollout(REF) is None
    for _ in range(2):
        with pytest.raises(ClusterRefused):
            await api.get_rollout(REF)


async def test_lists_are_read_page_by_page(api: Api, server: Server) -> None:
    server.answers = [
        (200, {"metadata": {"continue": "more", "resourceVersion": "9"}, "items": [{"n": 1}]}),
        (200, {"metadata": {"resourceVersion": "9"}, "items": [{"n": 2}]}),
    ]

    listing = await api.list_watched(kinds.ROLLOUTS)

    assert (list(listing.items), listing.resource_version) == ([{"n": 1}, {"n": 2}], "9")
    assert [asked.path for asked in server.asked] == ["/apis/argoproj.io/v1alpha1/rollouts"] * 2
    assert [asked.query for asked in server.asked] == [{"limit": ["500"]}, {"limit": ["500"], "continue": ["more"]}]


async def test_a_listing_that_took_too_long_is_to_be_asked_for_again(api: Api, server: Server) -> None:
    server.answers = [(410, {"kind": "Status", "reason": "Expired", "message": "too old"})]

    with pytest.raises(ClusterUnavailable, match="too old"):
        await api.list_watched(kinds.ROLLOUTS, "shop")


async def test_replica_sets_are_selected_by_label(api: Api, server: Server) -> None:
    server.answers = [(200, {"metadata": {"resourceVersion": "1"}, "items": []})]

    await api.list_replica_sets("shop", {"app": "guestbook"})

    assert server.asked[0].path == "/apis/apps/v1/namespaces/shop/replicasets"
    assert server.asked[0].query["labelSelector"] == ["rollouts-pod-template-hash,app=guestbook"]


async def test_pods_are_read_page_by_page_and_only_those_of_rollouts(api: Api, server: Server) -> None:
    server.answers = [
        (200, {"metadata": {"continue": "more", "resourceVersion": "9"}, "items": [{"n": 1}]}),
        (200, {"metadata": {"resourceVersion": "9"}, "items": [{"n": 2}]}),
    ]

    assert [body async for body in api.pods("shop")] == [{"n": 1}, {"n": 2}]
    assert [asked.path for asked in server.asked] == ["/api/v1/namespaces/shop/pods"] * 2
    assert [asked.query["labelSelector"] for asked in server.asked] == [["rollouts-pod-template-hash"]] * 2


@pytest.mark.parametrize(
    ("status", "answer", "lack"),
    [
        (404, NOT_FOUND, Lack.OBJECT),
        (404, b"404 page not found", Lack.KIND),
        (404, {"kind": "Status", "message": "the server could not find the requested resource"}, Lack.KIND),
        (403, {"kind": "Status", "message": "may not", "details": {"name": "api"}}, Lack.RIGHT),
    ],
)
async def test_why_a_definition_is_not_there_is_told(
    api: Api, server: Server, status: int, answer: Any, lack: Lack
) -> None:
    server.answers = [(status, answer)]

    assert await api.get_definition(kinds.SERVICE_LEVEL_OBJECTIVES, "shop", "api") is lack
    assert server.asked[0].path == "/apis/pyrra.dev/v1alpha1/namespaces/shop/servicelevelobjectives/api"


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, ClusterRefused), (400, ClusterRefused), (429, ClusterUnavailable), (503, ClusterUnavailable)],
)
async def test_a_definition_that_nobody_can_tell_about_is_an_exception(
    api: Api, server: Server, status: int, error: type[Exception]
) -> None:
    server.answers = [(status, {"kind": "Status", "message": "not now"})]

    with pytest.raises(error):
        await api.get_definition(kinds.CONFIG_MAPS, "shop", "slos")


async def test_a_gate_is_owned_but_not_controlled_by_its_rollout(api: Api, server: Server) -> None:
    server.answers = [(201, {"metadata": {"uid": "g"}})]

    written = await api.create_gate(REF, "u")

    assert (written.outcome, written.body) == (Outcome.APPLIED, {"metadata": {"uid": "g"}})
    assert server.asked[0].method == "POST"
    assert server.asked[0].body == gate_body(REF, "u")
    owner = server.asked[0].body["metadata"]["ownerReferences"][0]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("u", False, False)


async def test_a_gate_that_is_already_there_comes_back(api: Api, server: Server) -> None:
    server.answers = [(409, CONFLICT), (200, {"metadata": {"uid": "old"}})]

    written = await api.create_gate(REF, "u")

    assert (written.outcome, written.body) == (Outcome.STALE, {"metadata": {"uid": "old"}})


async def test_the_status_of_a_gate_is_replaced_as_a_whole(api: Api, server: Server) -> None:
    await api.replace_gate_status(REF, A_GATE, GateStatus(phase="Judging", requests=12))

    asked = server.asked[0]
    assert asked.path == "/apis/canary-operator.io/v1alpha1/namespaces/shop/canarygates/guestbook/status"
    assert asked.headers["Content-Type"] == "application/json-patch+json"
    assert asked.body[0] == {"op": "test", "path": "/metadata/uid", "value": "g"}
    assert asked.body[1] == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    assert asked.body[2]["op"] == "add"
    assert asked.body[2]["value"]["requests"] == 12
    assert None not in asked.body[2]["value"].values()


async def test_a_decision_that_is_already_recorded_is_no_error(api: Api, server: Server) -> None:
    server.answers = [(409, CONFLICT)]

    assert (await api.create_decision("shop", {"metadata": {"name": "d"}})).outcome is Outcome.STALE
    assert server.asked[0].query == {"fieldValidation": ["Strict"]}


async def test_analysis_runs_and_events_are_merged(api: Api, server: Server) -> None:
    await api.patch_analysis_run("shop", "run", {"status": {"phase": "Running"}})
    await api.patch_event("shop", "event", {"count": 2})

    assert [asked.headers["Content-Type"] for asked in server.asked] == ["application/merge-patch+json"] * 2
    assert [asked.path for asked in server.asked] == [
        "/apis/argoproj.io/v1alpha1/namespaces/shop/analysisruns/run",
        "/api/v1/namespaces/shop/events/event",
    ]


async def test_only_the_very_object_is_deleted(api: Api, server: Server) -> None:
    server.answers = [(200, {"kind": "Status"}), (404, NOT_FOUND)]

    assert (await api.delete_analysis_run("shop", "run", "u")).outcome is Outcome.APPLIED
    assert (await api.delete_decision("shop", "d", "u")).outcome is Outcome.GONE
    assert server.asked[0].method == "DELETE"
    assert server.asked[0].body["preconditions"] == {"uid": "u"}


async def test_a_name_cannot_leave_its_place_in_the_path(api: Api, server: Server) -> None:
    await api.get_rollout(RolloutRef("shop", "../../secrets"))

    assert server.asked[0].path.endswith("/rollouts/..%2F..%2Fsecrets")


async def test_every_call_in_the_table_is_made_by_the_code_and_no_other(api: Api, server: Server) -> None:
    server.answers = [(200, {"metadata": {"resourceVersion": "1", "uid": "u"}, "items": []})]
    await api.get_rollout(REF)
    await api.patch_rollout_status(REF, PATCH)
    await api.list_replica_sets("shop", {})
    await api.create_analysis_run("shop", {"metadata": {}})
    await api.patch_analysis_run("shop", "run", {})
    await api.list_analysis_runs("shop")
    await api.delete_analysis_run("shop", "run", "u")
    await api.create_event("shop", {"metadata": {}})
    await api.patch_event("shop", "event", {"count": 2})
    await api.create_gate(REF, "u")
    await api.replace_gate_status(REF, A_GATE, GateStatus())
    await api.create_decision("shop", {"metadata": {}})
    await api.list_decisions("shop")
    await api.delete_decision("shop", "d", "u")
    assert [body async for body in api.pods("shop")] == []
    for resource in kinds.DEFINITIONS:
        await api.get_definition(resource, "shop", "slo")
    for resource in kinds.WATCHED:
        await api.list_watched(resource)
    server.answers = [(409, CONFLICT), (200, {"metadata": {}})]
    await api.create_gate(REF, "u")

    made = {(asked.method, _without_names(asked.path)) for asked in server.asked}
    assert made == {(call.verb.method, _without_names(_example(call))) for call in calls.CALLS}


def _example(call: calls.Call) -> str:
    listed = call in calls.LIST_WATCHED.values()
    unnamed = call.verb in {calls.Verb.LIST, calls.Verb.CREATE}
    return call.resource.path(None if listed else "shop", "" if unnamed else "n", call.subresource)


def _without_names(path: str) -> tuple[str, ...]:
    parts = path.replace("/namespaces/shop", "").split("/")
    plurals = {call.resource.plural for call in calls.CALLS}
    place = next(index for index, part in enumerate(parts) if part in plurals)
    return tuple("name" if index == place + 1 else part for index, part in enumerate(parts))
