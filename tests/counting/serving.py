"""Worlds behind a real Prometheus, asked with the operator's own client.

Law: Prometheus gets the samples as blocks that promtool made of OpenMetrics, and nothing else; what it is asked goes
the whole way: questions united, PromQL written, answers decoded and shared out.
"""

import asyncio
import contextlib
import itertools
import math
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from canary_operator.counting import asking, folding, watermark
from canary_operator.counting.tallies import Arm, Folded, Reading, Selection, State
from canary_operator.model.indicator import Latency, Matcher, MatchKind, Ratio
from canary_operator.model.samples import Absent, Answer, Question, RawQuery
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Provider
from lab import loopback, waiting
from tests.counting.looking import EPOCH, RULES, UP
from tests.counting.world import HASHES, World

Measure = Ratio | Latency


@dataclass(frozen=True)
class Server:
    """A Prometheus with its address and version."""

    url: str
    version: str


@contextlib.contextmanager
def prometheus(worlds: Iterable[World], folder: Path, tools: Mapping[str, Path]) -> Iterator[Server]:
    """Serve the worlds' samples until the block ends.

    Args:

        tools: the programs `prometheus` and `promtool`.
    """
    text, data, config = folder / "samples.om", folder / "data", folder / "prometheus.yml"
    with text.open("w") as file:
        file.writelines(_open_metrics(worlds))
    make = [tools["promtool"], "tsdb", "create-blocks-from", "openmetrics", text, data]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
    config.write_text("{}\n")
    # The worlds lie years back: nothing of them may be thrown away.
    with running(tools["prometheus"], config, data, "--storage.tsdb.retention.time=100y") as server:
        yield server


@contextlib.contextmanager
def running(program: Path, config: Path, data: Path, *options: str) -> Iterator[Server]:
    """Run a Prometheus until the block ends."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}"
    serve = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with data.with_suffix(".log").open("w") as log, subprocess.Popen([*serve, *options], stderr=log) as process:
        try:
            waiting.until(lambda: loopback.answers(f"{url}/-/ready"), "Prometheus", timeout=60, every=0.1)
            build = loopback.call(f"{url}/api/v1/status/buildinfo")
            yield Server(url, build["data"]["version"])
        finally:
            process.terminate()


def _open_metrics(worlds: Iterable[World]) -> Iterator[str]:
    samples = itertools.chain.from_iterable(world.exposition() for world in worlds)
    for labels, at, value in sorted(samples):
        inside = ",".join(f'{name}="{text}"' for name, text in labels if name != "__name__")
        # The parser cuts to milliseconds, and a decimal fraction may lie just under the one that is meant.
        yield f"{dict(labels)['__name__']}{{{inside}}} {int(value)} {at + 0.0002:.4f}\n"
    yield "# EOF\n"


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def count(
    server: Server, worlds: Sequence[World], looks: Iterable[float], measure: Measure, *, restarts_known: bool = True
) -> list[State]:
    """What is counted of each world by looks at those times."""
    return asyncio.run(_count(server, [_Look(world, measure, restarts_known) for world in worlds], looks))


async def _count(server: Server, watched: Sequence["_Look"], looks: Iterable[float]) -> list[State]:
    providers = Providers([Provider.model_validate({"name": "default", "url": server.url, "timeout": "60s"})])
    try:
        for until in looks:
            questions = [question for one in watched for question in one.ask(until)]
            answers = await providers.fetch(questions)
            for one in watched:
                one.hear(answers)
    finally:
        providers.close()
    return [one.state for one in watched]


class _Look:
    """One world that is looked at again and again, all worlds together."""

    def __init__(self, world: World, measure: Measure, restarts_known: bool) -> None:
        self.state = folding.begin(EPOCH)
        self._world = world
        self._way = asking.ways(measure)[0]
        self._restarts_known = restarts_known
        self._asked: dict[Arm, list[RawQuery]] = {}

    def ask(self, until: float) -> list[RawQuery]:
        window = math.ceil(until - watermark.since(self.state, EPOCH, until))
        selectors = (*self._way.selectors, UP)
        self._asked = {
            arm: [RawQuery("default", each, _identity(self._world, arm), window, until) for each in selectors]
            for arm in Arm
        }
        return [question for questions in self._asked.values() for question in questions]

    def hear(self, answers: Mapping[Question, Answer | Absent]) -> None:
        arms = {arm: self._read([answers[each] for each in questions]) for arm, questions in self._asked.items()}
        asked = self._asked[Arm.CANARY][0]
        pods = self._world.pods(asked.at, restarts_known=self._restarts_known)
        folded = folding.fold(self.state, Reading(arms, asked.at - asked.window, asked.at, pods), EPOCH, RULES)
        assert isinstance(folded, Folded), folded
        self.state = folded.state

    def _read(self, answers: list[Answer | Absent]) -> Selection:
        *counted, up = [each for each in answers if isinstance(each, Answer)]
        assert len(counted) == len(self._way.selectors), answers
        selection = asking.read(self._way, counted, RULES, up)
        assert isinstance(selection, Selection), selection
        return selection


def _identity(world: World, arm: Arm) -> tuple[Matcher, ...]:
    return (
        Matcher("namespace", MatchKind.EQUAL, world.namespace),
        Matcher("rollouts_pod_template_hash", MatchKind.EQUAL, HASHES[arm]),
    )
