"""Run the fuzzer and print what it found, with the versions."""

import platform
from typing import Annotated

import typer

import canary_operator
from tests.fuzz.conditions import run


def main(
    count: Annotated[int, typer.Option(help="How many texts.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Which ones.")] = 1,
) -> None:
    """Judge many mutated conditions; a crash or a hang ends it with the text."""
    found = run(seed, count)
    typer.echo(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, {platform.machine()}, "
        f"seed {seed}: {found.count} texts, {found.answered} were answered, no crash, "
        f"the slowest took {found.slowest * 1000:.0f} ms: {found.slowest_text[:80]!r}"
    )


if __name__ == "__main__":
    typer.run(main)
