"""From measured cells to tables, and to what must hold.

Law: figures are printed as they are; a line that does not hold says so, with the cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.decisions import peers
from bench.decisions.measures import OURS, Cell, bound, upper
from bench.decisions.worlds import IID, RATES, TICK, Floats

ARGO, ARGO_ONE, FLAGGER = "Argo 2m, 3 failures", "Argo 1m, 1 failure", "Flagger"
SHOWN = (OURS, ARGO, "Argo 1m, 3 failures", ARGO_ONE, FLAGGER, peers.KAYENTA)
RATIOS = {"2.5 %": 0.025, "3 %": 0.03, "5 %": 0.05, "20 %": 0.2, "50 %": 0.5, "100 %": 1.0}


@dataclass(frozen=True, slots=True)
class Line:
    """A requirement, its figure, and whether it holds."""

    what: str
    figure: str
    holds: bool


def false_aborts(cells: Sequence[Cell]) -> list[list[str]]:
    """Rows: world; then for each rule the rates of false aborts, in percent, at each traffic."""
    worlds = list(dict.fromkeys(each.world for each in cells))
    return [
        [world, *["/".join(_percent(_rate(each, rule)) for each in cells if each.world == world) for rule in SHOWN]]
        for world in worlds
    ]


def delays(cells: Sequence[Cell]) -> list[list[str]]:
    """Rows: world, traffic, bound, then ours, and others' mean delay, failed requests, promotions and undecided."""
    rows = []
    for each in cells:
        ours, argo, flagger = (each.done[name] for name in (OURS, ARGO, FLAGGER))
        least = bound(RATIOS[each.world], each.rps) if each.world in RATIOS else math.nan
        rows.append(
            [
                each.world,
                f"{each.rps:g}",
                _time(least),
                _time(ours.delay),
                _time(ours.late),
                _time(argo.delay),
                _time(flagger.delay),
                f"{ours.failed:.0f}/{argo.failed:.0f}/{flagger.failed:.0f}",
                _percent((ours.aborted + ours.early) / each.runs),
                _percent(each.falsely / each.runs),
                _percent(each.undecided / each.runs),
            ]
        )
    return rows


def promotions(cells: Sequence[Cell]) -> list[list[str]]:
    """Rows: world; per traffic, how many healthy runs are promoted in 30 minutes, and the median time."""
    worlds = list(dict.fromkeys(each.world for each in cells))
    return [
        [
            world,
            *[
                f"{_percent(each.promoted / each.runs)} % {_time(each.promote_at)}"
                for each in cells
                if each.world == world
            ],
        ]
        for world in worlds
    ]


def must_hold(healthy: Sequence[Cell], bad: Sequence[Cell]) -> list[Line]:
    """The requirements, one line each."""
    return [
        _false_aborts(healthy),
        _pooled(healthy),
        _false_promotions([*healthy, *bad]),
        _delays(bad),
        _catastrophic(bad),
        *[
            _harm(bad, name, part)
            for name, part in ((ARGO, 0.5), ("Argo 1m, 3 failures", 0.5), (ARGO_ONE, 0.5), (FLAGGER, 0.12))
        ],
        _pareto(healthy, bad),
    ]


def _false_aborts(healthy: Sequence[Cell]) -> Line:
    worst = max(healthy, key=_upper)
    figure = f"{_percent(_rate(worst, OURS))} % (up to {_percent(_upper(worst))} %) in {_name(worst)}"
    over = [_name(each) for each in healthy if _upper(each) > 0.01]
    return Line("false aborts, worst healthy cell: at most 1 %, upper 95 % limit", figure + _over(over), not over)


def _pooled(healthy: Sequence[Cell]) -> Line:
    cells = [each for each in healthy if each.world in IID]
    hits, runs = sum(_aborts(each, OURS) for each in cells), sum(each.runs for each in cells)
    return Line(
        "false aborts, independent errors pooled: at most 0.1 %",
        f"{_percent(hits / runs)} % of {runs}",
        hits <= runs / 1000,
    )


