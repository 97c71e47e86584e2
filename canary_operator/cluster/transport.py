"""One request to the API server: sent from a bounded pool of threads, within a bounded time, at most once.

Law: nothing is repeated here, because after a timeout nobody knows whether a write was done; who wrote
must read. The answers 4xx are returned, since 404, 409 and 422 are normal; no answer is an exception.
"""

import asyncio
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException

from canary_operator import deadline
from canary_operator.cluster.calls import Call
from canary_operator.errors import ClusterUnavailable

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

# Messages end in statuses and Events of users: long enough for a sentence of the API server, no page of HTML.
MESSAGE_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one client; times in seconds.

    Eight threads at 350 requests per second each are far more than a few writes per step need. The API server
    gives up on an ordinary request after 60 s; half of that is read as an outage.
    """

    threads: int = 8
    connect: float = 5.0
    read: float = 30.0
    # From asking to the last byte, waiting for a thread included.
    total: float = 60.0


DEFAULT_LIMITS = Limits()

Observe = Callable[[Call, str], None]
"""Told after each request: the call and its status, ``none`` where there was no answer. Called from threads."""


def observe_nothing(_call: Call, _status: str) -> None:
    """Observe nothing."""


Turnstile = Callable[[Call], AbstractContextManager[float]]
"""What every call goes through, in its thread: it says for how many seconds the call may last, 0 for not at all."""

# A call that may last only so long has a third of that to be sent, one to arrive, and one to be carried out.
_PARTS = 3


def nobody_waits(_call: Call) -> AbstractContextManager[float]:
    """Let everything through, for as long as it takes."""
    return nullcontext(math.inf)


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked."""

    call: Call
    path: str
    query: Sequence[tuple[str, str]]
    body: Any
    content_type: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Accept": JSON} if self.body is None else {"Accept": JSON, "Content-Type": self.content_type}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer 2xx or 4xx. ``document`` is empty where the body is no JSON object."""

    status: int
    document: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.status < 300

    @property
    def message(self) -> str:
        """What the API server said, in one bounded line."""
        said = " ".join(str(self.document.get("message") or "no message").split())
        return f"{self.status}: {said if len(said) <= MESSAGE_LENGTH else said[:MESSAGE_LENGTH] + '…'}"


class Transport:
    """The official client behind a thread pool of its own.

    asyncio's default pool has a few threads that others share; a slow API server must not stop them.
    """

    def __init__(
        self,
        configuration: Configuration,
        limits: Limits = DEFAULT_LIMITS,
        observe: Observe = observe_nothing,
        turnstile: Turnstile = nobody_waits,
    ) -> None:
        # False, not 0: the client's default repeats requests three times, and follows redirects.
        configuration.retries = False
        configuration.connection_pool_maxsize = limits.threads
        self._limits = limits
        self._observe = observe
        self._turnstile = turnstile
        self._client: Any = ApiClient(configuration)
        self._client.rest_client.pool_manager.pool_classes_by_scheme = deadline.POOLS
        self._threads = ThreadPoolExecutor(limits.threads, thread_name_prefix="api-server")

    async def ask(
        self,
        call: Call,
        path: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        content_type: str = JSON,
    ) -> Reply:
        """Send one request.

        A cancelled request may still be carried out, as one that timed out.

        Raises:

            ClusterUnavailable: no answer, or 3xx, 429 or 5xx: whether a write was done is not known.
        """
        loop = asyncio.get_running_loop()
        sent = loop.run_in_executor(self._threads, self._send, _Request(call, path, query, body, content_type))
        try:
            return await asyncio.wait_for(sent, self._limits.total)
        except TimeoutError as error:
            raise ClusterUnavailable(f"{_name(call)}: no answer within {self._limits.total:g} s") from error

    async def close(self) -> None:
        """End the threads and connections. Requests that wait for a thread are cancelled, others finish."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._threads.shutdown)
        self._client.close()

    def _send(self, asked: _Request) -> Reply:
        # Asked here and not before: a process that was stopped meanwhile must not write when it goes on.
        with self._turnstile(asked.call) as within:
            if within <= 0:
                raise ClusterUnavailable(f"{_name(asked.call)}: not sent, another replica may be writing")
            try:
                status, content = self._exchanged(asked, within)
            except (urllib3.exceptions.HTTPError, ApiException, ConfigException, OSError) as error:
                self._observe(asked.call, "none")
                raise ClusterUnavailable(f"{_name(asked.call)}: {_bounded(error)}") from error
        self._observe(asked.call, str(status))
        return _reply(asked.call, status, content)

    def _exchanged(self, asked: _Request, within: float) -> tuple[int, bytes]:
        part = within / _PARTS
        request = self._client.param_serialize(
            method=asked.call.verb.method,
            resource_path=asked.path,
            query_params=[*asked.query, *_carried_out_within(part)],
            header_params=asked.headers,
            body=asked.body,
            auth_settings=["BearerToken"],
        )
        connect, read = min(self._limits.connect, part), min(self._limits.read, within)
        with deadline.until(time.monotonic() + read), deadline.sent_within(part):
            response = self._client.call_api(*request, _request_timeout=(connect, read))
            return response.status, response.read()


def _carried_out_within(seconds: float) -> Sequence[tuple[str, str]]:
    """The API server's own deadline, counted from when it has received the request: kubectl's --request-timeout."""
    return [] if seconds == math.inf else [("timeout", f"{max(1, round(seconds * 1000))}ms")]


def _reply(call: Call, status: int, content: bytes) -> Reply:
    reply = Reply(status, _document(content))
    if not 200 <= status < 300 and (status < 400 or status == 429 or status >= 500):
        raise ClusterUnavailable(f"{_name(call)}: {reply.message}")
    if reply.ok and not reply.document:
        raise ClusterUnavailable(f"{_name(call)}: {status}, but the answer is no JSON object")
    return reply


def _document(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _name(call: Call) -> str:
    return " ".join(filter(None, (call.verb.value, call.resource.plural, call.subresource)))


def _bounded(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= MESSAGE_LENGTH else text[:MESSAGE_LENGTH] + "…"
