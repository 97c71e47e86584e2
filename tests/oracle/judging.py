"""Recorded cases, judged: in Argo's dialect nothing may differ, in the safe one only what the table says.

Law: pure; a case in which Argo raced with its own cache is counted and left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from canary_operator.conditions.dialects import Dialect
from canary_operator.conditions.differences import deviates
from tests.oracle.replay import replay, stale

_UNDECIDED = ("", "Pending", "Running", "Inconclusive")


@dataclass(frozen=True, slots=True)
class Judged:
    """Cases by their numbers: those that count, how many raced, and what differs where."""

    kept: tuple[Mapping[str, Any], ...]
    raced: int
    differences: tuple[tuple[int, tuple[str, ...]], ...]


def judged(lines: Iterable[Mapping[str, Any]]) -> Judged:
    """Judge recorded cases in both dialects."""
    every = tuple(lines)
    kept = tuple(line for line in every if not stale(line))
    found = ((line["number"], (*to_the_letter(line), *safely(line))) for line in kept)
    return Judged(kept, len(every) - len(kept), tuple((number, wrong) for number, wrong in found if wrong))


def to_the_letter(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Where Argo's dialect is not Argo."""
    return replay(line, Dialect.ARGO).wrong


def safely(line: Mapping[str, Any]) -> tuple[str, ...]:
    """Where the safe dialect ends otherwise than Argo without a row of the table, or acts on no evidence."""
    found = replay(line, Dialect.SAFE)
    theirs = line["writes"][-1]["status"].get("phase", "")
    met = sorted(each.value for each in found.situations if deviates(each, Dialect.SAFE))
    wrong = []
    if found.phase != theirs and not met:
        wrong.append(f"safe: {found.phase}, Argo {theirs}, and no row says so")
    if found.phase != theirs and found.phase not in _UNDECIDED and found.phase != "Error":
        wrong.append(f"safe: {found.phase}, Argo {theirs}: a difference may only hold ({', '.join(met)})")
    return tuple(wrong)