def _false_promotions(cells: Sequence[Cell]) -> Line:
    worst = max(cells, key=lambda each: each.falsely / each.runs)
    return Line(
        "promotions of a weight whose own window was bad: at most 5 %",
        f"{_percent(worst.falsely / worst.runs)} % in {_name(worst)}",
        worst.falsely <= 0.05 * worst.runs,
    )


def _delays(bad: Sequence[Cell]) -> Line:
    cells = [each for each in bad if each.world in RATIOS and bound(RATIOS[each.world], each.rps) < 600]
    worst = max(cells, key=_efficiency)
    over = [f"{_name(each)} {_efficiency(each):.2f}" for each in cells if _efficiency(each) > 1.5]
    figure = f"{_efficiency(worst):.2f} in {_name(worst)}"
    return Line("mean delay over max(bound, 2 ticks): at most 1.5", figure + _over(over), not over)


def _efficiency(cell: Cell) -> float:
    return cell.done[OURS].delay / max(bound(RATIOS[cell.world], cell.rps), 2 * TICK)


def _catastrophic(bad: Sequence[Cell]) -> Line:
    cells = [each for each in bad if RATIOS.get(each.world, 0) >= 0.5 and each.rps >= 1]
    worst = max(cells, key=lambda each: each.done[OURS].late)
    late = worst.done[OURS].late
    return Line(
        "50 % and more at 1/s and more, 99th percentile: at most 3 ticks", f"{late / TICK:g} ticks", late <= 3 * TICK
    )


def _harm(bad: Sequence[Cell], peer: str, most: float) -> Line:
    cells = [each for each in bad if RATIOS.get(each.world, 0) >= 0.05 and each.rps >= 10]
    parts = {_name(each): each.done[OURS].failed / each.done[peer].failed for each in cells}
    worst = max(parts, key=lambda name: parts[name])
    return Line(
        f"failed requests against {peer}: at most {most:g}", f"{parts[worst]:.2f} in {worst}", parts[worst] <= most
    )


def _pareto(healthy: Sequence[Cell], bad: Sequence[Cell]) -> Line:
    """Where a peer that is right in all healthy worlds of a traffic is faster."""
    faster = []
    for rate in RATES:
        here = [each for each in healthy if each.rps == rate]
        fair = [
            name
            for name in bad[0].done
            if name != OURS and all(_rate(each, name) < 0.01 for each in here if name in each.done)
        ]
        for cell in (each for each in bad if each.rps == rate):
            faster += [f"{_name(cell)} by {name}" for name in fair if cell.done[name].delay < cell.done[OURS].delay]
    return Line(
        "cells where a peer under 1 % false aborts in all healthy worlds is faster: none",
        str(len(faster)) + _over(faster),
        not faster,
    )


def limits(healthy: Sequence[Cell], rate: float) -> Floats:
    """The tuned threshold for each window: as low as 1 % false aborts in every healthy world of a traffic allow."""

    peaks = [np.quantile(each.peaks, 0.99, axis=1, method="higher") for each in healthy if each.rps == rate]
    return np.asarray(np.stack(peaks).max(axis=0))


def _aborts(cell: Cell, rule: str) -> int:
    return cell.done[rule].aborted + cell.done[rule].early


def _rate(cell: Cell, rule: str) -> float:
    return _aborts(cell, rule) / cell.runs


def _upper(cell: Cell) -> float:
    return upper(_aborts(cell, OURS), cell.runs)


def _name(cell: Cell) -> str:
    return f'"{cell.world}" at {cell.rps:g}/s'


def _over(names: list[str]) -> str:
    return f"; {', '.join(names)}" if names else ""


def _percent(rate: float) -> str:
    return f"{100 * rate:.3g}" if rate < 0.1 else f"{100 * rate:.0f}"


def _time(seconds: float) -> str:
    if math.isnan(seconds):
        return "-"
    return f"{seconds:.3g} s" if seconds < 600 else f"{seconds / 60:.3g} min"
