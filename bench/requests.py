"""What one round of evaluation costs at a real Prometheus: requests and seconds, beside four queries for each Rollout.

    python -m bench.requests --rollouts 1 --rollouts 100

Ours: every Rollout in progress asks for the raw samples of its canary and its stable version, of a counter by status
and of two buckets of a histogram; the planner unites what comes together. Beside it: the four queries that an
AnalysisTemplate would send (error ratio and 95th percentile, of each version), one after the other for each Rollout,
through the same client and over as many connections.

Law: prints versions, machine and parameters beside every figure; judges nothing. Both sides read the same samples of
the same real server, and an answer that is none ends the measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import os
import platform
import random
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
import yaml
from rich.console import Console
from rich.table import Table

import canary_operator
from canary_operator.model.indicator import Matcher, MatchKind, Selector
from canary_operator.model.samples import Answer, Query, Question, RawQuery
from canary_operator.prometheus import garbage
from canary_operator.prometheus.providers import Exchange, Providers
from canary_operator.settings import Provider
from lab import loopback, waiting
from lab.processes import ports
from lab.programs import cache

SCRAPE_SECONDS = 15
SAMPLES = 9
WINDOW_SECONDS = 60
STABLE_PODS = 3
STATUSES = ("200", "404", "500", "503")
# What Prometheus' client libraries use if nothing else is said.
BOUNDS = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
REQUESTS = "http_requests_total"
BUCKETS = "http_request_duration_seconds_bucket"
_NAMESPACES = 10
# One scrape brings everything; Prometheus begins within one interval.
_LOADING_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Version:
    """The canary or the stable version of a Rollout."""

    namespace: str
    rollout: str
    hash: str
    pods: int


Pair = tuple[Version, Version]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is asked for one Rollout.

    Args:

        raw: our questions, and how many series each must get.

        free: the queries of its templates, each of which must get one.
    """

    raw: Mapping[RawQuery, int]
    free: tuple[Query, ...]


