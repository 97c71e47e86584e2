"""What is sent by a point in time, or not at all: whatever a connection has been waiting for."""

import socket
import threading
import time

import pytest
import urllib3

from canary_operator import deadline


@pytest.fixture
def listener():
    """Somebody who accepts connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture
def pool(listener):
    manager = urllib3.PoolManager(retries=False)
    manager.pool_classes_by_scheme = deadline.POOLS
    yield manager.connection_from_host("127.0.0.1", listener.getsockname()[1])
    manager.clear()


def received(listener, seconds=0.3):
    """What the listener is sent within some time."""
    accepted, _ = listener.accept()
    with accepted:
        accepted.settimeout(seconds)
        try:
            return accepted.recv(1000)
        except TimeoutError:
            return b""


def test_what_cannot_be_sent_in_time_is_not_sent(listener, pool):
    with pytest.raises(urllib3.exceptions.ProtocolError, match="not sent in time"), deadline.sent_within(0.0):
        pool.request("PATCH", "/", body=b"late")

    assert received(listener) == b""


def test_time_that_connecting_takes_counts(listener, pool, monkeypatch):
    connect = pool.ConnectionCls.connect

    def slowly(connection):
        connect(connection)
        time.sleep(0.2)

    monkeypatch.setattr(pool.ConnectionCls, "connect", slowly)
    with pytest.raises(urllib3.exceptions.ProtocolError, match="not sent in time"), deadline.sent_within(0.1):
        pool.request("PATCH", "/", body=b"late")

    assert received(listener) == b""


def test_a_connection_that_is_used_again_is_bound_anew(pool):
    connection = pool._get_conn()
    with deadline.until(time.monotonic() + 10), deadline.sent_within(5):
        connection.request("GET", "/")
    with pytest.raises(TimeoutError), deadline.until(time.monotonic() + 10), deadline.sent_within(-1):
        connection.send(b"more")
    connection.close()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux knows this option")
def test_what_nobody_has_received_is_dropped_by_the_kernel_too(pool):
    """Else it repeats for a quarter of an hour what got lost, and a write arrives when another replica leads."""
    connection = pool._get_conn()
    with deadline.until(time.monotonic() + 10), deadline.sent_within(5):
        connection.request("GET", "/")

    dropped_after = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    connection.close()
    assert 3000 < dropped_after <= 5000


def test_reading_ends_at_the_deadline(listener, pool):
    threading.Thread(target=received, args=(listener, 20), daemon=True).start()
    start = time.monotonic()

    with pytest.raises((TimeoutError, urllib3.exceptions.HTTPError)), deadline.until(time.monotonic() + 0.2):
        pool.request("GET", "/", timeout=15)

    assert time.monotonic() - start < 10
