"""What is counted of seeded worlds behind a real Prometheus, beside the truth and beside its own increase().

    python -m bench.counting --worlds 50 --write

Law: prints versions, machine and seeds beside every figure; judges nothing. ``--write`` puts the tables between the
marks of docs/counting.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

import canary_operator
from canary_operator.counting.tallies import Arm, State, Tally
from canary_operator.model.samples import Answer, Query
from canary_operator.prometheus.providers import Providers
from canary_operator.settings import Provider
from lab.programs import cache
from tests.counting import serving
from tests.counting.looking import APART, ERRORS, GOOD_APART, SLOW
from tests.counting.serving import Measure, Server
from tests.counting.world import HASHES, INTERVAL, START, Chaos, World

PAGE = Path(__file__).parents[1] / "docs" / "counting.md"
BEGIN, END = "<!-- figures: python -m bench.counting --worlds 50 --write -->\n", "<!-- end of figures -->"

CALM = Chaos(restarts=0, deaths=0, scale_ups=0, target_gaps=0, outages=0, bursts=0)
WILD = Chaos(restarts=4, deaths=2, scale_ups=3, target_gaps=2, outages=1, prometheus_restarts=1, bursts=2)
WORLDS = {
    "few errors, quiet": replace(CALM, rate=0.2, error_ratio=0.02),
    "errors all the time": replace(CALM, error_ratio=0.1),
    "pods born, bursts of errors": replace(CALM, scale_ups=3, bursts=2),
    "pods restart and die": replace(CALM, restarts=4, deaths=2),
    "gaps, Prometheus restarts": replace(CALM, target_gaps=2, outages=2, prometheus_restarts=2),
    "two replicas of Prometheus": replace(WILD, replicas=2, drained=True),
    "all of it": WILD,
}
# What people ask Prometheus for: bad requests, all requests.
_ALL = "http_requests_total{%s}"
MEASURES: Mapping[str, tuple[Measure, str, str]] = {
    'bad is `status=~"5.."`': (ERRORS, 'http_requests_total{status=~"5..",%s}', _ALL),
    "bad has a metric of its own": (APART, "http_errors_total{%s}", _ALL),
    "good has a metric of its own": (GOOD_APART, "http_good_total{%s}", _ALL),
    "slower than 0.5 s": (
        SLOW,
        'http_duration_seconds_bucket{le="0.5",%s}',
        'http_duration_seconds_bucket{le="+Inf",%s}',
    ),
}
_BY_LABEL = MEASURES['bad is `status=~"5.."`']

NOTHING = Tally()


@dataclass(slots=True)
class Sums:
    served: Tally = NOTHING
    scraped: Tally = NOTHING
    counted: Tally = NOTHING
    increased_bad: float = 0.0
    increased_total: float = 0.0
    wrong: int = 0
    blind: int = 0
    with_bad: int = 0


def main(
    worlds: Annotated[int, typer.Option(min=1, help="Seeds 0 to this, for each kind of world.")] = 50,
    write: Annotated[bool, typer.Option(help="Put the tables into docs/counting.md.")] = False,
) -> None:
    """Count worlds and print one row for each kind, and one for each way to measure."""
    begun = time.perf_counter()
    tools = cache.install(only=("prometheus", "promtool")).programs
    kinds = {
        name: [World(seed, chaos, f"kind-{index}-{seed}") for seed in range(worlds)]
        for index, (name, chaos) in enumerate(WORLDS.items())
    }
    every = [world for group in kinds.values() for world in group]
    with tempfile.TemporaryDirectory() as folder, serving.prometheus(every, Path(folder), tools) as server:
        by_kind = {name: _sums(server, group, _BY_LABEL) for name, group in kinds.items()}
        by_measure = {name: _sums(server, kinds["all of it"], measure) for name, measure in MEASURES.items()}
    text = "\n".join(
        (
            _words(server, worlds, time.perf_counter() - begun),
            "",
            *_table("world", by_kind, worlds),
            "",
            'The worlds of the row "all of it", measured in other ways:',
            "",
            *_table("measure", by_measure, worlds),
        )
    )
    typer.echo(text)
    if write:
        _write(text)


def _words(server: Server, worlds: int, seconds: float) -> str:
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return (
        f"canary-operator {canary_operator.__version__}, Prometheus {server.version}, Python "
        f"{platform.python_version()}, {machine}, {seconds:.0f} s. {worlds} worlds a row, seeds 0 to {worlds - 1}, "
        f"scrapes every {INTERVAL:g} s, an epoch of {Chaos().seconds:g} s. Bad / all requests of the canary, all "
        "worlds of the row together: served since the epoch began; told by scrapes, from the last one before it to "
        "the watermark; counted; and as Prometheus' `sum(increase())` over the same time has it."
    )


def _table(first: str, rows: Mapping[str, Sums], worlds: int) -> Iterator[str]:
    yield f"| {first} | served | scraped | counted | worlds miscounted | `increase()` | and sees no bad one |"
    yield "|---|---|---|---|---|---|---|"
    for name, sums in rows.items():
        tallies = (f"{tally.bad} / {tally.total}" for tally in (sums.served, sums.scraped, sums.counted))
        increased = f"{sums.increased_bad:.0f} / {sums.increased_total:.0f}"
        blind = f"{sums.blind} of {sums.with_bad}"
        yield "| " + " | ".join((name, *tallies, f"{sums.wrong} of {worlds}", increased, blind)) + " |"


def _sums(server: Server, worlds: Sequence[World], asked: tuple[Measure, str, str]) -> Sums:
    measure, part, total = asked
    looks = [START + INTERVAL * n for n in range(1, round(Chaos().seconds / INTERVAL) + 1, 3)] + [worlds[0].end]
    states = serving.count(server, worlds, looks, measure)
    parts = asyncio.run(_increases(server, worlds, states, part))
    totals = asyncio.run(_increases(server, worlds, states, total))
    sums = Sums()
    for world, state, some, every in zip(worlds, states, parts, totals, strict=True):
        slow = measure is SLOW
        until = (state.watermark_ms or 0) / 1000
        scraped = world.scraped(Arm.CANARY, until, slow=slow)
        bad = every - some if measure in {SLOW, GOOD_APART} else some
        sums.served += world.served(Arm.CANARY, START, until, slow=slow)
        sums.scraped += scraped
        sums.counted += state.canary.tally
        sums.increased_bad += bad
        sums.increased_total += every
        sums.wrong += scraped != state.canary.tally
        sums.with_bad += scraped.bad > 0
        sums.blind += scraped.bad > 0 and bad <= 0
    return sums


async def _increases(server: Server, worlds: Sequence[World], states: Sequence[State], selector: str) -> list[float]:
    """``sum(increase())`` over the same time; of two replicas one is asked."""
    queries = []
    for world, state in zip(worlds, states, strict=True):
        until = (state.watermark_ms or 0) / 1000
        replica = ',prometheus_replica="prometheus-0"' if world.chaos.replicas > 1 else ""
        mine = f'namespace="{world.namespace}",rollouts_pod_template_hash="{HASHES[Arm.CANARY]}"{replica}'
        queries.append(Query("default", f"sum(increase({selector % mine}[{round(until - START)}s]))", until))
    providers = Providers([Provider.model_validate({"name": "default", "url": server.url, "timeout": "60s"})])
    try:
        answers = await providers.fetch(queries)
    finally:
        providers.close()
    return [_value(answers[query]) for query in queries]


def _value(answer: object) -> float:
    """The one value, 0 where there is no series."""
    assert isinstance(answer, Answer), answer
    return answer.series[0].samples[0].value if answer.series else 0.0


def _write(text: str) -> None:
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{after}")


if __name__ == "__main__":
    typer.run(main)
