"""What a condition costs: to compile it, and to judge one answer by it.

    python -m bench.conditions

Law: prints versions and machine beside every figure; judges nothing. Nothing is cached between two turns.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable

import typer

import canary_operator
from canary_operator.conditions import expression
from canary_operator.conditions.dialects import Dialect

TURNS, ROUNDS = 200, 40
# Condition -> a result for it; of the size that people write.
CONDITIONS: dict[str, list[float]] = {
    "result[0] < 0.05": [0.01],
    "result[0] <= 0.05 and result[0] >= 0": [0.01],
    "len(result) == 0 || isNaN(result[0]) || result[0] < 0.05": [0.01],
    "all(result, # < 0.5)": [0.1, 0.2, 0.3],
    "default(result, 0)[0] >= 0.95": [0.99],
}


def _microseconds(turn: Callable[[], object]) -> float:
    """The least time of the processor for one turn in several rounds: what other programs take is no part of it."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(TURNS):
            turn()
        rounds.append((time.process_time() - began) / TURNS * 1e6)
    return min(rounds)


def main() -> None:
    """Print microseconds for each condition."""
    typer.echo(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, "
        f"{platform.machine()}, {os.cpu_count()} cores; {TURNS} turns, the best of {ROUNDS} rounds; no seed"
    )
    typer.echo("| condition | compile, µs | evaluate, µs | compile for argo, µs |\n|---|---|---|---|")
    compiled, evaluated = [], []
    for text, result in CONDITIONS.items():
        condition = expression.compile_condition(text, expression.VECTOR)
        compiled.append(_microseconds(lambda text=text: expression.compile_condition(text, expression.VECTOR)))  # type: ignore[misc]
        evaluated.append(_microseconds(lambda c=condition, r=result: c.evaluate(r)))  # type: ignore[misc]
        argo = _microseconds(lambda text=text: expression.compile_condition(text, expression.VECTOR, Dialect.ARGO))  # type: ignore[misc]
        typer.echo(f"| `{text.replace('|', chr(92) + '|')}` | {compiled[-1]:.0f} | {evaluated[-1]:.1f} | {argo:.0f} |")
    typer.echo(f"| median | {statistics.median(compiled):.0f} | {statistics.median(evaluated):.1f} | |")


if __name__ == "__main__":
    typer.run(main)
