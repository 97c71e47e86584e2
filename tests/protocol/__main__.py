"""Explore every scope and print what was found; ends with 1 if anything that must never happen was."""

import platform
from typing import Annotated

import typer

import canary_operator
from tests.protocol import scopes
from tests.protocol.exploring import Exploration


def main(states: Annotated[int, typer.Option(help="The most states of one scope.")] = 100_000) -> None:
    """Explore."""
    typer.echo(
        f"canary-operator {canary_operator.__version__}, Python {platform.python_version()}, {platform.machine()}"
    )
    wrong = False
    for scope in scopes.ALL:
        found = Exploration(scope).run(states)
        whole = "all" if found.complete else "bounded"
        size = f"{found.states} states ({whole}), {found.transitions} transitions, depth {found.depth}"
        typer.echo(f"{scope.name}: {size}, {found.seconds:.0f} s: {found.found or 'nothing wrong'}")
        wrong = wrong or found.found is not None
    raise typer.Exit(int(wrong))


if __name__ == "__main__":
    typer.run(main)
