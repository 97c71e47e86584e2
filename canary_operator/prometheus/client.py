"""One provider's query API: one question in, one answer or a reason out.

Law: nothing the network or the server does is an exception here, nor takes longer than the
provider's timeout. Messages hold no bodies, no queries and no credentials. One request per question
(a second one only where POST is not allowed): asking again is the next evaluation's business.
"""

import base64
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

import requests
from prometheus_api_client import PrometheusConnect
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError
from urllib3.util.retry import Retry

from canary_operator import deadline, settings
from canary_operator.model.samples import Absent, Query
from canary_operator.model.verdict import HoldReason
from canary_operator.prometheus import decoding, garbage
from canary_operator.prometheus.replies import Fault, Reply
from canary_operator.settings.mounted import UnreadableError, read_line

# A server in the same cluster accepts within milliseconds; a lost first packet is sent again after 1 s.
_MAX_CONNECT_SECONDS = 3.0
# The server stops first, so that its own word (503, timeout) arrives before we hang up.
_SERVER_SHARE = 0.9
_CHUNK_BYTES = 64 * 1024
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
# Proxies that allow reading only refuse POST with one of these; Prometheus takes the same query by GET.
_POST_REFUSED = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_QUERY_REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
# What proxies say to a long body, a long URL, or a long header with the URL in it.
_QUESTION_TOO_LONG = frozenset(
    {
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
)
_ASKS_FOR_PATIENCE = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


# What makes a server of several stores refuse rather than leave out a store that does not answer; warnings and
# isPartial are looked at all the same. Thanos would also answer old ranges from downsampled blocks, which cannot be
# counted.
_PARAMETERS: Mapping[settings.Flavour, Mapping[str, str]] = {
    settings.Flavour.PROMETHEUS: {},
    settings.Flavour.THANOS: {"partial_response": "false", "max_source_resolution": "0s"},
    settings.Flavour.VICTORIAMETRICS: {"deny_partial_response": "1"},
}


class _TooLargeError(Exception):
    """The reply is longer than the provider's maxResponseBytes."""


@dataclass(frozen=True, slots=True)
class _Received:
    status: int
    content_type: str
    retry_after: str
    body: bytearray


class PrometheusClient(PrometheusConnect):  # type: ignore[misc]
    """A provider's connection pool. ``ask`` is the one method to use; it may be called from many threads.

    The inherited query methods put POST queries into the URL, know no deadline and drop warnings.
    """

    def __init__(self, provider: settings.Provider) -> None:
        super().__init__(url=provider.url.rstrip("/"), session=_session(provider), retry=Retry(0))
        # The parent's constructor has mounted an adapter of its own, with neither our pool nor our deadline.
        self._session.mount(self.url, deadline.DeadlineAdapter(provider.max_concurrency))
        self._provider = provider
        self._method = "POST"

    def ask(self, query: Query, *, asked_at: float | None = None) -> Reply:
        """Ask one instant query.

        Args:

            query: its timeout can only shorten the provider's.

            asked_at: monotonic seconds from which the timeout counts, None for now.
        """
        if not decoding.is_encodable(query.promql):
            message = "the query is not text that can be sent"
            return Reply(Absent(HoldReason.CONFIGURATION_ERROR, message), Fault.QUERY)
        limit = time_limit(query, self._provider)
        start = time.monotonic() if asked_at is None else asked_at
        with deadline.until(start + limit):
            try:
                return self._exchange(query)
            except UnreadableError as error:
                return _unavailable(f"the credentials: {error}")
            except _TooLargeError:
                message = f"the answer is larger than {self._provider.max_response_bytes} bytes"
                return _unavailable(message, Fault.SIZE)
            # requests lets some of urllib3's errors through, and ValueError for text that cannot be encoded.
            except (requests.RequestException, HTTPError, OSError, ValueError) as error:
                return _unavailable(_failure(error, start + limit, limit))

    def _exchange(self, query: Query) -> Reply:
        form = {"query": query.promql, "time": f"{query.at:.3f}", **_PARAMETERS[self._provider.flavour]}
        method = self._method
        received = self._send(method, form)
        if method == "POST" and received.status in _POST_REFUSED:
            received = self._send("GET", form)
            # Remembered only once GET is served: a 403 to both says nothing about the method.
            if received.status == HTTPStatus.OK or received.status in _QUERY_REFUSED:
                self._method = "GET"
        return _read_reply(received, self._provider.flavour)

    def _send(self, method: str, form: dict[str, str]) -> _Received:
        left = deadline.seconds_left()
        form = {**form, "timeout": f"{max(1, int(left * _SERVER_SHARE * 1000))}ms"}
        with self._session.request(
            method,
            f"{self.url}/api/v1/query",
            params=form if method == "GET" else None,
            data=form if method == "POST" else None,
            timeout=(min(left, _MAX_CONNECT_SECONDS), left),
            allow_redirects=False,
            stream=True,
        ) as response:
            body = _read_body(response, self._provider.max_response_bytes)
            headers = response.headers
            return _Received(
                response.status_code, headers.get("Content-Type", ""), headers.get("Retry-After", ""), body
            )


def time_limit(query: Query, provider: settings.Provider) -> float:
    """Seconds that ``query`` may take: the provider's timeout, or the query's own if that is shorter."""
    return provider.timeout if query.timeout is None else min(query.timeout, provider.timeout)


def _session(provider: settings.Provider) -> requests.Session:
    session = _Session()
    # Neither proxies nor .netrc: where metrics come from is written in the configuration alone.
    session.trust_env = False
    session.adapters.clear()
    session.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", **provider.headers})
    session.auth = _authentication(provider)
    session.verify = _verification(provider.tls)
    if provider.tls.cert_file is not None and provider.tls.key_file is not None:
        session.cert = (str(provider.tls.cert_file), str(provider.tls.key_file))
    return session


def _verification(tls: settings.Tls) -> bool | str:
    if tls.insecure_skip_verify:
        return False
    return True if tls.ca_file is None else str(tls.ca_file)


def _authentication(provider: settings.Provider) -> AuthBase | None:
    if (basic := provider.basic_auth) is not None:
        return _Authorization(lambda: _basic(basic.username, read_line(basic.password_file)))
    if (token := provider.bearer_token_file) is not None:
        return _Authorization(lambda: f"Bearer {read_line(token)}")
    return None


class _Session(requests.Session):
    def get_redirect_target(self, _resp: requests.Response) -> None:
        # With redirects off, requests still prepares the next request, and reads the whole body for it.
        return None


class _Authorization(AuthBase):
    """Makes the header anew for every request, because mounted credentials rotate."""

    def __init__(self, header: Callable[[], str]) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header()
        return request


def _basic(username: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def _read_body(response: requests.Response, limit: int) -> bytearray:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK_BYTES):
        body += chunk
        if len(body) > limit:
            raise _TooLargeError
    return body


def _read_reply(received: _Received, flavour: settings.Flavour) -> Reply:
    status = received.status
    if "html" in received.content_type.lower():
        return _unavailable(f"HTTP {status} with an HTML page: a proxy or a login page answered, not Prometheus")
    if status == HTTPStatus.OK:
        with garbage.kept():
            return decoding.decode_answer(received.body)
    error_type = decoding.decode_error_type(received.body)
    if (flavour, error_type) == (settings.Flavour.THANOS, "execution"):
        # What Thanos says, with 422, of a store that is lost, where no partial response is wanted.
        message = f"a store does not answer, or the query fails: execution (HTTP {status})"
        return _unavailable(message, Fault.PARTIAL)
    if status in _QUERY_REFUSED and error_type is not None:
        message = f"the query is refused: {error_type} (HTTP {status})"
        return Reply(Absent(HoldReason.CONFIGURATION_ERROR, message), Fault.QUERY)
    if status in _QUESTION_TOO_LONG:
        return _unavailable(f"the question is too long for it (HTTP {status})", Fault.SIZE)
    return replace(_unavailable(_refusal(status, error_type)), retry_after=_patience(received))


def _patience(received: _Received) -> float | None:
    # A date instead of seconds is not read: it would be compared with a clock that may differ.
    text = received.retry_after.strip()
    if received.status not in _ASKS_FOR_PATIENCE or not _SECONDS.fullmatch(text):
        return None
    return float(text)


def _refusal(status: int, error_type: str | None) -> str:
    match status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            said = "the credentials are refused"
        case HTTPStatus.TOO_MANY_REQUESTS:
            said = "too many requests"
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            said = "a redirect, which is not followed"
        case _:
            said = "no answer" if error_type is None else error_type
    return f"{said} (HTTP {status})"


def _failure(error: Exception, end: float, limit: float) -> str:
    # Texts of requests' exceptions hold URLs, and header values when those are malformed: never passed on.
    timed_out = time.monotonic() >= end or isinstance(error, (TimeoutError, requests.Timeout))
    if isinstance(error, requests.ConnectTimeout) and time.monotonic() < end:
        return f"no connection within {_MAX_CONNECT_SECONDS:g} s"
    if timed_out:
        return f"no complete answer within {limit:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "no trusted TLS connection"
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return "no connection, or it broke"
    # What requests raises itself when caFile, certFile or keyFile is no file.
    if type(error) is OSError:
        return "a file named under tls cannot be read"
    return f"the request failed ({type(error).__name__})"


def _unavailable(message: str, fault: Fault = Fault.SERVER) -> Reply:
    return Reply(Absent(HoldReason.TELEMETRY_UNAVAILABLE, message, partial=fault is Fault.PARTIAL), fault)
