"""/livez, /readyz, /metrics, /v1/verdict, and the page where it is on.

Law: read-only; says what is, decides nothing. Whatever goes wrong is told as JSON, to who reads pages as a page.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from canary_operator.engine.native import VERDICT_PATH
from canary_operator.settings import Web
from canary_operator.web.page import Page
from canary_operator.web.verdict import Ask, Door, always_json


@dataclass(frozen=True, slots=True)
class Health:
    """How the operator is: ``alive`` lists complaints that only a restart mends, ``ready`` is true once it works."""

    alive: Callable[[], list[str]]
    ready: Callable[[], bool]


@contextlib.asynccontextmanager
async def serve(
    settings: Web, health: Health, registry: CollectorRegistry, ask: Ask, page: Page | None = None
) -> AsyncIterator[None]:
    """Serve until the block is left. ``ask`` answers what an analysis of Argo's asks; no ``page`` where it is off.

    Raises:

        OSError: if the address cannot be listened on.
    """
    door = Door(settings.verdict.token_file, ask)
    app = _app(health, registry, door)
    if page is not None:
        page.add_to(app)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, settings.host, settings.port).start()
        yield
    finally:
        await runner.cleanup()


def _app(health: Health, registry: CollectorRegistry, door: Door) -> web.Application:
    async def livez(_: web.Request) -> web.Response:
        complaints = health.alive()
        return web.Response(status=500 if complaints else 200, text="\n".join(complaints) or "ok")

    async def readyz(_: web.Request) -> web.Response:
        ready = health.ready()
        said = "ok" if ready else "not everything was listed and watched yet"
        return web.Response(status=200 if ready else 503, text=said)

    async def metrics(_: web.Request) -> web.Response:
        # Thousands of series take a while to write, and nobody must wait for that.
        text = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[always_json])
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    app.add_routes([web.get(VERDICT_PATH, door.verdict, allow_head=False)])
    return app
