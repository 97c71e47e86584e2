"""Tables of what a long run has found, for the terminal and for docs/soak.md.

Law: beside every figure stand versions, machine, seed and time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.faults import machine
from tests.soak import judging, memory
from tests.soak.judging import Course
from tests.soak.memory import Sample
from tests.soak.running import KillsFound, KillsWish
from tests.soak.soaking import FACTOR, SoakFound, SoakWish

PAGE = Path(__file__).parents[2] / "docs" / "soak.md"


def kills(found: KillsFound, wish: KillsWish) -> str:
    """What 1,000 kills have come to, as Markdown."""
    rows = [(moment, written or "-", str(times)) for (moment, written), times in sorted(found.killed.items())]
    lines = [
        *_table(("killed", "what was written then", "times"), rows),
        "",
        *_releases(found.courses),
        "",
        kills_in_words(found, wish),
        "",
        _about(wish.seed),
    ]
    return "\n".join(lines)


def kills_in_words(found: KillsFound, wish: KillsWish) -> str:
    """What the kills have come to, in a sentence or two."""
    total, minutes = found.killed.total(), found.seconds / 60
    return (
        f"{total} kills in {minutes:.0f} minutes ({total / minutes:.0f} a minute), {len(found.courses)} releases of "
        f"{wish.rollouts} Rollouts at once, {found.writes} writes to Rollouts, {found.records} records. "
        f"{_mistakes(found.mistakes)}"
    )


def soak(found: SoakFound, wish: SoakWish) -> str:
    """What hours of releases among faults have come to, as Markdown."""
    lines = [
        *_table(("fault", "times"), [(name, str(times)) for name, times in sorted(found.faults.items())]),
        "",
        *_releases(found.courses),
        "",
        *_table(("minute", "resident memory, MB"), [_sampled(each) for each in memory.series(found.memory)]),
        "",
        soak_in_words(found, wish),
        "",
        _about(wish.seed),
    ]
    return "\n".join(lines)


def _sampled(sample: Sample) -> tuple[str, str]:
    return f"{sample.seconds / 60:.0f}", f"{sample.rss / 1e6:.1f}"


def soak_in_words(found: SoakFound, wish: SoakWish) -> str:
    """What the hours have come to, in a sentence or two."""
    grown = found.growth
    told = "too short to tell whether the memory grows"
    if grown is not None:
        told = (
            f"memory after the warm-up: {grown.first / 1e6:.1f} MB in the first quarter, "
            f"{grown.last / 1e6:.1f} MB in the last ({grown.ratio:+.1%}; medians)"
        )
    return (
        f"{wish.minutes:g} minutes for {wish.minutes * FACTOR / 60:g} hours (a factor of {FACTOR}), "
        f"{len(found.courses)} releases of {found.rollouts} Rollouts, {wish.rollouts} at a time, "
        f"{found.faults.total()} faults, {found.writes} writes to Rollouts, {found.records} records; {told}. "
        f"{_mistakes(found.mistakes)}"
    )


def _about(seed: int) -> str:
    return f"Last written on {machine.today()}, seed {seed}, {machine.where()}."


def write(name: str, text: str) -> None:
    """Put a text between the marks of its name into docs/soak.md."""
    begin, end = f"<!-- {name}: written by python -m tests.soak {name} -->", f"<!-- end of {name} -->"
    page = PAGE.read_text()
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def _releases(courses: Sequence[Course]) -> list[str]:
    rows = [(truth, end, str(times)) for (truth, end), times in sorted(judging.ends(courses).items())]
    return _table(("the new version", "the release ended", "times"), rows)


def _mistakes(found: Sequence[str]) -> str:
    return f"Mistakes: {len(found)}." + "".join(f"\n- {each}" for each in found)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(head), _row(["---"] * len(head)), *(_row(row) for row in rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
