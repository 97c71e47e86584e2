"""One attempt to post one message.

Law: whatever the other side does is a value here. Nothing of its answer is read but the status and Retry-After;
nothing that is told of it holds an address or a body.
"""

import contextlib
import datetime
import email.utils
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from yarl import URL

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, connect=3.0)
# What may pass by itself; every other refusal would be the same a second time.
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted where."""

    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Taken:
    """The other side has it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The other side will not take it, or it could not be written; ``why`` is a sentence without secrets."""

    why: str


@dataclass(frozen=True, slots=True)
class Later:
    """Nobody has it yet. ``after`` is how long the other side asks to be left alone (seconds), None if it does not."""

    why: str
    after: float | None = None


Reply = Taken | Refused | Later


def client() -> aiohttp.ClientSession:
    """A client that believes nothing but the configuration: no proxies, no ``.netrc``, no cookies."""
    return aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())


async def post(session: aiohttp.ClientSession, letter: Letter, now: Callable[[], float]) -> Reply:
    """Post once. Redirects are not followed: the body would go to an address that nobody has configured."""
    try:
        async with session.post(letter.url, data=letter.body, headers=letter.headers, allow_redirects=False) as answer:
            return _reply(answer.status, answer.headers.get("Retry-After", ""), now())
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # Texts of these errors hold addresses.
        return Later(_failure(error))


def _reply(status: int, retry_after: str, now: float) -> Reply:
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Taken()
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Later(f"HTTP {status}", _seconds(retry_after.strip(), now))
    redirect = ", a redirect, which is not followed" if status < HTTPStatus.BAD_REQUEST else ""
    return Refused(f"HTTP {status}{redirect}")


def _seconds(retry_after: str, now: float) -> float | None:
    """Seconds of a Retry-After, which is a number or a date; None for anything else."""
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        at = email.utils.parsedate_to_datetime(retry_after)
        return max(0.0, at.replace(tzinfo=at.tzinfo or datetime.UTC).timestamp() - now)
    return None


def _failure(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT.total:g} s"
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return "no trusted TLS connection"
    return f"no connection, or it broke ({type(error).__name__})"