Ask = Callable[[Providers, Evaluation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Round:
    """What evaluating some Rollouts once has cost."""

    requests: int
    seconds: float
    server_cpu_seconds: float


@dataclass(slots=True)
class Bench:
    """A Prometheus with samples in it, and how often it is asked."""

    url: str
    server: psutil.Process
    at: float
    concurrency: int
    requests: int = 0

    def provider(self) -> Provider:
        return Provider.model_validate(
            {"name": "default", "url": self.url, "timeout": "5m", "maxConcurrency": self.concurrency}
        )

    def count(self, exchange: Exchange) -> None:
        self.requests += exchange.seconds is not None


def main(
    rollouts: Annotated[list[int] | None, typer.Option(help="Rollouts in progress; several times.")] = None,
    rounds: Annotated[int, typer.Option(help="Rounds of each kind; the quickest is shown.")] = 5,
    concurrency: Annotated[int, typer.Option(help="Requests at a time, for both.")] = 4,
    seed: Annotated[int, typer.Option(help="Of the counters' values.")] = 0,
) -> None:
    """Load a Prometheus and print one row for each number of Rollouts."""
    numbers = rollouts or [1, 10, 100, 1000]
    versions = [_versions(index) for index in range(max(numbers))]
    with _prometheus(versions, seed) as (url, server, at):
        bench = Bench(url, server, at, concurrency)
        # As the operator does when it starts; it helps both.
        garbage.seldom()
        table = _table()
        for number in numbers:
            ours, theirs = asyncio.run(_measure(bench, versions[:number], rounds))
            _add(table, number, ours, theirs)
        _show(table, url, rounds, concurrency, seed)


def _versions(index: int) -> Pair:
    namespace, rollout = f"team-{index % _NAMESPACES}", f"web-{index:04d}"
    canary, stable = (f"{arm}{index:07d}" for arm in "ab")
    return Version(namespace, rollout, canary, 1), Version(namespace, rollout, stable, STABLE_PODS)


async def _measure(bench: Bench, pairs: Sequence[Pair], rounds: int) -> tuple[Round, Round]:
    """Ours and theirs, by turns, so that whatever else the machine does meets both.

    The connections of a running operator are open; the first round of each opens them and is not measured.
    """
    providers = Providers([bench.provider()], observe=bench.count)
    evaluations = [_evaluation(pair, bench.at) for pair in pairs]
    kinds = (_ours, _theirs)
    try:
        for ask in kinds:
            await _round(bench, providers, evaluations, ask)
        measured = [[await _round(bench, providers, evaluations, ask) for ask in kinds] for _ in range(rounds)]
    finally:
        providers.close()
    ours, theirs = (_best(each) for each in zip(*measured, strict=True))
    return ours, theirs


async def _round(bench: Bench, providers: Providers, evaluations: Sequence[Evaluation], ask: Ask) -> Round:
    bench.requests = 0
    before, began = _cpu(bench.server), time.perf_counter()
    await asyncio.gather(*(ask(providers, each) for each in evaluations))
    took, after = time.perf_counter() - began, _cpu(bench.server)
    return Round(bench.requests, took, after - before)


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


async def _ours(providers: Providers, each: Evaluation) -> None:
    answers = await providers.fetch(list(each.raw))
    for question, expected in each.raw.items():
        _demand(answers[question], question, expected)


async def _theirs(providers: Providers, each: Evaluation) -> None:
    for query in each.free:
        answers = await providers.fetch([query])
        _demand(answers[query], query, 1)


def _evaluation(pair: Pair, at: float) -> Evaluation:
    bound = Matcher("le", MatchKind.REGEX, r"0\.5|\+Inf")
    series = {Selector(REQUESTS): len(STATUSES), Selector(BUCKETS, (bound,)): 2}
    raw = {
        RawQuery("default", selector, _identity(version), WINDOW_SECONDS, at): number * version.pods
        for selector, number in series.items()
        for version in pair
    }
    return Evaluation(raw, tuple(Query("default", promql, at, 300.0) for promql in _templates(pair)))


def _identity(version: Version) -> tuple[Matcher, ...]:
    return (
        Matcher("namespace", MatchKind.EQUAL, version.namespace),
        Matcher("rollouts_pod_template_hash", MatchKind.EQUAL, version.hash),
    )


def _templates(pair: Pair) -> Iterator[str]:
    for version in pair:
        one = f'namespace="{version.namespace}",rollouts_pod_template_hash="{version.hash}"'
        yield f'sum(rate({REQUESTS}{{{one},status=~"5.."}}[1m])) / sum(rate({REQUESTS}{{{one}}}[1m]))'
        yield f"histogram_quantile(0.95, sum by (le) (rate({BUCKETS}{{{one}}}[1m])))"


def _demand(answer: object, question: Question, series: int) -> None:
    if not isinstance(answer, Answer) or len(answer.series) != series:
        raise SystemExit(f"{question}: {series} series were expected, and the answer is {str(answer)[:300]}")


@contextlib.contextmanager
def _prometheus(versions: list[Pair], seed: int) -> Iterator[tuple[str, psutil.Process, float]]:
    """A Prometheus that has scraped all samples. Yields its url, its process and the time of the last sample."""
    program = cache.install(only={"prometheus"}).programs["prometheus"]
    block = ports.reserve()
    last = int(time.time())
    try:
        with _exporter(_exposition(versions, last, seed)) as target, tempfile.TemporaryDirectory() as folder:
            url = f"http://127.0.0.1:{block.ports[0]}"
            process = _start(program, Path(folder), block.ports[0], target)
            try:
                _await_samples(url, versions)
                yield url, psutil.Process(process.pid), float(last)
            finally:
                process.kill()
                process.wait()
    finally:
        os.close(block.lock)


def _start(program: Path, folder: Path, port: int, target: str) -> subprocess.Popen[bytes]:
    scraping = {"job_name": "bench", "honor_labels": True, "static_configs": [{"targets": [target]}]}
    every = f"{_LOADING_SECONDS}s"
    config = {"global": {"scrape_interval": every, "scrape_timeout": every}, "scrape_configs": [scraping]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        str(program),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def _await_samples(url: str, versions: list[Pair]) -> None:
    pods = sum(version.pods for pair in versions for version in pair)
    expected = SAMPLES * pods * (len(STATUSES) + len(BOUNDS))
    counting = f'sum(count_over_time({{__name__=~"{REQUESTS}|{BUCKETS}"}}[1h]))'

    def loaded() -> bool:
        if not loopback.answers(f"{url}/-/ready"):
            return False
        found: Any = loopback.call(f"{url}/api/v1/query", parameters={"query": counting})["data"]["result"]
        return bool(found) and float(found[0]["value"][1]) == expected

    waiting.until(loaded, "all samples in Prometheus", timeout=4 * _LOADING_SECONDS, every=1.0)


@contextlib.contextmanager
def _exporter(exposition: bytes) -> Iterator[str]:
    """A target that tells everything at its first scrape, and nothing after it. Yields its host and port."""
    left = [exposition]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = left.pop() if left else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def _exposition(versions: list[Pair], last: int, seed: int) -> bytes:
    """All series with all their samples, which carry their own times: no waiting for scrapes."""
    chance = random.Random(seed)
    times = [(last - SCRAPE_SECONDS * back) * 1000 for back in reversed(range(SAMPLES))]
    lines: list[str] = []
    for version in (version for pair in versions for version in pair):
        for pod in range(version.pods):
            name = f"{version.rollout}-{version.hash}-{pod:05d}"
            labels = f'namespace="{version.namespace}",pod="{name}",rollouts_pod_template_hash="{version.hash}"'
            series = [f'{REQUESTS}{{{labels},status="{status}"}}' for status in STATUSES]
            series += [f'{BUCKETS}{{{labels},le="{bound}"}}' for bound in BOUNDS]
            for one in series:
                value = chance.randrange(1000)
                for at in times:
                    value += chance.randrange(1, 200)
                    lines.append(f"{one} {value} {at}\n")
    return "".join(lines).encode()


def _best(rounds: Sequence[Round]) -> Round:
    """The quickest round: what else a shared machine does only ever adds."""
    return Round(
        requests=rounds[0].requests,
        seconds=min(each.seconds for each in rounds),
        server_cpu_seconds=statistics.median(each.server_cpu_seconds for each in rounds),
    )


def _table() -> Table:
    table = Table(title="One round of evaluation: this operator's planner, and four queries for each Rollout")
    for column in ("Rollouts", "requests", "beside", "fewer", "seconds", "beside", "less", "server CPU s", "beside"):
        table.add_column(column, justify="right")
    return table


def _add(table: Table, number: int, ours: Round, theirs: Round) -> None:
    table.add_row(
        f"{number:,}",
        *(f"{ours.requests:,}", f"{theirs.requests:,}", f"{theirs.requests / ours.requests:.0f}x"),
        *(f"{ours.seconds:.3f}", f"{theirs.seconds:.3f}", f"{theirs.seconds / ours.seconds:.1f}x"),
        *(f"{ours.server_cpu_seconds:.2f}", f"{theirs.server_cpu_seconds:.2f}"),
    )


def _show(table: Table, url: str, rounds: int, concurrency: int, seed: int) -> None:
    console = Console(width=120)
    console.print(table)
    version = loopback.call(f"{url}/api/v1/status/buildinfo")["data"]["version"]
    console.print(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, Prometheus {version}; "
        f"for each Rollout 1 canary and {STABLE_PODS} stable pods, {len(STATUSES)} statuses and {len(BOUNDS)} buckets, "
        f"a sample every {SCRAPE_SECONDS} s, ours asks for {WINDOW_SECONDS} s; the quickest of {rounds} rounds, "
        f"{concurrency} requests at a time, seed {seed}"
    )
    console.print(f"{os.cpu_count()} cores shared with Prometheus, {platform.platform()}")


if __name__ == "__main__":
    typer.run(main)
