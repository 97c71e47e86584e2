"""HTTP connections that give up at one point in time, however slowly the other side drips.

urllib3, and requests with it, bounds the wait for each single read only: a server that sends one byte a second, be it
of the headers, keeps a thread for hours. What must not arrive late is also sent by a point in time, or not at all.

Law: knows sockets and clocks, not who is asked. No retries, no redirects, no proxies.
"""

import http.client
import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.util.retry import Retry

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))
_sent_by: ContextVar[float] = ContextVar("sent_by", default=float("inf"))


def seconds() -> float:
    """Seconds of a clock that never goes back, and that goes on while the machine sleeps where there is such a one."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Bound all that this thread sends and reads inside by ``deadline``, seconds of the monotonic clock."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


@contextmanager
def sent_within(within: float) -> Iterator[None]:
    """Give up what this thread has not sent within so many seconds, and what no one has received as many later.

    The second half is the kernel's: it would else repeat for minutes what got lost, also for a process that is stopped.
    """
    token = _sent_by.set(seconds() + within)
    try:
        yield
    finally:
        _sent_by.reset(token)


def seconds_left() -> float:
    """Seconds until the deadline of this thread.

    Raises:

        TimeoutError: if it is over.
    """
    return _some(_deadline.get() - time.monotonic(), "the deadline is over")


def _some(left: float, message: str) -> float:
    if left <= 0:
        raise TimeoutError(message)
    return left


class DeadlineAdapter(HTTPAdapter):
    """Sends each request once, and reads replies (headers, too) no longer than ``until`` says."""

    def __init__(self, connections: int) -> None:
        super().__init__(pool_connections=1, pool_maxsize=connections, max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **keywords: Any) -> None:
        """Make the pools build our connections."""
        super().init_poolmanager(*args, **keywords)
        self.poolmanager.pool_classes_by_scheme = POOLS


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, raw: io.RawIOBase) -> None:
        self._connection = connection
        self._raw = raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._connection.settimeout(seconds_left())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **keywords: Any) -> None:
        super().__init__(sock, *args, **keywords)
        self.fp = io.BufferedReader(_Reader(sock, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response

    def send(self, data: Any) -> None:
        _prepare(self)
        super().send(data)


class _TlsConnection(HTTPSConnection):
    response_class = _Response

    def send(self, data: Any) -> None:
        _prepare(self)
        super().send(data)


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


POOLS = {"http": _Pool, "https": _TlsPool}
"""What urllib3's PoolManager is told to make connections with: ``pool_classes_by_scheme``."""


def _prepare(connection: HTTPConnection) -> None:
    """Be ready to send, or raise TimeoutError: asked as late as can be, for connecting takes its time."""
    if connection.sock is None:
        connection.connect()
    left = min(seconds_left(), _some(_sent_by.get() - seconds(), "not sent in time"))
    connection.sock.settimeout(left)
    if _sent_by.get() < float("inf") and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, round(left * 1000)))
