"""The door of /v1/verdict: who is let in, what is understood, and that nothing but JSON is ever said."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from canary_operator.engine.answering import Answer, Query, Word
from canary_operator.model.rollout import RolloutRef
from canary_operator.web import Health
from canary_operator.web.server import _app
from canary_operator.web.verdict import Door

TOKEN = "s3cret-for-argo"
ASKED = {"ns": "shop", "name": "guestbook", "uid": "u1", "hash": "new", "stable": "old"}
KEYS = {"verdict", "gate", "reason", "message", "step", "evidence"}
NO_TOKEN = "web.verdict.tokenFile is not configured: nothing is answered"
UNREADABLE = "the file of web.verdict.tokenFile cannot be read or is empty"
UNAUTHORIZED = "the header Authorization must be Bearer and the configured token"


class Gate:
    """What answers, and what it was asked."""

    def __init__(self, answer=None):
        self.answer = answer or Answer(Word.PASS, "ConditionsMet", "passed step 1/2")
        self.asked = []

    def __call__(self, query):
        self.asked.append(query)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


async def ask(
    token_file, gate=None, *, path="/v1/verdict", method="GET", params=ASKED, authorization=f"Bearer {TOKEN}"
):
    app = _app(Health(alive=list, ready=lambda: True), CollectorRegistry(), Door(token_file, gate or Gate()))
    headers = {} if authorization is None else {"Authorization": authorization}
    async with TestClient(TestServer(app)) as client:
        response = await client.request(method, path, params=params, headers=headers)
        assert response.content_type == "application/json"
        assert TOKEN not in await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.json()


async def test_who_has_the_token_is_answered(token_file):
    gate = Gate()

    status, said = await ask(token_file, gate, params={**ASKED, "step": "1"})

    assert (status, said["verdict"], said["reason"]) == (200, "pass", "ConditionsMet")
    assert gate.asked == [Query(RolloutRef("shop", "guestbook"), "u1", "new", "old", "1")]


@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"),
        *(f"Bearer {TOKEN.upper()}", "Bearer ü", f"Bearer {TOKEN} {TOKEN}"),
    ],
)
async def test_who_has_not_is_told_so_and_nothing_is_asked(token_file, authorization):
    gate = Gate()

    status, said = await ask(token_file, gate, authorization=authorization)

    assert (status, said["verdict"], said["message"]) == (401, "wait", UNAUTHORIZED)
    assert gate.asked == []


@pytest.mark.parametrize("authorization", [f"bearer {TOKEN}", f"BEARER {TOKEN}"])
async def test_the_scheme_may_be_written_as_one_likes(token_file, authorization):
    status, _ = await ask(token_file, authorization=authorization)

    assert status == 200


async def test_without_a_configured_token_nobody_is_answered():
    status, said = await ask(None)

    assert (status, said["verdict"], said["message"]) == (404, "wait", NO_TOKEN)


@pytest.mark.parametrize("content", [None, "", "\n"], ids=["missing", "empty", "blank"])
async def test_without_a_readable_token_nobody_is_answered_not_even_without_one(token_file, content):
    token_file.unlink()
    if content is not None:
        token_file.write_text(content)

    for authorization in (None, "Bearer ", f"Bearer {TOKEN}"):
        status, said = await ask(token_file, authorization=authorization)
        assert (status, said["verdict"], said["message"]) == (503, "wait", UNREADABLE)


async def test_a_rotated_token_counts_at_once(token_file):
    app = _app(Health(alive=list, ready=lambda: True), CollectorRegistry(), Door(token_file, Gate()))
    async with TestClient(TestServer(app)) as client:
        statuses = []
        for token in (TOKEN, "rotated"):
            token_file.write_text(token)
            for given in (TOKEN, "rotated"):
                headers = {"Authorization": f"Bearer {given}"}
                statuses.append((await client.get("/v1/verdict", params=ASKED, headers=headers)).status)

    assert statuses == [200, 401, 401, 200]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "parameters missing: ns, name, uid, hash, stable; needed are"),
        ({**ASKED, "uid": ""}, "parameters missing: uid; needed are"),
        ({**ASKED, "setp": "1"}, "parameters unknown: setp; needed are"),
        ([*ASKED.items(), ("step", "1"), ("step", "2")], "parameters given twice: step; needed are"),
        ({**ASKED, "name": "x" * 254}, "parameters too long: name; needed are"),
    ],
    ids=["none", "an empty one", "a slip", "two steps", "too long"],
)
async def test_a_wrong_question_is_waited_for_since_argo_would_abort_after_errors(token_file, params, message):
    gate = Gate()

    status, said = await ask(token_file, gate, params=params)

    assert (status, said["verdict"], said["reason"]) == (200, "wait", "BadRequest")
    assert said["message"].startswith(message)
    assert gate.asked == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/verdicts", 404),
        ("GET", "/", 404),
        ("GET", "/v1/verdict/", 404),
        ("POST", "/v1/verdict", 405),
        ("PUT", "/livez", 405),
    ],
)
async def test_what_is_not_served_is_refused_as_json(token_file, method, path, status):
    answered, said = await ask(token_file, method=method, path=path, params={})

    assert (answered, said["verdict"], said["reason"]) == (status, "wait", "BadRequest")
    assert said.keys() == KEYS


async def test_what_is_not_foreseen_is_an_error_as_json_and_logged_without_the_question(token_file):
    with capture_logs() as logs:
        status, said = await ask(token_file, Gate(RuntimeError(TOKEN)))

    assert (status, said["verdict"], said["reason"]) == (500, "wait", "InternalError")
    assert [(each["event"], each["path"], each["error"]) for each in logs] == [
        ("request_failed", "/v1/verdict", "RuntimeError")
    ]
    assert TOKEN not in str(logs)


async def test_a_file_that_cannot_be_read_is_logged_without_what_was_sent(token_file):
    token_file.unlink()

    with capture_logs() as logs:
        await ask(token_file)

    assert [each["event"] for each in logs] == ["verdict_token_unreadable"]
    assert TOKEN not in str(logs)


@pytest.mark.parametrize("word", list(Word))
async def test_every_answer_has_the_same_keys(token_file, word):
    _, said = await ask(token_file, Gate(Answer(word, "Collecting", "held")))

    assert said.keys() == KEYS
    assert said["verdict"] == word.value
