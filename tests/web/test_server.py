"""/livez, /readyz and /metrics; what else is served has its own test."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry, Counter

from canary_operator.web import Health
from canary_operator.web.server import _app
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
        ("/readyz", {"ready": False}, 503, "not listed everything yet"),
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
