"""/livez, /readyz and /metrics; what else is served has its own test."""

import asyncio
import socket
import threading

import pytest
import requests
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from canary_operator.settings import Web
from canary_operator.web import Health
from canary_operator.web.server import _app, serve
from canary_operator.web.verdict import Door


def _nobody_asks(query):
    raise AssertionError(query)


async def get(path, *, complaints=(), ready=True):
    registry = CollectorRegistry()
    Counter("looks", "Looks.", registry=registry).inc()
    app = _app(Health(alive=lambda: list(complaints), ready=lambda: ready), registry, Door(None, _nobody_asks))
    async with TestClient(TestServer(app)) as client:
        response = await client.get(path)
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("path", "health", "status", "text"),
    [
        ("/livez", {}, 200, "ok"),
        ("/livez", {"complaints": ["nobody watches rollouts", "no resync"]}, 500, "nobody watches rollouts\nno resync"),
        ("/readyz", {}, 200, "ok"),
        ("/readyz", {"ready": False}, 503, "not everything was listed and watched yet"),
    ],
)
async def test_health_is_told(path, health, status, text):
    assert await get(path, **health) == (status, text)


async def test_metrics_are_served():
    status, text = await get("/metrics")

    assert status == 200
    assert "looks_total 1.0" in text


async def test_nothing_else_is_served():
    status, _ = await get("/")

    assert status == 404


class ServedLoop:
    """An event loop of its own, in a thread, that serves probes and can be made to hang."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.loop, self.up, self.may_go_on = asyncio.new_event_loop(), threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=(self._serve(),))

    async def _serve(self):
        self.stop = asyncio.Event()
        health = Health(alive=list, ready=lambda: True)
        async with serve(Web(host="127.0.0.1", port=self.port), health, CollectorRegistry(), _nobody_asks):
            self.up.set()
            await self.stop.wait()

    def __enter__(self):
        self.thread.start()
        assert self.up.wait(30)
        return self

    def __exit__(self, *_):
        self.may_go_on.set()
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(30)
        self.loop.close()

    def hang(self):
        self.loop.call_soon_threadsafe(self.may_go_on.wait)

    def livez(self, seconds):
        return requests.get(f"http://127.0.0.1:{self.port}/livez", timeout=seconds).status_code


def test_an_event_loop_that_hangs_does_not_answer_so_that_the_kubelet_restarts_it():
    with ServedLoop() as served:
        assert served.livez(30) == 200
        served.hang()

        with pytest.raises(requests.Timeout):
            served.livez(0.5)

        served.may_go_on.set()
        assert served.livez(30) == 200
