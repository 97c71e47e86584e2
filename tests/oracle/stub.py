"""A Prometheus that answers by script: one path for each metric of each case.

Law: every answer ends its connection, so that Go's client never asks again by itself.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.oracle.cases import Case


@dataclass(slots=True)
class Stub:
    """The scripts of all cases, and what was asked: (case, metric) -> one entry for each request."""

    cases: dict[str, Case] = field(default_factory=dict)
    asked: dict[tuple[str, int], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one query."""
        name, index = request.match_info["case"], int(request.match_info["metric"])
        log = self.asked[name, index]
        scripts = self.cases[name].scripts[index]
        script = scripts[min(len(log), len(scripts) - 1)]
        log.append(dict(await request.post()))
        if "hang" in script:
            await asyncio.sleep(script["hang"])
            script = {"status": 200, "body": '{"status":"success","data":{"resultType":"scalar","result":[1,"0"]}}'}
        if "drop" in script:
            script = {"status": 200, "body": ""}
            assert request.transport is not None
            request.transport.close()
        response = web.Response(status=script["status"], body=script["body"].encode(), content_type="application/json")
        response.force_close()
        return response

    async def serve(self) -> tuple[web.AppRunner, int]:
        """Listen on a free port of this machine; the port is returned."""
        app = web.Application()
        app.router.add_post("/{case}/{metric}/api/v1/{kind}", self.answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return runner, runner.addresses[0][1]
