"""Runs cases through Argo's analysis controller on the lab, and writes down what it did.

Law: what is recorded is what Argo wrote into its AnalysisRuns, write by write; nothing is interpreted but times, which
become seconds since the run was created.
"""

import asyncio
import base64
import copy
import datetime
import json
import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import pairwise
from typing import Any

import aiohttp
import yaml

import lab
from tests.oracle.cases import ADDRESS, Case
from tests.oracle.stub import Stub

ARGO_VERSION = "v1.9.1"
NAMESPACE = "production"
# Longer than five errors with 10 s between them, which is Argo's longest way to an end here.
PATIENCE_SECONDS = 75.0
SETTLING_SECONDS = 25.0
_RUNS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/analysisruns"
_ENDED = ("Successful", "Failed", "Error", "Inconclusive")


@dataclass(slots=True)
class _Recording:
    """What is heard of the AnalysisRuns, write by write."""

    writes: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    ended: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))

    def hear(self, body: dict[str, Any]) -> None:
        name, status = body["metadata"]["name"], body.get("status") or {}
        if status:
            terminated = bool(body["spec"].get("terminate"))
            self.writes[name].append({"status": status, "terminated": terminated})
        if status.get("phase") in _ENDED:
            self.ended[name].set()


def record(cases: Sequence[Case], *, at_once: int = 18) -> list[dict[str, Any]]:
    """What Argo makes of the cases, in their order. More at once make Argo race with its own cache."""
    with lab.start(lab.Wish(flavour="analysis")) as cluster:
        return asyncio.run(_record(yaml.safe_load(cluster.kubeconfig.read_text()), cases, at_once))


async def _record(config: dict[str, Any], cases: Sequence[Case], at_once: int) -> list[dict[str, Any]]:
    stub, recording = Stub({case.name: case for case in cases}), _Recording()
    runner, port = await stub.serve()
    turns = asyncio.Semaphore(at_once)
    async with _api(config) as api:
        # The API server ends all watches of new kinds once more, some seconds after it has them; Argo's would be blind.
        await asyncio.sleep(SETTLING_SECONDS)
        watching = asyncio.create_task(_watch(api, recording))
        running = asyncio.gather(*(_one(api, case, port, turns, recording) for case in cases))
        await asyncio.wait((watching, running), return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            raise RuntimeError("the watch ended") from watching.exception()
        watching.cancel()
        lines = running.result()
    await runner.cleanup()
    return [_line(case, stub, writes, port) for case, writes in zip(cases, lines, strict=True)]


@asynccontextmanager
async def _api(config: dict[str, Any]) -> AsyncIterator[aiohttp.ClientSession]:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trusted = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    async with aiohttp.ClientSession(
        cluster["server"],
        headers={"Authorization": f"Bearer {user['token']}"},
        connector=aiohttp.TCPConnector(ssl=trusted),
        timeout=aiohttp.ClientTimeout(total=None),
        read_bufsize=2**22,
    ) as session:
        yield session


async def _watch(api: aiohttp.ClientSession, recording: _Recording) -> None:
    """Hear every write. A watch that ends is taken up where it ended."""
    async with api.get(_RUNS) as reply:
        reply.raise_for_status()
        version = (await reply.json())["metadata"]["resourceVersion"]
    while True:
        with suppress(aiohttp.ClientError):
            async with api.get(_RUNS, params={"watch": "true", "resourceVersion": version}) as stream:
                async for line in stream.content:
                    body = json.loads(line)["object"]
                    recording.hear(body)
                    version = body["metadata"]["resourceVersion"]
        await asyncio.sleep(0.05)


async def _one(
    api: aiohttp.ClientSession, case: Case, port: int, turns: asyncio.Semaphore, recording: _Recording
) -> list[dict[str, Any]]:
    async with turns:
        began = time.monotonic()
        await _create(api, case, port)
        ended = recording.ended[case.name]
        for patience in (case.terminate_after, PATIENCE_SECONDS, 30.0):
            if patience is None:
                continue
            try:
                await asyncio.wait_for(ended.wait(), max(0.0, began + patience - time.monotonic()))
                break
            except TimeoutError:
                await _terminate(api, case)
        # The last write is followed by none, whatever happens.
        await asyncio.sleep(0.2)
        return recording.writes[case.name]


async def _create(api: aiohttp.ClientSession, case: Case, port: int) -> None:
    async with api.post(_RUNS, json=_body(case, port)) as reply:
        if reply.status != HTTPStatus.CREATED:
            raise RuntimeError(f"{case.name}: {await reply.text()}")


async def _terminate(api: aiohttp.ClientSession, case: Case) -> None:
    kind = {"Content-Type": "application/merge-patch+json"}
    async with api.patch(f"{_RUNS}/{case.name}", data=b'{"spec":{"terminate":true}}', headers=kind) as reply:
        reply.raise_for_status()


def _body(case: Case, port: int) -> dict[str, Any]:
    spec = copy.deepcopy(case.spec)
    for metric in spec["metrics"]:
        prometheus = metric["provider"].get("prometheus")
        if prometheus is not None:
            prometheus["address"] = prometheus["address"].replace(ADDRESS, _address(case, port))
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisRun",
        "metadata": {"name": case.name, "namespace": NAMESPACE},
        "spec": spec,
    }


def _address(case: Case, port: int) -> str:
    return f"http://127.0.0.1:{port}/{case.name}"


def _line(case: Case, stub: Stub, writes: list[dict[str, Any]], port: int) -> dict[str, Any]:
    """One recorded case: Argo's writes, without what only repeats the status before, such as the wish to end."""
    start = writes[0]["status"].get("startedAt") if writes else None
    kept = [write for before, write in pairwise([{}, *writes]) if write["status"] != before.get("status")]
    short = [*map(_shortened, kept[:-1]), *kept[-1:]]
    shown = json.loads(json.dumps(short).replace(_address(case, port), ADDRESS))
    asked = {str(index): stub.asked[case.name, index] for index in range(len(case.scripts))}
    return {
        "seed": case.seed,
        "number": case.number,
        "spec": case.spec,
        "scripts": [_heard_of(scripts, len(asked[str(at)])) for at, scripts in enumerate(case.scripts)],
        "asked": asked,
        "writes": [_relative(write, start) for write in shown],
    }


def _shortened(write: dict[str, Any]) -> dict[str, Any]:
    """A write with only the newest measurement of each metric."""
    found = copy.deepcopy(write)
    for result in found["status"].get("metricResults") or ():
        result["measurements"] = result.get("measurements", [])[-1:]
    return found


def _heard_of(scripts: list[dict[str, Any]], times: int) -> list[dict[str, Any]]:
    """The answers that were asked for."""
    return scripts[:times]


def _relative(raw: Any, start: str | None) -> Any:
    """Times as seconds since the start of the run."""
    match raw:
        case dict():
            return {
                name: _seconds(value, start) if name.endswith("At") and value else _relative(value, start)
                for name, value in raw.items()
                if name != "metadata"
            }
        case list():
            return [_relative(value, start) for value in raw]
        case _:
            return raw


def _seconds(text: str, start: str | None) -> int:
    if start is None:
        return 0
    first, then = datetime.datetime.fromisoformat(start), datetime.datetime.fromisoformat(text)
    return round((then - first).total_seconds())
